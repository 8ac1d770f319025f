"""What holds of tasks wherever they stand: what they and the files below them read and set; no I/O.

The same tasks come back for every release, step and role: each is looked at once.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.playbook_gen.effects import EVERYTHING, reads_of
from tripleo_ffwd.playbook_gen.looks import Looks
from tripleo_ffwd.playbook_gen.marks import Marks
from tripleo_ffwd.playbook_gen.program import Program
from tripleo_ffwd.playbook_gen.static_copies import StaticCopies
from tripleo_ffwd.playbook_gen.tasks import (
    ANY_FACT,
    ANY_VARIABLE,
    assigned_names,
    flatten,
    include_of,
    modules_of,
)
from tripleo_ffwd.playbook_gen.worded import worded

_FILE_WORDS = ("lookup(", "query(", "q(", "with_", "src", 'script"', 'template"', "include", "import_tasks")
# Files that are looked for beside a task, by a name that only the run knows.
_NAMES_A_FILE = worded(
    r"\b(lookup|query|q)\(|\"with_(file|fileglob|first_found|lines|ini|template)\"|\bsrc(\": \"|=)[^\"]*\{\{"
    r"|\"(\w+\.)*(script|template|include_vars|include_tasks|import_tasks|include)\": [^,}]*\{\{",
    *_FILE_WORDS,
)
_MAY_NAME_A_FILE = worded(
    r"\b(lookup|query|q)\(|\"with_\w+\"|\bsrc\b|\"(\w+\.)*(script|template|include_vars|include_tasks|import_tasks|include)\"",
    *_FILE_WORDS,
)


@dataclasses.dataclass(frozen=True)
class TaskTraits:
    """What holds of one task of a file.

    Attributes:
        task: the task: held, so that its id stays its own.
        below: what the files that it includes by itself may read.
        writes: variables that it, or what it includes by itself, may set.
        beside: it names a file that stands beside its own, where Ansible looks for it first.
    """

    task: Mapping[str, Any]
    below: frozenset[str]
    writes: frozenset[str]
    beside: bool


class Traits:
    """The traits of a program's tasks, one for all its playbooks.

    Args:
        program: the program.

    Attributes:
        program: it.
        looks: what its tasks are by themselves.
        marks: what the texts of its files show.
        copies: how its files are written, and the copies of some that imports need.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.looks = Looks()
        self.marks = Marks(program)
        self.copies = StaticCopies(program)
        self._settled: dict[tuple[int, bool], tuple[Mapping[str, Any], dict[str, Any]]] = {}
        self._found: dict[tuple[int, str], TaskTraits] = {}
        self._beside: dict[str, tuple[str, ...]] = {}
        self._read: dict[str, frozenset[str]] = {}
        self._set: dict[str, frozenset[str]] = {}
        self._modules: dict[str, frozenset[str]] = {}

    def of(self, task: Mapping[str, Any], file: str) -> TaskTraits:
        """Return the traits of a task of a file."""
        key = (id(task), file)
        if key not in self._found:
            self._found[key] = TaskTraits(
                task, self.reads_below([task], file), self.assigned_by([task], file), self.names_beside(task, file)
            )
        return self._found[key]

    def settled(self, task: dict[str, Any], file: str, static_parents: bool) -> dict[str, Any]:
        """Return a task of a file as it is written, see `StaticCopies.settled`, the same one each time."""
        key = (id(task), static_parents)
        if key not in self._settled:
            # The task is held, so that its id stays its own.
            self._settled[key] = (task, self.copies.settled(task, file, static_parents))
        return self._settled[key][1]

    def names_beside(self, value: Any, file: str) -> bool:
        """Return whether tasks of a file name, or may name, another one beside it."""
        if file not in self._beside:
            self._beside[file] = self.program.files_beside(file)
        names = self._beside[file]
        text = json.dumps(value, default=str)
        if "/" not in file:
            return bool(_MAY_NAME_A_FILE.search(text))
        if not names:
            return False
        return any(name in text for name in names) or bool(_NAMES_A_FILE.search(text))

    def modules_below(self, path: str) -> frozenset[str]:
        """Return the modules, without their collections, of a file's tasks and of those that it includes."""
        if path not in self._modules:
            self._modules[path] = frozenset()
            tasks = self.program.tasks[path]
            found = {module.rpartition(".")[2] for module in modules_of(tasks)}
            for task in flatten(tasks):
                include = include_of(task)
                if include is not None:
                    inner = self.program.resolve(include[1], path)
                    found |= self.modules_below(inner) if inner is not None else {"unknown"}
            self._modules[path] = frozenset(found)
        return self._modules[path]

    def reads_below(self, tasks: list[Any], current: str) -> frozenset[str]:
        """Return what the files that tasks include may read, and so on below."""
        found: set[str] = set()
        for task in flatten(tasks):
            include = include_of(task)
            if include is not None:
                found |= self._reads_of_file(include[1], current)
        return frozenset(found)

    def assigned_by(self, tasks: list[Any], current: str) -> frozenset[str]:
        """Return the names that tasks and what they include may set."""
        names = set(assigned_names(tasks))
        for task in flatten(tasks):
            include = include_of(task)
            if include:
                names |= self.assigned_below(include[1], current)
        return frozenset(names)

    def assigned_below(self, name: str, current: str) -> frozenset[str]:
        """Return the names that a file, which a task of another includes, and what it includes may set."""
        path = self.program.resolve(name, current)
        if path is None:
            return frozenset((ANY_FACT, ANY_VARIABLE))
        if path not in self._set:
            self._set[path] = frozenset((ANY_FACT, ANY_VARIABLE))  # for files that include each other
            self._set[path] = self.assigned_by(self.program.tasks[path], path)
        return self._set[path]

    def _reads_of_file(self, name: str, current: str) -> frozenset[str]:
        path = self.program.resolve(name, current) if "{{" not in name else None
        if path is None:
            return frozenset((EVERYTHING,))
        if path not in self._read:
            self._read[path] = frozenset((EVERYTHING,))  # for files that include each other
            tasks = self.program.tasks[path]
            own: frozenset[str] = frozenset().union(*(reads_of(task) for task in flatten(tasks)))
            self._read[path] = own | self.reads_below(tasks, path)
        return self._read[path]
