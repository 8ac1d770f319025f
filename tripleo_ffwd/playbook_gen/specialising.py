"""Unrolled tasks to stages: what release, step and role decide to be false is left out, the rest is grouped.

Imports unrolling, tasks and conditions. The rule for leaving out is narrow on purpose: a skipped task that registers
something overwrites a variable, so it stays.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import nodes

from tripleo_ffwd.playbook_gen import conditions
from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE, Atom, Guard
from tripleo_ffwd.playbook_gen.tasks import ANY_VARIABLE, BLOCK_KEYS, assigned_names, flatten, include_of, loop_key


@dataclasses.dataclass(frozen=True)
class Entry:
    """A task of a stage, and the includes whose run-time conditions decide it."""

    guards: tuple[Guard, ...]
    task: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Part:
    """A stage of a play that is cut, before it has hosts and text.

    Attributes:
        kind: ``stepN``, ``pre`` or ``post``.
        role: the only role, or None for all of the play's hosts.
        bootstrap: whether the includes around it leave only the bootstrap node.
        variables: loop variables that its tasks see.
        through_include: whether these must outrank facts of the same name, as an include's variables do.
        file: the file that most of its tasks stand in, for paths beside it.
    """

    kind: str
    release: str | None
    step: int | None
    role: str | None
    bootstrap: bool
    variables: tuple[tuple[str, Any], ...]
    through_include: bool
    file: str
    entries: tuple[Entry, ...]


def cut(atoms: list[Atom]) -> list[Part]:
    """Return the stages of a play's unrolled tasks, those without tasks left out."""
    groups = [(key, list(group)) for key, group in itertools.groupby(atoms, key=_key)]
    keys = [key for key, _ in groups]
    parts = []
    for index, (key, group) in enumerate(groups):
        release, step, role, variables = key
        entries = [Entry(atom.guards, task) for atom in group for task in prune([atom.task], _known(atom))]
        if not entries:
            continue
        loop_names = {name for name, _ in variables}
        shadowed = any(atom.shadowed for atom in group) or bool(
            {*loop_names, ANY_VARIABLE} & assigned_names([entry.task for entry in entries])
        )
        parts.append(
            Part(
                kind=_kind(keys, index),
                release=release,
                step=step,
                role=role,
                bootstrap=all(_names_bootstrap(entry.guards) for entry in entries),
                variables=variables,
                through_include=shadowed and bool(variables),
                file=group[0].file,
                entries=tuple(entries),
            )
        )
    return parts


def prune(tasks: list[Mapping[str, Any]], known: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tasks without those that are decided to be skipped and leave no trace when they are.

    Args:
        tasks: tasks whose surroundings are decided to run.
        known: values of release, step, role and facts.
    """
    kept = []
    for task in tasks:
        inner = _without_own(task, known)
        verdict = conditions.decide(task.get("when"), inner)
        if verdict is False and not _leaves_trace(task):
            continue
        if "block" in task and verdict is True:
            children = prune(task["block"] or [], inner)
            if not children and not task.get("rescue") and not task.get("always"):
                continue
            if children and children != task["block"]:
                task = {**task, "block": children}
        kept.append(task)
    return kept


def residual(tasks: list[Any], known: Mapping[str, Any]) -> list[str]:
    """Return the conditions of tasks and blocks that are left to run time, word for word, each once."""
    found: dict[str, None] = {}
    for task in flatten(list(tasks)):
        for item in conditions.residual(task.get("when"), _without_own(task, known)):
            found[str(item)] = None
    return list(found)


def count(tasks: list[Any]) -> int:
    """Return the number of tasks, those in blocks one by one and the blocks themselves not."""
    return sum(1 for task in flatten(list(tasks)) if "block" not in task)


def _key(atom: Atom) -> tuple[str | None, int | None, str | None, tuple[tuple[str, Any], ...]]:
    known = {**dict(atom.facts), **dict(atom.loop_vars)}
    release, step = known.get("release"), dict(atom.loop_vars).get("step")
    number = int(step) if isinstance(step, str | int) and re.fullmatch(r"\d+", str(step)) else None
    label = release if isinstance(release, str) and re.fullmatch(r"[A-Za-z0-9._-]+", release) else None
    return label, number, atom.role, atom.loop_vars


def _kind(keys: list[Any], index: int) -> str:
    """Return ``stepN``, or where a group without a step stands: before or behind the steps of its release."""
    release, step = keys[index][0], keys[index][1]
    if step is not None:
        return f"step{step}"
    own = [place for place, key in enumerate(keys) if key[0] == release and key[1] is not None]
    if own:
        return "pre" if index < own[0] else "post"
    return "post" if any(key[1] is not None for key in keys[:index]) else "pre"


def _known(atom: Atom) -> Mapping[str, Any]:
    known = {**dict(atom.facts), **dict(atom.loop_vars)}
    if atom.role is not None:
        known[ROLE_VARIABLE] = atom.role
    for guard in atom.guards:
        for name, _ in guard.vars:
            known.pop(name, None)
    return known


def _without_own(task: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is known inside a task: its own variables and its loop's may hide a known one."""
    hidden = set(task.get("vars") or {}) if isinstance(task.get("vars") or {}, Mapping) else set(known)
    if loop_key(task):
        control = task.get("loop_control")
        hidden.add(str(control.get("loop_var", "item")) if isinstance(control, Mapping) else "item")
        hidden |= {str(control[key]) for key in ("index_var",) if isinstance(control, Mapping) and key in control}
    return {name: value for name, value in known.items() if name not in hidden}


def _leaves_trace(task: Mapping[str, Any]) -> bool:
    """Return whether a task that is skipped may differ from one that is not there."""
    for inner in flatten([task]):
        if "register" in inner or include_of(inner) or inner.get("rescue") or inner.get("always"):
            return True
        actions = {key.rpartition(".")[2] for key in inner if key not in BLOCK_KEYS}
        if actions & {"meta", "include_role", "import_role", "listen"}:
            return True
    return False


def _names_bootstrap(guards: tuple[Guard, ...]) -> bool:
    parsed = (conditions.parse(item) for guard in guards for item in guard.when if isinstance(item, str))
    return any(node is not None and _needs_bootstrap(node) for node in parsed)


def _needs_bootstrap(node: nodes.Node | None) -> bool:
    """Return whether a condition can hold on the bootstrap node only."""
    if isinstance(node, nodes.Name):
        return node.name == "is_bootstrap_node"
    if isinstance(node, nodes.And):
        return _needs_bootstrap(node.left) or _needs_bootstrap(node.right)
    if isinstance(node, nodes.Or):
        return _needs_bootstrap(node.left) and _needs_bootstrap(node.right)
    if isinstance(node, nodes.CondExpr):
        return _needs_bootstrap(node.expr1) and _needs_bootstrap(node.expr2)
    is_truth = isinstance(node, nodes.Filter) and node.name == "bool"
    is_truth = is_truth or (isinstance(node, nodes.Test) and node.name == "truthy")
    return is_truth and _needs_bootstrap(getattr(node, "node", None))
