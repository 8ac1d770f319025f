"""Unrolled tasks to stages: what release, step and role decide to be false is left out, the rest is grouped.

Imports atoms, parts, skip_results, verdicts, simplifying, conditions and tasks. A skipped task that registers something
overwrites a variable: where that is seen later the task stays, to be skipped at run time.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import nodes

from tripleo_ffwd.playbook_gen import conditions
from tripleo_ffwd.playbook_gen.atoms import Atom, Guard
from tripleo_ffwd.playbook_gen.parts import Entry, Part
from tripleo_ffwd.playbook_gen.simplifying import simplify
from tripleo_ffwd.playbook_gen.skip_results import gathered
from tripleo_ffwd.playbook_gen.tasks import ANY_VARIABLE, BLOCK_KEYS, assigned_names, flatten, loop_key
from tripleo_ffwd.playbook_gen.verdicts import Leaf, known_of, within

# Keywords of tasks whose failure is one of all hosts.
_FATAL = frozenset(("run_once", "any_errors_fatal"))


def cut(
    atoms: list[Atom], leaves: Mapping[int, list[Leaf]], seen: frozenset[tuple[int, int]], *, once: bool
) -> list[Part]:
    """Return the stages of a play's unrolled tasks, those without tasks left out.

    Args:
        atoms: the tasks.
        leaves: what is known of each, by its id.
        seen: skips that must stay, as (id of the atom, number of the leaf).
        once: the play's hosts go from task to task together, so that one may skip for all.
    """
    groups = [(key, list(group)) for key, group in itertools.groupby(atoms, key=_key)]
    keys = [key for key, _ in groups]
    known_fatal: dict[int, bool] = {}
    parts = []
    for index, (key, group) in enumerate(groups):
        release, step, role, variables = key
        entries, left, writes = _entries(group, leaves, seen, once=once)
        if not entries:
            continue
        loop_names = {name for name, _ in variables}
        tasks = [entry.task for entry in entries if entry.task is not None]
        outranked = {*loop_names, ANY_VARIABLE} & (assigned_names(tasks) | _variables(tasks) | writes)
        shadowed = any(atom.shadowed for atom in group) or bool(outranked)
        parts.append(
            Part(
                kind=_kind(keys, index),
                release=release,
                step=step,
                role=role,
                bootstrap=all(_names_bootstrap(entry.guards) for entry in entries),
                variables=variables,
                through_include=shadowed and bool(variables),
                entries=entries,
                residual=left,
                fatal=any(_is_fatal(atom.task, known_fatal) for atom in group),
            )
        )
    return parts


def _is_fatal(task: Mapping[str, Any], known: dict[int, bool]) -> bool:
    """Return whether the failure of a task, or of one in it, is one of all hosts; `known` tells it by the task's id."""
    if id(task) not in known:
        known[id(task)] = any(not _FATAL.isdisjoint(inner) for inner in flatten([dict(task)]))
    return known[id(task)]


