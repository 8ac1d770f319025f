"""A caller's token that nothing stands in for: who waits is told before it expires."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import zaqar_stub
from mistral_stub import serving
from oslo_config import cfg

from tripleo_ffwd import config
from tripleo_ffwd.actions.calls import ReadCallAction
from tripleo_ffwd.actions.overview import GetPlanStatusAction
from tripleo_ffwd.actions.phases import AcquireLockAction
from tripleo_ffwd.actions.watching import WatchExecutionAction

END = "2031-05-06T07:08:09.000000Z"
CALL = "tripleo.deployment.v1.deploy_plan"


@pytest.fixture
def queues():
    with zaqar_stub.serving() as stub:
        yield stub


@pytest.fixture
def mistral(work_dir):
    with serving() as stub:
        cfg.CONF.set_override("mistral_url", stub.url, group=config.GROUP)
        yield stub
        cfg.CONF.clear_override("mistral_url", group=config.GROUP)


def run(action, queues, token: str = "theirs"):
    catalog = json.dumps(
        {"catalog": [{"type": "messaging", "endpoints": [{"interface": "public", "url": queues.url}]}]}
    )
    security = SimpleNamespace(
        auth_token=token, project_id="p-1", expires_at=END, service_catalog=catalog, insecure=False, auth_cacert=None
    )
    execution = SimpleNamespace(action_execution_id="a-1", task_execution_id="t-1")
    return action.run(SimpleNamespace(execution=execution, security=security))


def told(queues, mistral, *, quiet: bool = False, token: str = "theirs") -> list[str]:
    """Return the words of the messages that come before anything has been done."""
    mistral.executions["e-1"] = {"state": "RUNNING", "input": {"container": "p"}}
    assert run(ReadCallAction("e-1", type=CALL, quiet=quiet), queues, token)["plan"] == "p"
    run(WatchExecutionAction("e-1", type=CALL, quiet=quiet), queues, token)
    return [payload["message"] for payload in queues.payloads("e-1")]


def test_the_first_message_says_when_the_token_expires_and_what_helps(queues, mistral):
    (first,) = told(queues, mistral)
    assert f"which expires at {END}" in first
    assert "set auth_url, auth_username" in first


def test_a_client_that_takes_each_message_for_the_last_is_not_told(queues, mistral):
    assert told(queues, mistral, quiet=True) == []


def test_credentials_of_our_own_and_a_cloud_without_keystone_need_no_warning(queues, mistral):
    assert told(queues, mistral, token="") == []
    cfg.CONF.set_override("auth_url", "http://127.0.0.1:1/v3", group=config.GROUP)
    run(AcquireLockAction("p", "prepare", "e-1"), queues)
    assert run(GetPlanStatusAction("p"), queues)["warnings"] == []
    cfg.CONF.clear_override("auth_url", group=config.GROUP)


def test_status_warns_too(queues, work_dir):
    run(AcquireLockAction("p", "prepare", "e-1"), queues)
    (warning,) = run(GetPlanStatusAction("p"), queues)["warnings"]
    assert "the token of who starts a phase, until it expires" in warning
    assert "set auth_url" in warning
    assert END not in warning, "that is the end of the token that asks"
