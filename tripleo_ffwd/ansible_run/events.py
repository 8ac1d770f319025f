"""From the ledger's records to where a run stands; pure: no files, no processes, no clock, no Ansible.

What a host's end in a stage means is settled when the play behind the stage and its gate begins: Ansible goes on to it
only when nothing went wrong, and the gate when no host is missing. Behind the last stage, which has no gate, comes a
play without hosts, and Ansible's statistics tell the hosts that it has lost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tripleo_ffwd.ansible_run.ledger import FAILED, Record
from tripleo_ffwd.ansible_run.tree import StagePlan
from tripleo_ffwd.model import END_PLAY, GATE_PLAY, GATE_TASK, FailedTask, RunningTask

MOST_FAILED = 20


@dataclasses.dataclass
class Failure:
    """A task that failed on a host in play number `play`."""

    play: int
    stage: str
    host: str
    task: str
    message: str


@dataclasses.dataclass
class StageState:
    """A stage whose play was announced: the play's number, tasks ended on each host, and whether any has begun.

    `cut` are the hosts on which a task had no end when the stage had; `notified` the handlers, with their hosts.
    """

    plan: StagePlan
    play: int
    ended: dict[str, int] = dataclasses.field(default_factory=dict)
    cut: frozenset[str] = frozenset()
    notified: dict[tuple[str, str], None] = dataclasses.field(default_factory=dict)
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
        self._stage = ""  # that of the play, or of the one before its gate
        self._plays = 0
        self._failures: list[Failure] = []
        self._stats: Mapping[str, Any] | None = None
        self._gate_hosts: dict[str, int] = {}
        self._gate_stage = ""
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
        elif event == "notify" and self._play in self._states:
            self._states[self._play].notified[str(record.get("handler", "")), str(record.get("host", ""))] = None
        elif event == "limit":
            self._running.clear()  # their ends are not recorded any more
        elif event == "not_kept":
            self.unkept[str(record.get("stage", ""))] = str(record.get("why", ""))
        elif event == "stats":
            return self._end(record)
        return ""

    def _end(self, stats: Record) -> str:
        """Take in Ansible's statistics; a loss that they tell and no record does is one of the last play."""
        told: dict[str, int] = dict(self._gate_hosts)
        for failure in self._failures:
            told[failure.host] = told.get(failure.host, 0) + 1
        counted: dict[str, int] = dict(stats.get("failures") or {})
        for host, count in (stats.get("dark") or {}).items():
            counted[host] = counted.get(host, 0) + count
        for host, count in counted.items():
            if count > told.get(host, 0) and host not in self._unselected:
                text = "Ansible counts a failure that is not in the ledger"
                self._failures.append(Failure(self._plays, self._stage, host, "", text))
        self._stats = stats
        return self._end_stage() if self._play == END_PLAY else ""

    def _begin_play(self, name: str) -> str:
        if name == self._play:
            return ""  # the next batch of a play with `serial`
        if name == END_PLAY or name == f"{GATE_PLAY}{self._stage}":
            self._play = name
            return ""
        ended = self._end_stage()
        self._play = self._stage = name
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
        state = self._states.get(self._stage)
        if state is None or state.closed:
            return ""
        state.cut = frozenset(task.host for task in self._running.values() if task.stage == self._stage)
        if not state.started and self._is_out_of_reach(state):
            del self._states[self._stage]
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
        self._running[host, record["task_id"]] = RunningTask(self._play, host, str(record["task"]))
        return self._start_stage()

    def _end_task(self, record: Record) -> str:
        host, status = str(record["host"]), record["status"]
        self._running.pop((host, record["task_id"]), None)
        if record["task"] == GATE_TASK or self._play.startswith(GATE_PLAY):
            # It is no task of a stage, and its failure is that of the hosts that it names.
            if status in FAILED:
                self._gate_hosts[host] = self._gate_hosts.get(host, 0) + 1
                self.gate_message = self.gate_message or str(record.get("message", ""))
                self._gate_stage = self._gate_stage or self._stage
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

    def _lost(self) -> dict[str, int]:
        """Return the hosts that failed, each with the number of the play; they take no part in the plays after it."""
        lost: dict[str, int] = {}
        for failure in self._failures:
            lost[failure.host] = min(failure.play, lost.get(failure.host, failure.play))
        return lost

    def _finished(self, state: StageState) -> list[str]:
        """Return the hosts that have finished a stage; of one under way, those that have ended all its tasks."""
        lost = self._lost()
        hosts = [host for host in state.plan.hosts if lost.get(host, state.play + 1) > state.play]
        if state.unmatched:
            return []
        if state.closed:
            return [host for host in hosts if host not in state.cut]
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
        if state.cut.intersection(state.plan.hosts):
            return False
        # There are many hosts and stages, and few that failed.
        return not any(play <= state.play and host in state.plan.hosts for host, play in lost.items())

    def notified(self, stage: str) -> tuple[tuple[str, str], ...] | None:
        """Return the (handler, host) that were notified in a stage; None when it has not begun."""
        state = self._states.get(stage)
        return tuple(state.notified) if state else None

    def done_by(self, stage: str) -> tuple[str, ...]:
        """Return the hosts that have finished a stage although its gate failed, or it was the last one; () otherwise.

        Only then it is certain that Ansible had come to the stage's end on them.
        """
        state = self._states.get(stage)
        last = self._gate_stage or (self._stage if self._play == END_PLAY else "")
        if self._stats is None or stage != last or state is None or state.unmatched or not state.started:
            return ()
        lost = self._lost()
        # With `serial` some may not have begun.
        through = (host for host in state.plan.hosts if host in state.ended)
        return tuple(host for host in through if host not in lost and host not in state.cut)

    @property
    def began(self) -> bool:
        """True when a task of a stage has begun."""
        return any(state.started for state in self._states.values())

    @property
    def only_unselected_lost(self) -> bool:
        """True when the run came to its end, and all hosts that Ansible calls failed or unreachable were left out."""
        if self._stats is None:
            return False
        lost = {**(self._stats.get("failures") or {}), **(self._stats.get("dark") or {})}
        return set(lost) <= self._unselected

    @property
    def lost(self) -> tuple[FailedTask, ...]:
        """The first failed task of each host that was lost, in the order in which they were."""
        first: dict[str, FailedTask] = {}
        for failure in self.failed:
            first.setdefault(failure.host, failure)
        return tuple(first.values())

    @property
    def failed(self) -> tuple[FailedTask, ...]:
        """Every failed task that was neither ignored nor rescued; gates are not among them."""
        return tuple(FailedTask(self._playbook, f.stage, f.host, f.task, f.message, self._log) for f in self._failures)

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
