"""What a rehearsal is asked for; imports nothing of the package."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Options:
    """What a rehearsal is asked for.

    Attributes:
        phase: ``run``, ``upgrade`` or ``converge``; None for all of them.
        hosts_per_role: how many nodes of each role take part; 0 for all.
        forks: on how many nodes Ansible works at once, here and in the estimate.
        seconds_per_task: what a task takes on a node; None: it is assumed.
        measured: seconds that tasks of a name took on a node, in real runs.
        timeout: seconds after which a playbook's rehearsal is ended.
        paths: where Ansible looks for modules, roles and collections; empty texts for its own places.
    """

    phase: str | None = None
    hosts_per_role: int = 0
    forks: int = 25
    seconds_per_task: float | None = None
    measured: Mapping[str, float] = dataclasses.field(default_factory=dict)
    timeout: int = 14400
    paths: tuple[str, str, str] = ("", "", "")
