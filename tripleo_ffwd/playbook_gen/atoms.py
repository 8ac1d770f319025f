"""What unrolling gives: tasks where they run, and the includes that decide about them; imports only stdlib."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

ROLE_VARIABLE = "tripleo_role_name"


@dataclasses.dataclass(frozen=True)
class Guard:
    """What decides at run time, once, whether included tasks run.

    Attributes:
        when: the include's conditions that are left.
        vars: its variables.
        file: the file that it includes.
        serial: tells two includes of the same file apart.
        total: looking at the conditions can't fail.
        tags: the include's tags.
    """

    when: tuple[Any, ...]
    vars: tuple[tuple[str, Any], ...]
    file: str
    serial: int
    total: bool
    tags: tuple[str, ...] = ()


class Atom(NamedTuple):
    """A task where it runs; there are thousands, so that it is no more than a tuple.

    Attributes:
        task: the task, `include` settled.
        file: the file that it stands in.
        loop_vars: variables of the loops around it, outermost first.
        facts: facts known there, such as the release after the loop over releases.
        role: the only role that it runs on, or None for all hosts of the play.
        guards: the run-time conditions of the includes around it.
        shadowed: a task before it set a fact of the name of a loop variable.
        defined: variables that surely have some value there.
        below: what the files that it includes by itself may read.
        writes: variables that it, or what it includes by itself, may set.
        beside: it names a file that stands beside its own, where Ansible looks for it first.
        untagged: one of the includes around it at run time has no tags, so that `--tags` never selects it.
    """

    task: Mapping[str, Any]
    file: str
    loop_vars: tuple[tuple[str, Any], ...]
    facts: tuple[tuple[str, Any], ...]
    role: str | None
    guards: tuple[Guard, ...]
    shadowed: bool
    defined: frozenset[str]
    below: frozenset[str]
    writes: frozenset[str]
    beside: bool
    untagged: bool
