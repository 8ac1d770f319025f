"""Playbooks of a generated tree back to stages and their tasks, as Ansible comes upon them; no I/O.

Imports loading, tasks and conditions. What looks at a finished tree (modules, no_return, comparing) stands on this, so
that it sees the very text that is run, however the compiler came to it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import GATE_PLAY, GATE_TASK
from tripleo_ffwd.playbook_gen import conditions
from tripleo_ffwd.playbook_gen.loading import load_yaml
from tripleo_ffwd.playbook_gen.tasks import (
    ANY_FACT,
    ANY_VARIABLE,
    BLOCK_KEYS,
    assigned_names,
    flatten,
    include_of,
    module_of,
)

_SECTIONS = ("pre_tasks", "tasks", "post_tasks", "handlers")
# Keywords of blocks and includes that add up on the way down; of all others the innermost holds.
_LISTS = ("when", "tags", "environment")
_NOTHING: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class StageTask:
    """One task of a stage.

    Attributes:
        name: its name; empty when it has none.
        module: its module, as written.
        file: the file that it stands in.
        body: its keywords as they hold for it: conditions and tags of the blocks and includes around it come before its
            own; `around` says what else it stands in (a rescue section, an include with a loop, handlers).
        idle: whether what the stage knows decides that it is skipped; it is there for what a skip leaves behind.
    """

    name: str
    module: str
    file: str
    body: Mapping[str, Any]
    idle: bool

    @property
    def title(self) -> str:
        """The name, or the module of a task without one."""
        return self.name or self.module


@dataclasses.dataclass(frozen=True)
class StagePlay:
    """A stage's play: id, playbook, keywords without tasks, tasks in order, and the task files that it includes."""

    id: str
    playbook: str
    keywords: Mapping[str, Any]
    tasks: tuple[StageTask, ...]
    files: tuple[str, ...]

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the Ansible roles that the play itself lists."""
        items = self.keywords.get("roles") or []
        return tuple(
            str(item.get("role") or item.get("name")) if isinstance(item, Mapping) else str(item) for item in items
        )


class TreeReader:
    """Reads the plays of one tree; a task file that several stages include is parsed once.

    Args:
        text_of: returns the text of a file of the tree, or None when there is no such file.
        parsed: plays or tasks of files, by path, that need no reading.
    """

    def __init__(
        self, text_of: Callable[[str], str | None], parsed: Mapping[str, list[Any]] = MappingProxyType({})
    ) -> None:
        self._text_of = text_of
        self._parsed: dict[str, Any] = dict(parsed)
        self._assigned = _NOTHING

    def stages(self, playbook: str) -> tuple[StagePlay, ...]:
        """Return the stages of a playbook in order, without the gates between them.

        Raises:
            InvalidInput: the playbook is missing or is none that was generated.
        """
        plays = self._load(playbook)
        if not isinstance(plays, list) or not all(isinstance(play, dict) and "name" in play for play in plays):
            raise InvalidInput("is not a generated playbook", where=playbook)
        plays = [play for play in plays if not str(play["name"]).startswith(GATE_PLAY)]
        # Facts outrank a play's variables: what tasks may set anywhere is known only from the vars of an include.
        assigned: set[str] = set()
        for play in plays:
            self._collect_assigned(
                [task for key in _SECTIONS for task in play.get(key) or []], (playbook,), assigned, set()
            )
        hidden = assigned & {ANY_FACT, ANY_VARIABLE, *(name for play in plays for name in _variables(play))}
        self._assigned = frozenset(assigned) if hidden else _NOTHING
        return tuple(self._stage(play, playbook) for play in plays)

    def _collect_assigned(
        self, tasks: list[Any], stack: tuple[str, ...], names: set[str], seen: set[tuple[str, ...]]
    ) -> None:
        """Add the names that tasks, and those of the files that they include, may set."""
        names |= assigned_names(tasks)
        for task in flatten(tasks):
            path = self._included(task, stack)
            if path is not None and (*stack, path) not in seen:
                seen.add((*stack, path))
                self._collect_assigned(self._load(path) or [], (*stack, path), names, seen)

    def _stage(self, play: Mapping[str, Any], playbook: str) -> StagePlay:
        found: list[StageTask] = []
        files: dict[str, None] = {}
        known = self._narrowed({}, play)
        for section in _SECTIONS:
            around = {} if section == "tasks" else {"around": [section]}
            self._walk(play.get(section) or [], (playbook,), around, known, found, files)
        keywords = {key: value for key, value in play.items() if key not in _SECTIONS}
        return StagePlay(str(play["name"]), playbook, keywords, tuple(found), tuple(files))

    def _walk(
        self,
        tasks: list[Any],
        stack: tuple[str, ...],
        around: Mapping[str, Any],
        known: Mapping[str, Any],
        found: list[StageTask],
        files: dict[str, None],
    ) -> None:
        for task in tasks:
            if task.get("name") == GATE_TASK:
                continue
            inner = self._narrowed(known, task)
            if "block" in task:
                name = task.get("name") or "a block"
                for key in BLOCK_KEYS:
                    own = _without(task, BLOCK_KEYS)
                    place = [] if key == "block" else [f"{key} of {name}"]
                    self._walk(task.get(key) or [], stack, _joined(around, own, place), inner, found, files)
                continue
            path = self._included(task, stack)
            if path is not None:
                files[path] = None
                own, place = _of_include(task)
                self._walk(self._load(path) or [], (*stack, path), _joined(around, own, place), inner, found, files)
                continue
            body = _joined(around, task, [])
            idle = any(conditions.decide_item(item, inner) is False for item in body.get("when", ()))
            found.append(StageTask(str(task.get("name") or ""), module_of(task), stack[-1], body, idle))

    def _narrowed(self, known: Mapping[str, Any], around: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what is known of variables inside a play, block, include or task; templates are for the run."""
        variables = _variables(around)
        if not variables:
            return known
        outranks = (include_of(around) or ("",))[0] == "include_tasks"
        hidden = () if outranks else self._assigned
        everything = not outranks and bool(self._assigned & {ANY_FACT, ANY_VARIABLE})
        found = {name: value for name, value in known.items() if name not in variables or variables[name] == value}
        for name, value in variables.items():
            plain = not (isinstance(value, str) and "{{" in value)
            if plain and name not in hidden and not everything and (outranks or name not in known):
                found[name] = value
        return found

    def _included(self, task: Mapping[str, Any], stack: tuple[str, ...]) -> str | None:
        include = include_of(task)
        if include is None or not include[1] or "{{" in include[1]:
            return None
        # As Ansible looks: beside the file that includes it, then beside those that include that one.
        for base in (*(PurePosixPath(path).parent for path in reversed(stack)), PurePosixPath()):
            path = str(base / include[1])
            if path not in stack and self._text_of(path) is not None:
                return path
        return None

    def _load(self, path: str) -> Any:
        if path not in self._parsed:
            text = self._text_of(path)
            if text is None:
                raise InvalidInput("is missing", where=path)
            value = load_yaml(text, path)
            self._check(value, path)
            self._parsed[path] = value
        return self._parsed[path]

    def _check(self, value: Any, path: str) -> None:
        tasks = [value]
        try:
            for play in value or []:
                if isinstance(play, dict) and "hosts" in play:
                    tasks = [play.get(section) or [] for section in _SECTIONS]
                for items in tasks:
                    if not all(
                        isinstance(item, dict) and isinstance(item.get("vars") or {}, dict)
                        for item in flatten(items or [])
                    ):
                        raise InvalidInput("is not a list of tasks", where=path)
        except (TypeError, AttributeError) as error:
            raise InvalidInput("is not a list of tasks", where=path) from error


def _joined(around: Mapping[str, Any], own: Mapping[str, Any], place: list[Any]) -> dict[str, Any]:
    """Return keywords as they hold inside `own`, which stands inside `around`."""
    found = {**around, **own}
    for key in _LISTS:
        if key in found:
            both = [*_items(around.get(key)), *_items(own.get(key))]
            if both:
                found[key] = both
    if around.get("vars") and own.get("vars"):
        found["vars"] = {**around["vars"], **own["vars"]}
    if place or "around" in around:
        found["around"] = [*around.get("around", []), *place]
    if "name" not in own:
        found.pop("name", None)
    return found


def _of_include(task: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """Return what an include gives to the tasks of its file, and what else it does with them (loops, tags)."""
    given = {key: task[key] for key in ("when", "vars") if key in task}
    include = include_of(task)
    keys = [key for key in task if key.rpartition(".")[2] != (include or ("",))[0] and key not in ("name", *given)]
    return given, [{key: task[key] for key in keys}] if keys else []


def _without(task: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in task.items() if key not in keys and key != "name"}


def _variables(around: Mapping[str, Any]) -> Mapping[str, Any]:
    found = around.get("vars")
    return found if isinstance(found, Mapping) else {}


def _items(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list) else [value]
