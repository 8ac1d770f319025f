"""Polls of a stack that can't be asked, and of one that takes too long: never an error, always an end."""

from __future__ import annotations

import time

import pytest
from heat_stub import Overcloud, serving
from oslo_config import cfg

from tripleo_ffwd import config
from tripleo_ffwd.actions.base import Caller
from tripleo_ffwd.actions.stacks import CancelStackUpdateAction, GetStackStatusAction


def caller(url: str, work_dir="/nowhere") -> Caller:
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    options.set_override("heat_url", url, group=config.GROUP)
    options.set_override("work_dir", str(work_dir), group=config.GROUP)
    return Caller(conf=section, security=None, action_execution="")


@pytest.mark.parametrize("status", [500, 502, 503, 401])
def test_an_answer_that_is_none_is_unknown_until_the_deadline(status):
    with serving(Overcloud(1)) as stub:
        stub.broken["stacks"] = (status, {"error": {"message": "no"}})
        told = GetStackStatusAction("overcloud", deadline=int(time.time()) + 60).act(caller(stub.url))
        assert (told["state"], told["settled"], told["succeeded"]) == ("unknown", False, False)
        told = GetStackStatusAction("overcloud", deadline=1).act(caller(stub.url))
    assert (told["state"], told["settled"]) == ("failed", True)
    assert "the time for it is over" in told["message"] and "ffwd_upgrade.v1.cancel" in told["remedy"]


def test_a_stack_that_is_gone_ends_the_wait():
    with serving(Overcloud(1)) as stub:
        told = GetStackStatusAction("absent").act(caller(stub.url))
    assert (told["settled"], told["succeeded"]) == (True, False)
    assert "absent does not exist" in told["message"]


def test_a_connection_that_is_refused_is_unknown():
    told = GetStackStatusAction("overcloud").act(caller("http://127.0.0.1:9/v1/admin"))
    assert (told["state"], told["settled"]) == ("unknown", False)


def test_without_an_update_there_is_nothing_to_cancel_and_heat_is_not_asked(tmp_path):
    told = CancelStackUpdateAction("overcloud").act(caller("http://127.0.0.1:9/v1/admin", tmp_path))
    assert told["cancelled"] is False and "has sent no update" in told["message"]
