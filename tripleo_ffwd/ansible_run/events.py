"""From the ledger's records to where a run stands; pure: no files, no processes, no clock, no Ansible.

What a host's end in a stage means is settled when the next play begins; what a failure means (rescued or not) can only
be seen from what the host does next, and for certain from Ansible's statistics at the end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tripleo_ffwd.ansible_run.ledger import FAILED, Record
from tripleo_ffwd.ansible_run.tree import StagePlan
from tripleo_ffwd.model import GATE_PLAY, GATE_TASK, FailedTask, RunningTask

MOST_FAILED = 20


@dataclasses.dataclass
class Failure:
    """A task that failed on a host in play number `play`; `rescued` when the host has gone on afterwards."""

    play: int
    stage: str
    host: str
    task: str
    message: str
    rescued: bool = False


@dataclasses.dataclass
class StageState:
    """A stage whose play was announced: the play's number, tasks ended on each host, and whether any has begun."""

    plan: StagePlan
    play: int
    ended: dict[str, int] = dataclasses.field(default_factory=dict)
    started: bool = False
    unmatched: bool = False
    closed: bool = False


class Progress:
    """Where a run stands, fed with the records of its ledger one by one.

    Args:
        stages: those of the playbook, in order, each with the hosts that must finish it.
        playbook: its file name.
        log: path of Ansible's log, for failed tasks.
        unselected: hosts that are left out; what fails on them is recorded, and counts nowhere.
        done: stages that an earlier run has finished.

    Attributes:
        gate_message: what the first gate that failed said.
        stopped: why Ansible stopped before its end, empty when it didn't.
        unkept: why the variables of some stage's end could not be kept, by stage.
    """

    def __init__(
        self,
        stages: Sequence[StagePlan],
        playbook: str,
        log: str,
        unselected: Collection[str] = (),
        done: Collection[str] = (),
    ) -> None:
        self._plans = {stage.id: stage for stage in stages}
        self._playbook = playbook
        self._log = log
        self._unselected = frozenset(unselected)
        self._done = frozenset(done)
        self._states: dict[str, StageState] = {}
        self._running: dict[tuple[str, int], RunningTask] = {}
        self._play = ""
        self._plays = 0
        self._failures: list[Failure] = []
        self._stats: Mapping[str, Any] | None = None
        self._gate_hosts: list[str] = []
        self.gate_message = ""
        self.stopped = ""
        self.unkept: dict[str, str] = {}

    def feed(self, record: Record) -> str:
        """Take one record in; return the stage that has begun or ended with it, or an empty text."""
        event = record.get("event")
        if event == "task_end":
            return self._end_task(record)
        if event == "task_start":
            return self._begin_task(record)
        if event == "play_start":
            return self._begin_play(str(record.get("play", "")))
        if event == "task":
            return "" if record.get("task") == GATE_TASK else self._start_stage()
        if event == "no_hosts" and self._play in self._states:
            self._states[self._play].unmatched = True
        elif event == "stopped":
            self.stopped = str(record.get("why", ""))
        elif event == "not_kept":
            self.unkept[str(record.get("stage", ""))] = str(record.get("why", ""))
        elif event == "stats":
            self._stats = record
            self._running.clear()
            return self._end_stage()
        return ""

    def _begin_play(self, name: str) -> str:
        if name == self._play:
            return ""  # the next batch of a play with `serial`
        ended = self._end_stage()
        self._play = name
        self._plays += 1
        if name in self._plans:
            self._states[name] = StageState(self._plans[name], self._plays)
        return ended

    def _start_stage(self) -> str:
        """Note that the play's first task begins: one that is only announced may find that all its hosts are lost."""
        state = self._states.get(self._play)
        if state is None or state.started:
            return ""
        state.started = True
        return state.plan.id

    def _end_stage(self) -> str:
        state = self._states.get(self._play)
        if state is None or state.closed:
            return ""
        if not state.started and self._is_out_of_reach(state):
            del self._states[self._play]
            return ""
        state.started = state.closed = True
        return state.plan.id

    def _is_out_of_reach(self, state: StageState) -> bool:
        """Return whether a stage that did no task was stopped before it began, rather than having nothing to do."""
        if self.gate_message:
            return True
        lost = self._lost()
        return bool(state.plan.hosts) and (state.unmatched or all(host in lost for host in state.plan.hosts))

    def _begin_task(self, record: Record) -> str:
        host = str(record["host"])
        if record["task"] == GATE_TASK:
            return ""
        for failure in self._failures:
            if failure.host == host:
                failure.rescued = True
        self._running[host, record["task_id"]] = RunningTask(self._play, host, str(record["task"]))
        return self._start_stage()

    def _end_task(self, record: Record) -> str:
        host, status = str(record["host"]), record["status"]
        self._running.pop((host, record["task_id"]), None)
        if record["task"] == GATE_TASK or self._play.startswith(GATE_PLAY):
            # It is no task of a stage, and its failure is that of the hosts that it names.
            if status in FAILED:
                self._gate_hosts.append(host)
                self.gate_message = self.gate_message or str(record.get("message", ""))
            return ""
        begun = self._start_stage()
        if status in FAILED:
            if host not in self._unselected:
                message = str(record.get("message", ""))
                self._failures.append(Failure(self._plays, self._play, host, str(record["task"]), message))
        elif self._play in self._states:
            ended = self._states[self._play].ended
            ended[host] = ended.get(host, 0) + 1
        return begun

    def _real_failures(self) -> list[Failure]:
        """Return the failures that count: at the end as Ansible's statistics say, before as far as can be seen."""
        if self._stats is None:
            return [failure for failure in self._failures if not failure.rescued]
        left = dict(self._stats.get("failures") or {})
        for host, count in (self._stats.get("dark") or {}).items():
            left[host] = left.get(host, 0) + count
        for host in self._gate_hosts:
            left[host] = left.get(host, 0) - 1
        real = []
        for failure in reversed(self._failures):  # what was rescued came before what was not
            if left.get(failure.host, 0) > 0:
                left[failure.host] -= 1
                real.append(failure)
        return real[::-1]

    def _lost(self) -> dict[str, int]:
        """Return the hosts that failed, each with the number of the play; they take no part in the plays after it."""
        lost: dict[str, int] = {}
        for failure in self._real_failures():
            lost[failure.host] = min(failure.play, lost.get(failure.host, failure.play))
        return lost

    def _finished(self, state: StageState) -> list[str]:
        """Return the hosts that have finished a stage; of one under way, those that have ended all its tasks."""
        lost = self._lost()
        hosts = [host for host in state.plan.hosts if lost.get(host, state.play + 1) > state.play]
        if state.unmatched:
            return []
        if state.closed:
            return hosts
        return [host for host in hosts if 0 < state.plan.tasks <= state.ended.get(host, 0)]

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Ids of the stages that some host that must has not finished, in order."""
        lost = self._lost()
        return tuple(name for name in self._plans if not self._is_done(name, lost))

    def _is_done(self, name: str, lost: Mapping[str, int]) -> bool:
        if name in self._done:
            return True
        state = self._states.get(name)
        if state is None or not state.closed or (state.unmatched and state.plan.hosts):
            return False
        # There are many hosts and stages, and few that failed.
        return not any(play <= state.play and host in state.plan.hosts for host, play in lost.items())

    @property
    def only_unselected_lost(self) -> bool:
        """True when the run came to its end, and all hosts that Ansible calls failed or unreachable were left out."""
        if self._stats is None:
            return False
        lost = {**(self._stats.get("failures") or {}), **(self._stats.get("dark") or {})}
        return set(lost) <= self._unselected

    @property
    def failed(self) -> tuple[FailedTask, ...]:
        """Every failed task that was neither ignored nor rescued; gates are not among them."""
        return tuple(
            FailedTask(self._playbook, f.stage, f.host, f.task, f.message, self._log) for f in self._real_failures()
        )

    @property
    def running(self) -> tuple[RunningTask, ...]:
        """Tasks that have begun on a host, and of whose end there is no record."""
        return tuple(self._running.values())

    def finished(self) -> dict[str, tuple[str, ...]]:
        """Return the hosts that have finished each stage whose play has ended, stages in order."""
        return {name: tuple(self._finished(state)) for name, state in self._states.items() if state.closed}

    def snapshot(self) -> dict[str, Any]:
        """Return the fields of a RunStatus that tell progress."""
        failed = self.failed
        current = next((s for s in reversed(self._states.values()) if s.started), None)
        return {
            "stage": current.plan.id if current else "",
            "stages_done": len(self._plans) - len(self.unfinished),
            "stages_total": len(self._plans),
            "hosts_done": len(self._finished(current)) if current else 0,
            "hosts_total": len(current.plan.hosts) if current else 0,
            "failed": failed[:MOST_FAILED],
            "failed_total": len(failed),
            "running": self.running[:MOST_FAILED],
            "running_total": len(self._running),
        }
