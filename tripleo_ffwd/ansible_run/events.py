"""From ansible-runner's events to ledger records and progress; pure: no files, no processes, no clock, no Ansible.

What a host's end in a stage means is settled when the next play begins; what a failure means (rescued or not) can only
be seen from what the host does next, and for certain from Ansible's statistics at the end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tripleo_ffwd.ansible_run.tree import StagePlan
from tripleo_ffwd.model import GATE_PLAY, GATE_TASK, FailedTask

HIDDEN = "(hidden by no_log)"
MESSAGE_LENGTH = 300
MOST_FAILED = 20

Record = dict[str, Any]


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
    """Where a run stands, fed with events one by one.

    Args:
        stages: those of the playbook, in order, each with the hosts that must finish it.
        playbook: its file name.
        log: path of Ansible's log, for failed tasks.
        redact: removes secrets from a text.
        unselected: hosts that are left out; what fails on them is recorded, and counts nowhere.
    """

    def __init__(
        self,
        stages: Sequence[StagePlan],
        playbook: str,
        log: str,
        redact: Callable[[str], str] = str,
        unselected: Collection[str] = (),
    ) -> None:
        self._plans = {stage.id: stage for stage in stages}
        self._playbook = playbook
        self._log = log
        self._redact = redact
        self._unselected = frozenset(unselected)
        self._states: dict[str, StageState] = {}
        self._play = ""
        self._plays = 0
        self._failures: list[Failure] = []
        self._stats: Mapping[str, Any] | None = None
        self._gate_hosts: list[str] = []
        self.gate_message = ""
        self.last_error = ""

    def feed(self, event: Mapping[str, Any]) -> list[Record]:
        """Take one event in; return the ledger records that it gives."""
        kind = str(event.get("event", ""))
        data = event.get("event_data") or {}
        if kind == "playbook_on_play_start":
            return self._begin_play(str(data.get("name", "")))
        if kind == "playbook_on_no_hosts_matched" and self._play in self._states:
            self._states[self._play].unmatched = True
        elif kind == "playbook_on_stats":
            self._stats = data
            return self._end_stage()
        elif data.get("task") == GATE_TASK:
            self._look_at_gate(kind, data)
        elif kind == "playbook_on_task_start":
            return self._start_stage()
        elif kind == "runner_on_start":
            return [*self._start_stage(), self._begin_task(data)]
        elif kind in ("runner_on_ok", "runner_on_failed", "runner_on_skipped", "runner_on_unreachable"):
            return [*self._start_stage(), self._end_task(kind, data)]
        else:
            self._note_error(kind, str(event.get("stdout", "")))
        return []

    def _look_at_gate(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take in what a gate says: it is no task of a stage, and its failure is that of the hosts that it names."""
        if kind in ("runner_on_failed", "runner_on_unreachable"):
            self._gate_hosts.append(str(data.get("host", "")))
            self.gate_message = self.gate_message or self._redact(describe(data.get("res") or {}))

    def _begin_play(self, name: str) -> list[Record]:
        if name == self._play:
            return []  # the next batch of a play with `serial`
        records = self._end_stage()
        self._play = name
        self._plays += 1
        if name in self._plans:
            self._states[name] = StageState(self._plans[name], self._plays)
        return records

    def _start_stage(self) -> list[Record]:
        """Note that the play's first task begins: one that is only announced may find that all its hosts are lost."""
        state = self._states.get(self._play)
        if state is None or state.started:
            return []
        state.started = True
        return [{"event": "stage_start", "stage": state.plan.id, "hosts": len(state.plan.hosts)}]

    def _end_stage(self) -> list[Record]:
        state = self._states.get(self._play)
        if state is None or state.closed:
            return []
        if not state.started and self._is_out_of_reach(state):
            del self._states[self._play]
            return []
        records = self._start_stage()  # of a stage that has no task to do
        state.closed = True
        done = self._finished(state)
        failed = sorted(set(state.plan.hosts) - set(done))
        return [*records, {"event": "stage_end", "stage": state.plan.id, "done": done, "failed": failed}]

    def _is_out_of_reach(self, state: StageState) -> bool:
        """Return whether a stage that did no task was stopped before it began, rather than having nothing to do."""
        if self.gate_message:
            return True
        lost = self._lost()
        return bool(state.plan.hosts) and (state.unmatched or all(host in lost for host in state.plan.hosts))

    def _begin_task(self, data: Mapping[str, Any]) -> Record:
        host = str(data.get("host", ""))
        for failure in self._failures:
            if failure.host == host:
                failure.rescued = True
        return {"event": "task_start", **self._identity(data)}

    def _end_task(self, kind: str, data: Mapping[str, Any]) -> Record:
        result = data.get("res") or {}
        status = _status(kind, data, result)
        record = {"event": "task_end", **self._identity(data), "status": status, "changed": status == "changed"}
        if isinstance(data.get("duration"), (int, float)):
            record["seconds"] = round(float(data["duration"]), 3)
        if status in ("failed", "unreachable", "ignored"):
            record["message"] = self._redact(describe(result))
        if status in ("failed", "unreachable"):
            self._note_failure(record)
        elif self._play in self._states:
            ended = self._states[self._play].ended
            ended[record["host"]] = ended.get(record["host"], 0) + 1
        return record

    def _identity(self, data: Mapping[str, Any]) -> Record:
        return {
            "stage": self._play,
            "task": self._redact(str(data.get("task", ""))),
            "task_id": str(data.get("task_uuid", "")),
            "host": str(data.get("host", "")),
        }

    def _note_failure(self, record: Record) -> None:
        if self._play.startswith(GATE_PLAY):
            self._gate_hosts.append(record["host"])
            self.gate_message = self.gate_message or record["message"]
            return
        if record["host"] in self._unselected:
            return
        self._failures.append(Failure(self._plays, self._play, record["host"], record["task"], record["message"]))

    def _note_error(self, kind: str, text: str) -> None:
        if kind == "error" or text.startswith(("ERROR!", "[ERROR]")):
            self.last_error = self._redact(_shorten(text.removeprefix("ERROR!").removeprefix("[ERROR]:")))

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
        }


def _status(kind: str, data: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    if kind == "runner_on_ok":
        return "changed" if result.get("changed") else "ok"
    if kind == "runner_on_failed":
        return "ignored" if data.get("ignore_errors") else "failed"
    if kind == "runner_on_unreachable":
        return "unreachable"  # with ignore_unreachable too: only what the host does next tells
    return "skipped"


def describe(result: Mapping[str, Any]) -> str:
    """Return why a task failed, in one line, from its result; never what no_log hides."""
    if "censored" in result or result.get("_ansible_no_log"):
        return HIDDEN
    for item in result.get("results") or ():
        if isinstance(item, dict) and (item.get("failed") or item.get("unreachable")):
            return describe(item)
    text = str(result.get("msg") or result.get("exception") or result.get("stdout") or "no message")
    detail = str(result.get("stderr") or result.get("module_stderr") or "").strip()
    if detail and detail not in text:
        text = f"{text}: {detail.splitlines()[-1]}"
    return _shorten(text)


def _shorten(text: str) -> str:
    line = " ".join(word for word in text.split() if not word.startswith("@@@"))  # ssh's banners
    if len(line) <= MESSAGE_LENGTH:
        return line
    # The first words say what was tried, the last ones most often why it failed.
    return f"{line[: MESSAGE_LENGTH // 3]} … {line[-MESSAGE_LENGTH * 2 // 3 :]}"
