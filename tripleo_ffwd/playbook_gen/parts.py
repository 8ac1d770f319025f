"""What a stage is made of before it has hosts and text: its tasks, and the includes that decide them; no I/O.

Imports atoms and tasks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.playbook_gen.atoms import Guard
from tripleo_ffwd.playbook_gen.tasks import flatten


@dataclasses.dataclass(frozen=True)
class Entry:
    """A task of a stage, and the includes whose run-time conditions decide it.

    Attributes:
        guards: the includes' conditions, outermost first.
        task: the task; None where only the conditions are left, because looking at them may fail.
        untagged: an include without tags brought it in: `--tags` does not select it, whatever its own tags.
        file: the file that it stood in.
        beside: it names a file that stands beside that file.
        skip: of a task that is only there for what it registers, the condition for which all hosts skip it; else empty.
    """

    guards: tuple[Guard, ...]
    task: Mapping[str, Any] | None
    untagged: bool
    file: str
    beside: bool
    skip: str = ""

    @property
    def tagged(self) -> bool:
        """Whether tags stand first: those of the outermost include that is left, or of the task or one in it."""
        if self.guards:
            return bool(self.guards[0].tags)
        return self.task is not None and any(task.get("tags") for task in flatten([dict(self.task)]))


@dataclasses.dataclass(frozen=True)
class Part:
    """A stage of a play that is cut, before it has hosts and text.

    Attributes:
        kind: ``stepN``, ``pre`` or ``post``.
        role: the only role, or None for all of the play's hosts.
        bootstrap: whether the includes around it leave only the bootstrap node.
        variables: loop variables that its tasks see.
        through_include: whether these must outrank facts of the same name, as an include's variables do.
        residual: the conditions that are left to run time.
        fatal: a failure in it may end it on all hosts, so that its last tasks are not reached.
    """

    kind: str
    release: str | None
    step: int | None
    role: str | None
    bootstrap: bool
    variables: tuple[tuple[str, Any], ...]
    through_include: bool
    entries: tuple[Entry, ...]
    residual: tuple[str, ...]
    fatal: bool

    @property
    def tasks(self) -> list[Mapping[str, Any]]:
        """The tasks and blocks of the stage."""
        return [entry.task for entry in self.entries if entry.task is not None]
