"""Plays to stages with ids, hosts and counts: cut where that is equal, whole everywhere else; imports specialising."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd import model
from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen import patterns, specialising
from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE, Atom
from tripleo_ffwd.playbook_gen.loading import Outputs
from tripleo_ffwd.playbook_gen.patterns import OVERCLOUD, UNDERCLOUD
from tripleo_ffwd.playbook_gen.program import Program
from tripleo_ffwd.playbook_gen.tasks import flatten, include_of, loop_key, modules_of
from tripleo_ffwd.playbook_gen.unrolling import Unroller

# Keywords that a play may have and be cut; with any other it stays whole.
_CUTTABLE = frozenset(
    ("hosts", "name", "tasks", "become", "become_user", "become_method", "vars", "environment", "tags", "remote_user")
) | frozenset(
    ("gather_facts", "gather_subset", "gather_timeout", "any_errors_fatal", "ignore_errors", "no_log", "port")
)
_FACT_KEYWORDS = ("become", "become_user", "become_method", "environment", "remote_user", "port", "vars", "tags")
# What sees the hosts of its whole play: a stage then holds all of them.
_SEES_PLAY = re.compile(r"ansible_play_(hosts|batch|hosts_all|name)|\bplay_hosts\b|\"run_once\"")
_ENDS_PLAY = re.compile(r"\"(ansible\.\w+\.)?meta\"|\"notify\"")
# What may hide any of that from us.
_HIDES = re.compile(
    r"\b(include|import)_role\b|\"(local_)?action\": (\{\"module\": )?\"(ansible\.\w+\.)?(meta|include|import)"
)
# Actions that set variables and touch nothing.
_HARMLESS = frozenset(("include_vars", "set_fact", "debug"))


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A stage and what its play is made of: a `part` of a play that was cut, or a whole play.

    Attributes:
        stage: id, hosts and counts.
        play: the templates' play that it comes from.
        pattern: host pattern of that stage, without the exclusion of unselected hosts.
        part: the part of the play; None for whole plays and for gathering facts.
        modules: actions of the stage's tasks, one for each task.
    """

    stage: model.Stage
    play: Mapping[str, Any]
    pattern: str
    part: specialising.Part | None
    modules: tuple[str, ...] = ()

    @property
    def gathers(self) -> bool:
        """Whether the stage gathers facts and does nothing else."""
        return "/facts/" in self.stage.id and self.modules == ("gather_facts",)


