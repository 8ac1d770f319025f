"""Plays to stages with ids, hosts and counts: cut where that is equal, whole everywhere else; no I/O.

Imports unrolling, liveness and specialising, which it runs in this order, gathering, patterns and what is below them.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd import model
from tripleo_ffwd.playbook_gen import gathering, liveness, patterns, specialising
from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE, Atom
from tripleo_ffwd.playbook_gen.effects import EVERYTHING, reads_of
from tripleo_ffwd.playbook_gen.loading import Outputs
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.parts import Part
from tripleo_ffwd.playbook_gen.patterns import OVERCLOUD, UNDERCLOUD
from tripleo_ffwd.playbook_gen.tasks import flatten, include_of, modules_of
from tripleo_ffwd.playbook_gen.traits import Traits
from tripleo_ffwd.playbook_gen.tree import Note
from tripleo_ffwd.playbook_gen.unrolling import Unroller
from tripleo_ffwd.playbook_gen.wholeness import Wholeness, sections_of

_FACT_KEYWORDS = ("become", "become_user", "become_method", "environment", "remote_user", "port", "vars", "tags")
_CLEARS_FACTS = re.compile(r"\bclear_facts\b")
# Actions that set variables and touch nothing.
_HARMLESS = frozenset(("include_vars", "set_fact", "debug", "meta", "setup", "gather_facts"))


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A stage and what its play is made of: one part of a play that was cut, or a whole play.

    Attributes:
        stage: id, hosts and counts.
        play: the templates' play that it comes from.
        pattern: host pattern of that stage, without the exclusion of unselected hosts.
        parts: what the play's tasks are made of; None for plays that are kept as they are and for gathering facts.
        whole: the stage is the whole play: its parts follow one another in it; else the stage is its only part.
        modules: actions of the stage's tasks, one for each task.
        checked: the play's step is looked at before the stage's tasks.
    """

    stage: model.Stage
    play: Mapping[str, Any]
    pattern: str
    parts: tuple[Part, ...] | None
    whole: bool = True
    modules: tuple[str, ...] = ()
    checked: bool = False

    @property
    def gathers(self) -> bool:
        """Whether the stage gathers facts and does nothing else."""
        return "/facts/" in self.stage.id and self.modules == ("gather_facts",)


@dataclasses.dataclass(frozen=True)
class _Play:
    """A play of the templates.

    Attributes:
        play, pattern, hosts: the play and where it runs.
        gathers: facts are gathered before it.
        mode: what it may be cut by, see `Wholeness.mode`; empty when it must stay whole.
        given: its variables that are taken for their values.
        atoms: its tasks when it is unrolled.
        dropped: how many of them are skipped everywhere without a trace, and are no atoms.
        sure: each host goes through all of it, or takes no part in what follows it.
        checked: its step is to be looked at when it begins, because a role before it might have set another.
    """

    play: Mapping[str, Any]
    pattern: str
    hosts: tuple[str, ...]
    gathers: bool
    mode: str
    given: Mapping[str, Any]
    atoms: list[Atom] | None
    dropped: int
    sure: bool
    checked: bool


