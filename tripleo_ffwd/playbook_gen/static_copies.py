"""Task files that plays read with the playbook in one place and at run time in another; no I/O.

`include` was an import where all that stands above it is one, and an include at run time everywhere else. A file that
is reached both ways means two things then: under its own name it is written as at run time, and what imports it names a
copy that is written as with the playbook. Imports program and tasks.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.playbook_gen.program import Program
from tripleo_ffwd.playbook_gen.tasks import BLOCK_KEYS, flatten, include_key, include_of, is_static, settle

_PREFIX = "ffwd_static_"


class StaticCopies:
    """The files of a program as they are written, and the copies that imports need.

    Args:
        program: the program.

    Attributes:
        files: path → tasks of each copy that something names.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._copied: dict[str, str] = {}
        self.files: dict[str, list[Any]] = {}

    def written(self) -> dict[str, list[Any]]:
        """Return the tasks of all task files of the program under their own names, by path."""
        static = {path for path, ways in self._reached.items() if ways == {True}}
        return {
            path: [self.settled(task, path, path in static) for task in tasks]
            for path, tasks in self._program.tasks.items()
        }

    def settled(self, task: dict[str, Any], file: str, static: bool) -> dict[str, Any]:
        """Return a task of a file as `tasks.settle` does, with its imports naming copies where these differ.

        Args:
            task: the task.
            file: the path of the file or playbook that it stands in.
            static: whether that is read with the playbook here.
        """
        found = settle(task, static)
        return self._renamed(found, file) if static and self._mixed else found

    @functools.cached_property
    def _reached(self) -> dict[str, set[bool]]:
        """The files that tasks include, by path → whether they are read with their playbook, at run time, or both."""
        reached: dict[str, set[bool]] = {}

        def walk(tasks: list[Any], current: str, static: bool) -> None:
            for task in flatten(tasks):
                include = include_of(task)
                path = self._program.resolve(include[1], current) if include else None
                if path is None:
                    continue
                inner = static and is_static(task, static)
                if inner not in reached.setdefault(path, set()):
                    reached[path].add(inner)
                    walk(self._program.tasks[path], path, inner)

        for playbook, plays in self._program.playbooks.items():
            for play in plays:
                for section in ("pre_tasks", "tasks", "post_tasks"):
                    walk(play.get(section) or [], playbook, True)
        return reached

    @functools.cached_property
    def _mixed(self) -> frozenset[str]:
        """The files that are reached both ways and have an `include`: mostly none."""
        tasks = self._program.tasks
        return frozenset(
            path
            for path, ways in self._reached.items()
            if len(ways) > 1
            and [settle(task, True) for task in tasks[path]] != [settle(task, False) for task in tasks[path]]
        )

    def _renamed(self, task: dict[str, Any], file: str) -> dict[str, Any]:
        result = dict(task)
        for key in BLOCK_KEYS:
            if key in task:
                result[key] = [self._renamed(inner, file) for inner in task[key] or []]
        action, name = include_of(task) or ("", "")
        path = self._program.resolve(name, file) if action == "import_tasks" else None
        copy = self._copy(path) if path is not None else path
        if copy != path:
            key, value = include_key(task), f"{name.removesuffix(_name(path))}{_name(copy)}"
            result[key] = {**task[key], "file": value} if isinstance(task[key], Mapping) else value
        return result if result != task else task

    def _copy(self, path: str) -> str:
        """Return the path under which an import finds a file; that of its copy where it has to be another."""
        if len(self._reached.get(path, ())) < 2:
            return path
        if path not in self._copied:
            self._copied[path] = path  # for files that include each other
            tasks = self._program.tasks[path]
            own = [self.settled(task, path, True) for task in tasks]
            if own != [settle(task, False) for task in tasks]:
                self._copied[path] = copied = f"{path.removesuffix(_name(path))}{_PREFIX}{_name(path)}"
                self.files[copied] = own
        return self._copied[path]


def _name(path: str | None) -> str:
    return (path or "").rpartition("/")[2]
