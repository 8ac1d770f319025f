"""The tasks of a play in the order in which they run, as the walk through its includes comes to them; no I/O.

Imports contexts, facts, traits and verdicts.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterator, Mapping
from typing import Any

from tripleo_ffwd.playbook_gen.atoms import Atom
from tripleo_ffwd.playbook_gen.contexts import Context, Place, inherit
from tripleo_ffwd.playbook_gen.effects import EVERYTHING
from tripleo_ffwd.playbook_gen.facts import Facts
from tripleo_ffwd.playbook_gen.tasks import ANY_FACT, ANY_VARIABLE
from tripleo_ffwd.playbook_gen.traits import Traits
from tripleo_ffwd.playbook_gen.verdicts import Leaf, leaves_of

_name = operator.itemgetter(0)


class Emission:
    """Takes the tasks of one playbook's plays, and keeps what is known of each.

    Args:
        traits: those of the program's tasks.
        facts: what is known of facts while the tasks come.

    Attributes:
        atoms: the tasks of the play under way.
        leaves: what is known of each atom of all plays, by its id.
    """

    def __init__(self, traits: Traits, facts: Facts) -> None:
        self._traits = traits
        self._facts = facts
        self._tags: frozenset[str] = frozenset()
        self._given: Mapping[str, Any] = {}
        self._sure = True
        self._inherited: dict[Any, dict[str, Any]] = {}
        self._facts_last: tuple[Mapping[str, Any], tuple[tuple[str, Any], ...]] = ({}, ())
        self._skipped: str | None = None
        self._waiting: dict[str, list[Atom]] = {}
        self._forgotten: list[Atom] = []  # keeps the ids of atoms that are in `leaves` their own
        self.atoms: list[Atom] = []
        self.leaves: dict[int, list[Leaf]] = {}

    def begin(self, tags: frozenset[str], given: Mapping[str, Any], *, sure: bool) -> None:
        """Begin a play.

        Args:
            tags: its own.
            given: its variables that are taken for their values.
            sure: a task of it that fails takes its host out.
        """
        self.atoms = []
        self._tags, self._given, self._sure = tags, given, sure
        self._facts_last = ({}, ())

    def end(self) -> list[Atom]:
        """End the play; return its tasks in the order in which they run."""
        self._release(None)
        return self.atoms

    def settle(self, task: dict[str, Any], context: Context) -> dict[str, Any]:
        """Return a task as it is written where it stands: with what it inherits."""
        settled = self._traits.settled(task, context.file, context.static)
        if not context.when and not context.tags:
            return settled
        key = (id(settled), str(context.when), context.tags)
        if key not in self._inherited:
            self._inherited[key] = inherit(settled, context)
        return self._inherited[key]

    def emit(self, task: Mapping[str, Any], context: Context, place: Place) -> Atom:
        """Take a task, where it runs and what it is known to do."""
        traits = self._traits.of(task, context.file)
        if "block" in task:
            # What a block sets holds for the rest of it.
            opaque = bool({ANY_FACT, ANY_VARIABLE} & traits.writes)
            around = {**self._given, **place.facts}
            kept = {name: value for name, value in around.items() if not opaque and name not in traits.writes}
            known = tuple(sorted(kept.items(), key=_name))
        else:
            known = self._sorted(place.facts)
        atom = Atom(
            task=task,
            file=context.file,
            loop_vars=context.loop_vars,
            facts=known,
            role=context.role,
            guards=context.guards,
            shadowed=self._facts.outrank(dict(context.loop_vars)),
            defined=place.defined,
            below=traits.below,
            writes=traits.writes,
            beside=traits.beside,
            untagged=context.untagged,
        )
        self.leaves[id(atom)] = leaves = leaves_of(atom, self._tags, self._traits.looks, sure=self._sure)
        if self._skipped is None:
            # Who looks at other hosts' variables finds them as they are by then.
            curious = EVERYTHING in traits.below or any(EVERYTHING in leaf.reads for leaf in leaves)
            self._release(None if curious else context.role)
            self.atoms.append(atom)
        elif any(leaf.register or not (leaf.dead and leaf.droppable) for leaf in leaves):
            self._waiting.setdefault(self._skipped, []).append(atom)
        else:
            self._forgotten.append(atom)
        return atom

    @contextlib.contextmanager
    def skipping(self, role: str) -> Iterator[None]:
        """Take tasks that all hosts of a role skip: they wait until the role's next task that may run."""
        outer, self._skipped = self._skipped, role
        try:
            yield
        finally:
            self._skipped = outer

    def _sorted(self, facts: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
        """Return facts with the variables that the play gives, by name: the same for one task after the other."""
        if self._facts_last[0] is not facts:
            self._facts_last = (facts, tuple(sorted({**self._given, **facts}.items(), key=_name)))
        return self._facts_last[1]

    def _release(self, role: str | None) -> None:
        """Put what a role skips, or all roles, before the next task that may run there."""
        for name in list(self._waiting) if role is None else [role]:
            self.atoms += self._waiting.pop(name, [])
