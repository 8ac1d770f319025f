"""Asking for a run's end: a pause, a cancel, or the word that its machine is off; its supervisor does the rest."""

from __future__ import annotations

import getpass
import os
import time
from pathlib import Path

from tripleo_ffwd.ansible_run import rundir
from tripleo_ffwd.ansible_run.machine import Machine, this_machine
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.status import CANCELLED, HEARTBEAT_STALE, read_status, settle
from tripleo_ffwd.exceptions import InvalidInput, NotFound, WriteRefused
from tripleo_ffwd.model import RunStatus

POLL = 0.05
# In a run's directory: which executions have it follow which others.
FOLLOWERS = "followers.json"


def cancel(
    run_dir: Path, *, now: bool = False, wait: float = 0, heartbeat_stale: float = HEARTBEAT_STALE, by: str = ""
) -> RunStatus:
    """Ask for a run's end; its supervisor sees it within a second, wherever it is.

    No new task is started, and those under way have some time to end (the run's `cancel_grace`); then all is killed.

    Args:
        run_dir: the run's directory.
        now: kill at once; also after a cancel that still waits. What was cut off stands in the run's status.
        wait: seconds to wait until the run has settled; 0 returns at once.
        heartbeat_stale: as for `status`.
        by: who asks, for the record.

    Raises:
        NotFound: there is no such run.
        WriteRefused: the request can't be written.
    """
    run = _existing(run_dir)
    current = read_status(run, heartbeat_stale=heartbeat_stale)
    if current.settled:
        return current
    if run.claim.exists() or not settle(run, CANCELLED):
        _request(run.cancel, by, now=now)
    return _await_end(run, wait, heartbeat_stale)


def pause(run_dir: Path, *, wait: float = 0, heartbeat_stale: float = HEARTBEAT_STALE, by: str = "") -> RunStatus:
    """Ask a run to end where its next stage begins, with the result ``paused``; it is gone on with like any other.

    Nothing is left running by a paused run, so that it outlives restarts. A run in its last stage finishes instead.

    The arguments are those of `cancel`.

    Raises:
        NotFound: there is no such run.
        WriteRefused: the request can't be written.
    """
    run = _existing(run_dir)
    current = read_status(run, heartbeat_stale=heartbeat_stale)
    if current.settled:
        return current
    _request(run.pause, by)
    return _await_end(run, wait, heartbeat_stale)


def execution(identity: str) -> str:
    """Return how a Mistral execution is called where somebody asks for something."""
    return f"execution {identity}"


def paused_by(run_dir: Path) -> str:
    """Return who has asked for a run's pause; empty when nobody has."""
    return str((rundir.read_json(RunDir(run_dir).pause) or {}).get("by", "")).removeprefix("by ")


def followed(run_dir: Path, owner: str) -> tuple[str, float]:
    """Return which execution has a run follow another one, and when that was last tried; empty and 0 for never."""
    known = (rundir.read_json(run_dir / FOLLOWERS) or {}).get(owner)
    if not isinstance(known, dict):
        return "", 0.0
    return str(known.get("execution", "")), float(known.get("tried", 0))


def note_follower(run_dir: Path, owner: str, follower: str) -> None:
    """Record which execution has a run follow `owner`; empty when that could not be begun.

    Raises:
        WriteRefused: it can't be written.
    """
    path = run_dir / FOLLOWERS
    known = rundir.read_json(path) or {}
    try:
        rundir.write_json(path, {**known, owner: {"execution": follower, "tried": time.time()}}, durable=False)
    except OSError as error:
        raise WriteRefused(f"the follower can't be recorded: {error.strerror}", where=str(path)) from error


def unpause(run_dir: Path, *, heartbeat_stale: float = HEARTBEAT_STALE) -> RunStatus:
    """Take back the request for a pause that a run has not come to yet.

    Raises:
        NotFound: there is no such run.
        WriteRefused: the request can't be taken back.
    """
    run = _existing(run_dir)
    try:
        run.pause.unlink(missing_ok=True)
    except OSError as error:
        raise WriteRefused(f"the request can't be taken back: {error.strerror}", where=str(run.pause)) from error
    return read_status(run, heartbeat_stale=heartbeat_stale)


def _request(path: Path, by: str, **more: bool) -> None:
    asked = {"at": rundir.now(), "by": f"by {by or _user()}", **more}
    try:
        # The first one counts, but for one that is in more of a hurry.
        if not rundir.write_once(path, asked) and more.get("now"):
            rundir.write_json(path, asked)
    except OSError as error:
        raise WriteRefused(f"the request can't be written: {error.strerror}", where=str(path)) from error


def _await_end(run: RunDir, wait: float, heartbeat_stale: float) -> RunStatus:
    deadline = time.monotonic() + wait
    current = read_status(run, heartbeat_stale=heartbeat_stale)
    while not current.settled and time.monotonic() < deadline:
        time.sleep(POLL)
        current = read_status(run, heartbeat_stale=heartbeat_stale)
    return current


def fence(run_dir: Path, host: str, reason: str, *, heartbeat_stale: float = HEARTBEAT_STALE) -> RunStatus:
    """Record the operator's word that the machine of a run is off and stays off: then silence means that it is dead.

    Raises:
        NotFound: there is no such run.
        InvalidInput: no reason, or another host than the run's own, or the run is on this very machine.
        WriteRefused: the word can't be written.
    """
    run = _existing(run_dir)
    claim = rundir.read_json(run.claim) or {}
    if not reason.strip():
        raise InvalidInput(
            "fencing needs a reason", where=run.run_id, remedy="Say how you know that the machine is off"
        )
    if host != claim.get("host"):
        raise InvalidInput(f"the run is on {claim.get('host', 'no machine')}, not on {host}", where=run.run_id)
    owner = Machine(host, str(claim.get("boot_id", "")), str(claim.get("pid_ns", "")))
    if owner.same(this_machine()):
        raise InvalidInput(
            "the run is on this machine, which is not off",
            where=run.run_id,
            remedy=f"tripleo-ffwd run cancel {run.run_id}",
        )
    try:
        rundir.write_json(run.fence, {"at": rundir.now(), "by": _user(), "host": host, "reason": reason.strip()})
    except OSError as error:
        raise WriteRefused(f"the word can't be written: {error.strerror}", where=str(run.fence)) from error
    return read_status(run, heartbeat_stale=heartbeat_stale)


def _existing(run_dir: Path) -> RunDir:
    if not run_dir.is_dir():
        raise NotFound("there is no such run", where=str(run_dir), remedy="See `tripleo-ffwd run list`")
    return RunDir(run_dir.absolute())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
