"""What is known of each task where it runs: whether it is skipped, and what it reads and writes; no I/O.

Imports atoms, conditions, effects, looks and tasks. A task is *dead* when it is decided to be skipped, and nothing that
Ansible would look at before it skips could fail.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jinja2 import nodes

from tripleo_ffwd.playbook_gen import conditions
from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE, Atom
from tripleo_ffwd.playbook_gen.effects import reads_of
from tripleo_ffwd.playbook_gen.looks import Looks
from tripleo_ffwd.playbook_gen.tasks import BLOCK_KEYS, loop_key

# Filters that take any value without an error.
_TOTAL_FILTERS = frozenset(("bool", "lower", "upper", "string", "default", "d"))
_NOTHING: frozenset[str] = frozenset()
_UNTAGGED = frozenset(("include without tags",))


class Leaf(NamedTuple):
    """A task that is no block, in its place in an atom.

    Attributes:
        number: its place among the atom's tasks and blocks, counted from 0 through all depths.
        dead: it is skipped on every host.
        droppable: nothing but a registered variable could tell that it is not there when it is dead.
        doubtful: a failure before it may pass it over, and the host goes on.
        register: the variable that it registers, run or skipped; empty for none.
        sets: the facts that it surely sets.
        tags: its tags with those of the blocks around it.
        reads: what it and the blocks around it read.
        reads_result: its conditions on its result look at what it registers.
        skip: of a dead task, the condition for which each host skips it: what it registers is the same wherever this
            is. Empty where hosts may differ, or where more than that is registered.
    """

    number: int
    dead: bool
    droppable: bool
    doubtful: bool
    register: str
    sets: frozenset[str]
    tags: frozenset[str]
    reads: frozenset[str]
    reads_result: bool
    skip: str


class _Around(NamedTuple):
    known: Mapping[str, Any]
    dead: bool
    total: bool
    sure: bool
    doubtful: bool
    tags: frozenset[str]
    reads: frozenset[str]
    skip: str
    plain: bool  # all conditions around it are decided to hold


def leaves_of(atom: Atom, play_tags: frozenset[str], looks: Looks, *, sure: bool) -> list[Leaf]:
    """Return the leaves of an atom's task, in order; `sure` when a task that fails is its host's last."""
    ambient, tags = _NOTHING, play_tags
    for guard in atom.guards:
        ambient |= reads_of({"vars": dict(guard.vars)}) if guard.vars else _NOTHING
        # An include's own tags decide with those of the task: what they are only has to be told apart.
        tags |= {f"include {tag}" for tag in guard.tags}
    tags |= _UNTAGGED if atom.untagged else _NOTHING
    known = known_of(atom)
    around = _Around(known, False, True, sure, False, tags, ambient, "", plain=True)
    own, reason = _decide(atom.task.get("when"), within(atom.task, known), atom.defined)
    if own is not False:
        return list(_leaves(atom.task, around, atom.defined, _Counter(looks)))
    # All in it is dead, for one reason, whatever else is known: the same in most steps and releases.
    key = (id(looks.at(atom.task).task), reason, tags, ambient, sure)
    found: list[Leaf] | None = looks.dead.get(key)
    if found is None:
        found = looks.dead[key] = list(_leaves(atom.task, around, atom.defined, _Counter(looks)))
    return found


def known_of(atom: Atom) -> Mapping[str, Any]:
    """Return the values that are known where an atom runs."""
    known = {**dict(atom.facts), **dict(atom.loop_vars)}
    if atom.role is not None:
        known[ROLE_VARIABLE] = atom.role
    for guard in atom.guards:
        for name, _ in guard.vars:
            known.pop(name, None)
    return known


def within(task: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is known inside a task: its own variables and its loop's may hide a known one."""
    variables, loop = task.get("vars"), loop_key(task)
    if not variables and loop is None:
        return known
    hidden = set(variables or {}) if isinstance(variables or {}, Mapping) else set(known)
    if loop:
        control = task.get("loop_control")
        hidden.add(str(control.get("loop_var", "item")) if isinstance(control, Mapping) else "item")
        hidden |= {str(control[key]) for key in ("index_var",) if isinstance(control, Mapping) and key in control}
        hidden.add("ansible_loop")
    if not hidden & known.keys():
        return known
    return {name: value for name, value in known.items() if name not in hidden}


def verdict(when: Any, known: Mapping[str, Any], defined: frozenset[str]) -> bool | None:
    """Return whether a `when` holds; None for what the run must tell, or what may fail before it is decided."""
    return _decide(when, known, defined)[0]


