"""Where a task stands while a play is unrolled: behind which includes, and what is known there; no I/O.

Imports atoms, conditions, facts and tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tripleo_ffwd.playbook_gen import conditions
from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE, Guard
from tripleo_ffwd.playbook_gen.facts import plain_facts, tags_of
from tripleo_ffwd.playbook_gen.tasks import include_of, short_keys


class Context(NamedTuple):
    """The includes around a task.

    Attributes:
        file: the file that it stands in.
        stack: the files around it, outermost first, with its own.
        loop_vars: variables of the includes' loops.
        roles: roles on which it may run, of those of the play; none where they aren't told apart.
        role: the only one of them.
        guards: conditions and variables of the includes that the run decides.
        static: all includes around it are read with the playbook.
        dynamic: one of them isn't.
        untagged: one that the run follows has no tags.
        when: conditions that it inherits.
        tags: tags that it inherits.
    """

    file: str
    stack: tuple[str, ...]
    loop_vars: tuple[tuple[str, Any], ...] = ()
    roles: tuple[str, ...] = ()
    role: str | None = None
    guards: tuple[Guard, ...] = ()
    static: bool = True
    dynamic: bool = False
    untagged: bool = False
    when: tuple[Any, ...] = ()
    tags: frozenset[str] = frozenset()

    def enter(self, path: str, *, static: bool) -> Context:
        """Return the context of a file that is included here."""
        return self._replace(
            file=path,
            stack=(*self.stack, path),
            static=static and self.static,
            dynamic=self.dynamic or not static,
        )

    def looping(self, name: str, value: Any) -> Context:
        """Return the context of one turn of an include's loop."""
        others = (item for item in self.loop_vars if item[0] != name)
        return self._replace(loop_vars=(*others, (name, value)))


class Place(NamedTuple):
    """What is known where a task stands: facts, variables that have some value, and all variables with their values."""

    facts: Mapping[str, Any]
    defined: frozenset[str]
    known: Mapping[str, Any]


NOWHERE = Place({}, frozenset(), {})


def without_own(task: Mapping[str, Any], known: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Return known values without those that a task's own variables hide."""
    variables = task.get("vars") or {}
    if not variables or variables.keys().isdisjoint(known):
        return known
    hidden = variables.keys() - ({ROLE_VARIABLE} if context.role is not None else set())
    return {name: value for name, value in known.items() if name not in hidden}


def facts_of(task: Mapping[str, Any], context: Context, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts of a set_fact that every host runs, whatever happens; nothing for any other task."""
    facts = {} if context.guards or context.tags else plain_facts(task)
    if not facts:
        return {}
    when = [*context.when, *conditions.items(task.get("when"))]
    return facts if conditions.decide(when, known) is True else {}


def inherit(task: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return a task with the conditions and tags of the imports around it."""
    if (context.when or context.tags) and (include_of(task) is not None or "include_role" in short_keys(task)):
        # What is included inherits them, too: of a block around the include, not of the include itself.
        around: dict[str, Any] = {"block": [task]}
        if context.when:
            around["when"] = list(context.when)
        return {**around, "tags": sorted(context.tags)} if context.tags else around
    if context.when:
        task = {**task, "when": [*context.when, *conditions.items(task.get("when"))]}
    if context.tags:
        task = {**task, "tags": sorted(context.tags | tags_of(task))}
    return task
