"""When a run will probably end, from how long stages have taken; pure: no files, no processes, no clock.

Times are the ledger's, which count from Ansible's beginning by a clock that nobody sets. Where an earlier run of the
same playbook has finished a stage, its time stands for it, as much faster or slower as this run has been so far.
Without any, the rounds that are left count: a task on as many hosts as Ansible works on at once is one round.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tripleo_ffwd.ansible_run.ledger import Record
from tripleo_ffwd.ansible_run.tree import StagePlan
from tripleo_ffwd.model import GATE_TASK

# Before so much is done, what is left can't be told from it.
LEAST_SECONDS = 5.0
LEAST_SHARE = 0.02


class Estimate:
    """Follows one run.

    Args:
        stages: those of the playbook, in order, each with the hosts that must finish it.
        done: those that an earlier run has finished.
        forks: on how many hosts Ansible works at once.
        known: seconds that stages have taken earlier.
    """

    def __init__(
        self, stages: Sequence[StagePlan], done: Collection[str], forks: int, known: Mapping[str, float]
    ) -> None:
        self._plans = {stage.id: stage for stage in stages if stage.id not in done}
        self._rounds = {stage.id: max(1, stage.tasks) * max(1, math.ceil(len(stage.hosts) / forks)) for stage in stages}
        self._known = {name: known[name] for name in self._plans if name in known}
        self._began: dict[str, float] = {}
        self._stage = ""
        self._ended = 0
        self._now = 0.0
        self._over = False

    def feed(self, record: Record) -> None:
        """Take a record of the ledger in, its time in seconds as `ledger.Reader.record` gives it."""
        event = record.get("event")
        if event == "play_start":
            name = str(record.get("play", ""))
            if name in self._plans and name != self._stage:
                self._stage, self._ended = name, 0
            return
        if event == "stats":
            self._over = True
        if event not in ("task_start", "task_end"):
            return
        self._now = float(record["t"])
        if self._stage:
            self._began.setdefault(self._stage, self._now)
        if event == "task_end" and record.get("task") != GATE_TASK:
            self._ended += 1

    def times(self, finished: Collection[str]) -> dict[str, float]:
        """Return the seconds that stages have taken, of those that are finished; one that had nothing to do took 0."""
        found = {name: 0.0 for name in self._plans if name in finished}
        began = list(self._began.items())
        for number, (name, begin) in enumerate(began):
            if name in found and (number + 1 < len(began) or self._over):
                end = began[number + 1][1] if number + 1 < len(began) else self._now
                found[name] = round(end - begin, 3)
        return found

    def left(self, silence: float) -> float | None:
        """Return the seconds until the end; None while nothing can be said.

        Args:
            silence: seconds since the last record.
        """
        if not self._stage or self._over:
            return None
        now = self._now + silence
        names = list(self._plans)
        past, ahead = names[: names.index(self._stage)], names[names.index(self._stage) + 1 :]
        here = now - self._began.get(self._stage, now)
        if self._stage in self._known and all(name in self._known for name in ahead):
            pace = self._pace(past)
            return max(0.0, self._known[self._stage] * pace - here) + pace * sum(self._known[name] for name in ahead)
        done = sum(self._rounds[name] for name in past) + self._rounds[self._stage] * self._share()
        total = sum(self._rounds[name] for name in names)
        spent = now - min(self._began.values(), default=now)
        if spent < LEAST_SECONDS or done < LEAST_SHARE * total:
            return None
        return spent / done * (total - done)

    def _share(self) -> float:
        """Return how much of the stage under way is done; tasks in loops and of includes are not all counted before."""
        plan = self._plans[self._stage]
        return min(1.0, self._ended / max(1, plan.tasks * len(plan.hosts)))

    def _pace(self, past: Sequence[str]) -> float:
        """Return how many times as long stages have taken in this run as they had before."""
        before = sum(self._known.get(name, 0.0) for name in past)
        if before < LEAST_SECONDS or not self._began:
            return 1.0
        times = self.times(past)
        return sum(times[name] for name in past if name in self._known) / before


def known_times(earlier: Sequence[Mapping[str, Any]], stages: Collection[str]) -> dict[str, float]:
    """Return what the newest runs say of stages: each stage's time from the newest run that has one.

    Args:
        earlier: what runs have recorded, ``{"stages": {id: seconds}}`` each, newest first.
        stages: ids of the stages that are wanted.
    """
    found: dict[str, float] = {}
    for recorded in earlier:
        times = recorded.get("stages")
        for name, seconds in times.items() if isinstance(times, dict) else ():
            if name in stages and isinstance(seconds, (int, float)) and seconds >= 0:
                found.setdefault(name, float(seconds))
    return found
