"""Which skips are seen later: a backward walk over all that a playbook's hosts run; no I/O.

Imports atoms, effects, verdicts, conditions and tasks. A task that is skipped and registers overwrites the variable.
Where nobody reads it before it is written again, nobody can tell whether the task was there; where somebody does, the
skip must stay. Registered variables and the facts of set_fact share one namespace, in which the last write counts.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from tripleo_ffwd.playbook_gen import conditions
from tripleo_ffwd.playbook_gen.atoms import Atom, Guard
from tripleo_ffwd.playbook_gen.effects import EVERYTHING
from tripleo_ffwd.playbook_gen.tasks import ANY_FACT, ANY_VARIABLE
from tripleo_ffwd.playbook_gen.verdicts import Leaf

_Tags = frozenset[str]
_NO_TAGS: _Tags = frozenset()
# A variable → the condition for which it holds a skip, and the tags of the task that was skipped.
_Held = dict[str, tuple[str, _Tags]]
# A name read later → tags of the readers → tags of the writes before each: a run may select a reader by its tags
# and leave a write out, so that a write hides what was before it only from readers, and only skips, of its own tags.
_Live = dict[str, dict[_Tags, frozenset[_Tags]]]


@dataclasses.dataclass(frozen=True)
class Passage:
    """What a playbook's hosts run in one play.

    Attributes:
        hosts: the play's hosts.
        atoms: its tasks in order; none when the play is not unrolled.
        reads: what tasks and keywords that are no atoms may read.
        opaque: handlers or roles may read and set anything between its tasks.
        sure: each host goes through the whole play, or takes no part in what follows it.
    """

    hosts: frozenset[str]
    atoms: Sequence[Atom]
    reads: frozenset[str]
    opaque: bool
    sure: bool


def seen_skips(
    passages: Sequence[Passage],
    leaves: Mapping[int, list[Leaf]],
    classes: Mapping[str, frozenset[str]],
    pinned: frozenset[str],
    read_by_dead: frozenset[str],
) -> frozenset[tuple[int, int]]:
    """Return the skips that must stay, as (id of the atom, number of the leaf).

    Args:
        passages: all plays of one playbook, in order.
        leaves: what is known of each atom, by its id.
        classes: role, or the undercloud → its hosts: those for which the same tasks run.
        pinned: names that may be read at any time, such as those in templates of the inventory's variables.
        read_by_dead: names that tasks without an atom would read, which are skipped on every host.
    """
    skipped = frozenset(leaf.register for found in leaves.values() for leaf in found if leaf.dead and leaf.register)
    pinned = skipped if EVERYTHING in pinned else pinned & skipped
    read = read_by_dead.union(*(leaf.reads for found in leaves.values() for leaf in found))
    read |= {leaf.register for found in leaves.values() for leaf in found if leaf.reads_result}
    seen: set[tuple[int, int]] = set()
    for role, hosts in classes.items():
        walk = _Walk(leaves, skipped, pinned, role)
        # What anything reads has the value at the end that it would have had: whoever looks then sees no difference.
        live: _Live = {name: {_NO_TAGS: frozenset()} for name in pinned | (skipped & read)}
        here = [passage for passage in passages if passage.hosts & hosts]
        for passage in reversed(here):
            _read(live, passage.reads, skipped, _NO_TAGS)
            certain = passage.sure and not passage.opaque and hosts <= passage.hosts
            live = walk.back(list(passage.atoms), live, 0, certain=certain, opaque=passage.opaque)
            _read(live, passage.reads, skipped, _NO_TAGS)
        held: _Held = {}
        for passage in here:
            if passage.atoms and passage.sure and not passage.opaque:
                held = walk.again(list(passage.atoms), held, 0, certain=hosts <= passage.hosts)
            else:
                held = {}
        seen |= walk.seen
    return frozenset(seen)


class _Walk:
    """The walks of one class of hosts: backward, which adds to `seen`, and forward, which takes from it again."""

    def __init__(
        self,
        leaves: Mapping[int, list[Leaf]],
        skipped: frozenset[str],
        pinned: frozenset[str],
        role: str,
    ) -> None:
        self._leaves = leaves
        self._skipped = skipped
        self._pinned = pinned
        self._role = role
        self.seen: set[tuple[int, int]] = set()

    def back(self, atoms: list[Atom], live: _Live, depth: int, *, certain: bool, opaque: bool) -> _Live:
        """Return what is live before atoms that run one after the other, behind the guards above `depth`."""
        mine = [atom for atom in atoms if atom.role in (None, self._role) or self._is_curious(atom)]
        for group in reversed(self._groups(mine, depth)):
            guard = _guard(group[0], depth)
            if guard is None:
                for atom in reversed(group):
                    if opaque:
                        _read(live, frozenset((EVERYTHING,)), self._skipped, _NO_TAGS)
                    if atom.role in (None, self._role):
                        self._atom(atom, live, certain)
                    else:
                        _read(live, frozenset((EVERYTHING,)), self._skipped, _NO_TAGS)
            else:
                taken = self.back(group, dict(live), depth + 1, certain=certain, opaque=opaque)
                live = _join(live, taken) if guard.when else taken
                _read(live, conditions.names(guard.when), self._skipped, _NO_TAGS)
        return live

    def _is_curious(self, atom: Atom) -> bool:
        """Return whether an atom may look at variables of hosts that don't run it."""
        leaves = self._leaves[id(atom)]
        return EVERYTHING in atom.below or any(EVERYTHING in leaf.reads for leaf in leaves)

    def again(self, atoms: list[Atom], held: _Held, depth: int, certain: bool) -> _Held:
        """Take out skips that give a variable the very value that one before them gave it; return what is held."""
        mine = [atom for atom in atoms if atom.role in (None, self._role) or self._is_curious(atom)]
        for group in self._groups(mine, depth):
            if _guard(group[0], depth) is None:
                for atom in group:
                    if atom.role in (None, self._role):
                        self._hold(atom, held, certain)
                    else:
                        held.clear()  # it may set variables of other hosts
            else:
                inner = self.again(group, dict(held), depth + 1, certain)
                held = {name: value for name, value in held.items() if inner.get(name) == value}
        return held

    def _hold(self, atom: Atom, held: _Held, certain: bool) -> None:
        for leaf in self._leaves[id(atom)]:
            key = (id(atom), leaf.number)
            if leaf.dead and leaf.droppable:
                if key not in self.seen:
                    continue
                if leaf.skip and held.get(leaf.register) == (leaf.skip, leaf.tags):
                    self.seen.discard(key)
                elif certain and leaf.skip and not leaf.doubtful:
                    held[leaf.register] = (leaf.skip, leaf.tags)
                else:
                    held.pop(leaf.register, None)
                continue
            if {ANY_FACT, ANY_VARIABLE} & atom.writes:
                held.clear()
            for name in atom.writes:
                held.pop(name, None)

    def _groups(self, atoms: list[Atom], depth: int) -> list[list[Atom]]:
        """Return atoms in groups of one guard; guards of the same conditions are one while these can't change."""
        groups: list[list[Atom]] = []
        for _, found in itertools.groupby(atoms, key=lambda atom: getattr(_guard(atom, depth), "serial", None)):
            group = list(found)
            if groups and self._same(groups[-1], group[0], depth):
                groups[-1].extend(group)
            else:
                groups.append(group)
        return groups

    def _same(self, before: list[Atom], atom: Atom, depth: int) -> bool:
        """Return whether the guard of an atom decides as the one of the atoms before it did."""
        earlier, guard = _guard(before[0], depth), _guard(atom, depth)
        if guard is None or earlier is None or (guard.when, guard.vars) != (earlier.when, earlier.vars):
            return False
        names = conditions.names(guard.when)
        written: frozenset[str] = frozenset().union(*(self._writes(item) for item in before))
        around = [{name: value for name, value in item.loop_vars if name in names} for item in (before[0], atom)]
        # Facts that modules return rank below variables that were set, and above all others.
        settled = names <= before[0].defined and not written & {*names, ANY_FACT, ANY_VARIABLE}
        return settled and around[0] == around[1]

    def _writes(self, atom: Atom) -> frozenset[str]:
        leaves = self._leaves[id(atom)]
        if leaves and all(leaf.dead for leaf in leaves):
            return frozenset(leaf.register for leaf in leaves)
        return atom.writes

    def _atom(self, atom: Atom, live: _Live, certain: bool) -> None:
        for leaf in reversed(self._leaves[id(atom)]):
            if leaf.dead and leaf.droppable:
                if not leaf.register or not _is_live(live, leaf.register, leaf.tags):
                    continue
                self.seen.add((id(atom), leaf.number))
            if certain and not leaf.doubtful:
                written = {leaf.register} if leaf.register else set()
                _write(live, (written | leaf.sets) - self._pinned, leaf.tags)
            _read(live, leaf.reads | atom.below, self._skipped, leaf.tags)


