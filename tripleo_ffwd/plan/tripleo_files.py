"""A version as TripleO reads it: the same files, and a plan-environment.yaml that says all that TripleO has to know."""

from __future__ import annotations

from typing import Any

import yaml

from tripleo_ffwd.plan import last, plan_environment, tree
from tripleo_ffwd.plan.version import TEMPLATE, PlanVersion

NAME = plan_environment.NAME
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What we write otherwise than the version has it.
_SECTIONS = ("name", "environments", "passwords", "derived_parameters", "parameter_defaults")


def contents(version: PlanVersion) -> dict[str, bytes]:
    """Return the files of a version, content by name, with the plan environment for TripleO among them."""
    found = tree.contents(version.files_dir)
    found[NAME] = plan_environment.dump(_for_tripleo(version, _load(found.get(NAME, b""))))
    return found


def taken_back(data: bytes, current: PlanVersion) -> bytes | None:
    """Return a plan environment of the container without what `contents` did to it for the current version.

    The environments are named there as Heat gets them, the phase's and the operator's among them. A section that nobody
    else changed since is what the version itself has, so that the next phase puts its own environments in order.

    Returns:
        None when nothing is left of it: the version has no plan environment.
    """
    own = current.files_dir / NAME
    before = _load(own.read_bytes()) if own.is_file() else {}
    ours, found = _for_tripleo(current, before), _load(data)
    if found == ours:
        return own.read_bytes() if own.is_file() else None
    for section in _SECTIONS:
        if found.get(section) == ours.get(section):
            found.pop(section, None)
            found |= {section: before[section]} if section in before else {}
    return plan_environment.dump(found)


def _for_tripleo(version: PlanVersion, own: dict[str, Any]) -> dict[str, Any]:
    said = last.sections_for_tripleo(version.files_dir)
    named = {"name": version.plan, "environments": [{"path": name} for name in version.environments]}
    # TripleO's client takes the passwords of a plan over without a look whether there are any.
    return {"version": 1.0, "template": TEMPLATE, "passwords": {}, **own, **said, **named}


def _load(data: bytes) -> dict[str, Any]:
    found = yaml.load(data, Loader=_LOADER)
    return found if isinstance(found, dict) else {}
