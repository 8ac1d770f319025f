"""The environments of a plan's version: put in order, completed with what we generate, and checked, in one go.

The order is TripleO's: the plan's own environments (the resource registry first), the lifecycle environment of the
phase, the operator's, and last the plan's own parameters (see `plan_environment`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.plan import environments, last, lifecycle, plan_environment, shapes, tree, undoing, validation
from tripleo_ffwd.plan.effective import Effective, merge
from tripleo_ffwd.plan.environments import Placed
from tripleo_ffwd.plan.library import Library
from tripleo_ffwd.plan.places import Files, NotReadable
from tripleo_ffwd.plan.plan_environment import GENERATED, PlanEnvironment
from tripleo_ffwd.plan.problems import Problem, Report, as_dicts
from tripleo_ffwd.plan.rendering import load_input

REPORT = f"{GENERATED}/report.json"


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """The environments of a version.

    Attributes:
        environments: names, in the order that Heat gets them.
        lifecycle: the phase's environment among them; empty when there is nothing for it to say.
        warnings: what was found and does no harm; also in the file `REPORT`.
    """

    environments: tuple[str, ...]
    lifecycle: str
    warnings: tuple[Problem, ...] = ()


@dataclasses.dataclass(frozen=True)
class Previous:
    """The version before: its files, and its environments in their order."""

    root: Path
    environments: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What the stages share."""

    root: Path
    phase: str
    files: Files
    library: Library
    roles: tuple[dict[str, Any], ...]
    report: Report


def arrange(
    root: Path,
    phase: str,
    placed: Placed,
    *,
    previous: Previous | None = None,
    kept_in: Iterable[Path] = (),
    known: Callable[[], Mapping[str, Any]] = dict,
) -> Arrangement:
    """Put environments in order, write what we generate, and check all.

    Args:
        root: directory of the plan's files, rendered; it is written to, below `GENERATED` only.
        phase: whose lifecycle environment is put before the operator's; another than prepare and converge has none.
        placed: the operator's environments.
        previous: the version before; passwords are taken over from it.
        kept_in: files of versions that were never current; what they have as passwords is taken over last.
        known: parameters of the stack: no other password is made for them. Called only when one would have to be made.

    Raises:
        InvalidTemplates: all that would fail in Heat, or undo the phase, with files and lines.
    """
    report = Report(errors=list(placed.problems))
    kept = last.take_passwords([root, *([previous.root] if previous else ()), *kept_in], report)
    _clear(root)
    files = Files(root, placed.given)
    plan = _Plan(root, phase, files, Library(files, tree.list_files(root)), load_input(root).roles, report)
    stated = _state(plan)
    own = tuple(_sound(plan, stated.environments))
    cycles = {name: _lifecycle(plan, name, own) for name in lifecycle.OURS}
    chosen = _choose(plan, cycles)
    given, left_out = environments.order(own, placed.names)
    report.warnings += [_left_out(name) for name in left_out if name != chosen]
    before = (*own, *([chosen] if chosen else ()))
    names = (*before, *_sound(plan, given))
    context = last.Context(plan.library, stated, merge(files, names), merge(files, names[len(own) :]))
    names = (*names, *last.write(root, phase, context, kept, known))
    effective = last.with_origins(merge(files, names), stated)
    validation.check(_subject(plan, stated, given, effective), report)
    _check_phase(plan, cycles, merge(files, before), effective)
    if previous is not None:
        report.warnings += _left_behind(previous, effective)
    _tell(root, report)
    return Arrangement(names, chosen, tuple(report.warnings))


def _subject(plan: _Plan, stated: PlanEnvironment, given: tuple[str, ...], effective: Effective) -> validation.Subject:
    operators = {*(name for name in given if not _is_shipped(name)), *stated.data, plan_environment.NAME}
    return validation.Subject(plan.files, plan.library, effective, plan.roles, frozenset(operators))


def _check_phase(plan: _Plan, cycles: Mapping[str, _Lifecycle], before: Effective, effective: Effective) -> None:
    if plan.phase in cycles:
        first, second = (cycles[name].effective for name in ("prepare", "converge"))
        undoing.check_phase(plan.files, undoing.Phase(plan.phase, first, second, before, effective), plan.report)


