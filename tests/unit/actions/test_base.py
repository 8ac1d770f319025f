"""What every action does with an error."""

from __future__ import annotations

import importlib.metadata
import json

import pytest
from mistral_lib import actions, serialization
from mistral_lib.actions import context as action_context

from tripleo_ffwd.actions.base import FfwdAction
from tripleo_ffwd.exceptions import PlanLocked
from tripleo_ffwd.plan import hidden
from tripleo_ffwd.plan.store import PlanStore

OURS = [entry for entry in importlib.metadata.entry_points(group="mistral.actions") if entry.name.startswith("ffwd.")]


def raising(error):
    class Raising(FfwdAction):
        def act(self, caller):
            raise error

    return Raising()


def run(action, token=None):
    execution = action_context.ExecutionContext(workflow_execution_id="w-1")
    return action.run(action_context.ActionContext(action_context.SecurityContext(auth_token=token), execution))


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


@pytest.mark.parametrize("kind", [ValueError, PlanLocked])
def test_no_error_tells_the_token_or_what_the_caller_gave(kind, caplog):
    action = raising(kind("refused gAAAA-token-4b1d with {'password': 'sword\\'fish'} at mysql://nova:herring@db/"))
    action.extra_vars = {"password": "sword'fish"}
    result = run(action, token="gAAAA-token-4b1d")
    assert "refused ****** with" in result.error["message"]
    for text in (json.dumps(result.error), caplog.text):
        assert "4b1d" not in text and "fish" not in text and "herring" not in text
    assert kind is PlanLocked or "Traceback" in caplog.text


def test_no_error_tells_a_hidden_parameter_of_the_plan(tmp_path):
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "overcloud.yaml").write_text(
        "heat_template_version: queens\nparameters:\n  Odd: {type: string, hidden: true, default: haddock}\n"
        "  Plain: {type: string, default: harmless}\n"
    )
    environment = tmp_path / "one.yaml"
    environment.write_text("parameter_defaults: {Odd: halibut-3, Plain: harmless, NovaPassword: herring}\n")
    made = PlanStore(tmp_path / "work").create_version("p", templates=templates, environments=[environment])
    assert hidden.values(made) == {"haddock", "halibut-3", "herring"}


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


def test_what_is_asked_for_again_is_known_by_its_task():
    told = []

    class Telling(FfwdAction):
        def act(self, caller):
            told.append(caller.attempt)

    security = action_context.SecurityContext()
    for task, action in (("t-1", "a-1"), ("t-1", "a-2"), (None, "a-3")):
        execution = action_context.ExecutionContext(task_execution_id=task, action_execution_id=action)
        Telling().run(action_context.ActionContext(security, execution))
    assert told == ["t-1", "t-1", "a-3"], "a lost action comes back under another id"