def _variables(tasks: list[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of variables of tasks and blocks, which outrank a play's."""
    found = [task.get("vars") for task in flatten([dict(task) for task in tasks])]
    return frozenset(name for names in found if isinstance(names, Mapping) for name in names)


def _entries(
    atoms: list[Atom], leaves: Mapping[int, list[Leaf]], seen: frozenset[tuple[int, int]], *, once: bool
) -> tuple[tuple[Entry, ...], tuple[str, ...], frozenset[str]]:
    """Return what is left of atoms, the conditions in it that are left to run time, and what files below it set."""
    found: list[Entry] = []
    left: dict[str, None] = {}
    writes: frozenset[str] = frozenset()
    for atom in atoms:
        own = leaves[id(atom)]
        asks = any(not guard.total for guard in atom.guards)
        if not asks and all(leaf.dead and leaf.droppable and (id(atom), leaf.number) not in seen for leaf in own):
            continue  # as most are
        pruner = Pruner(atom, {leaf.number: leaf for leaf in own}, seen, once=once)
        task = pruner.prune(atom.task, known_of(atom))
        if task is not None or asks:
            skip = "" if "block" in atom.task or loop_key(atom.task) else pruner.skip
            found.append(Entry(atom.guards, task, atom.untagged, atom.file, atom.beside, skip))
        left |= dict.fromkeys(pruner.residual)
        if task is not None and atom.below:
            writes |= atom.writes
    asked = {guard.serial for entry in found if entry.task is not None for guard in entry.guards}
    kept: list[Entry] = []
    for entry in found:
        # Of conditions without any task, those that may fail are asked all the same.
        if entry.task is not None or not {guard.serial for guard in entry.guards if not guard.total} <= asked:
            kept.append(entry)
            asked |= {guard.serial for guard in entry.guards}
    guards = dict.fromkeys(str(item) for entry in kept for guard in entry.guards for item in guard.when)
    return gathered(kept), tuple({**guards, **left}), writes


class Pruner:
    """Takes out of one atom's task what is skipped and not seen.

    Args:
        atom: the atom.
        leaves: its leaves by their number.
        seen: skips that must stay, as (id of the atom, number of the leaf).
        once: the play's hosts go from task to task together, so that one may skip for all.

    Attributes:
        residual: the conditions that are left to run time.
        skip: the condition of the last task that was left to be skipped once for all hosts.
    """

    def __init__(self, atom: Atom, leaves: Mapping[int, Leaf], seen: frozenset[tuple[int, int]], *, once: bool) -> None:
        self._once = once
        self._atom = atom
        self._leaves = leaves
        self._seen = seen
        self._number = 0
        self.residual: list[str] = []
        self.skip = ""

    def prune(self, task: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return what is left of a task, its conditions without what is decided; None when nothing is."""
        number, self._number = self._number, self._number + 1
        inner = within(task, known)
        if "block" in task:
            return self._block(task, inner)
        leaf = self._leaves[number]
        if leaf.dead and leaf.droppable and (id(self._atom), number) not in self._seen:
            return None
        if not leaf.dead:
            return self._undecided(task, inner)
        # All hosts skip it for one reason: one of them is enough to give all of them the variable.
        once = leaf.skip and leaf.register and self._once and not leaf.doubtful and not self._atom.guards
        if not once:
            return dict(task)
        self.skip = leaf.skip
        return {**task, "run_once": True}

    def _block(self, task: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any] | None:
        first = self._number
        lists = {key: self._children(task.get(key) or [], known) for key in BLOCK_KEYS}
        dead = all(leaf.dead for number, leaf in self._leaves.items() if first <= number < self._number)
        if not any(lists.values()):
            return None
        if not lists["block"] or (task.get("rescue") and not lists["rescue"]):
            # Without its parts a block would mean something else: it stays whole.
            return dict(task)
        kept = {key: lists[key] for key in BLOCK_KEYS if lists[key]}
        result = {key: kept.get(key, value) for key, value in task.items() if key not in BLOCK_KEYS or key in kept}
        return result if dead else self._undecided(result, known)

    def _children(self, tasks: list[Any], known: Mapping[str, Any]) -> list[Any]:
        found = [self.prune(child, known) for child in tasks]
        return [child for child in found if child is not None]

    def _undecided(self, task: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
        when = simplify(task.get("when"), known)
        self.residual += [str(item) for item in when]
        written = conditions.items(task.get("when"))
        if when == written:
            return dict(task)
        return {
            key: (when if len(when) > 1 else when[0]) if key == "when" else value
            for key, value in task.items()
            if key != "when" or when
        }


def residual(tasks: list[Any], known: Mapping[str, Any]) -> list[str]:
    """Return the conditions of tasks and blocks that are left to run time, word for word, each once."""
    found: dict[str, None] = {}
    for task in flatten(list(tasks)):
        for item in conditions.residual(task.get("when"), within(task, known)):
            found[str(item)] = None
    return list(found)


def count(tasks: list[Any]) -> int:
    """Return the number of tasks, those in blocks one by one and the blocks themselves not."""
    return sum(1 for task in flatten(list(tasks)) if "block" not in task)


def _key(atom: Atom) -> tuple[str | None, int | None, str | None, tuple[tuple[str, Any], ...]]:
    known = {**dict(atom.facts), **dict(atom.loop_vars)}
    release, step = known.get("release"), known.get("step")
    number = int(step) if isinstance(step, str | int) and re.fullmatch(r"[0-9]{1,9}", str(step)) else None
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
