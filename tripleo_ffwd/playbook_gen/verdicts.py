"""What is known of each task where it runs: whether it is skipped, and what it reads and writes; no I/O.

Imports atoms, conditions, effects, facts and tasks. A task is *dead* when it is decided to be skipped, and nothing that
Ansible would look at before it skips could fail.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import nodes

from tripleo_ffwd.playbook_gen import conditions
from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE, Atom
from tripleo_ffwd.playbook_gen.effects import reads_of, reads_own_result
from tripleo_ffwd.playbook_gen.facts import tags_of
from tripleo_ffwd.playbook_gen.tasks import BLOCK_KEYS, assigned_names, include_of, loop_key

# Filters that take any value without an error.
_TOTAL_FILTERS = frozenset(("bool", "lower", "upper", "string", "default", "d"))
# Loops whose source can't fail, or fails without harm in a task that is skipped; lookups of files and commands can.
_PLAIN_LOOPS = frozenset(("loop", "with_items", "with_list", "with_sequence", "with_dict", "with_nested"))
_REGISTERS_NOTHING = frozenset(("meta", "include_tasks", "import_tasks", "import_role"))
_LOOKUPS = ("lookup(", "query(", "q(")


@dataclasses.dataclass(frozen=True)
class Leaf:
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


@dataclasses.dataclass(frozen=True)
class _Around:
    known: Mapping[str, Any]
    dead: bool
    total: bool
    sure: bool
    doubtful: bool
    tags: frozenset[str]
    reads: frozenset[str]
    skip: str
    plain: bool  # all conditions around it are decided to hold


class Reads:
    """What tasks read, each task looked at once: the same ones come back for every release, step and role."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Mapping[str, Any], frozenset[str]]] = {}

    def of(self, task: Mapping[str, Any]) -> frozenset[str]:
        """Return what a task, without those in its blocks, may read."""
        found = self._known.get(id(task))
        if found is None:
            found = self._known[id(task)] = (task, reads_of(task))  # held, so that its id stays its own
        return found[1]


def leaves_of(atom: Atom, play_tags: frozenset[str], reads: Reads, *, sure: bool) -> list[Leaf]:
    """Return the leaves of an atom's task, in order; `sure` when a task that fails is its host's last."""
    ambient = frozenset().union(*(reads_of({"vars": dict(guard.vars)}) for guard in atom.guards if guard.vars))
    # An include's own tags decide with those of the task: what they are only has to be told apart.
    tags = play_tags | {f"include {tag}" for guard in atom.guards for tag in guard.tags}
    tags |= {"include without tags"} if atom.untagged else set()
    around = _Around(known_of(atom), False, True, sure, False, tags, ambient, "", plain=True)
    return list(_leaves(atom.task, around, atom.defined, _Counter(reads)))


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
    hidden = set(task.get("vars") or {}) if isinstance(task.get("vars") or {}, Mapping) else set(known)
    if loop_key(task):
        control = task.get("loop_control")
        hidden.add(str(control.get("loop_var", "item")) if isinstance(control, Mapping) else "item")
        hidden |= {str(control[key]) for key in ("index_var",) if isinstance(control, Mapping) and key in control}
        hidden.add("ansible_loop")
    if not hidden & known.keys():
        return known
    return {name: value for name, value in known.items() if name not in hidden}


def verdict(when: Any, known: Mapping[str, Any], defined: frozenset[str]) -> bool | None:
    """Return whether a `when` holds; None for what the run must tell, or what may fail before it is decided."""
    sure = True
    for item in conditions.items(when):
        decided = conditions.decide_item(item, known)
        if decided is False:
            return False
        if decided is None:
            if not is_total(item, known, defined):
                return None
            sure = False
    return True if sure else None


def is_total(item: Any, known: Mapping[str, Any], defined: frozenset[str]) -> bool:
    """Return whether a condition comes to some value without an error, whatever the variables hold."""
    node = conditions.parse(item) if isinstance(item, str) else None
    return isinstance(item, bool) or (node is not None and _total(node, defined | known.keys()))


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
    def __init__(self, reads: Reads) -> None:
        self.count = 0
        self.reads = reads

    def next(self) -> int:
        self.count += 1
        return self.count - 1


def _leaves(task: Mapping[str, Any], around: _Around, defined: frozenset[str], counter: _Counter) -> Iterator[Leaf]:
    number = counter.next()
    known = within(task, around.known)
    own = verdict(task.get("when"), known, defined)
    dead = around.dead or (own is False and around.total)
    tags = around.tags | tags_of(task)
    own_reads = counter.reads.of(task)
    reads = around.reads | own_reads if around.reads else own_reads
    plain = around.plain and own is not None
    skip = around.skip or (_first_false(task.get("when"), known) if around.plain and own is False else "")
    if "block" not in task:
        yield _leaf(number, task, dead, around, own, tags, reads, skip)
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
        part = dataclasses.replace(inner, sure=False) if key == "rescue" else inner
        for child in task.get(key) or []:
            yield from _leaves(child, part, defined, counter)


def _leaf(
    number: int,
    task: Mapping[str, Any],
    dead: bool,
    around: _Around,
    own: bool | None,
    tags: frozenset[str],
    reads: frozenset[str],
    skip: str,
) -> Leaf:
    register = task.get("register")
    actions = {key.rpartition(".")[2] for key in task}
    unsure = {"delegate_facts", "ignore_errors", "ignore_unreachable"} & task.keys()
    surely = around.sure and own is True and not loop_key(task) and not unsure
    sets = assigned_names([{key: value for key, value in task.items() if key != "register"}]) if surely else frozenset()
    return Leaf(
        number=number,
        dead=dead,
        droppable=is_droppable(task),
        doubtful=around.doubtful,
        register=register if isinstance(register, str) and not _REGISTERS_NOTHING & actions else "",
        sets=frozenset(name for name in sets if not name.startswith("*")),
        tags=tags,
        reads=reads,
        reads_result=reads_own_result(task),
        skip=skip if dead and _is_plain_loop(task) and not {"delegate_to", "no_log"} & task.keys() else "",
    )


def _is_plain_loop(task: Mapping[str, Any]) -> bool:
    """Return whether a task has no loop, or one over plain texts that stand in it."""
    loop = loop_key(task)
    return loop is None or (
        loop in ("loop", "with_items")
        and isinstance(task[loop], list)
        and all(isinstance(item, str) and "{{" not in item and "{%" not in item for item in task[loop])
    )


def _first_false(when: Any, known: Mapping[str, Any]) -> str:
    """Return the first condition that is decided to be false, when all before it are decided to hold."""
    for item in conditions.items(when):
        decided = conditions.decide_item(item, known)
        if decided is not True:
            return str(item) if decided is False else ""
    return ""


def is_droppable(task: Mapping[str, Any]) -> bool:
    """Return whether nothing but a variable that it registers could tell that a skipped task is not there."""
    include = include_of(task)
    if include is not None and include[0] != "include_tasks":
        return False
    actions = {key.rpartition(".")[2] for key in task}
    if actions & {"meta", "import_role", "import_playbook", "listen"} or "{{" in str(task.get("register")):
        return False
    loop = loop_key(task)
    if loop is None:
        return True
    return loop in _PLAIN_LOOPS and not any(call in str(task[loop]) for call in _LOOKUPS)
