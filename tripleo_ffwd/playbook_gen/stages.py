"""Plays to stages with ids, hosts and counts: cut where that is equal, whole everywhere else; imports specialising."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd import model
from tripleo_ffwd.playbook_gen import specialising
from tripleo_ffwd.playbook_gen.loading import Outputs
from tripleo_ffwd.playbook_gen.program import Program
from tripleo_ffwd.playbook_gen.tasks import flatten, include_of, loop_key, modules_of
from tripleo_ffwd.playbook_gen.unrolling import ROLE_VARIABLE, Atom, Unroller

UNDERCLOUD = "undercloud"
OVERCLOUD = "overcloud"
# Keywords that a play may have and be cut; with any other it stays whole.
_CUTTABLE = frozenset(
    ("hosts", "name", "tasks", "become", "become_user", "become_method", "vars", "environment", "tags", "remote_user")
) | frozenset(
    ("gather_facts", "gather_subset", "gather_timeout", "any_errors_fatal", "ignore_errors", "no_log", "port")
)
_FACT_KEYWORDS = ("become", "become_user", "become_method", "environment", "remote_user", "port", "vars", "tags")
# What sees the hosts of its whole play: a stage then holds all of them.
_SEES_PLAY = re.compile(r"ansible_play_(hosts|batch|hosts_all|name)|\bplay_hosts\b|\"run_once\"")
_ENDS_PLAY = re.compile(r"\"(ansible\.builtin\.)?meta\"|\"notify\"")


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

    def stages(self) -> list[Compiled]:
        """Return the playbook's stages in the order in which they run."""
        found: list[Compiled] = []
        for play in self._program.playbooks[self._playbook]:
            pattern = _pattern(play["hosts"])
            hosts = self._hosts(pattern)
            if self._phase == "upgrade" and self._external(play, hosts):
                continue
            if play.get("gather_facts", True) not in (False, "no", "false") and not set(hosts) <= self._gathered:
                self._gathered |= set(hosts)
                found.append(self._facts(play, pattern, hosts))
            mode = self._mode(play, pattern)
            parts = specialising.cut(self._unroll(play, mode == "role")) if mode else []
            unrolled = any(part.variables or part.role for part in parts)
            found.extend(self._cut(play, pattern, parts) if unrolled else self._whole(play, pattern, hosts))
        return found

    @staticmethod
    def _external(play: Mapping[str, Any], hosts: tuple[str, ...]) -> bool:
        return hosts == (UNDERCLOUD,) and any(play.get(key) for key in ("tasks", "pre_tasks", "post_tasks", "roles"))

    def _hosts(self, pattern: str) -> tuple[str, ...]:
        everyone = [server.name for server in self._outputs.servers]
        groups: dict[str, list[str]] = {role: list(self._outputs.hosts(role)) for role in self._outputs.roles}
        groups |= {OVERCLOUD: everyone, UNDERCLOUD: [UNDERCLOUD], "all": [UNDERCLOUD, *everyone]}
        groups |= {name: [name] for name in everyone}
        for role, services in self._outputs.enabled_services.items():
            for service in services:
                if service not in self._outputs.roles:
                    groups.setdefault(service, []).extend(self._outputs.hosts(role))
        chosen: dict[str, None] = {}
        removed: set[str] = set()
        for part in re.split(r"[:,]", pattern):
            if part.startswith("!"):
                removed |= set(groups.get(part[1:], ()))
            elif not part.startswith("&"):
                chosen |= dict.fromkeys(groups.get(part, ()))
        for part in re.split(r"[:,]", pattern):
            if part.startswith("&"):
                removed |= set(chosen) - set(groups.get(part[1:], ()))
        return tuple(host for host in groups["all"] if host in chosen and host not in removed)

    def _mode(self, play: Mapping[str, Any], pattern: str) -> str:
        """Return ``role`` or ``step`` for what a play may be cut by, or nothing when it must stay whole."""
        loops = any(include_of(task) and loop_key(task) for task in play.get("tasks") or [])
        if not loops or set(play) - _CUTTABLE:
            return ""
        text = json.dumps([play.get("tasks"), *self._below(play.get("tasks") or [], self._playbook, {})], default=str)
        if _ENDS_PLAY.search(text):
            return ""
        return "role" if pattern == OVERCLOUD and not _SEES_PLAY.search(text) else "step"

    def _below(self, tasks: list[Any], current: str, seen: dict[str, Any]) -> list[Any]:
        for task in flatten(tasks):
            include = include_of(task)
            path = self._program.resolve(include[1], current) if include and "{{" not in include[1] else None
            if path is not None and path not in seen:
                seen[path] = self._program.tasks[path]
                self._below(self._program.tasks[path], path, seen)
        return list(seen.values())

    def _facts(self, play: Mapping[str, Any], pattern: str, hosts: tuple[str, ...]) -> Compiled:
        kept = {key: play[key] for key in (*_FACT_KEYWORDS, "gather_subset", "gather_timeout") if key in play}
        role = _label(pattern)
        stage = model.Stage(self._unique("-", "facts", role, "all"), self._playbook, None, None, role, hosts, 1)
        return Compiled(stage, kept, pattern, None, ("gather_facts",))

    def _unroll(self, play: Mapping[str, Any], by_role: bool) -> list[Atom]:
        return self.unroller.unroll(play, self._outputs.roles if by_role else (), by_role)

    def _cut(self, play: Mapping[str, Any], pattern: str, parts: list[specialising.Part]) -> list[Compiled]:
        found = []
        for part in parts:
            role = part.role or _label(pattern)
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
                hosts=self._hosts(where),
                tasks=specialising.count(tasks),
                residual=tuple(dict.fromkeys((*guards, *specialising.residual(tasks, known)))),
            )
            found.append(Compiled(stage, play, where, part, modules_of(tasks)))
        return found

    def _whole(self, play: Mapping[str, Any], pattern: str, hosts: tuple[str, ...]) -> list[Compiled]:
        sections = [task for key in ("pre_tasks", "tasks", "post_tasks") for task in play.get(key) or []]
        tasks = self._expanded(sections, self._playbook, ())
        roles = play.get("roles") or []
        step = (play.get("vars") or {}).get("step")
        number = int(str(step)) if re.fullmatch(r"\d+", str(step)) else None
        role = _label(pattern)
        self._stepped = self._stepped or number is not None
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
        text = json.dumps([play.get("name"), play.get("tags"), sections], default=str).lower()
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


def _pattern(hosts: Any) -> str:
    return ":".join(str(item) for item in hosts) if isinstance(hosts, list) else str(hosts)


def _label(pattern: str) -> str:
    """Return the role part of an id for a host pattern."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", pattern):
        return pattern
    return OVERCLOUD


def _role_name(item: Any) -> str:
    return str(item.get("role") or item.get("name")) if isinstance(item, Mapping) else str(item)