class Stager:
    """Makes the stages of one playbook.

    Args:
        outputs: the outputs' model.
        groups: what a host pattern may name.
        traits: those of the program's tasks.
        playbook: the playbook's file name.
        options: the phase, whose plays that it never runs are left out, and the releases that the operator named.
    """

    def __init__(
        self,
        outputs: Outputs,
        groups: patterns.Groups,
        traits: Traits,
        playbook: str,
        options: GenerateOptions,
    ) -> None:
        self._program = traits.program
        self._playbook = playbook
        self._phase = options.phase
        self._ids: set[str] = set()
        self._gathered: set[str] = set()
        self._stepped = False
        self._roles = tuple(outputs.roles)
        self._groups = groups
        self._hosts = {role: frozenset(outputs.hosts(role)) for role in self._roles}
        self._whole_playbook = Wholeness(traits, playbook)
        self.unroller = Unroller(traits, playbook, options.releases, trusts_facts=self._whole_playbook.trusts_facts)
        self._given = {ROLE_VARIABLE}

    @property
    def folded(self) -> frozenset[str]:
        """Names that have a value in the stages, whatever a run says."""
        return self.unroller.folded | self._given

    def stages(self) -> list[Compiled]:
        """Return the playbook's stages in the order in which they run."""
        plays = self._plays()
        seen = liveness.seen_skips(
            [
                liveness.Passage(
                    frozenset(play.hosts),
                    play.atoms or (),
                    self._reads(play.play, play.atoms is not None),
                    opaque=bool(play.play.get("handlers") or play.play.get("roles")),
                    sure=play.sure,
                )
                for play in plays
            ],
            self.unroller.leaves,
            {UNDERCLOUD: frozenset((UNDERCLOUD,)), **self._hosts},
            self._whole_playbook.pinned(),
            self.unroller.read_by_dead,
        )
        found: list[Compiled] = []
        for play in plays:
            if play.gathers:
                found.append(self._facts(play.play, play.pattern, play.hosts))
            parts = None
            if play.atoms is not None:
                parts = specialising.cut(play.atoms, self.unroller.leaves, seen, once=bool(play.mode))
            if parts is None or not play.mode or not self._changes(play, parts):
                found.extend(self._whole(play, parts))
            else:
                found.extend(self._cut(play, parts))
        return found

    def _changes(self, play: _Play, parts: list[Part]) -> bool:
        """Return whether anything is gained by writing a play's tasks in place of its imports."""
        if any(part.variables or part.role for part in parts):
            return True
        leaves = [leaf for atom in play.atoms or () for leaf in self.unroller.leaves[id(atom)]]
        return sum(specialising.count(part.tasks) for part in parts) < len(leaves) + play.dropped

    def _plays(self) -> list[_Play]:
        """Return the plays that the phase runs; those that may be cut are unrolled."""
        found = []
        for index, play in enumerate(self._program.playbooks[self._playbook]):
            where = f"{self._playbook}, play {play.get('name') or index + 1}"
            pattern = patterns.normal(play["hosts"])
            hosts = self._groups.hosts_of(pattern, where)
            if self._phase == "upgrade":
                external = hosts == (UNDERCLOUD,)
                pattern, hosts = self._without_undercloud(play, pattern, hosts)
                if external and not hosts:
                    continue
            gathers = play.get("gather_facts", True) not in (False, "no", "false") and not set(hosts) <= self._gathered
            self._gathered |= set(hosts) if gathers else set()
            mode, why = self._whole_playbook.mode(play, pattern)
            if why:
                name = str(play.get("name") or index + 1)
                self.unroller.notes.append(Note(self._playbook, name, f"the play is not cut into stages: {why}"))
            roles = self._hosts if mode == "role" else {}
            assumed = self.unroller.assumed(play, "step") if _step_of(play) is not None else False
            given = {"step": play["vars"]["step"]} if assumed is not False else {}
            atoms, dropped = None, 0
            sure = self._whole_playbook.is_sure(play)
            if any(include_of(task) for task in play.get("tasks") or []):
                before = self.unroller.dropped
                atoms = self.unroller.unroll(play, hosts, roles, given, sure=sure)
                dropped = self.unroller.dropped - before
            else:
                self.unroller.pass_over(play)
            if _CLEARS_FACTS.search(json.dumps(sections_of(play), default=str)):
                self._gathered = set()
            found.append(
                _Play(
                    play,
                    pattern,
                    hosts,
                    gathers,
                    mode,
                    given,
                    atoms,
                    dropped,
                    sure,
                    assumed is None and atoms is not None,
                )
            )
        return found

    def _reads(self, play: Mapping[str, Any], unrolled: bool) -> frozenset[str]:
        """Return what a play reads beside the tasks that are unrolled."""
        sections = ("pre_tasks", "tasks", "post_tasks", "handlers")
        found = set(reads_of({key: value for key, value in play.items() if key not in (*sections, "hosts")}))
        if play.get("roles"):
            found.add(EVERYTHING)
        for section in [name for name in sections if not (unrolled and name == "tasks")]:
            tasks = play.get(section) or []
            found |= self.unroller.traits.reads_below(tasks, self._playbook)
            found = found.union(*(reads_of(task) for task in flatten(tasks)))
        return frozenset(found)

    def _without_undercloud(
        self, play: Mapping[str, Any], pattern: str, hosts: tuple[str, ...]
    ) -> tuple[str, tuple[str, ...]]:
        """Return where a play runs in a phase that takes roles in turn: its work on the undercloud is left out.

        Facts and variables of the undercloud stay: tasks of the roles that are delegated to it may look at them.
        """
        if UNDERCLOUD not in hosts or not any(play.get(key) for key in ("tasks", "pre_tasks", "post_tasks", "roles")):
            return pattern, hosts
        modules = modules_of(self._expanded(sections_of(play), self._playbook, ()))
        works = bool(play.get("roles")) or bool({module.rpartition(".")[2] for module in modules} - _HARMLESS)
        if not works and hosts != (UNDERCLOUD,):
            return pattern, hosts
        return f"{pattern}:!{UNDERCLOUD}", tuple(host for host in hosts if host != UNDERCLOUD)

    def _facts(self, play: Mapping[str, Any], pattern: str, hosts: tuple[str, ...]) -> Compiled:
        kept = {key: play[key] for key in (*_FACT_KEYWORDS, "gather_subset", "gather_timeout") if key in play}
        if "gather_subset" not in play and self._subset is not None:
            kept["gather_subset"] = self._subset
        role = patterns.label(pattern)
        stage = model.Stage(self._unique("-", "facts", role, "all"), self._playbook, None, None, role, hosts, 1)
        return Compiled(stage, kept, pattern, None, True, ("gather_facts",))

    @functools.cached_property
    def _subset(self) -> str | None:
        """The subset of facts that is enough for the playbook; None for all of them."""
        plays = self._program.playbooks[self._playbook]
        reads = frozenset().union(*(self._reads(play, unrolled=False) for play in plays))
        return gathering.subset(self.unroller.traits, self._playbook, reads)

    def _cut(self, unrolled: _Play, parts: list[Part]) -> list[Compiled]:
        play, pattern = unrolled.play, unrolled.pattern
        looped = any(part.variables for part in parts)
        found = []
        for part in parts:
            labelled = looped or part.release or part.step is not None
            kind = part.kind if labelled else self._kind(play, sections_of(play), unrolled.hosts)
            self._given |= dict(part.variables).keys()
            role = part.role or patterns.label(pattern)
            where = part.role or pattern
            stage = model.Stage(
                id=self._unique(part.release or "-", kind, role, "bootstrap" if part.bootstrap else "all"),
                playbook=self._playbook,
                release=part.release,
                step=part.step,
                role=role,
                hosts=self._groups.hosts_of(where, self._playbook),
                tasks=specialising.count(part.tasks),
                residual=part.residual,
            )
            modules = modules_of(part.tasks)
            found.append(Compiled(stage, play, where, (part,), False, modules, unrolled.checked))
        return found

    def _whole(self, unrolled: _Play, parts: list[Part] | None) -> list[Compiled]:
        """Return the one stage of a play that stays whole, its loops over includes unrolled where that saves tasks."""
        play, pattern, hosts = unrolled.play, unrolled.pattern, unrolled.hosts
        sections = sections_of(play)
        if parts is not None and self._changes(unrolled, parts):
            tasks = self._expanded(
                [*(play.get("pre_tasks") or []), *(play.get("post_tasks") or [])], self._playbook, ()
            )
            tasks += [task for part in parts for task in self._expanded(part.tasks, self._playbook, ())]
            left = [item for part in parts for item in part.residual]
            self._given |= {name for part in parts for name, _ in part.variables}
        else:
            parts = None
            tasks = self._expanded(sections, self._playbook, ())
            imports = [{"when": task["when"]} for task in flatten(sections) if include_of(task) and "when" in task]
            left = specialising.residual([*imports, *tasks], unrolled.given)
        roles = play.get("roles") or []
        number = _step_of(play)
        role = patterns.label(pattern)
        self._stepped = self._stepped or number is not None
        self._given |= {"step"} if number is not None else set()
        kind = f"step{number}" if number is not None else self._kind(play, sections, hosts)
        if not roles and not specialising.count(tasks):
            return []
        stage_id = self._unique("-", kind, role, "all")
        modules = (*modules_of(tasks), *(f"role {_role_name(item)}" for item in roles))
        found = tuple(dict.fromkeys(left))
        stage = model.Stage(stage_id, self._playbook, None, number, role, hosts, len(modules), found)
        checked = unrolled.checked and parts is not None
        return [Compiled(stage, play, pattern, None if parts is None else tuple(parts), True, modules, checked)]

    def _kind(self, play: Mapping[str, Any], sections: list[Any], hosts: tuple[str, ...]) -> str:
        """Return what a whole play without a step is, by what it includes and where it stands."""
        includes = [found[1] for found in map(include_of, sections) if found is not None]
        if sections and all("include_vars" in task for task in sections):
            return "facts"
        if hosts == (UNDERCLOUD,):
            return "external"
        if "host_prep" in str(play.get("tags")) or (includes and all("host_prep" in name for name in includes)):
            return "host_prep"
        return "post" if self._stepped else "pre"

    def _expanded(self, tasks: list[Any], current: str, stack: tuple[str, ...]) -> list[Any]:
        """Return the tasks with those of the files that they include in their place, for counting."""
        found: list[Any] = []
        for task in flatten(tasks):
            include = include_of(task)
            path = self._program.resolve(include[1], current) if include else None
            if path is not None and path not in stack:
                found.extend(self._expanded(self._program.tasks[path], path, (*stack, path)))
            else:
                found.append({key: value for key, value in task.items() if key not in ("block", "rescue", "always")})
                if "block" in task:
                    found[-1]["block"] = []
        return found

    def _unique(self, release: str, kind: str, role: str, subset: str) -> str:
        names = [role, *(["all"] if role == OVERCLOUD else [])]
        for name in itertools.chain(names, (f"{role}-{number}" for number in range(2, 1000))):
            stage_id = f"{release}/{kind}/{name}/{subset}"
            if stage_id not in self._ids:
                self._ids.add(stage_id)
                return stage_id
        raise AssertionError("more than 999 plays of one kind")


def _role_name(item: Any) -> str:
    return str(item.get("role") or item.get("name")) if isinstance(item, Mapping) else str(item)


def _step_of(play: Mapping[str, Any]) -> int | None:
    """Return the step among a play's variables."""
    variables = play.get("vars")
    step = variables.get("step") if isinstance(variables, Mapping) else None
    return int(str(step)) if re.fullmatch(r"[0-9]{1,9}", str(step)) else None
