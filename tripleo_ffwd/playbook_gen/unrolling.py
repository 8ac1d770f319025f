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
from tripleo_ffwd.playbook_gen.effects import EVERYTHING, reads_of
from tripleo_ffwd.playbook_gen.facts import Facts, plain_facts, tags_of
from tripleo_ffwd.playbook_gen.patterns import UNDERCLOUD
from tripleo_ffwd.playbook_gen.program import Program
from tripleo_ffwd.playbook_gen.simplifying import simplify
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
from tripleo_ffwd.playbook_gen.verdicts import Leaf, is_total, leaves_of, verdict

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
    dynamic: bool = False


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
        self._hosts: Mapping[str | None, frozenset[str]] = {}
        self._tags: frozenset[str] = frozenset()
        self._guards = 0
        self._settled: dict[tuple[int, bool], tuple[Any, dict[str, Any]]] = {}
        self._read_below: dict[str, frozenset[str]] = {}
        self.releases: tuple[str, ...] = ()
        self.notes: list[Note] = []
        self.leaves: dict[int, list[Leaf]] = {}

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
        self, play: Mapping[str, Any], hosts: tuple[str, ...], roles: Mapping[str, tuple[str, ...]]
    ) -> list[Atom]:
        """Return the play's tasks in the order in which they run; what is known of each is in `leaves`, by its id.

        Args:
            play: the play; only its `tasks` are looked at.
            hosts: the hosts that it runs on.
            roles: the roles that it runs on, with their hosts, when a stage may hold one role only; else none.

        Raises:
            UnsupportedConstruct: an include of itself.
            MalformedOutputs: releases that nobody resolves, a role without a task list that is included.
        """
        self._atoms = []
        self._hosts = {None: frozenset(hosts), **{role: frozenset(found) for role, found in roles.items()}}
        self._tags = frozenset(tags_of(play))
        self._facts.enter(hosts)
        self._facts.define((ROLE_VARIABLE,), frozenset(hosts) - {UNDERCLOUD})  # by the inventory
        self._walk(play.get("tasks") or [], _Context(self._playbook, (), roles=tuple(roles)))
        self._facts.leave(play)
        return self._atoms

    def reads_below(self, tasks: list[Any], current: str) -> frozenset[str]:
        """Return what the files that tasks include may read, and so on below."""
        found: set[str] = set()
        for task in flatten(tasks):
            include = include_of(task)
            if include is not None:
                found |= self._reads_of_file(include[1], current)
        return frozenset(found)

    def _reads_of_file(self, name: str, current: str) -> frozenset[str]:
        path = self._program.resolve(name, current) if "{{" not in name else None
        if path is None:
            return frozenset((EVERYTHING,))
        if path not in self._read_below:
            self._read_below[path] = frozenset((EVERYTHING,))  # for files that include each other
            tasks = self._program.tasks[path]
            own: frozenset[str] = frozenset().union(*(reads_of(task) for task in flatten(tasks)))
            self._read_below[path] = own | self.reads_below(tasks, path)
        return self._read_below[path]

    def _walk(self, tasks: list[dict[str, Any]], context: _Context) -> None:
        for task in tasks:
            found = include_of(task)
            if found is None:
                self._plain(task, context)
            elif not self._follow(task, *found, context):
                self._keep_include(task, context)

    def _plain(self, task: dict[str, Any], context: _Context) -> None:
        known = self._known(context)
        decided = _plain_facts(task, context, known)
        before = self._facts.visible(self._on(context))
        written = self._set_facts(task, decided, known, context) if decided else task
        settled = settle(written, context.static) if decided else self._settle(task, context.static)
        atom = self._emit(settled, context, before)
        leaves = self.leaves[id(atom)]
        if leaves and all(leaf.dead for leaf in leaves):
            gone = {leaf.register for leaf in leaves if leaf.register}
        else:
            self._facts.assign(assigned_names([task]))
            gone = set(atom.writes - decided.keys())
        if gone:
            self._facts.forget(gone)
        if not context.guards:
            surely = {name for leaf in leaves if not leaf.doubtful for name in (*leaf.sets, leaf.register) if name}
            self._facts.define(surely, self._on(context))

    def _emit(self, task: Mapping[str, Any], context: _Context, facts: Mapping[str, Any]) -> Atom:
        atom = Atom(
            task=task,
            file=context.file,
            loop_vars=context.loop_vars,
            facts=tuple(sorted(facts.items(), key=lambda item: item[0])),
            role=context.role,
            guards=context.guards,
            shadowed=self._facts.outrank(dict(context.loop_vars)),
            defined=self._facts.defined(self._on(context)),
            below=self.reads_below([task], context.file),
            writes=self._assigned_by([task], context.file, ()),
            dynamic=context.dynamic,
        )
        self._atoms.append(atom)
        self.leaves[id(atom)] = leaves_of(atom, self._tags)
        return atom

    def _settle(self, task: dict[str, Any], static: bool) -> dict[str, Any]:
        key = (id(task), static)
        if key not in self._settled:
            self._settled[key] = (task, settle(task, static))  # holding the task keeps its id its own
        return self._settled[key][1]

    def _on(self, context: _Context) -> frozenset[str]:
        """Return the hosts that run what stands in a context."""
        return self._hosts[context.role]

    def _known(self, context: _Context) -> dict[str, Any]:
        known = {**self._facts.visible(self._on(context)), **dict(context.loop_vars)}
        return known if context.role is None else {**known, ROLE_VARIABLE: context.role}

    def _set_facts(
        self, task: dict[str, Any], facts: Mapping[str, Any], known: Mapping[str, Any], context: _Context
    ) -> dict[str, Any]:
        """Learn the facts of a set_fact that surely runs; return it as it is written."""
        values = {name: self._fact(name, value, known, task) for name, value in facts.items()}
        key = "set_fact" if "set_fact" in task else "ansible.builtin.set_fact"
        for name, (_, evaluated) in values.items():
            if evaluated is UNKNOWN:
                self._facts.forget((name,))
            else:
                self._facts.assign((name,))
                self._facts.put(name, evaluated, self._on(context))
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
        self._emit(self._settle(task, context.static), context, self._facts.visible(self._on(context)))

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
            plans.extend(self._decide(task, path, dataclasses.replace(context, loop_vars=loop_vars)))
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
        known = self._known(context)
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

    def _decide(self, task: Mapping[str, Any], path: str, context: _Context) -> list[_Context]:
        """Return the contexts in which the file is walked: one, or none when it is left out."""
        when = task.get("when")
        variables = task.get("vars") or {}
        known = self._known(context)
        for name in variables:
            known.pop(name, None)
        defined = self._facts.defined(self._on(context))
        verdicts = {role: verdict(when, {**known, ROLE_VARIABLE: role}, defined) for role in context.roles}
        chosen = tuple(role for role, found in verdicts.items() if found is not False)
        if (context.roles and not chosen) or (not context.roles and verdict(when, known, defined) is False):
            return []
        role = context.role
        if len(chosen) == 1 and (chosen != context.roles or ROLE_VARIABLE in conditions.names(conditions.items(when))):
            role = chosen[0]
        if role is not None:
            known[ROLE_VARIABLE] = role
        guards = context.guards
        rest = simplify(when, known)
        if rest or variables:
            self._guards += 1
            total = all(is_total(item, known, defined) for item in rest)
            guards = (*guards, Guard(tuple(rest), tuple(variables.items()), path, self._guards, total))
        kept = tuple(item for item in context.loop_vars if item[0] not in variables)
        inner = self._enter(context, path, static=False)
        return [dataclasses.replace(inner, role=role, roles=chosen, guards=guards, loop_vars=kept)]

    @staticmethod
    def _enter(context: _Context, path: str, *, static: bool) -> _Context:
        return dataclasses.replace(
            context,
            file=path,
            stack=(*context.stack, path),
            static=static and context.static,
            dynamic=context.dynamic or not static,
        )


def _plain_facts(task: Mapping[str, Any], context: _Context, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts of a set_fact that every host runs, whatever happens; nothing for any other task."""
    facts = {} if context.guards else plain_facts(task)
    return facts if facts and conditions.decide(task.get("when"), known) is True else {}


def _with(loop_vars: tuple[tuple[str, Any], ...], name: str, value: Any) -> tuple[tuple[str, Any], ...]:
    return (*(item for item in loop_vars if item[0] != name), (name, value))
