"""What makes the embedded Heat fast comes to what Heat itself comes to."""

from __future__ import annotations

import shutil
import threading
from types import SimpleNamespace

import pytest
import yaml
from heat.common import exception, identifier
from heat.engine import environment, resource, stk_defn, template
from heat.engine.hot import template as hot_template
from oslo_messaging import Target
from oslo_messaging._drivers import impl_fake

from tripleo_ffwd.embedded import heat_speed
from tripleo_ffwd.embedded.overcloud import PLAN_DIR
from tripleo_ffwd.plan.rendering import render_tree

SMALL = """
heat_template_version: queens
parameters:
  wanted: {type: boolean, default: false}
  which: {type: string, default: A}
conditions:
  is_wanted: {get_param: wanted}
resources:
  A: {type: OS::Heat::Value, properties: {value: one}}
  B: {type: OS::Heat::Value, properties: {value: {get_attr: [A, value]}}}
  C: {type: OS::Heat::Value, condition: is_wanted, properties: {value: {get_attr: [A, value]}}}
  D: {type: OS::Heat::Value, depends_on: A, properties: {value: {get_attr: [{get_param: which}, value]}}}
  E: {type: OS::Heat::Value, properties: {value: {repeat: {for_each: {X: [a]}, template: {get_attr: [A, X]}}}}}
outputs:
  O: {value: {get_attr: [B, show]}}
"""


def definition_of(text: str) -> stk_defn.StackDefinition:
    made = template.Template(yaml.safe_load(text), env=environment.Environment({}))
    return stk_defn.StackDefinition(None, made, identifier.HeatIdentifier("tenant", "stack", "id"), {})


@pytest.fixture(scope="module")
def overcloud(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp("plan") / "plan"
    shutil.copytree(PLAN_DIR, root)
    render_tree(root, [path.relative_to(root).as_posix() for path in root.rglob("*.j2.yaml")])
    return (root / "overcloud.yaml").read_text()


def heats_own(text: str) -> stk_defn.StackDefinition:
    made = definition_of(text)
    made._resource_defns = hot_template.HOTemplate20130523.resource_definitions(made.t, made)
    return made


def fast(text: str) -> stk_defn.StackDefinition:
    made = definition_of(text)
    made._resource_defns = heat_speed.Definitions(made.t, made)
    return made


@pytest.mark.parametrize("text", [SMALL, "overcloud"], ids=["small", "demo"])
def test_definitions_are_those_that_heat_makes(text, overcloud):
    text = overcloud if text == "overcloud" else text
    theirs, ours = heats_own(text), fast(text)
    assert ours.enabled_rsrc_names() == theirs.enabled_rsrc_names()
    for name in theirs.enabled_rsrc_names():
        one, other = theirs.resource_definition(name), ours.resource_definition(name)
        assert (one.resource_type, one.render_hot()) == (other.resource_type, other.render_hot())
        assert one.required_resource_names() == other.required_resource_names()


@pytest.mark.parametrize("text", [SMALL, "overcloud"], ids=["small", "demo"])
@pytest.mark.parametrize("where", [(True, True), (False, True), (True, False)])
def test_the_attributes_in_use_are_those_that_heat_finds(text, where, overcloud):
    text = overcloud if text == "overcloud" else text
    theirs, ours = heats_own(text), fast(text)
    found = 0
    for name in theirs.enabled_rsrc_names():
        asked = SimpleNamespace(name=name, attributes={"value": None, "show": None}, SHOW="show")
        wanted = resource.Resource.referenced_attrs(asked, theirs, *where)
        assert heat_speed.referenced_attrs(asked, ours, *where) == wanted
        found += len(wanted)
    assert found


def test_only_what_names_a_resource_is_parsed():
    ours = fast(SMALL)
    asked = SimpleNamespace(name="B", attributes={}, SHOW="show")
    heat_speed.referenced_attrs(asked, ours)
    parsed = {name for name, found in ours._resource_defns._found.items() if found is not None}
    assert parsed == {"D", "E"}, "those whose references are made up when they are resolved"


def test_a_wrong_keyword_is_refused_as_heat_refuses_it():
    wrong = SMALL.replace("depends_on: A", "depends: A")
    with pytest.raises(exception.StackValidationFailed, match="depends"):
        fast(wrong).enabled_rsrc_names()


def test_messages_are_handed_over_at_once(monkeypatch):
    for owner in (impl_fake.FakeExchange, impl_fake.FakeListener):
        for name in ("deliver_message", "stop", "poll"):
            if hasattr(owner, name):
                monkeypatch.setattr(owner, name, getattr(owner, name))
    heat_speed._wake_listeners()
    manager = impl_fake.FakeExchangeManager("heat")
    listener = impl_fake.FakeListener(manager, [Target(topic="engine", server="one")])
    got: list = []
    waiting = threading.Thread(target=lambda: got.extend(listener.poll(timeout=30)))
    waiting.start()
    manager.get_exchange("heat").deliver_message("engine", {}, {"method": "ping"}, server="one")
    waiting.join(10)
    assert [incoming.message for incoming in got] == [{"method": "ping"}]
    assert listener.poll(timeout=0.01) == []
    stopped = threading.Thread(target=listener.poll)
    stopped.start()
    listener.stop()
    stopped.join(10)
    assert not stopped.is_alive()
