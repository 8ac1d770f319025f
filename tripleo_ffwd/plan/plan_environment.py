"""``plan-environment.yaml``: environments, passwords and parameters of a plan, in the form and the order of TripleO.

TripleO gives Heat the plan's environments in their order and, after them, one more with all parameters of the plan:
passwords first, then derived parameters, then parameter_defaults, where later ones win. What the operator passes for
a phase goes into parameter_defaults there, so that it wins over what the plan had. Here that last environment is a
file of the version, `PARAMETERS`; for the same result it has no value that the phase's or the operator's set.
"""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tripleo_ffwd.plan.effective import Effective, deep_update, is_file
from tripleo_ffwd.plan.places import Files, NotReadable
from tripleo_ffwd.plan.problems import Problem
from tripleo_ffwd.plan.version import TEMPLATE

NAME = "plan-environment.yaml"
REGISTRIES = ("overcloud-resource-registry-puppet.yaml", "overcloud-resource-registry.yaml")
# What we generate into a version is in a directory of its own.
GENERATED = "ffwd"
PARAMETERS = f"{GENERATED}/plan-parameters.yaml"
PASSWORDS = f"{GENERATED}/passwords.yaml"
_DATA = f"{GENERATED}/plan-environment-{{:02d}}.yaml"
_MAPPINGS = ("passwords", "derived_parameters", "parameter_defaults", "resource_registry")
_VERSIONS = ("1", "1.0")


@dataclasses.dataclass(frozen=True)
class PlanEnvironment:
    """What a plan says of itself.

    Attributes:
        environments: names within the plan, in order.
        data: contents of those that are not files yet, by name.
        passwords, derived_parameters, parameter_defaults: by name of the parameter.
        resource_registry: what resource types stand for, files named from the top of the plan.
    """

    environments: tuple[str, ...] = ()
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    passwords: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    derived_parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    parameter_defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    resource_registry: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def own_parameters(self) -> dict[str, Any]:
        """Parameters in TripleO's order: passwords, derived parameters, parameter_defaults."""
        return deep_update({**self.passwords, **self.derived_parameters}, self.parameter_defaults)


def load(files: Files) -> tuple[PlanEnvironment, list[Problem]]:
    """Read the plan environment, or what stands for it when there is none: the templates' resource registry."""
    if not files.has(NAME):
        return PlanEnvironment(tuple(name for name in REGISTRIES if files.has(name))[:1]), []
    try:
        content = files.load(NAME)
    except NotReadable as error:
        return PlanEnvironment(), [Problem("plan_environment", str(error), NAME)]
    if not isinstance(content, dict):
        return PlanEnvironment(), [Problem("plan_environment", "It must be a mapping", files.where(NAME))]
    problems = list(_head_problems(files, content))
    mappings = {}
    for key in _MAPPINGS:
        value = content.get(key) or {}
        if not isinstance(value, dict):
            problems.append(Problem("plan_environment", f"{key} must be a mapping", files.where(NAME, key)))
            value = {}
        mappings[key] = value
    names, data = _environments(files, content.get("environments") or [], problems)
    return PlanEnvironment(tuple(names), data, **mappings), problems


def last_environment(plan: PlanEnvironment, passwords: Mapping[str, Any], later: Effective) -> dict[str, Any]:
    """Return the environment with the plan's own parameters and types.

    Args:
        plan: says most of them.
        passwords: those that the plan does not say, by name.
        later: of the phase's and the operator's environments, which win over it.
    """
    told = deep_update({**passwords, **plan.passwords, **plan.derived_parameters}, plan.parameter_defaults)
    parameters = {name: value for name, value in told.items() if name not in later.defaults}
    types = {name: value for name, value in plan.resource_registry.items() if name not in later.types}
    content: dict[str, Any] = {}
    if parameters:
        content["parameter_defaults"] = parameters
    if types:
        content["resource_registry"] = _from_generated(types)
    return content


def dump(content: Mapping[str, Any]) -> bytes:
    """Return a mapping as YAML; the same bytes for the same content."""
    text: str = yaml.safe_dump(dict(content), default_flow_style=False, sort_keys=True, allow_unicode=True)
    return text.encode()


def _head_problems(files: Files, content: Mapping[str, Any]) -> Iterator[Problem]:
    if str(content.get("version", "1.0")) not in _VERSIONS:
        told = f"Version {content['version']!r} of plan environments is not known"
        yield Problem("plan_environment", told, files.where(NAME, "version"), "Write it as version 1.0 has it")
    if content.get("template", TEMPLATE) != TEMPLATE:
        told = f"The template is {content['template']!r}, and must be {TEMPLATE}"
        yield Problem("plan_environment", told, files.where(NAME, "template"))


def _environments(files: Files, items: Any, problems: list[Problem]) -> tuple[list[str], dict[str, Any]]:
    names: list[str] = []
    data: dict[str, Any] = {}
    if not isinstance(items, list):
        problems.append(Problem("plan_environment", "environments must be a list", files.where(NAME, "environments")))
        items = []
    for number, item in enumerate(items):
        where = files.where(NAME, "environments", number)
        if isinstance(item, dict) and isinstance(item.get("path"), str) and item["path"]:
            name = posixpath.normpath(item["path"])
            if files.has(name):
                names.append(name)
            elif not name.startswith(f"{GENERATED}/"):
                # What an earlier version had generated is made anew.
                problems.append(Problem("missing_file", f"There is no environment {item['path']}", where))
        elif isinstance(item, dict) and isinstance(item.get("data"), dict):
            names.append(_DATA.format(number + 1))
            registry = item["data"].get("resource_registry")
            adapted = {"resource_registry": _from_generated(registry)} if isinstance(registry, dict) else {}
            data[names[-1]] = {**item["data"], **adapted}
        else:
            told = "An environment must be {path: …} or {data: {…}}"
            problems.append(Problem("plan_environment", told, where))
    return names, data


def _from_generated(registry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a registry that names files from the top of the plan as one in the generated directory has to."""
    found: dict[str, Any] = {}
    for key, value in registry.items():
        if isinstance(value, dict):
            found[key] = _from_generated(value)
        elif is_file(value) and key not in ("base_url", "hooks", "restricted_actions"):
            found[key] = posixpath.relpath(value, GENERATED)
        else:
            found[key] = value
    return found
