"""One play's tasks to the sequence in which they run, loops over includes unrolled; imports program and conditions.

An include is followed only where that is equal to including it at run time; any other stays a task like the rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen import conditions, ordering
from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE, Atom, Guard
from tripleo_ffwd.playbook_gen.conditions import UNKNOWN
from tripleo_ffwd.playbook_gen.facts import Facts, plain_facts
from tripleo_ffwd.playbook_gen.program import Program
from tripleo_ffwd.playbook_gen.tasks import (
    ANY_FACT,
    ANY_VARIABLE,
    assigned_names,
    flatten,
    include_key,
    include_of,
    is_static,
    loop_key,
    sequence,
    settle,
)
from tripleo_ffwd.playbook_gen.tree import Note

# Keywords of an include that following it can keep the meaning of.
_FOLLOWED = frozenset(("name", "when", "loop", "loop_control", "vars"))


@dataclasses.dataclass(frozen=True)
class _Context:
    file: str
    stack: tuple[str, ...]
    loop_vars: tuple[tuple[str, Any], ...] = ()
    roles: tuple[str, ...] = ()
    role: str | None = None
    guards: tuple[Guard, ...] = ()
    static: bool = True


class Unroller:
    """Unrolls the plays of one playbook; what its set_facts make known is known to its later plays.

    Args:
        program: the program.
        playbook: the playbook's file name.
        releases: the releases that the operator named, or none.
    """

    def __init__(self, program: Program, playbook: str, releases: tuple[str, ...]) -> None:
        self._program = program
        self._playbook = playbook
        self._releases = releases
        self._facts = Facts()
        self._atoms: list[Atom] = []
        self._guards = 0
        self.releases: tuple[str, ...] = ()
        self.notes: list[Note] = []

    @property
    def folded(self) -> frozenset[str]:
        """Names that were given a value here, before any run."""
        return frozenset(self._facts.folded)

    def pass_over(self, play: Mapping[str, Any]) -> None:
        """Forget what a play that stays whole may set."""
        names: set[str] = {ANY_FACT, ANY_VARIABLE} if play.get("roles") else set()
        for section in ("pre_tasks", "tasks", "post_tasks", "handlers"):
            names |= self._assigned_by(play.get(section) or [], self._playbook, ())
        if ANY_VARIABLE in names:
            names.add(ANY_FACT)
        self._facts.forget(names)

    def unroll(
        self, play: Mapping[str, Any], hosts: tuple[str, ...], roles: tuple[str, ...], by_role: bool
    ) -> list[Atom]:
        """Return the play's tasks in the order in which they run.

        Args:
            play: the play; only its `tasks` are looked at.
            hosts: the hosts that it runs on.
            roles: the roles that it runs on.
            by_role: whether a stage may hold one role only.

        Raises:
            UnsupportedConstruct: an include of itself.
            MalformedOutputs: releases that nobody resolves, a role without a task list that is included.
        """
        self._atoms = []
        self._facts.enter(hosts)
        self._walk(play.get("tasks") or [], _Context(self._playbook, (), roles=roles if by_role else ()))
        self._facts.leave(play)
        return self._atoms

    def _walk(self, tasks: list[dict[str, Any]], context: _Context) -> None:
        for task in tasks:
            found = include_of(task)
            if found is None:
                self._plain(task, context)
            elif not self._follow(task, *found, context):
                self._keep_include(task, context)

    def _plain(self, task: dict[str, Any], context: _Context) -> None:
        before = self._facts.visible()
        task = settle(self._set_facts(task, context), context.static)
        self._emit(task, context, before)
        self._facts.assign(assigned_names([task]))
        fresh = self._facts.visible().keys() & _plain_facts(task, context).keys()
        self._facts.forget(self._assigned_by([task], context.file, ()) - fresh)

    def _emit(self, task: Mapping[str, Any], context: _Context, facts: Mapping[str, Any]) -> None:
        shadowed = self._facts.outrank(dict(context.loop_vars))
        self._atoms.append(
            Atom(
                task,
                context.file,
                context.loop_vars,
                tuple(sorted(facts.items(), key=lambda item: item[0])),
                context.role,
                context.guards,
                shadowed,
            )
        )

    def _set_facts(self, task: dict[str, Any], context: _Context) -> dict[str, Any]:
        facts = _plain_facts(task, context)
        if not facts:
            return task
        known = {**self._facts.visible(), **dict(context.loop_vars)}
        values = {}
        for name, value in facts.items():
            values[name] = self._fact(name, value, known, task)
        key = "set_fact" if "set_fact" in task else "ansible.builtin.set_fact"
        for name, (_, evaluated) in values.items():
            if evaluated is UNKNOWN:
                self._facts.forget((name,))
            else:
                self._facts.put(name, evaluated)
        return {**task, key: {name: written for name, (written, _) in values.items()}}

    def _fact(self, name: str, value: Any, known: Mapping[str, Any], task: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return how a fact is written and what it comes to."""
        if name == "releases":
            value = ordering.check_releases(value, self._releases, f"{self._playbook}, releases")
            self.releases = tuple(value)
        evaluated = conditions.evaluate_template(value, known)
        if isinstance(evaluated, list) and isinstance(value, str) and "difference" in value:
            # Newer versions take the last release's name for a set of letters.
            self.notes.append(
                Note(self._playbook, str(task.get("name") or "set_fact"), f"{name}: {value} → {', '.join(evaluated)}")
            )
            return evaluated, evaluated
        return value, evaluated

    def _keep_include(self, task: dict[str, Any], context: _Context) -> None:
        include = include_of(task)
        names = self._assigned_below(include[1], context.file, ()) if include else frozenset()
        self._facts.forget(names)
        self._emit(settle(task, context.static), context, self._facts.visible())

    def _assigned_below(self, name: str, current: str, seen: tuple[str, ...]) -> frozenset[str]:
        path = self._program.resolve(name, current)
        if path is None:
            return frozenset((ANY_FACT, ANY_VARIABLE))
        if path in seen:
            return frozenset()
        return self._assigned_by(self._program.tasks[path], path, (*seen, path))

    def _assigned_by(self, tasks: list[Any], current: str, seen: tuple[str, ...]) -> frozenset[str]:
        """Return the names that tasks and what they include may set."""
        names = set(assigned_names(tasks))
        for task in flatten(tasks):
            include = include_of(task)
            if include:
                names |= self._assigned_below(include[1], current, seen)
        return frozenset(names)

    def _follow(self, task: dict[str, Any], action: str, name: str, context: _Context) -> bool:
        """Unroll an include; return False when it must stay as it is."""
        path = self._path(name, context)
        if path is None:
            return False
        loop = loop_key(task)
        others = set(task) - {include_key(task), loop or ""}
        static = is_static(task, context.static)
        if static:
            if loop or others - {"name"}:
                return False
            self._walk(self._program.tasks[path], self._enter(context, path, static=True))
            return True
        if others - _FOLLOWED or not isinstance(task[include_key(task)], str) or not self._loop_is_plain(task):
            return False
        values = self._loop_values(task, loop, context)
        if values is None or not self._guard_holds(task, path, context):
            return False
        variable = (task.get("loop_control") or {}).get("loop_var", "item")
        plans = []
        for value in values:
            loop_vars = context.loop_vars if loop is None else _with(context.loop_vars, variable, value)
            plan = self._decide(task, path, dataclasses.replace(context, loop_vars=loop_vars))
            if plan is None:
                return False
            plans.extend(plan)
        if loop is not None:
            self._facts.folded.add(variable)
        for inner in plans:
            self._walk(self._program.tasks[path], inner)
        return True

    def _path(self, name: str, context: _Context) -> str | None:
        path = self._program.resolve(name, context.file) if name and "{{" not in name else None
        if path is None:
            self._program.check_role_file(name, context.file)
        if path is not None and path in context.stack:
            raise UnsupportedConstruct(
                f"the file includes itself: {' → '.join((*context.stack, path))}", where=context.file
            )
        return path

    @staticmethod
    def _loop_is_plain(task: Mapping[str, Any]) -> bool:
        control = task.get("loop_control") or {}
        return isinstance(control, Mapping) and not set(control) - {"loop_var", "label"}

    def _loop_values(self, task: Mapping[str, Any], loop: str | None, context: _Context) -> list[Any] | None:
        """Return the values of the loop, ``[None]`` without one, None when only the run can tell."""
        if loop is None:
            return [None]
        known = {**self._facts.visible(), **dict(context.loop_vars)}
        if loop == "with_sequence":
            return sequence(task[loop])
        if loop not in ("loop", "with_items", "with_list"):
            return None
        value = conditions.evaluate_template(task[loop], known)
        if not isinstance(value, list):
            return None
        if loop != "with_items":
            return value
        return [item for entry in value for item in (entry if isinstance(entry, list) else [entry])]

    def _guard_holds(self, task: Mapping[str, Any], path: str, context: _Context) -> bool:
        """Return False when what is included may change the include's own condition and is more than one file."""
        looked_at = conditions.names(conditions.items(task.get("when")))
        nested = any(include_of(inner) for inner in flatten(self._program.tasks[path]))
        assigned = self._assigned_below(path, "", ())
        changed = looked_at & assigned or (looked_at and ANY_FACT in assigned)
        return not (changed and (nested or loop_key(task)))

    def _decide(self, task: Mapping[str, Any], path: str, context: _Context) -> list[_Context] | None:
        """Return the contexts in which the file is walked: none when it is left out, None when it can't be decided."""
        when = task.get("when")
        variables = task.get("vars") or {}
        known = {**self._facts.visible(), **dict(context.loop_vars)}
        for name in variables:
            known.pop(name, None)
        verdicts = {role: conditions.decide(when, {**known, ROLE_VARIABLE: role}) for role in context.roles}
        chosen = tuple(role for role, verdict in verdicts.items() if verdict is not False)
        if context.roles and not chosen:
            return []
        if not context.roles and conditions.decide(when, known) is False:
            return []
        role = context.role
        if context.roles and len(chosen) == 1 and chosen != context.roles:
            role = chosen[0]
        elif context.roles and chosen != context.roles:
            return None
        if role is not None:
            known[ROLE_VARIABLE] = role
        guards = context.guards
        rest = conditions.residual(when, known)
        if rest or variables:
            self._guards += 1
            guards = (*guards, Guard(tuple(rest), tuple(variables.items()), path, self._guards))
        kept = tuple(item for item in context.loop_vars if item[0] not in variables)
        inner = self._enter(context, path, static=False)
        return [
            dataclasses.replace(
                inner, role=role, roles=(role,) if role else context.roles, guards=guards, loop_vars=kept
            )
        ]

    @staticmethod
    def _enter(context: _Context, path: str, *, static: bool) -> _Context:
        return dataclasses.replace(context, file=path, stack=(*context.stack, path), static=static and context.static)


def _plain_facts(task: Mapping[str, Any], context: _Context) -> Mapping[str, Any]:
    """Return the facts of a set_fact that every host runs, whatever happens; nothing for any other task."""
    return plain_facts(task) if context.role is None and not context.guards else {}


def _with(loop_vars: tuple[tuple[str, Any], ...], name: str, value: Any) -> tuple[tuple[str, Any], ...]:
    return (*(item for item in loop_vars if item[0] != name), (name, value))
