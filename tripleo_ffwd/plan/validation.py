"""What would fail in Heat, or undo the phase, found in a plan's files before Heat is called: all of it, with places.

Errors: a file that is not there; a resource type that nothing stands for; a role without templates; a name in
``parameters`` that the root template does not declare; an environment that undoes the phase; and a name in
``parameter_defaults`` of the operator's that no template of the plan declares and that is a slip of the pen from one
that is declared (one or two letters, case, underscores).

Warnings, which are kept with the version: every other name in ``parameter_defaults`` that no template declares. Heat
passes over them, environments that were made for another release or for services that are not there have them, and
they harm nothing. So have resource types of a resource that a condition may leave out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tripleo_ffwd.plan.effective import Effective, Setting, is_file
from tripleo_ffwd.plan.library import Library, Use
from tripleo_ffwd.plan.near_names import find_misspelled
from tripleo_ffwd.plan.places import Files, NotReadable
from tripleo_ffwd.plan.problems import Problem, Report
from tripleo_ffwd.plan.rendering import ROLES_FILE
from tripleo_ffwd.plan.version import TEMPLATE

# These, and no others, are certain to come from a plan's registry.
_OURS = "OS::TripleO::"
# What TripleO's own plug-in for Heat has.
_PLUGGED_IN = ("OS::TripleO::Heat::",)


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes:
        files: the plan's.
        library: its templates.
        effective: what its environments come to.
        roles: as roles_data.yaml has them.
        operators: names of the environments that are the operator's, not the templates'.
    """

    files: Files
    library: Library
    effective: Effective
    roles: Sequence[dict[str, Any]]
    operators: frozenset[str]


def check(subject: Subject, report: Report) -> None:
    """Report all that is wrong with templates and parameters."""
    _check_templates(subject, report)
    _check_parameters(subject, report)


def _check_templates(subject: Subject, report: Report) -> None:
    """Report missing files, types that nothing stands for, and roles without templates, from the root template on."""
    named = _check_registry(subject, report)
    used = _Walk(subject, report)
    used.follow([TEMPLATE], with_types=True)
    used.follow_types(_services(subject))
    used.follow(named, with_types=False)
    report.errors += _check_roles(subject)


def _check_parameters(subject: Subject, report: Report) -> None:
    """Report names of parameters that no template declares."""
    known = subject.library.declared
    root = set(subject.library.section(TEMPLATE))
    for name, setting in subject.effective.parameters.items():
        if name not in root:
            hint = find_misspelled(name, root)
            told = f"{TEMPLATE} has no parameter {name}" + (f"; did you mean {hint}?" if hint else "")
            remedy = "" if hint or name not in known else "Move it to parameter_defaults: a nested template has it"
            report.errors.append(Problem("unknown_parameter", told, _where(subject, setting), remedy))
    for name, setting in subject.effective.defaults.items():
        if name in known:
            continue
        hint = find_misspelled(name, known)
        told = f"No template has a parameter {name}" + (f"; did you mean {hint}?" if hint else ": Heat passes over it")
        misspelled = hint and setting.origin in subject.operators
        found = report.errors if misspelled else report.warnings
        found.append(Problem("unknown_parameter", told, _where(subject, setting)))


