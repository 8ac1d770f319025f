"""A run follows the execution that started it also when Mistral could not be asked for that at first."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from mistral_stub import serving
from oslo_config import cfg

from tripleo_ffwd import config
from tripleo_ffwd.actions import following
from tripleo_ffwd.actions.runs import GetPlaybookStatusAction

OWNER = "e-1"


@pytest.fixture
def live(work_dir) -> Path:
    """A run that is being started."""
    run_dir: Path = work_dir / "runs" / "20261123T000000000000-abcdef"
    run_dir.mkdir(parents=True)
    (run_dir / "spec.json").write_text(json.dumps({"plan": "overcloud", "phase": "run", "playbook": "p.yaml"}))
    (run_dir / "launch.json").write_text(json.dumps({"created": time.time()}))
    return run_dir


def look(run_dir: Path, url: str, owner: str = OWNER) -> None:
    cfg.CONF.set_override("mistral_url", url, group=config.GROUP)
    execution = SimpleNamespace(action_execution_id="a-1", task_execution_id="t-1")
    context = SimpleNamespace(execution=execution, security=SimpleNamespace(project_id=None, auth_token=None))
    try:
        told = GetPlaybookStatusAction(str(run_dir), "overcloud", owner).run(context)
    finally:
        cfg.CONF.clear_override("mistral_url", group=config.GROUP)
    assert told["state"] == "live"


def test_it_is_tried_again_until_mistral_answers_and_begun_once(live, monkeypatch):
    look(live, "http://127.0.0.1:9/v2")
    with serving() as stub:
        look(live, stub.url)
        assert stub.executions == {}, "not at every look"
        monkeypatch.setattr(following, "TRY_AGAIN", 0)
        look(live, stub.url)
        look(live, stub.url)
        assert len(stub.executions) == 1
        look(live, stub.url, owner="e-2")
        assert len(stub.executions) == 2, "who takes the plan over has the run, too"
        look(live, stub.url, owner="")
        assert len(stub.executions) == 2


def test_none_is_begun_that_cannot_be_noted(live, monkeypatch):
    monkeypatch.setattr(following, "TRY_AGAIN", 0)
    (live / "followers.json").mkdir()
    with serving() as stub:
        look(live, stub.url)
        look(live, stub.url)
        assert stub.executions == {}, "there would be one more at each look"
        (live / "followers.json").rmdir()
        look(live, stub.url)
        look(live, stub.url)
        assert len(stub.executions) == 1
