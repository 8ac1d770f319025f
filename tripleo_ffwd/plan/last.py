"""The last environment of a plan: its own parameters, with passwords that are kept from version to version."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.plan import passwords, plan_environment
from tripleo_ffwd.plan.effective import Effective, Setting
from tripleo_ffwd.plan.library import Library
from tripleo_ffwd.plan.lifecycle import INIT_COMMANDS
from tripleo_ffwd.plan.places import Files, NotReadable
from tripleo_ffwd.plan.plan_environment import PARAMETERS, PASSWORDS, PlanEnvironment
from tripleo_ffwd.plan.problems import Problem, Report
from tripleo_ffwd.plan.version import TEMPLATE

# A resource of the root template of one of these makes a password, and keeps it as long as the stack is there.
_STACK_MADE = ("OS::TripleO::RandomString", "OS::Heat::RandomString")
# What Heat says of a hidden parameter: the stack has a value, and keeps it when an update names none.
_COVERED = "******"
# Where a parameter of the plan is said, the strongest first.
_SECTIONS = ("parameter_defaults", "derived_parameters", "passwords")


@dataclasses.dataclass(frozen=True)
class Context:
    """What the last environment depends on.

    Attributes:
        library: the plan's templates.
        plan: what the plan says of itself.
        earlier: what all other environments come to.
        later: what the phase's and the operator's do.
    """

    library: Library
    plan: PlanEnvironment
    earlier: Effective
    later: Effective


def take_passwords(roots: Iterable[Path], report: Report) -> dict[str, Any]:
    """Return the passwords that versions in `roots` have; those of the first one win."""
    found: dict[str, Any] = {}
    for root in roots:
        files = Files(root)
        try:
            content = files.load(PASSWORDS) if files.has(PASSWORDS) else {}
        except NotReadable as error:
            report.errors.append(Problem("shape", str(error), PASSWORDS))
            continue
        if isinstance(content, dict):
            found = {**{name: value for name, value in content.items() if name in passwords.NAMES}, **found}
    return found


def write(
    root: Path, phase: str, context: Context, kept: Mapping[str, Any], known: Callable[[], Mapping[str, Any]]
) -> tuple[str, ...]:
    """Write the last environment and the passwords to keep; return its name, or nothing when it would be empty.

    Args:
        root: directory of the plan's files.
        phase: sets some parameters that no environment sets; see `_fixed`.
        context: see there.
        kept: passwords of earlier versions: what no environment says is taken from there.
        known: asked only when a password is in neither: parameters of the stack, or nothing when there is none.
    """
    declared = context.library.declared
    stated = {*context.earlier.defaults, *context.plan.own_parameters}
    # An imported plan gets none: nobody could ask the stack. The next phase does.
    wanted = set(passwords.NAMES.intersection(declared if phase else ())) - stated - _stack_made(context.library)
    usable = dict(kept)
    if wanted.difference(usable):
        stack = {name: value for name, value in known().items() if name in wanted and value}
        wanted = {name for name in wanted if stack.get(name) != _COVERED or name in usable}
        usable = {**{name: value for name, value in stack.items() if name in wanted}, **usable}
    filled = passwords.complete(usable, wanted)
    ours = {name: value for name, value in filled.items() if name in declared and name not in context.earlier.defaults}
    content = plan_environment.last_environment(context.plan, ours, context.later)
    parameters = dict(content.get("parameter_defaults", {}))
    fixed = _fixed(phase)
    parameters = {**{name: fixed[name] for name in fixed if name in declared and name not in stated}, **parameters}
    if parameters:
        content["parameter_defaults"] = parameters
    said = {name: setting.value for name, setting in context.earlier.defaults.items()} | parameters
    keep = {**filled, **{name: said[name] for name in passwords.NAMES.intersection(said)}}
    for name, value in ((PASSWORDS, keep), (PARAMETERS, content)):
        if value:
            (root / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (root / name).write_bytes(plan_environment.dump(value))
    return (PARAMETERS,) if content else ()


def _fixed(phase: str) -> dict[str, str]:
    """Return what a phase sets where no environment does: a PATCH would keep what the stack has from before."""
    commands = dict.fromkeys(INIT_COMMANDS, "") if phase == "converge" else {}
    # TripleO's own client says so in each deployment; nodes that are there must not be taken for new ones.
    return {**commands, **({"StackAction": "UPDATE"} if phase else {})}


def sections_for_tripleo(root: Path) -> dict[str, Any]:
    """Return what a plan environment must say for TripleO to get from a version's files what Heat gets from us.

    TripleO makes passwords that its plan does not say, and lets the plan win over all environments: so the passwords
    are those in force, and what the phase's and the operator's environments set is left to them.

    Args:
        root: directory of a version's files.
    """
    files = Files(root)
    plan, _ = plan_environment.load(files)
    own = (files.load(PARAMETERS) or {}).get("parameter_defaults", {}) if files.has(PARAMETERS) else {}
    kept = take_passwords([root], Report())
    found = {
        "passwords": {**{name: value for name, value in plan.passwords.items() if name in own}, **kept},
        "derived_parameters": {name: value for name, value in plan.derived_parameters.items() if name in own},
        "parameter_defaults": {name: value for name, value in plan.parameter_defaults.items() if name in own},
    }
    return {section: values for section, values in found.items() if values or getattr(plan, section)}


def with_origins(effective: Effective, plan: PlanEnvironment) -> Effective:
    """Return `effective` with what came from the plan environment told as from there."""
    defaults = {name: _origin(setting, name, plan) for name, setting in effective.defaults.items()}
    types = {
        kind: dataclasses.replace(setting, origin=plan_environment.NAME, path=("resource_registry", kind))
        if setting.origin == PARAMETERS
        else setting
        for kind, setting in effective.types.items()
    }
    return dataclasses.replace(effective, defaults=defaults, types=types)


def _origin(setting: Setting, name: str, plan: PlanEnvironment) -> Setting:
    if setting.origin == PARAMETERS:
        for section in _SECTIONS:
            if name in getattr(plan, section):
                return dataclasses.replace(setting, origin=plan_environment.NAME, path=(section, name))
    return setting


def _stack_made(library: Library) -> set[str]:
    return {use.resource for use in library.uses_of(TEMPLATE) if use.value in _STACK_MADE}
