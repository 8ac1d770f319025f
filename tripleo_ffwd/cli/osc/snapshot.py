"""What is seen of a phase at one moment: a value, made of what Mistral says of the execution and of the plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

TERMINAL = ("SUCCESS", "ERROR", "CANCELLED")
# Parts of a stage's id; those of a stage that has another shape are unknown.
NO_PARTS = ("", "", "", "")


@dataclasses.dataclass(frozen=True)
class Run:
    """A run of a playbook, as far as it is shown; `data` is what ``ffwd.get_playbook_status`` returns."""

    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Id of the run."""
        return str(self.data.get("run_id", ""))

    @property
    def playbook(self) -> str:
        """Name of the playbook, without what all of them end in."""
        return str(self.data.get("playbook", "")).removesuffix(".yaml").removesuffix("_playbook")

    @property
    def stage(self) -> str:
        """Id of the stage under way, or of the last one."""
        return str(self.data.get("stage") or "")

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """Release, step, role, and which hosts."""
        parts = self.stage.split("/")
        if len(parts) != len(NO_PARTS):
            return NO_PARTS
        release, step, role, hosts = parts
        return release, step, role, hosts

    @property
    def hosts(self) -> str:
        """Hosts that have finished the stage, of all, and those that failed in it."""
        done, total = self.data.get("hosts_done", 0), self.data.get("hosts_total", 0)
        failed = len({task.get("host") for task in self.failed if task.get("stage") == self.stage})
        return f"{done}/{total}" + (f", {failed} failed" if failed else "")

    @property
    def stages(self) -> str:
        """Stages that are finished, of all."""
        return f"{self.data.get('stages_done', 0)}/{self.data.get('stages_total', 0)}"

    @property
    def failed(self) -> Sequence[Mapping[str, Any]]:
        """Tasks that failed; `failed_total` counts those that there is no room for."""
        return list(self.data.get("failed") or ())

    @property
    def running(self) -> Sequence[Mapping[str, Any]]:
        """Tasks under way; `running_total` counts those that there is no room for."""
        return list(self.data.get("running") or ())

    @property
    def ending(self) -> str:
        """How it ended, or its state while it has not."""
        return str(self.data.get("result") or self.data.get("state") or "")

    @property
    def left(self) -> str:
        """The time that is probably left; empty when that can't be told."""
        end = str(self.data.get("eta") or "")
        return clock(seconds_between(now(), end)) if end else ""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """One look at a phase.

    Attributes:
        plan, phase: which phase of what.
        execution: id of its root execution; empty when only runs are known.
        state: of the execution, as Mistral has it.
        activity: the task of the workflow that is under way.
        elapsed: seconds since the execution began.
        runs: the live ones, or the last one of the execution; oldest first.
        output: of the execution, once it has ended.
        trouble: why there is nothing newer.
    """

    plan: str
    phase: str
    execution: str = ""
    state: str = ""
    activity: str = ""
    elapsed: float = 0.0
    runs: tuple[Run, ...] = ()
    output: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    trouble: str = ""

    @property
    def ended(self) -> bool:
        """True when the execution, or without one every run, has ended."""
        if self.execution:
            return self.state in TERMINAL
        return all(run.data.get("settled", False) for run in self.runs)

    @property
    def message(self) -> str:
        """How it ended, in a sentence or two."""
        if self.output.get("message"):
            return str(self.output["message"])
        if self.execution:
            return f"Phase {self.phase} of plan {self.plan} has ended: {self.state}"
        return "; ".join(f"Run {run.id} has ended: {run.data.get('message') or run.ending}" for run in self.runs)

    @property
    def succeeded(self) -> bool:
        """True when the phase, or without an execution every run, was successful."""
        if self.execution:
            return self.state == "SUCCESS" and self.output.get("status", "SUCCESS") == "SUCCESS"
        return bool(self.runs) and all(run.data.get("succeeded", False) for run in self.runs)

    @property
    def failures(self) -> tuple[Mapping[str, Any], ...]:
        """Failed tasks of all runs."""
        return tuple(task for run in self.runs for task in run.failed)


def seconds_between(begin: str, end: str) -> float:
    """Return the seconds from one time to another, both UTC as Mistral or we write them; 0 for what is no time."""
    try:
        return max(0.0, (_time(end) - _time(begin)).total_seconds())
    except ValueError:
        return 0.0


def now() -> str:
    """Return the time of this machine, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def clock(seconds: float) -> str:
    """Return a time span as ``1:02:03``, or ``2:03`` below an hour."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