def read_warnings(root: Path) -> list[dict[str, str]]:
    """Return the warnings of the version whose files are in `root`: ``{kind, what, where, remedy}`` each."""
    path = root / REPORT
    return json.loads(path.read_bytes())["warnings"] if path.is_file() else []


def _tell(root: Path, report: Report) -> None:
    report.raise_errors()
    if report.warnings:
        _write(root, REPORT, json.dumps({"warnings": as_dicts(report.warnings)}, indent=1).encode())


@dataclasses.dataclass(frozen=True)
class _Lifecycle:
    """A phase's lifecycle environment: its name, what it comes to, and files to write when it is used and is ours."""

    name: str
    effective: Effective
    written: Mapping[str, bytes] = dataclasses.field(default_factory=dict)


def _lifecycle(plan: _Plan, phase: str, own: tuple[str, ...]) -> _Lifecycle:
    name = lifecycle.templates_own(plan.files, phase)
    if name:
        return _Lifecycle(name, merge(plan.files, _sound(plan, [name])))
    roles = [str(role["name"]) for role in plan.roles]
    content, templates = lifecycle.generate(phase, plan.files, plan.library, roles, merge(plan.files, own))
    if not content:
        return _Lifecycle("", Effective())
    name = lifecycle.OURS[phase]
    written = {name: plan_environment.dump(content), **{key: text.encode() for key, text in templates.items()}}
    return _Lifecycle(name, Effective.of(name, content), written)


def _choose(plan: _Plan, cycles: Mapping[str, _Lifecycle]) -> str:
    """Write the lifecycle environment of the plan's phase, when it is ours, and return its name."""
    chosen = cycles.get(plan.phase)
    if chosen is None:
        return ""
    for name, data in chosen.written.items():
        _write(plan.root, name, data)
    return chosen.name if not chosen.name or plan.files.has(chosen.name) else ""


def _state(plan: _Plan) -> PlanEnvironment:
    """Return what the plan says of itself, with its inline environments as files, and without lifecycle ones."""
    found, problems = plan_environment.load(plan.files)
    plan.report.errors += problems
    for name, content in found.data.items():
        _write(plan.root, name, plan_environment.dump(content))
    generated = (*lifecycle.OURS.values(), *lifecycle.TEMPLATES_OWN.values(), plan_environment.PARAMETERS)
    return dataclasses.replace(found, environments=tuple(name for name in found.environments if name not in generated))


def _sound(plan: _Plan, names: Iterable[str]) -> Iterator[str]:
    """Yield the environments that can be used; the others are reported."""
    for name in names:
        try:
            found = shapes.find_problems(plan.files.load(name), lambda *path, name=name: plan.files.where(name, *path))
        except NotReadable as error:
            found = [Problem("shape", str(error), plan.files.told(name))]
        plan.report.errors += [problem for problem in found if problem not in plan.report.errors]
        if not found:
            yield name


def _is_shipped(name: str) -> bool:
    """Return whether an environment comes with the templates, as far as its place tells."""
    return name.startswith("environments/")


def _left_out(name: str) -> Problem:
    return Problem("undone", "It is left out: each phase has its own lifecycle environment", name)


def _left_behind(previous: Previous, effective: Effective) -> Iterator[Problem]:
    """Yield what only the version before sets: an update keeps in the stack what no environment names."""
    files = Files(previous.root)
    try:
        before = merge(files, (name for name in previous.environments if files.has(name)))
    except NotReadable:
        return
    lifecycles = (*lifecycle.OURS.values(), *lifecycle.TEMPLATES_OWN.values())
    for told, old, new in (
        ("parameter", before.defaults, effective.defaults),
        ("resource type", before.types, effective.types),
    ):
        for name, setting in old.items():
            if name not in new and setting.origin not in lifecycles:
                what = f"The stack keeps the {told} {name}, which no environment sets any more"
                yield Problem("left_behind", what, f"{setting.origin} of the version before")


def _clear(root: Path) -> None:
    """Remove what an earlier version of the plan had generated; environments that the plan names stay."""
    for name in (REPORT, plan_environment.PARAMETERS, plan_environment.PASSWORDS, *lifecycle.GENERATED_FILES):
        (root / name).unlink(missing_ok=True)


def _write(root: Path, name: str, data: bytes) -> None:
    (root / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (root / name).write_bytes(data)
