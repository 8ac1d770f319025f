"""Environments that undo what a phase is for: prepare that works on nodes, converge that leaves prepare in force.

What a phase is for is what its lifecycle environment says. Other environments come after it and may change all else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from tripleo_ffwd.plan.effective import NONE, Effective, Setting, is_file
from tripleo_ffwd.plan.lifecycle import ANSIBLES, INIT_COMMANDS, STEPS
from tripleo_ffwd.plan.places import Files
from tripleo_ffwd.plan.problems import Problem, Report

# Whether a service is there is the operator's.
_SERVICES = "OS::TripleO::Services::"
# A node in between two releases breaks, or a later update does, when one of these is not as the phase has it.
_CERTAIN = ("EnableOnlineDataMigrations", "StackUpdateType")
_DEPLOYMENTS = ("OS::Heat::StructuredDeployment", "OS::Heat::SoftwareDeployment", "OS::TripleO::SoftwareDeployment")


@dataclasses.dataclass(frozen=True)
class Phase:
    """A phase's environments.

    Attributes:
        name: of the phase.
        prepare: what prepare's lifecycle environment comes to, alone.
        converge: what converge's does.
        before: what environments up to the lifecycle environment come to.
        effective: what all do.
    """

    name: str
    prepare: Effective
    converge: Effective
    before: Effective
    effective: Effective


def check_phase(files: Files, phase: Phase, report: Report) -> None:
    """Report what in a phase's environments undoes it."""
    if phase.name == "prepare":
        problems = _undone_prepare(files, phase)
    elif phase.name == "converge":
        problems = _left_in_converge(files, phase)
    else:
        return
    for problem, certain in problems:
        (report.errors if certain else report.warnings).append(problem)


def _undone_prepare(files: Files, phase: Phase) -> Iterator[tuple[Problem, bool]]:
    for kind, wanted in phase.prepare.types.items():
        found = phase.effective.types.get(kind)
        if found is None or found.value == wanted.value or (is_file(found.value) and is_file(wanted.value)):
            continue
        told = f"It undoes prepare: {kind} must be {wanted.value}, and is {found.value}"
        yield _undone(files, found, told), not kind.startswith(_SERVICES)
    yield from _other_parameters(files, phase, phase.prepare)


def _left_in_converge(files: Files, phase: Phase) -> Iterator[tuple[Problem, bool]]:
    for kind, stopped in phase.prepare.types.items():
        found = phase.effective.types.get(kind)
        before = phase.before.value_of(kind)
        if stopped.value != NONE or found is None or found.value != NONE or before in (None, NONE):
            continue
        if kind in ANSIBLES and any(is_file(phase.effective.value_of(name)) for name in _DEPLOYMENTS):
            continue
        told = f"It undoes converge: {kind} still stands for nothing, as prepare had it, and must be {before}"
        yield _undone(files, found, told), not kind.startswith(_SERVICES)
    yield from _other_parameters(files, phase, phase.converge, left=phase.prepare)
    for name in INIT_COMMANDS:
        setting = phase.effective.defaults.get(name) or phase.effective.parameters.get(name)
        if setting is not None and str(setting.value or "").strip():
            told = f"It undoes converge: {name} is left behind, and every later update would run it on each node"
            yield _undone(files, setting, told), True
    if any(phase.effective.value_of(name) == "OS::Heat::StructuredDeployment" for name in _DEPLOYMENTS):
        yield from _deploying_twice(files, phase)


def _deploying_twice(files: Files, phase: Phase) -> Iterator[tuple[Problem, bool]]:
    steps = phase.effective.types.get(STEPS)
    if steps is not None and steps.value != NONE:
        told = "Heat deploys through its agents on the nodes, and Ansible does it again"
        remedy = "Give environments/config-download-environment.yaml, too, unless that is meant"
        yield Problem("undone", told, files.where(steps.origin, *steps.path), remedy), False


def _other_parameters(
    files: Files, phase: Phase, wanted: Effective, left: Effective | None = None
) -> Iterator[tuple[Problem, bool]]:
    """Yield the parameters that are not as `wanted` has them; with `left`, those that are as it left them.

    An empty StackUpdateType is what converge is for, whatever was left.
    """
    for name, meant in wanted.defaults.items():
        found = phase.effective.defaults.get(name)
        if found is None or found.value == meant.value:
            continue
        was_left = left is None or (name in left.defaults and left.defaults[name].value == found.value)
        if was_left or name == "StackUpdateType":
            told = f"It undoes {phase.name}: {name} is not what the phase sets it to"
            yield _undone(files, found, told), name in _CERTAIN


def _undone(files: Files, setting: Setting, told: str) -> Problem:
    remedy = f"Leave it out in this phase, or take it out of {setting.origin}"
    return Problem("undone", told, files.where(setting.origin, *setting.path), remedy)
