"""An execution that is watched: when it hangs, and when it only rests."""

from __future__ import annotations

import dataclasses
import time
from types import SimpleNamespace

import pytest
import zaqar_stub
from mistral_stub import serving
from oslo_config import cfg

from tripleo_ffwd import config
from tripleo_ffwd.actions import progress, watching
from tripleo_ffwd.actions.messages import SendMessageAction
from tripleo_ffwd.actions.watching import WatchExecutionAction
from tripleo_ffwd.model import FailedTask, RunStatus
from tripleo_ffwd.plan import outbox

RUN = RunStatus("r-1", "", "p", "run", "p.yaml", "live")
LONG_AGO = watching.IDLE_LIMIT + 3600


@pytest.fixture
def queues():
    with zaqar_stub.serving() as stub:
        yield stub


@pytest.fixture
def mistral(work_dir, queues):
    """A Mistral whose execution e-1 was begun long ago."""
    with serving() as stub:
        for name, value in (("mistral_url", stub.url), ("zaqar_url", queues.url)):
            cfg.CONF.set_override(name, value, group=config.GROUP)
        outbox.put(work_dir, "e-1", "tripleo", None, told={"begun": time.time() - LONG_AGO})
        stub.executions["e-1"] = {"state": "RUNNING", "output": {}}
        yield stub
        for name in ("mistral_url", "zaqar_url"):
            cfg.CONF.clear_override(name, group=config.GROUP)


def look():
    execution = SimpleNamespace(action_execution_id="a-1", task_execution_id="t-1")
    security = SimpleNamespace(project_id=None, auth_token=None)
    return WatchExecutionAction("e-1", type="w").run(SimpleNamespace(execution=execution, security=security))


def test_an_execution_that_does_nothing_for_too_long_is_cancelled_and_its_end_told(mistral, queues):
    assert look()["settled"]
    assert mistral.executions["e-1"]["state"] == "CANCELLED"
    (last,) = queues.payloads("e-1")
    assert last["status"] == "FAILED"
    assert "has done nothing for 25 hours and was cancelled" in last["message"]


def test_a_paused_execution_does_not_hang_however_long_nor_right_after_it_goes_on(mistral, queues):
    mistral.executions["e-1"]["state"] = "PAUSED"
    assert not look()["settled"]
    mistral.executions["e-1"]["state"] = "RUNNING"
    assert not look()["settled"]
    assert mistral.executions["e-1"]["state"] == "RUNNING"
    told = [(payload["status"], payload["message"]) for payload in queues.payloads("e-1")]
    assert told == [("RUNNING", "The execution is paused"), ("RUNNING", "The execution is RUNNING")]


def test_an_execution_that_has_gone_is_told_as_the_end(mistral, queues):
    mistral.executions["e-1"]["state"] = "PAUSED"
    look()
    del mistral.executions["e-1"]
    assert look()["settled"]
    assert [payload["status"] for payload in queues.payloads("e-1")] == ["RUNNING", "FAILED"]


def test_stages_that_came_and_went_between_two_looks_are_told_in_order_with_what_failed_in_each(tmp_path, monkeypatch):
    ids = ["-/facts/all/all", "ocata/step1/Controller/all", "ocata/step2/Controller/all", "ocata/step3/Controller/all"]
    monkeypatch.setattr(progress.runs, "stages", lambda _run_dir: tuple(enumerate(ids)))
    failed = FailedTask("p.yaml", ids[2], "ctl-1", "Migrate", "no schema", "")

    def at(stage, done, **more):
        state = {"state": "live", "result": "", "stage": stage, "stages_done": done, "stages_total": 4, **more}
        return dataclasses.replace(RUN, run_dir=str(tmp_path), **state)

    known = {}
    assert list(progress.of_run(at(ids[0], 0), known)) == [
        "p.yaml: run r-1 has begun",
        "p.yaml: -/facts/all/all (0 of 4 stages are done)",
    ]
    assert list(progress.of_run(at(ids[0], 0), known)) == []
    ended = at(ids[2], 2, failed=(failed,), failed_total=1, state="finished", result="failed", message="it ends here")
    assert list(progress.of_run(ended, known)) == [
        "p.yaml: ocata/step1/Controller/all (1 of 4 stages are done)",
        "p.yaml: ocata/step2/Controller/all (2 of 4 stages are done)",
        "p.yaml: ctl-1 failed in ocata/step2/Controller/all: Migrate: no schema",
        "p.yaml: it ends here",
    ]
    assert list(progress.of_run(ended, known)) == []


def test_all_stages_of_a_run_that_nobody_looked_at_are_told_at_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(progress.runs, "stages", lambda _run_dir: ((0, "a"), (1, "b")))
    done = {"state": "finished", "result": "successful", "stage": "b", "stages_done": 2, "stages_total": 2}
    told = list(progress.of_run(dataclasses.replace(RUN, **done, message="all 2 stages finished"), {}))
    assert [line.partition(": ")[2] for line in told] == [
        "run r-1 has begun",
        "a (0 of 2 stages are done)",
        "b (1 of 2 stages are done)",
        "all 2 stages finished",
    ]


@pytest.mark.parametrize("quiet", [False, True])
def test_what_the_watcher_has_not_come_to_is_told_before_the_end_unless_nothing_but_it_is(
    work_dir, mistral, queues, monkeypatch, quiet
):
    run = dataclasses.replace(RUN, stage="a", stages_total=2, state="finished", result="failed", message="it ends here")
    monkeypatch.setattr(
        progress, "runs_of", lambda _caller, root, plan, _known: (run,) if (root, plan) == ("e-1", "p") else ()
    )
    monkeypatch.setattr(progress.runs, "stages", lambda _run_dir: ((0, "a"), (1, "b")))
    outbox.put(work_dir, "e-1", "tripleo", None, plan="p", told={"begun": time.time(), "progress": not quiet})
    execution = SimpleNamespace(action_execution_id="a-2", task_execution_id="t-2")
    context = SimpleNamespace(execution=execution, security=SimpleNamespace(project_id=None, auth_token=None))
    assert SendMessageAction("e-1", "the last word", "FAILED").run(context)["sent"]
    look()
    words = [payload["message"].removeprefix("p.yaml: ") for payload in queues.payloads("e-1")]
    begun = [] if quiet else ["run r-1 has begun", "a (0 of 2 stages are done)", "it ends here"]
    assert words == [*begun, "the last word"]
