"""The truth about a run (invariant 4): only its own machine may call it dead, from elsewhere silence means unknown."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import process_tree, resuming, rundir
from tripleo_ffwd.ansible_run.machine import Machine, is_alive, this_machine
from tripleo_ffwd.ansible_run.process_tree import Process
from tripleo_ffwd.ansible_run.rundir import RunDir, read_json
from tripleo_ffwd.ansible_run.tree import load
from tripleo_ffwd.exceptions import FfwdError, WriteRefused
from tripleo_ffwd.model import FailedTask, RunningTask, RunStatus

HEARTBEAT_STALE = 60
# A directory that no supervisor has claimed for so many seconds belongs to a starter that died.
LAUNCH_GRACE = 60.0
# How long a supervisor may take to exit once it has written its last word.
EXIT_SECONDS = 1.0
# Why a run that nobody has claimed is given up.
ORPHANED = "its starter ended before a supervisor took the run over"
CANCELLED = "it was cancelled before it began"
FIELDS = frozenset(field.name for field in dataclasses.fields(RunStatus)) - {"run_id", "run_dir", "heartbeat_age"}


def give_up(run: RunDir, reason: str) -> bool:
    """Settle that an unclaimed run never starts: a supervisor that comes late finds it claimed.

    Returns:
        False when a supervisor has claimed the run.

    Raises:
        OSError: nothing could be written.
    """
    return rundir.write_once(run.claim, {"abandoned": reason, "run_id": run.run_id, "claimed": time.time()})


def settle(run: RunDir, reason: str) -> bool:
    """Give an unclaimed run up, and remove what is private of it; False when it is claimed.

    Raises:
        WriteRefused: nothing could be written.
    """
    try:
        given_up = give_up(run, reason)
    except OSError as error:
        raise WriteRefused(f"the run can't be given up: {error.strerror}", where=str(run.path)) from error
    if given_up:
        run.clean()
    return given_up


def may_begin_again(run: RunDir) -> bool:
    """Return whether a run never began though nobody wanted that: its starter died, or could not start it."""
    reason = (read_json(run.claim) or {}).get("abandoned")
    return reason is not None and reason != CANCELLED


def read_status(run: RunDir, *, heartbeat_stale: float) -> RunStatus:
    """Return where a run stands; never raises for what a run directory holds or lacks.

    A run whose supervisor has died on this machine is settled here: what it left behind is ended first.

    Args:
        run: the run's directory.
        heartbeat_stale: seconds without a heartbeat after which a run that can't be looked at is unknown.
    """
    try:
        return _Inquiry(run, heartbeat_stale).answer()
    except (OSError, ValueError, TypeError, KeyError) as error:
        return _blank(run, state="unknown", message=f"the run's state can't be read: {type(error).__name__}: {error}")


def _blank(run: RunDir, **fields: Any) -> RunStatus:
    data = read_json(run.spec) or {}
    names = {name: str(data.get(name, "")) for name in ("plan", "phase", "playbook", "owner")}
    return RunStatus(run_id=run.run_id, run_dir=str(run.path), **{**names, **fields})


class _Inquiry:
    """One look at a run."""

    def __init__(self, run: RunDir, heartbeat_stale: float) -> None:
        self._run = run
        self._stale = heartbeat_stale
        self._published: dict[str, Any] = {}
        self._claim: dict[str, Any] = {}

    def answer(self) -> RunStatus:
        if not self._run.path.is_dir():
            return _blank(self._run, state="unknown", message=f"there is no run directory {self._run.path}")
        self._published = read_json(self._run.status) or {}
        if self._published.get("state") in ("finished", "interrupted"):
            return self._settled()
        claim = read_json(self._run.claim)
        if claim is None:
            return self._unreadable() if self._run.claim.exists() else self._unclaimed()
        if "abandoned" in claim:
            return self._status(state="interrupted", message=f"never started: {claim['abandoned']}")
        self._claim = claim
        return self._claimed()

    def _settled(self) -> RunStatus:
        """Return the final status; its writer gets a moment to end, so that nothing of the run is alive with it."""
        claim = read_json(self._run.claim) or {}
        if "pid" in claim and Machine(claim["host"], claim["boot_id"], claim["pid_ns"]).same(this_machine()):
            deadline = time.monotonic() + EXIT_SECONDS
            while is_alive(int(claim["pid"]), int(claim["started"])) and time.monotonic() < deadline:
                time.sleep(0.01)
        return self._status()

    def _unreadable(self) -> RunStatus:
        return self._status(state="unknown", message=f"{self._run.claim} can't be read")

    def _unclaimed(self) -> RunStatus:
        launch = read_json(self._run.launch)
        if launch is None:
            return self._status(state="unknown", message=f"{self._run.launch} can't be read: is this a run directory?")
        age = time.time() - float(launch["created"])
        if age <= LAUNCH_GRACE:
            return self._status(state="live", message="the supervisor is being started")
        if give_up(self._run, ORPHANED):
            self._run.clean()
        return self.answer()

    def _claimed(self) -> RunStatus:
        owner = Machine(self._claim["host"], self._claim["boot_id"], self._claim["pid_ns"])
        here = this_machine()
        alive = is_alive(int(self._claim["pid"]), int(self._claim["started"])) if owner.same(here) else None
        if alive:
            return self._status(state="live")
        if alive is False:
            return self._dead()
        if abs(self._age()) <= self._stale:
            return self._status(state="live")
        if self._run.fence.exists():
            word = read_json(self._run.fence) or {}
            return self._settle(f"no sign of life, and its machine {owner.host} is fenced: {word.get('reason', '')}")
        return self._status(state="unknown", message=self._silence(owner.host))

    def _dead(self) -> RunStatus:
        """Settle a run whose supervisor is dead on this machine."""
        self._published = read_json(self._run.status) or {}  # it may have finished after the first look
        if self._published.get("state") == "finished":
            return self._status()
        adopted = (read_json(self._run.adopted) or {}).get("processes", [])
        known = [Process(int(pid), int(started)) for pid, started in adopted]
        left = process_tree.end_all(self._run.run_id, known=known)
        if left:
            pids = ", ".join(str(process.pid) for process in left)
            return self._status(
                state="unknown", message=f"the supervisor died and its processes {pids} can't be ended by this user"
            )
        return self._settle("the supervisor died; what it had started was ended")

    def _settle(self, message: str) -> RunStatus:
        """Record that a run was interrupted."""
        status = self._status(state="interrupted", message=message, finished_at=rundir.now(), **self._last_progress())
        with contextlib.suppress(OSError):  # so that other machines know it too; if not, they ask us again
            rundir.write_json(self._run.status, {**status.to_dict(), "heartbeat": self._beat()})
            self._run.clean()
        return status

    def _last_progress(self) -> dict[str, Any]:
        """Return how far the run had come by its ledger: the last heartbeat was before the last records."""
        spec = rundir.load_spec(self._run)
        if spec is None:
            return {}
        try:
            return resuming.replay(self._run, spec, load(Path(spec.tree)))[0].snapshot()
        except (FfwdError, OSError, ValueError, KeyError):
            return {}

    def _beat(self) -> float:
        return float(self._published.get("heartbeat") or self._claim.get("claimed") or 0.0)

    def _age(self) -> float:
        """Return the seconds since the last sign of life; less than 0 where its clock is ahead of ours."""
        return time.time() - self._beat()

    def _silence(self, host: str) -> str:
        """Return what is to be told of a run whose machine can't be looked at from here."""
        ways = (
            f"Look there with `tripleo-ffwd run show {self._run.run_id}`; if it is off for good, say so with "
            f"`tripleo-ffwd run fence {self._run.run_id} --host {host} --reason …`"
        )
        age = self._age()
        if age < 0:
            return f"the last sign of life from {host} is {-age:.0f} s ahead of this machine's clock. {ways}"
        return f"no sign of life from {host} for {age:.0f} s, and only {host} can tell. {ways}"

    def _status(self, **changes: Any) -> RunStatus:
        fields = {name: value for name, value in self._published.items() if name in FIELDS}
        fields["failed"] = tuple(FailedTask(**task) for task in fields.get("failed", ()))
        fields["running"] = tuple(RunningTask(**task) for task in fields.get("running", ()))
        base = _blank(self._run, state="unknown")
        age = round(max(0.0, self._age()), 3) if self._published.get("heartbeat") else None
        status = dataclasses.replace(base, **{**fields, "heartbeat_age": age, **changes})
        return status if status.state == "live" else dataclasses.replace(status, eta=None)