class Stager:
    """Makes the stages of one playbook.

    Args:
        outputs: the outputs' model.
        program: the program.
        playbook: the playbook's file name.
        phase: plays that a phase never runs are left out.
        releases: releases that the operator named.
    """

    def __init__(
        self, outputs: Outputs, program: Program, playbook: str, phase: str | None, releases: tuple[str, ...]
    ) -> None:
        self._outputs = outputs
        self._program = program
        self._playbook = playbook
        self._phase = phase
        self._ids: set[str] = set()
        self._gathered: set[str] = set()
        self._stepped = False
        self.unroller = Unroller(program, playbook, releases)
        self._given = {ROLE_VARIABLE}

    @property
    def folded(self) -> frozenset[str]:
        """Names that have a value in the stages, whatever a run says."""
        return self.unroller.folded | self._given

    def stages(self) -> list[Compiled]:
        """Return the playbook's stages in the order in which they run."""
        found: list[Compiled] = []
        for index, play in enumerate(self._program.playbooks[self._playbook]):
            where = f"{self._playbook}, play {play.get('name') or index + 1}"
            pattern = patterns.normal(play["hosts"])
            hosts = patterns.hosts_of(self._outputs, pattern, where)
            if self._phase == "upgrade" and self._external(play, hosts, where):
                continue
            if play.get("gather_facts", True) not in (False, "no", "false") and not set(hosts) <= self._gathered:
                self._gathered |= set(hosts)
                found.append(self._facts(play, pattern, hosts))
            mode = self._mode(play, pattern)
            parts = specialising.cut(self._unroll(play, hosts, mode == "role")) if mode else []
            if any(part.variables or part.role for part in parts):
                found.extend(self._cut(play, pattern, parts))
            else:
                found.extend(self._whole(play, pattern, hosts))
                self.unroller.pass_over(play)
        return found

    def _external(self, play: Mapping[str, Any], hosts: tuple[str, ...], where: str) -> bool:
        """Return whether a play works on the undercloud, which a phase that takes roles in turn leaves out."""
        if UNDERCLOUD not in hosts or not any(play.get(key) for key in ("tasks", "pre_tasks", "post_tasks", "roles")):
            return False
        if hosts == (UNDERCLOUD,):
            return True
        modules = modules_of(self._expanded(_sections(play), self._playbook, ()))
        if play.get("roles") or {module.rpartition(".")[2] for module in modules} - _HARMLESS:
            raise UnsupportedConstruct(
                "the play works on the undercloud and on roles, and this phase takes roles without the undercloud",
                where=where,
                remedy="Make a play for the undercloud and one for the roles of it",
            )
        return False

    def _mode(self, play: Mapping[str, Any], pattern: str) -> str:
        """Return ``role`` or ``step`` for what a play may be cut by, or nothing when it must stay whole."""
        loops = any(include_of(task) and loop_key(task) for task in play.get("tasks") or [])
        if not loops or set(play) - _CUTTABLE:
            return ""
        tasks = play.get("tasks") or []
        below: dict[str, list[Any]] = {}
        followed = self._below(tasks, self._playbook, below)
        text = json.dumps([tasks, *below.values()], default=str)
        if not followed or _ENDS_PLAY.search(text) or _HIDES.search(text):
            return ""
        return "role" if pattern == OVERCLOUD and not _SEES_PLAY.search(text) else "step"

    def _below(self, tasks: list[Any], current: str, seen: dict[str, list[Any]]) -> bool:
        """Collect the tasks of all files below; return False when an include's file is for the run to tell."""
        followed = True
        for task in flatten(tasks):
            include = include_of(task)
            if include is None:
                continue
            path = self._program.resolve(include[1], current) if "{{" not in include[1] else None
            if path is None:
                self._program.check_role_file(include[1], current)
                followed = False
            elif path not in seen:
                seen[path] = self._program.tasks[path]
                followed = self._below(seen[path], path, seen) and followed
        return followed

    def _facts(self, play: Mapping[str, Any], pattern: str, hosts: tuple[str, ...]) -> Compiled:
        kept = {key: play[key] for key in (*_FACT_KEYWORDS, "gather_subset", "gather_timeout") if key in play}
        role = patterns.label(pattern)
        stage = model.Stage(self._unique("-", "facts", role, "all"), self._playbook, None, None, role, hosts, 1)
        return Compiled(stage, kept, pattern, None, ("gather_facts",))

    def _unroll(self, play: Mapping[str, Any], hosts: tuple[str, ...], by_role: bool) -> list[Atom]:
        return self.unroller.unroll(play, hosts, self._outputs.roles if by_role else (), by_role)

    def _cut(self, play: Mapping[str, Any], pattern: str, parts: list[specialising.Part]) -> list[Compiled]:
        found = []
        for part in parts:
            self._given |= dict(part.variables).keys()
            role = part.role or patterns.label(pattern)
            where = part.role or pattern
            tasks = [entry.task for entry in part.entries]
            known = {**dict(part.variables), **({ROLE_VARIABLE: part.role} if part.role else {})}
            if part.release:
                known["release"] = part.release
            guards = dict.fromkeys(str(item) for entry in part.entries for guard in entry.guards for item in guard.when)
            stage = model.Stage(
                id=self._unique(part.release or "-", part.kind, role, "bootstrap" if part.bootstrap else "all"),
                playbook=self._playbook,
                release=part.release,
                step=part.step,
                role=role,
                hosts=patterns.hosts_of(self._outputs, where, self._playbook),
                tasks=specialising.count(tasks),
                residual=tuple(dict.fromkeys((*guards, *specialising.residual(tasks, known)))),
            )
            found.append(Compiled(stage, play, where, part, modules_of(tasks)))
        return found

    def _whole(self, play: Mapping[str, Any], pattern: str, hosts: tuple[str, ...]) -> list[Compiled]:
        sections = _sections(play)
        tasks = self._expanded(sections, self._playbook, ())
        roles = play.get("roles") or []
        step = (play.get("vars") or {}).get("step")
        number = int(str(step)) if re.fullmatch(r"\d+", str(step)) else None
        role = patterns.label(pattern)
        self._stepped = self._stepped or number is not None
        self._given |= {"step"} if number is not None else set()
        kind = f"step{number}" if number is not None else self._kind(play, sections, hosts)
        if not roles and not specialising.count(tasks):
            return []
        stage_id = self._unique("-", kind, role, "all")
        modules = (*modules_of(tasks), *(f"role {_role_name(item)}" for item in roles))
        left = specialising.residual(tasks, {})
        stage = model.Stage(stage_id, self._playbook, None, number, role, hosts, len(modules), tuple(left))
        return [Compiled(stage, play, pattern, None, modules)]

    def _kind(self, play: Mapping[str, Any], sections: list[Any], hosts: tuple[str, ...]) -> str:
        """Return what a whole play without a step is, by what it includes and where it stands."""
        text = json.dumps([play.get("tags"), sections], default=str).lower()
        if sections and all("include_vars" in task for task in sections):
            return "facts"
        if hosts == (UNDERCLOUD,):
            return "external"
        if "host_prep" in text:
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
        names = [role, *(["all"] if role == OVERCLOUD else []), *(f"{role}-{number}" for number in range(2, 1000))]
        for name in names:
            stage_id = f"{release}/{kind}/{name}/{subset}"
            if stage_id not in self._ids:
                self._ids.add(stage_id)
                return stage_id
        raise AssertionError("more than 999 plays of one kind")


def _sections(play: Mapping[str, Any]) -> list[Any]:
    return [task for key in ("pre_tasks", "tasks", "post_tasks") for task in play.get(key) or []]


def _role_name(item: Any) -> str:
    return str(item.get("role") or item.get("name")) if isinstance(item, Mapping) else str(item)