def _decide(when: Any, known: Mapping[str, Any], defined: frozenset[str]) -> tuple[bool | None, str]:
    """Return a verdict, and the condition that skips a task when all before it are decided to hold; else empty."""
    sure = True
    for item in conditions.items(when):
        decided = conditions.decide_item(item, known)
        if decided is False:
            return False, str(item) if sure else ""
        if decided is None:
            if not is_total(item, known, defined):
                return None, ""
            sure = False
    return (True if sure else None), ""


def is_total(item: Any, known: Mapping[str, Any], defined: frozenset[str]) -> bool:
    """Return whether a condition comes to some value without an error, whatever the variables hold."""
    if not isinstance(item, str):
        return isinstance(item, bool)
    return _is_total(item, frozenset(name for name in conditions.names_of(item) if name in defined or name in known))


@functools.lru_cache(maxsize=4096)
def _is_total(expression: str, defined: frozenset[str]) -> bool:
    node = conditions.parse(expression)
    return node is not None and _total(node, defined)


def _total(node: nodes.Node | None, defined: frozenset[str]) -> bool:
    if isinstance(node, nodes.Const):
        return True
    if isinstance(node, nodes.Name):
        return node.name in defined
    if isinstance(node, nodes.And | nodes.Or):
        return _total(node.left, defined) and _total(node.right, defined)
    if isinstance(node, nodes.Not):
        return _total(node.node, defined)
    if isinstance(node, nodes.Compare):
        plain = all(operand.op in ("eq", "ne") for operand in node.ops)
        return plain and _total(node.expr, defined) and all(_total(operand.expr, defined) for operand in node.ops)
    if isinstance(node, nodes.Test) and node.name in ("defined", "undefined"):
        return _is_reference(node.node)
    if isinstance(node, nodes.Test) and node.name in ("truthy", "falsy", "string"):
        return not node.args and not node.kwargs and _total(node.node, defined)
    if isinstance(node, nodes.Filter) and node.name in _TOTAL_FILTERS:
        if node.name in ("default", "d"):
            arguments = all(isinstance(item, nodes.Const) for item in node.args)
            return arguments and not node.kwargs and (_is_reference(node.node) or _total(node.node, defined))
        return not node.args and not node.kwargs and _total(node.node, defined)
    return False


def _is_reference(node: nodes.Node | None) -> bool:
    """Return whether a node is a name or an attribute of one, which may be undefined without an error."""
    while isinstance(node, nodes.Getattr):
        node = node.node
    return isinstance(node, nodes.Name)


class _Counter:
    def __init__(self, looks: Looks) -> None:
        self.count = 0
        self.looks = looks

    def next(self) -> int:
        self.count += 1
        return self.count - 1


def _leaves(task: Mapping[str, Any], around: _Around, defined: frozenset[str], counter: _Counter) -> Iterator[Leaf]:
    number = counter.next()
    look = counter.looks.at(task)
    known = within(task, around.known)
    own, reason = _decide(task.get("when"), known, defined)
    dead = around.dead or (own is False and around.total)
    tags = around.tags | look.tags
    reads = around.reads | look.reads if around.reads else look.reads
    plain = around.plain and own is not None
    skip = around.skip or (reason if around.plain else "")
    if "block" not in task:
        surely = around.sure and own is True
        yield Leaf(
            number=number,
            dead=dead,
            droppable=look.droppable,
            doubtful=around.doubtful,
            register=look.register,
            sets=look.sets if surely else _NOTHING,
            tags=tags,
            reads=reads,
            reads_result=look.reads_result,
            skip=skip if dead and look.skips_alike else "",
        )
        return
    handled = bool(task.get("rescue") or task.get("always"))
    inner = _Around(
        known=known,
        dead=dead,
        total=around.total and all(is_total(item, known, defined) for item in conditions.items(task.get("when"))),
        sure=around.sure and own is True and not {"ignore_errors", "delegate_facts"} & task.keys(),
        doubtful=around.doubtful or handled,
        tags=tags,
        reads=reads,
        skip=skip,
        plain=plain and own is True,
    )
    for key in BLOCK_KEYS:
        # What rescues runs after a failure only; it may not run though its conditions hold.
        part = inner._replace(sure=False) if key == "rescue" else inner
        for child in task.get(key) or []:
            yield from _leaves(child, part, defined, counter)
