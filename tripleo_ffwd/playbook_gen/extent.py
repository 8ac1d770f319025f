"""How far a program goes: files that include themselves and loops that come to too much are refused; no I/O.

Imports tasks only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen.tasks import flatten, include_of, loop_key, sequence

# The largest real program that was seen comes to some 20,000 tasks in all releases and steps of all roles.
MAX_TASKS = 500_000
_MAX_FILES_DEEP = 40


def check(
    playbooks: Mapping[str, list[list[Any]]],
    tasks: Mapping[str, list[Any]],
    resolve: Callable[[str, str], str | None],
) -> None:
    """Refuse a program that doesn't end, or that is too large to unroll.

    Args:
        playbooks: file name → the lists of tasks of its plays.
        tasks: path → tasks of the file.
        resolve: gives the path of the file that a task in a file names, or None.

    Raises:
        UnsupportedConstruct: naming the files that include each other, or the playbook that comes to too much.
    """
    walk = _Walk(tasks, resolve)
    for playbook, lists in playbooks.items():
        found = sum(walk.count(items, playbook, ()) for items in lists)
        if found > MAX_TASKS:
            raise UnsupportedConstruct(
                f"with its loops and includes it comes to more than {MAX_TASKS} tasks",
                where=playbook,
                remedy="Look for loops around includes that include the same files again",
            )


class _Walk:
    def __init__(self, tasks: Mapping[str, list[Any]], resolve: Callable[[str, str], str | None]) -> None:
        self._tasks = tasks
        self._resolve = resolve
        self._counts: dict[str, int] = {}

    def count(self, items: list[Any], current: str, stack: tuple[str, ...]) -> int:
        """Return the number of tasks, with those of the files that they include for each turn of a loop around."""
        total = 0
        for task in flatten(items):
            include = include_of(task)
            path = self._resolve(include[1], current) if include else None
            inside = self._file(path, (*stack, path), current) if path is not None else 0
            total = min(total + 1 + inside * _turns(task), MAX_TASKS + 1)
        return total

    def _file(self, path: str, stack: tuple[str, ...], current: str) -> int:
        if path in stack[:-1]:
            raise UnsupportedConstruct(
                f"the file includes itself: {' → '.join(stack)}",
                where=current,
                remedy="Ansible would go on without end: include other files, or loop",
            )
        if len(stack) > _MAX_FILES_DEEP:
            raise UnsupportedConstruct(f"more than {_MAX_FILES_DEEP} files include each other in turn", where=stack[0])
        if path not in self._counts:
            self._counts[path] = self.count(self._tasks[path], path, stack)
        return self._counts[path]


def _turns(task: Mapping[str, Any]) -> int:
    """Return how often a loop turns, as far as it can be told; 1 without a loop."""
    loop = loop_key(task)
    if loop is None:
        return 1
    values = sequence(task[loop]) if loop == "with_sequence" else task[loop]
    return len(values) if isinstance(values, list) else 1