def _guard(atom: Atom, depth: int) -> Guard | None:
    return atom.guards[depth] if len(atom.guards) > depth else None


def _is_live(live: _Live, name: str, tags: _Tags) -> bool:
    return any(tags not in written for written in _readers(live, name).values())


def _readers(live: _Live, name: str) -> dict[_Tags, frozenset[_Tags]]:
    found = live.get(name)
    return live.get(EVERYTHING, {}) if found is None else found


def _read(live: _Live, names: frozenset[str], skipped: frozenset[str], tags: _Tags) -> None:
    """Take names for read; only those of skipped registers matter."""
    if EVERYTHING in names:
        for name in live:
            live[name] = {**live[name], tags: frozenset()}
        live[EVERYTHING] = {**live.get(EVERYTHING, {}), tags: frozenset()}
    for name in names & skipped:
        live[name] = {**_readers(live, name), tags: frozenset()}


def _write(live: _Live, names: set[str], tags: _Tags) -> None:
    for name in names:
        readers = _readers(live, name)
        if readers:
            live[name] = {reader: written | {tags} for reader, written in readers.items() if reader != tags}


def _join(left: _Live, right: _Live) -> _Live:
    """Return what is live when either of two ways is taken."""
    found: _Live = {}
    for name in left.keys() | right.keys():
        one, other = _readers(left, name), _readers(right, name)
        found[name] = {
            reader: one[reader] & other[reader] if reader in one and reader in other else (one | other)[reader]
            for reader in one.keys() | other.keys()
        }
    return found