class _Walk:
    """Follows templates through the files and types that they use, each once."""

    def __init__(self, subject: Subject, report: Report) -> None:
        self._subject = subject
        self._report = report
        self._seen: set[str] = set()
        self._types: set[tuple[str, str, bool]] = set()

    def follow(self, names: Iterable[str], *, with_types: bool) -> None:
        """Look at templates and all that they use; types only when the templates are sure to be used."""
        pending = list(names)
        while pending:
            name = pending.pop()
            if name in self._seen or not self._subject.files.has(name):
                continue
            self._seen.add(name)
            try:
                for use in self._subject.library.uses(name):
                    pending += self._look_at(use, with_types=with_types)
            except NotReadable as error:
                self._report.errors.append(Problem("shape", str(error), name))

    def follow_types(self, uses: Iterable[Use]) -> None:
        """Look at types, and at what they stand for."""
        self.follow([name for use in uses for name in self._look_at(use, with_types=True)], with_types=True)

    def _look_at(self, use: Use, *, with_types: bool) -> list[str]:
        """Report what is wrong with a use; return the file that it leads to."""
        if use.kind != "type":
            if not self._subject.files.has(use.value):
                self._report.errors.append(_missing(use.value, self._subject.files.where(use.name, *use.path)))
            return [use.value] if use.kind == "template" else []
        key = (use.value, use.resource, use.conditional)
        if not with_types or key in self._types:
            return []
        self._types.add(key)
        target = _resolve(self._subject.effective, use)
        if target is None:
            if use.value.startswith(_OURS) and not use.value.startswith(_PLUGGED_IN):
                told = f"Nothing says what the resource type {use.value} stands for"
                problem = Problem(
                    "unknown_type",
                    told,
                    self._subject.files.where(use.name, *use.path),
                    "Name it in the resource_registry of an environment",
                )
                (self._report.warnings if use.conditional else self._report.errors).append(problem)
            return []
        return [target.value] if is_file(target.value) else self._look_at_target(target)

    def _look_at_target(self, target: Setting) -> list[str]:
        if str(target.value).startswith(_OURS):
            return self._look_at(Use("type", target.value, target.origin, target.path), with_types=True)
        return []


def _resolve(effective: Effective, use: Use) -> Setting | None:
    for pattern, setting in effective.single.items():
        if pattern[-1] == use.value and pattern[-2:-1] == (use.resource,):
            return setting
    found = effective.target(use.value)
    return found if found is not None and found.value is not None else None


def _check_registry(subject: Subject, report: Report) -> list[str]:
    """Report files of the registry that are missing; return the others."""
    found = {}
    for setting in subject.effective.files:
        if subject.files.has(setting.value):
            found[setting.value] = setting
        else:
            report.errors.append(_missing(setting.value, _where(subject, setting)))
    return list(found)


def _services(subject: Subject) -> Iterator[Use]:
    """Yield the services of each role, which the root template takes by a parameter."""
    declared = subject.library.section(TEMPLATE)
    for number, role in enumerate(subject.roles):
        parameter = f"{role['name']}Services"
        if parameter not in declared:
            continue
        setting = subject.effective.parameters.get(parameter) or subject.effective.defaults.get(parameter)
        if setting is not None:
            value, name, path = setting.value, setting.origin, setting.path
        else:
            value = (declared[parameter] or {}).get("default")
            name, path = TEMPLATE, ("parameters", parameter, "default")
        listed = [item.strip() for item in value.split(",")] if isinstance(value, str) else value
        for place, service in enumerate(listed if isinstance(listed, list) else []):
            if setting is None and service in (role.get("ServicesDefault") or []):
                steps = (number, "ServicesDefault", role["ServicesDefault"].index(service))
                yield Use("type", str(service), ROLES_FILE, steps)
            elif service:
                yield Use("type", str(service), name, (*path, place))


def _check_roles(subject: Subject) -> Iterator[Problem]:
    """Yield the roles that the root template passes over, or that have no type although others have one."""
    if not subject.roles:
        return
    try:
        text = subject.files.text(TEMPLATE)
    except NotReadable:
        return
    kinds = {role["name"]: f"{_OURS}{role['name']}" for role in subject.roles}
    mapped = {name for name, kind in kinds.items() if subject.effective.target(kind) is not None}
    for number, (name, kind) in enumerate(kinds.items()):
        where = subject.files.where(ROLES_FILE, number, "name")
        if name not in text:
            told = f"Role {name} is not in {TEMPLATE}"
            yield Problem("role", told, where, "Take the role out, or render the templates with it")
        elif mapped and name not in mapped:
            told = f"Role {name} has no templates: nothing says what {kind} stands for"
            yield Problem("role", told, where, "Name its template in the resource_registry, as for the other roles")


def _missing(name: str, where: str) -> Problem:
    if name.startswith(("..", "/")):
        remedy = "Put the file into the templates, and name it relative to the file that uses it"
        return Problem("missing_file", f"{name} is not in the plan", where, remedy)
    return Problem("missing_file", f"There is no file {name}", where, "Add the file, or mend its name")


def _where(subject: Subject, setting: Setting) -> str:
    return subject.files.where(setting.origin, *setting.path)
