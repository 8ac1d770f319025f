"""One play's tasks to the sequence in which they run, loops over includes unrolled; no I/O.

An include is followed only where that is equal to including it at run time; any other stays a task like the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen import conditions, extent, loops, ordering
from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE, Atom, Guard
from tripleo_ffwd.playbook_gen.conditions import UNKNOWN
from tripleo_ffwd.playbook_gen.contexts import NOWHERE, Context, Place, facts_of, inherit, without_own
from tripleo_ffwd.playbook_gen.emission import Emission
from tripleo_ffwd.playbook_gen.facts import Facts, tags_of
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
    settle,
)
from tripleo_ffwd.playbook_gen.traits import Traits
from tripleo_ffwd.playbook_gen.tree import Note
from tripleo_ffwd.playbook_gen.verdicts import Leaf, is_total, verdict, within
from tripleo_ffwd.playbook_gen.wholeness import sections_of

# Keywords of an include that following it can keep the meaning of.
_FOLLOWED = frozenset(("name", "when", "loop", "loop_control", "vars", "tags"))

# Modules that return no facts.
# fmt: off
_WITHOUT_FACTS = frozenset(
    (
        "assert", "command", "copy", "cron", "debug", "fail", "file", "get_url", "group", "import_tasks", "include",
        "include_tasks", "ini_file", "lineinfile", "package", "pause", "replace", "script", "service", "set_fact",
        "shell", "stat", "systemd", "template", "user", "wait_for", "yum", "yum_repository"
    )
)
# fmt: on
_NOTHING: Mapping[str, Any] = {}
_ROLE_ONLY = frozenset((ROLE_VARIABLE,))
# Texts that set_fact makes booleans of in 2.16 and leaves as they are in 2.19.
_TRUTHS = frozenset(("true", "false", "yes", "no"))


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
        self._emission = Emission(traits, self._facts)
        self._hosts: dict[str | None, frozenset[str]] = {}
        self._guards = 0
        self._looks = traits.looks
        self._place_last: tuple[Context | None, bool, int, Place] = (None, False, 0, NOWHERE)
        self._given: Mapping[str, Any] = {}
        self._fails = False
        self._sure = True
        self.traits = traits
        self.releases: tuple[str, ...] = ()
        self.notes: list[Note] = []
        self.read_by_dead: frozenset[str] = frozenset()
        self.dropped = 0
        self._trusts_facts = trusts_facts

    @property
    def leaves(self) -> Mapping[int, list[Leaf]]:
        """What is known of each atom that was returned, by its id."""
        return self._emission.leaves

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
        self._hosts = {None: frozenset(hosts)}
        self._hosts.update(roles.items())
        tags = frozenset(tags_of(play))
        self._facts.enter(hosts, alone=bool(tags))
        self._facts.define((ROLE_VARIABLE,), frozenset(hosts) - {UNDERCLOUD})  # by the inventory
        self._given = given
        self._place_last = (None, False, 0, NOWHERE)
        # A set_fact that fails sets nothing, and where errors are ignored the host goes on.
        self._fails = bool(play.get("ignore_errors") or play.get("ignore_unreachable")) or not self._trusts_facts
        self._emission.begin(tags, given, sure=not self._fails)
        self._sure = sure
        self._facts.folded |= set(given)
        self._facts.forget(self.traits.assigned_by(play.get("pre_tasks") or [], self._playbook))
        self._facts.forget((ANY_FACT, ANY_VARIABLE) if play.get("roles") else ())
        self._facts.block(self.traits.assigned_by(play.get("handlers") or [], self._playbook))
        self._walk(play.get("tasks") or [], Context(self._playbook, (), roles=tuple(roles)))
        atoms = self._emission.end()
        self._given = {}
        self._place_last = (None, False, 0, NOWHERE)
        self._facts.block(())
        self._facts.forget(self.traits.assigned_by(play.get("post_tasks") or [], self._playbook))
        self._facts.leave(play, sure=sure)
        return atoms

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

    def _walk(self, tasks: list[dict[str, Any]], context: Context) -> None:
        for task in tasks:
            found = include_of(task)
            if found is None:
                self._plain(task, context)
            elif not self._follow(task, *found, context):
                self._keep_include(task, context)

    def _plain(self, task: dict[str, Any], context: Context) -> None:
        when = conditions.items(task.get("when"))
        if len(context.roles) > 1 and "register" not in task and ROLE_VARIABLE in conditions.names(when):
            chosen = self._chosen(task, [*context.when, *when], context)
            if len(chosen) == 1 and "block" not in task:
                # It leaves no trace where it is skipped: a stage of the one role is enough.
                context = context._replace(role=chosen[0], roles=chosen)
        place = self._place(task, context)
        known = without_own(task, place.known, context)
        if self._leaves_no_trace(task, [*context.when, *when], known, place):
            self.read_by_dead |= self._looks.at(task).reads
            self.dropped += 1
            return
        decided = {} if self._fails else facts_of(task, context, known)
        if decided:
            written = self._set_facts(task, decided, known, context)
            settled = inherit(settle(written, context.static), context)
        else:
            settled = self._emission.settle(task, context)
        atom = self._emission.emit(settled, context, place)
        leaves = self._emission.leaves[id(atom)]
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
        self, task: Mapping[str, Any], when: list[Any], known: Mapping[str, Any], place: Place
    ) -> bool:
        """Return whether a task is skipped on every host, and nobody can tell: most tasks in most steps."""
        if not when or "block" in task or "register" in task:
            return False
        return verdict(when, within(task, known), place.defined) is False and self._looks.at(task).droppable

    def _on(self, context: Context) -> frozenset[str]:
        """Return the hosts that run what stands in a context."""
        return self._hosts[context.role]

    def _place(self, task: Mapping[str, Any], context: Context) -> Place:
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
            place = Place(facts, _ROLE_ONLY if alone else self._facts.defined(on), known)
            self._place_last = (context, alone, self._facts.changes, place)
        return place

    def _known(self, task: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
        """Return the values that are known of variables inside a task."""
        return without_own(task, self._place(task, context).known, context)

    def _set_facts(
        self, task: dict[str, Any], facts: Mapping[str, Any], known: Mapping[str, Any], context: Context
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

    def _keep_include(self, task: dict[str, Any], context: Context) -> None:
        include = include_of(task)
        names = self.traits.assigned_below(include[1], context.file) if include else frozenset()
        self._facts.forget(names)
        self._emission.emit(self._emission.settle(task, context), context, self._place(task, context))

    def _follow(self, task: dict[str, Any], action: str, name: str, context: Context) -> bool:
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
        if others - _FOLLOWED or not isinstance(task[include_key(task)], str) or not loops.is_plain(task):
            return False
        values = [None] if loop is None else loops.values(task, self._known(task, context))
        if values is None or not self._guard_holds(task, path, context):
            return False
        variable = (task.get("loop_control") or {}).get("loop_var", "item")
        around = [dict(guard.vars) for guard in context.guards] + [task.get("vars") or {}]
        if loop is not None and any(variable in found for found in around):
            return False  # it outranks the outer include's variable, which a file of ours would put in its place
        plans = []
        for value in values:
            plans.extend(self._decide(task, path, context if loop is None else context.looping(variable, value)))
        if loop is not None:
            self._facts.folded.add(variable)
        for inner in plans:
            if len(self._emission.atoms) > extent.MAX_TASKS:
                raise UnsupportedConstruct(
                    f"with its loops and includes the play comes to more than {extent.MAX_TASKS} tasks", where=path
                )
            self._walk(self._program.tasks[path], inner)
        return True

    def _import(self, task: dict[str, Any], path: str, context: Context) -> bool:
        """Unroll a file that is read with the playbook: its tasks inherit the import's conditions and tags."""
        if loop_key(task) or set(task) - {include_key(task), "name", "when", "tags"}:
            return False
        if not context.dynamic and "/" in path and self.traits.names_beside(self._program.tasks[path], path):
            return False  # an include in its directory would find the file, and `--tags` would not find the tasks
        items = conditions.items(task.get("when"))
        inner = context.enter(path, static=True)._replace(
            when=(*context.when, *items),
            tags=context.tags | tags_of(task),
        )
        chosen = self._chosen(task, list(inner.when), context)
        if ROLE_VARIABLE in conditions.names(items) and len(chosen) == 1 and len(context.roles) > 1:
            # On the other roles each of the tasks is skipped, and what is skipped may be seen.
            for role in context.roles:
                if role not in chosen:
                    with self._emission.skipping(role):
                        self._walk(self._program.tasks[path], inner._replace(role=role, roles=(role,)))
            inner = inner._replace(role=chosen[0], roles=chosen)
        self._walk(self._program.tasks[path], inner)
        return True

    def _chosen(self, task: Mapping[str, Any], when: list[Any], context: Context) -> tuple[str, ...]:
        """Return the roles on which a condition of a task may hold."""
        known, defined = self._known(task, context), self._place(task, context).defined
        return tuple(
            role for role in context.roles if verdict(when, {**known, ROLE_VARIABLE: role}, defined) is not False
        )

    def _path(self, name: str, context: Context) -> str | None:
        path = self._program.resolve(name, context.file) if name and "{{" not in name else None
        if path is None:
            self._program.check_role_file(name, context.file)
        if path is not None and path in context.stack:
            raise UnsupportedConstruct(
                f"the file includes itself: {' → '.join((*context.stack, path))}", where=context.file
            )
        return path

    def _guard_holds(self, task: Mapping[str, Any], path: str, context: Context) -> bool:
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

    def _decide(self, task: Mapping[str, Any], path: str, context: Context) -> list[Context]:
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
        inner = context.enter(path, static=False)
        inner = inner._replace(untagged=context.untagged or not tags)
        return [inner._replace(role=role, roles=chosen, guards=guards, loop_vars=kept)]
