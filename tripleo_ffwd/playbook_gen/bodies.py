"""The tasks of a stage, and the files of its own that it includes; imports parts and model, no I/O."""

from __future__ import annotations

import itertools
import re
from pathlib import PurePosixPath
from typing import Any

from tripleo_ffwd.model import Stage
from tripleo_ffwd.playbook_gen.parts import Entry, Part


class Body:
    """Makes the tasks of one stage; adds to `files` what they include.

    Args:
        stage: the stage: its files are named for it.
        files: path → tasks or plays of the playbook's files so far.
    """

    def __init__(self, stage: Stage, files: dict[str, list[Any]]) -> None:
        self._files = files
        # Ansible looks beside the including file first: no two files of ours may have one name.
        self._taken = {path.rpartition("/")[2] for path in files}
        stem = re.sub(r"[^A-Za-z0-9]+", "_", f"{_short(stage.playbook)}_{stage.id}").strip("_")
        self._stem = f"ffwd_{stem}"

    def tasks(self, part: Part) -> list[Any]:
        """Return a part's tasks; its variables are the play's."""
        return self._unwrapped(part.entries, "", wrapped=False)

    def included(self, part: Part) -> list[Any]:
        """Return the include of a file with a part's tasks, which gives them its variables."""
        parent = _parent(part.entries[0])
        # Includes that have tags all along are for these to select: the one around them always is.
        wrapped = all(entry.untagged for entry in part.entries)
        path = self._write(self._unwrapped(part.entries, parent, wrapped=wrapped), parent)
        include = {"include_tasks": path, "vars": dict(part.variables)}
        return [include if wrapped else {**include, "tags": ["always"]}]

    def _unwrapped(self, entries: tuple[Entry, ...], parent: str, *, wrapped: bool) -> list[Any]:
        """Return tasks of a file in `parent`, some of them in files of their own.

        `wrapped` tells that an include without tags stands before that file. Behind one stand those that `--tags`
        selected by their include first; in their own directory those that name a file beside them.
        """
        found: list[Any] = []
        for (untagged, own), group in itertools.groupby(entries, key=lambda entry: (entry.untagged, _parent(entry))):
            inner = tuple(group)
            content = self._guarded(inner, 0, own)
            plain = [entry for entry in inner if not entry.guards]
            tagged = untagged and not wrapped and any(entry.tagged for entry in inner)
            if tagged or (own != parent and any(entry.beside for entry in plain)):
                content = [{"include_tasks": self._write(content, own)}]
            found.extend(content)
        return found

    def _guarded(self, entries: tuple[Entry, ...], depth: int, parent: str) -> list[Any]:
        """Return tasks for a file in `parent`, those behind run-time conditions in files of their own.

        The include of such a file decides once.
        """
        tasks: list[Any] = []
        for serial, group in itertools.groupby(entries, key=lambda entry: _serial(entry, depth)):
            inner = tuple(group)
            if serial is None:
                tasks.extend(self._beside(inner, parent))
                continue
            guard = inner[0].guards[depth]
            own = _parent(inner[0])
            include: dict[str, Any] = {"include_tasks": self._write(self._guarded(inner, depth + 1, own), own)}
            if guard.vars:
                include["vars"] = dict(guard.vars)
            if guard.when:
                include["when"] = list(guard.when)
            if guard.tags:
                include["tags"] = list(guard.tags)
            tasks.append(include)
        return tasks

    def _beside(self, entries: tuple[Entry, ...], parent: str) -> list[Any]:
        """Return tasks for a file in `parent`, those that name files beside their own in a file of theirs there."""
        tasks: list[Any] = []
        for (own, beside), group in itertools.groupby(entries, key=lambda entry: (_parent(entry), entry.beside)):
            found = [dict(entry.task) for entry in group if entry.task is not None]
            tasks += [{"include_tasks": self._write(found, own)}] if beside and own != parent else found
        return tasks

    def _write(self, tasks: list[Any], parent: str) -> str:
        """Return the path of a new file with these tasks, beside the file that they come from."""
        for number in itertools.count():
            name = f"{self._stem}{f'_{number}' if number else ''}.yaml"
            if name not in self._taken:
                break
        self._taken.add(name)
        path = str(PurePosixPath(parent) / name)
        self._files[path] = tasks
        return path


def _short(playbook: str) -> str:
    """Return what a playbook's files are named for: each playbook's name begins with a word of its own, or two."""
    words = playbook.split("_")
    return "_".join(words[: 2 if words[0] == "external" else 1])


def _parent(entry: Entry) -> str:
    parent = str(PurePosixPath(entry.file).parent)
    return "" if parent == "." else parent


def _serial(entry: Entry, depth: int) -> int | None:
    return entry.guards[depth].serial if len(entry.guards) > depth else None
