"""One play's tasks to the sequence in which they run, loops over includes unrolled; no I/O.

An include is followed only where that is equal to including it at run time; any other stays a task like the rest.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, NamedTuple

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen import conditions, extent, ordering
from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE, Atom, Guard
from tripleo_ffwd.playbook_gen.conditions import UNKNOWN
from tripleo_ffwd.playbook_gen.effects import EVERYTHING
from tripleo_ffwd.playbook_gen.facts import Facts, plain_facts, tags_of
from tripleo_ffwd.playbook_gen.patterns import UNDERCLOUD
from tripleo_ffwd.playbook_gen.simplifying import simplify
from tripleo_ffwd.playbook_gen.tasks import (
    ANY_FACT,
    ANY_VARIABLE,
    flatten,
    include_key,
    include_of,
    is_static,
    loop_key,
    sequence,
    settle,
    short_keys,
)
from tripleo_ffwd.playbook_gen.traits import Traits
from tripleo_ffwd.playbook_gen.tree import Note
from tripleo_ffwd.playbook_gen.verdicts import Leaf, is_total, leaves_of, verdict, within
from tripleo_ffwd.playbook_gen.wholeness import sections_of

# Keywords of an include that following it can keep the meaning of.
_FOLLOWED = frozenset(("name", "when", "loop", "loop_control", "vars", "tags"))

# Modules that return no facts.
_WITHOUT_FACTS = (
    frozenset(
        ("assert", "command", "copy", "cron", "debug", "fail", "file", "get_url", "group", "include_tasks", "ini_file")
    )
    | frozenset(
        (
            "import_tasks",
            "include",
            "lineinfile",
            "package",
            "pause",
            "replace",
            "script",
            "service",
            "set_fact",
            "shell",
        )
    )
    | frozenset(("stat", "systemd", "template", "user", "wait_for", "yum", "yum_repository"))
)
_NOTHING: Mapping[str, Any] = {}
_name = operator.itemgetter(0)
_ROLE_ONLY = frozenset((ROLE_VARIABLE,))
# Texts that set_fact makes booleans of in 2.16 and leaves as they are in 2.19.
_TRUTHS = frozenset(("true", "false", "yes", "no"))


class _Context(NamedTuple):
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


class _Place(NamedTuple):
    """What is known where a task stands: facts, variables that have some value, and all variables with their values."""

    facts: Mapping[str, Any]
    defined: frozenset[str]
    known: Mapping[str, Any]


_NOWHERE = _Place({}, frozenset(), {})


class Unroller:
    """Unrolls the plays of one playbook; what its set_facts make known is known to its later plays.

    Args:
        traits: those of the program's tasks.
        playbook: the playbook's file name.
        releases: the releases that the operator named, or none.
        trusts_facts: no host sets facts of another.
    """

    def __init__(self, traits: Traits, playbook: str, releases: tuple[str, ...], *, trusts_facts: bool) -> None:
        self._program = traits.program
        self._playbook = playbook
        self._releases = releases
        self._facts = Facts()
        self._atoms: list[Atom] = []
        self._hosts: dict[str | None, frozenset[str]] = {}
        self._tags: frozenset[str] = frozenset()
        self._guards = 0
        self._inherited: dict[Any, dict[str, Any]] = {}
        self._looks = traits.looks
        self._facts_last: tuple[Mapping[str, Any], tuple[tuple[str, Any], ...]] = ({}, ())
        self._place_last: tuple[_Context | None, bool, int, _Place] = (None, False, 0, _NOWHERE)
        self._given: Mapping[str, Any] = {}
        self._fails = False
        self._sure = True
        self._skipped: str | None = None
        self._waiting: dict[str, list[Atom]] = {}
        self._forgotten: list[Atom] = []  # keeps the ids of atoms that are in `leaves` their own
        self.traits = traits
        self.releases: tuple[str, ...] = ()
        self.notes: list[Note] = []
        self.leaves: dict[int, list[Leaf]] = {}
        self.read_by_dead: frozenset[str] = frozenset()
        self.dropped = 0
        self._trusts_facts = trusts_facts

    @property
    def folded(self) -> frozenset[str]:
        """Names that were given a value here, before any run."""
        return frozenset(self._facts.folded)

    def pass_over(self, play: Mapping[str, Any]) -> None:
        """Forget what a play that stays whole may set."""
        names: set[str] = {ANY_FACT, ANY_VARIABLE} if play.get("roles") else set()
        names |= self.traits.assigned_by(sections_of(play, handlers=True), self._playbook)
        if ANY_VARIABLE in names:
            names.add(ANY_FACT)
        self._facts.forget(names)

    def unroll(
        self,
        play: Mapping[str, Any],
        hosts: tuple[str, ...],
        roles: Mapping[str, frozenset[str]],
        given: Mapping[str, Any],
        *,
        sure: bool,
    ) -> list[Atom]:
        """Return the play's tasks in the order in which they run; what is known of each is in `leaves`, by its id.

        Args:
            play: the play; only its `tasks` are looked at.
            hosts: the hosts that it runs on.
            roles: the roles that it runs on, with their hosts, when a stage may hold one role only; else none.
            given: variables of the play that may be taken for their values.
            sure: each host goes through the whole play, or takes no part in what follows it.

        Raises:
            UnsupportedConstruct: an include of itself.
            MalformedOutputs: releases that nobody resolves, a role without a task list that is included.
        """
        self._atoms = []
        self._hosts = {None: frozenset(hosts)}
        self._hosts.update(roles.items())
        self._tags = frozenset(tags_of(play))
        self._facts.enter(hosts, alone=bool(self._tags))
        self._facts.define((ROLE_VARIABLE,), frozenset(hosts) - {UNDERCLOUD})  # by the inventory
        self._given = given
        self._place_last = (None, False, 0, _NOWHERE)
        self._facts_last = ({}, ())
        # A set_fact that fails sets nothing, and where errors are ignored the host goes on.
        self._fails = bool(play.get("ignore_errors") or play.get("ignore_unreachable")) or not self._trusts_facts
        self._sure = sure
        self._facts.folded |= set(given)
        self._facts.forget(self.traits.assigned_by(play.get("pre_tasks") or [], self._playbook))
        self._facts.forget((ANY_FACT, ANY_VARIABLE) if play.get("roles") else ())
        self._facts.block(self.traits.assigned_by(play.get("handlers") or [], self._playbook))
        self._walk(play.get("tasks") or [], _Context(self._playbook, (), roles=tuple(roles)))
        self._release(None)
        self._given = {}
        self._place_last = (None, False, 0, _NOWHERE)
        self._facts.block(())
        self._facts.forget(self.traits.assigned_by(play.get("post_tasks") or [], self._playbook))
        self._facts.leave(play, sure=sure)
        return self._atoms

    def assumed(self, play: Mapping[str, Any], name: str) -> bool | None:
        """Return whether a play's variable may be taken for its value.

        True: nothing before or in the play may set it. None: only roles or files that are not at hand could, before
        the play: it is to be looked at when the play begins. False: something does, or may do so in the play.
        """
        inside = self.traits.assigned_by(sections_of(play, handlers=True), self._playbook)
        others = play.get("roles") or play.get("vars_files") or play.get("vars_prompt")
        if name in inside or {ANY_FACT, ANY_VARIABLE} & inside or others or self._facts.sets(name):
            return False
        return None if self._facts.outrank((name,)) else True

    def _walk(self, tasks: list[dict[str, Any]], context: _Context) -> None:
        for task in tasks:
            found = include_of(task)
            if found is None:
                self._plain(task, context)
            elif not self._follow(task, *found, context):
                self._keep_include(task, context)

    def _plain(self, task: dict[str, Any], context: _Context) -> None:
        when = conditions.items(task.get("when"))
        if len(context.roles) > 1 and "register" not in task and ROLE_VARIABLE in conditions.names(when):
            chosen = self._chosen(task, [*context.when, *when], context)
            if len(chosen) == 1 and "block" not in task:
                # It leaves no trace where it is skipped: a stage of the one role is enough.
                context = context._replace(role=chosen[0], roles=chosen)
        place = self._place(task, context)
        known = _without_own(task, place.known, context)
        if self._leaves_no_trace(task, [*context.when, *when], known, place):
            self.read_by_dead |= self._looks.at(task).reads
            self.dropped += 1
            return
        decided = {} if self._fails else _plain_facts(task, context, known)
        if decided:
            written = self._set_facts(task, decided, known, context)
            settled = _inherit(settle(written, context.static), context)
        else:
            settled = self._settle(task, context)
        atom = self._emit(settled, context, place)
        leaves = self.leaves[id(atom)]
        if leaves and all(leaf.dead for leaf in leaves):
            gone = {leaf.register for leaf in leaves if leaf.register}
        else:
            self._facts.assign(atom.writes)
            gone = set(atom.writes - decided.keys())
        if gone:
            self._facts.forget(gone)
        if not context.guards and self._sure:
            surely = {name for leaf in leaves if not leaf.doubtful for name in (*leaf.sets, leaf.register) if name}
            self._facts.define(surely, self._on(context))

    def _leaves_no_trace(
        self, task: Mapping[str, Any], when: list[Any], known: Mapping[str, Any], place: _Place
    ) -> bool:
        """Return whether a task is skipped on every host, and nobody can tell: most tasks in most steps."""
        if not when or "block" in task or "register" in task:
            return False
        return verdict(when, within(task, known), place.defined) is False and self._looks.at(task).droppable

    def _emit(self, task: Mapping[str, Any], context: _Context, place: _Place) -> Atom:
        traits = self.traits.of(task, context.file)
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
        self.leaves[id(atom)] = leaves = leaves_of(atom, self._tags, self._looks, sure=not self._fails)
        if self._skipped is None:
            # Who looks at other hosts' variables finds them as they are by then.
            curious = EVERYTHING in traits.below or any(EVERYTHING in leaf.reads for leaf in leaves)
            self._release(None if curious else context.role)
            self._atoms.append(atom)
        elif any(leaf.register or not (leaf.dead and leaf.droppable) for leaf in leaves):
            self._waiting.setdefault(self._skipped, []).append(atom)
        else:
            self._forgotten.append(atom)
        return atom

    def _sorted(self, facts: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
        """Return facts with the variables that the play gives, by name: the same for one task after the other."""
        if self._facts_last[0] is not facts:
            self._facts_last = (facts, tuple(sorted({**self._given, **facts}.items(), key=_name)))
        return self._facts_last[1]

    def _release(self, role: str | None) -> None:
        """Put what a role skips, or all roles, before the next task that may run there."""
        for name in list(self._waiting) if role is None else [role]:
            self._atoms += self._waiting.pop(name, [])

    def _settle(self, task: dict[str, Any], context: _Context) -> dict[str, Any]:
        settled = self.traits.settled(task, context.static)
        if not context.when and not context.tags:
            return settled
        key = (id(settled), str(context.when), context.tags)
        if key not in self._inherited:
            self._inherited[key] = _inherit(settled, context)
        return self._inherited[key]

    def _on(self, context: _Context) -> frozenset[str]:
        """Return the hosts that run what stands in a context."""
        return self._hosts[context.role]

    def _place(self, task: Mapping[str, Any], context: _Context) -> _Place:
        """Return what is known where a task stands: for a file's tasks, one after the other, mostly the same.

        `--tags` may select a task that has tags, or one in it, and not what set the facts.
        """
        alone = not context.untagged and (bool(context.tags) or self._looks.at(task).tagged)
        last, was_alone, changes, place = self._place_last
        if last is not context or was_alone != alone or changes != self._facts.changes:
            on = self._on(context)
            facts = _NOTHING if alone else self._facts.visible(on)
            known = {**self._given, **facts, **dict(context.loop_vars)}
            for guard in context.guards:
                for name, _ in guard.vars:
                    known.pop(name, None)
            if context.role is not None:
                known[ROLE_VARIABLE] = context.role
            place = _Place(facts, _ROLE_ONLY if alone else self._facts.defined(on), known)
            self._place_last = (context, alone, self._facts.changes, place)
        return place

    def _known(self, task: Mapping[str, Any], context: _Context) -> Mapping[str, Any]:
        """Return the values that are known of variables inside a task."""
        return _without_own(task, self._place(task, context).known, context)

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
        if isinstance(evaluated, str) and evaluated.lower() in _TRUTHS:
            evaluated = UNKNOWN
        if isinstance(evaluated, list) and isinstance(value, str) and "difference" in value:
            # Newer versions take the last release's name for a set of letters.
            self.notes.append(
                Note(self._playbook, str(task.get("name") or "set_fact"), f"{name}: {value} → {', '.join(evaluated)}")
            )
            return evaluated, evaluated
        return value, evaluated

    def _keep_include(self, task: dict[str, Any], context: _Context) -> None:
        include = include_of(task)
        names = self.traits.assigned_below(include[1], context.file) if include else frozenset()
        self._facts.forget(names)
        self._emit(self._settle(task, context), context, self._place(task, context))

    def _follow(self, task: dict[str, Any], action: str, name: str, context: _Context) -> bool:
        """Unroll an include; return False when it must stay as it is."""
        loop = loop_key(task)
        if "{{" in name and loop is None and not is_static(task, context.static):
            name = conditions.render(name, self._known(task, context)) or name
        path = self._path(name, context)
        if path is None:
            return False
        others = set(task) - {include_key(task), loop or ""}
        static = is_static(task, context.static)
        if static:
            return self._import(task, path, context)
        if others - _FOLLOWED or not isinstance(task[include_key(task)], str) or not self._loop_is_plain(task):
            return False
        values = self._loop_values(task, loop, context)
        if values is None or not self._guard_holds(task, path, context):
            return False
        variable = (task.get("loop_control") or {}).get("loop_var", "item")
        around = [dict(guard.vars) for guard in context.guards] + [task.get("vars") or {}]
        if loop is not None and any(variable in found for found in around):
            return False  # it outranks the outer include's variable, which a file of ours would put in its place
        plans = []
        for value in values:
            loop_vars = context.loop_vars if loop is None else _with(context.loop_vars, variable, value)
            plans.extend(self._decide(task, path, context._replace(loop_vars=loop_vars)))
        if loop is not None:
            self._facts.folded.add(variable)
        for inner in plans:
            if len(self._atoms) > extent.MAX_TASKS:
                raise UnsupportedConstruct(
                    f"with its loops and includes the play comes to more than {extent.MAX_TASKS} tasks", where=path
                )
            self._walk(self._program.tasks[path], inner)
        return True

    def _import(self, task: dict[str, Any], path: str, context: _Context) -> bool:
        """Unroll a file that is read with the playbook: its tasks inherit the import's conditions and tags."""
        if loop_key(task) or set(task) - {include_key(task), "name", "when", "tags"}:
            return False
        if not context.dynamic and "/" in path and self.traits.names_beside(self._program.tasks[path], path):
            return False  # an include in its directory would find the file, and `--tags` would not find the tasks
        items = conditions.items(task.get("when"))
        inner = self._enter(context, path, static=True)._replace(
            when=(*context.when, *items),
            tags=context.tags | tags_of(task),
        )
        chosen = self._chosen(task, list(inner.when), context)
        if ROLE_VARIABLE in conditions.names(items) and len(chosen) == 1 and len(context.roles) > 1:
            # On the other roles each of the tasks is skipped, and what is skipped may be seen.
            for role in context.roles:
                if role not in chosen:
                    self._walk_skipped(path, inner._replace(role=role, roles=(role,)))
            inner = inner._replace(role=chosen[0], roles=chosen)
        self._walk(self._program.tasks[path], inner)
        return True

    def _walk_skipped(self, path: str, context: _Context) -> None:
        """Walk tasks that a role's hosts all skip: they wait until the role's next task that may run."""
        outer = self._skipped
        self._skipped = context.role
        self._walk(self._program.tasks[path], context)
        self._skipped = outer

    def _chosen(self, task: Mapping[str, Any], when: list[Any], context: _Context) -> tuple[str, ...]:
        """Return the roles on which a condition of a task may hold."""
        known, defined = self._known(task, context), self._place(task, context).defined
        return tuple(
            role for role in context.roles if verdict(when, {**known, ROLE_VARIABLE: role}, defined) is not False
        )

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
        known = self._known(task, context)
        if loop == "with_sequence":
            text = task[loop]
            return sequence(conditions.render(text, known) if isinstance(text, str) else text)
        if loop not in ("loop", "with_items", "with_list"):
            return None
        value = conditions.evaluate_template(task[loop], known)
        if not isinstance(value, list):
            return None
        if loop != "with_items":
            return value
        return [item for entry in value for item in (entry if isinstance(entry, list) else [entry])]

    def _guard_holds(self, task: Mapping[str, Any], path: str, context: _Context) -> bool:
        """Return False when what is included may change the include's own condition and is more than one file.

        Ansible asks once; a stage that begins behind the same include asks again.
        """
        looked_at = conditions.names([*context.when, *conditions.items(task.get("when"))])
        below = self._program.tasks[path]
        if not looked_at or not (loop_key(task) or any(include_of(inner) for inner in flatten(below))):
            return True
        assigned = self.traits.assigned_below(path, "")
        if assigned & {*looked_at, ANY_FACT, ANY_VARIABLE}:
            return False
        # Facts that modules return rank below variables that were set, and above all others.
        safe = self._place(task, context).defined | self._known(task, context).keys() | {ROLE_VARIABLE}
        return looked_at <= safe or self.traits.modules_below(path) <= _WITHOUT_FACTS

    def _decide(self, task: Mapping[str, Any], path: str, context: _Context) -> list[_Context]:
        """Return the contexts in which the file is walked: one, or none when it is left out."""
        when = [*context.when, *conditions.items(task.get("when"))]
        variables = task.get("vars") or {}
        known = {name: value for name, value in self._known(task, context).items() if name not in variables}
        defined = self._place(task, context).defined
        verdicts = {role: verdict(when, {**known, ROLE_VARIABLE: role}, defined) for role in context.roles}
        chosen = tuple(role for role, found in verdicts.items() if found is not False)
        if (context.roles and not chosen) or (not context.roles and verdict(when, known, defined) is False):
            return []
        role = context.role
        if len(chosen) == 1 and (chosen != context.roles or ROLE_VARIABLE in conditions.names(when)):
            role = chosen[0]
        if role is not None:
            known[ROLE_VARIABLE] = role
        guards = context.guards
        rest = simplify(when, known)
        tags = context.tags | tags_of(task)
        if rest or variables or tags:
            self._guards += 1
            total = all(is_total(item, known, defined) for item in rest)
            guard = Guard(tuple(rest), tuple(variables.items()), path, self._guards, total, tuple(sorted(tags)))
            guards = (*guards, guard)
        kept = tuple(item for item in context.loop_vars if item[0] not in variables)
        inner = self._enter(context, path, static=False)
        inner = inner._replace(untagged=context.untagged or not tags)
        return [inner._replace(role=role, roles=chosen, guards=guards, loop_vars=kept)]

    @staticmethod
    def _enter(context: _Context, path: str, *, static: bool) -> _Context:
        return context._replace(
            file=path,
            stack=(*context.stack, path),
            static=static and context.static,
            dynamic=context.dynamic or not static,
        )


def _without_own(task: Mapping[str, Any], known: Mapping[str, Any], context: _Context) -> Mapping[str, Any]:
    """Return known values without those that a task's own variables hide."""
    variables = task.get("vars") or {}
    if not variables or variables.keys().isdisjoint(known):
        return known
    hidden = variables.keys() - ({ROLE_VARIABLE} if context.role is not None else set())
    return {name: value for name, value in known.items() if name not in hidden}


def _plain_facts(task: Mapping[str, Any], context: _Context, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts of a set_fact that every host runs, whatever happens; nothing for any other task."""
    facts = {} if context.guards or context.tags else plain_facts(task)
    if not facts:
        return {}
    when = [*context.when, *conditions.items(task.get("when"))]
    return facts if conditions.decide(when, known) is True else {}


def _inherit(task: dict[str, Any], context: _Context) -> dict[str, Any]:
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


def _with(loop_vars: tuple[tuple[str, Any], ...], name: str, value: Any) -> tuple[tuple[str, Any], ...]:
    return (*(item for item in loop_vars if item[0] != name), (name, value))
