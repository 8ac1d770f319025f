"""How big a bundle is by Heat's measures: never more than it is, so that what is refused Heat would have refused."""

from __future__ import annotations

import json

from tripleo_ffwd.heat.extent import measure
from tripleo_ffwd.stack import Bundle

HOT = {"heat_template_version": "queens"}
BASE = "file:///plan/"


def bundle(resources: dict, files: dict, environment: dict | None = None, parameters: dict | None = None) -> Bundle:
    template = {**HOT, "parameters": parameters or {}, "resources": resources}
    texts = {BASE + name: json.dumps({**HOT, **content}) for name, content in files.items()}
    return Bundle.of(template, environment or {}, texts, BASE)


def found(*arguments, **more) -> tuple[int, int]:
    extent = measure(bundle(*arguments, **more))
    return extent.depth, extent.resources


LEAF = {"resources": {"A": {"type": "OS::Heat::None"}, "B": {"type": "OS::Heat::None"}}}


def test_nested_stacks_are_found_through_aliases_and_wildcards():
    resources = {"One": {"type": "OS::Own::Role"}, "Two": {"type": "OS::Wild::Thing"}}
    registry = {"OS::Own::Role": "OS::Own::Other", "OS::Own::Other": "leaf.yaml", "OS::Wild::*": "leaf.yaml"}
    assert found(resources, {"leaf.yaml": LEAF}, {"resource_registry": registry}) == (1, 6)


def test_groups_and_chains_count_their_members_and_a_level_more():
    node = {"type": "leaf.yaml"}
    count = {"get_param": "ControllerCount"}
    group = {"type": "OS::Heat::ResourceGroup", "properties": {"count": count, "resource_def": node}}
    parameters = {"ControllerCount": {"type": "number", "default": 1}}
    environment = {"parameter_defaults": {"ControllerCount": 3}}
    assert found({"G": group}, {"leaf.yaml": LEAF}, environment, parameters=parameters) == (2, 1 + 3 * 3)

    services = {"Chain": {"type": "OS::Heat::ResourceChain", "properties": {"resources": {"get_param": "Services"}}}}
    role = {"parameters": {"Services": {"type": "comma_delimited_list"}}, "resources": services}
    given = {"type": "role.yaml", "properties": {"Services": {"get_param": "RoleServices"}}}
    parameters = {"RoleServices": {"type": "comma_delimited_list", "default": ["leaf.yaml", "leaf.yaml"]}}
    assert found({"R": given}, {"leaf.yaml": LEAF, "role.yaml": role}, parameters=parameters) == (3, 1 + 1 + 2 * 3)


def test_what_only_heat_can_work_out_is_not_counted():
    unsure = {"type": "leaf.yaml", "condition": "wanted"}
    computed = {"count": {"yaql": {"expression": "1", "data": {}}}, "resource_def": {"type": "leaf.yaml"}}
    resources = {"A": unsure, "B": {"type": "OS::Heat::ResourceGroup", "properties": computed}}
    assert found(resources, {"leaf.yaml": LEAF}) == (1, 1)


def test_a_type_within_the_template_that_stands_for_it_is_heats_own():
    inner = {"resources": {"Real": {"type": "OS::Heat::SoftwareDeployment"}}}
    registry = {"OS::Heat::SoftwareDeployment": "software.yaml"}
    resources = {"D": {"type": "OS::Heat::SoftwareDeployment"}}
    assert found(resources, {"software.yaml": inner}, {"resource_registry": registry}) == (1, 2)


def test_the_largest_template_is_told_and_other_files_are_not():
    made = bundle({"A": {"type": "leaf.yaml"}}, {"leaf.yaml": LEAF})
    texts = {BASE + name: text for name, text in made.files.items()} | {BASE + "script.sh": "x" * 5000}
    extent = measure(Bundle.of(made.template, {}, texts, BASE))
    assert extent.largest == len(made.files["leaf.yaml"])
    assert extent.size > 5000 + extent.largest
