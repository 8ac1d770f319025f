"""What every action does with an error."""

from __future__ import annotations

import importlib.metadata
import json

import pytest
from mistral_lib import actions, serialization
from mistral_lib.actions import context as action_context

from tripleo_ffwd.actions.base import FfwdAction
from tripleo_ffwd.exceptions import PlanLocked

OURS = [entry for entry in importlib.metadata.entry_points(group="mistral.actions") if entry.name.startswith("ffwd.")]


def raising(error):
    class Raising(FfwdAction):
        def act(self, caller):
            raise error

    return Raising()


def run(action):
    execution = action_context.ExecutionContext(workflow_execution_id="w-1")
    return action.run(action_context.ActionContext(action_context.SecurityContext(), execution))


def test_our_errors_arrive_structured():
    result = run(raising(PlanLocked("Plan p is held", where="p", remedy="Wait", holder="e-1")))
    assert isinstance(result, actions.Result)
    assert result.error == {
        "error": "PlanLocked",
        "message": "p: Plan p is held. Wait",
        "where": "p",
        "remedy": "Wait",
        "holder": "e-1",
    }


@pytest.mark.parametrize("error", [SystemExit(0), ValueError("boom")])
def test_what_was_not_foreseen_is_an_error_too(error):
    result = run(raising(error))
    assert result.is_error()
    assert f"failed unexpectedly: {type(error).__name__}" in result.error["message"]


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.name)
def test_an_action_survives_the_way_to_a_remote_executor(entry):
    cls = entry.load()
    names = cls.__init__.__code__.co_varnames[1 : cls.__init__.__code__.co_argcount]
    action = cls(*[f"value of {name}" for name in names])
    restored = serialization.get_polymorphic_serializer()
    copy = restored.deserialize(restored.serialize(action))
    assert vars(copy) == vars(action) == {name: f"value of {name}" for name in names}
    json.dumps(list(cls.__init__.__defaults__ or ()))


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.name)
def test_every_parameter_and_the_result_are_documented(entry):
    cls = entry.load()
    for name in cls.__init__.__code__.co_varnames[1 : cls.__init__.__code__.co_argcount]:
        assert f":param {name}:" in cls.__doc__
    assert ":returns:" in cls.__doc__
