"""An execution that is watched: when it hangs, and when it only rests."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import zaqar_stub
from mistral_stub import serving
from oslo_config import cfg

from tripleo_ffwd import config
from tripleo_ffwd.actions import watching
from tripleo_ffwd.actions.watching import WatchExecutionAction
from tripleo_ffwd.plan import outbox

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
