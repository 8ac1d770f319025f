"""Runs, as the rest of the package uses them: start, go on with, status, pause, cancel, list, fence."""

from __future__ import annotations

import contextlib
import getpass
import os
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tripleo_ffwd.ansible_run import asking, launchers, predecessors, process_tree, resuming, rundir
from tripleo_ffwd.ansible_run.machine import Machine, this_machine
from tripleo_ffwd.ansible_run.rundir import RUNS, RunDir, run_dirs
from tripleo_ffwd.ansible_run.status import read_status, settle
from tripleo_ffwd.ansible_run.tree import load
from tripleo_ffwd.ansible_run.validation import validate
from tripleo_ffwd.exceptions import FfwdError, InvalidInput, LaunchFailed, NotFound, RunActive, WriteRefused
from tripleo_ffwd.model import RunSpec, RunStatus

POLL = 0.05
LOG_TAIL = 600
HEARTBEAT_STALE = 60
CANCEL_GRACE = 300


def start(
    work_dir: Path,
    spec: RunSpec,
    *,
    launcher: str,
    heartbeat_interval: int,
    heartbeat_stale: int,
    cancel_grace: int = CANCEL_GRACE,
    wait: float = 15,
    adopt: bool = False,
) -> tuple[RunStatus, bool]:
    """Start a run, or attach to the live one of the same key (plan, phase, playbook, digest, targets, batch).

    A live run of the same key that has other tags, variables or user is not attached to: it does something else.
    The same attempt (``spec.attempt``) asked for again gets its run whatever became of it: a message that Mistral
    delivers twice starts nothing twice.

    With ``spec.resume`` the newest run of the same plan, phase, playbook, nodes and batch is gone on with: one that was
    successful is the answer, one that wasn't is followed by a new run that begins with the first stage that is not
    finished, and has the variables of the end of the stage before it. Without any such run the new one begins at the
    beginning.

    Args:
        work_dir: the [ffwd] work_dir.
        spec: what to run.
        launcher: ``systemd``, ``supervisord`` or ``detach``.
        heartbeat_interval: seconds between two heartbeats.
        heartbeat_stale: seconds without one after which a run that can't be looked at is unknown.
        cancel_grace: seconds for which a cancel waits for the tasks under way.
        wait: seconds within which the supervisor must have taken the run over.
        adopt: take the plan's newest run for done when it is of the same key, with the same tags, variables and user,
            and was successful: for what must not be repeated.

    Returns:
        The status, and whether it is that of a run that was there already.

    Raises:
        InvalidInput: the spec is wrong, or an earlier run can't be gone on with; nothing was made.
        ConfigurationError: there is no Ansible.
        RunActive: another run of the plan is live, or may be.
        LaunchFailed: the supervisor didn't start; the run is settled as never started.
        WriteRefused: work_dir can't be written.
    """
    validate(spec)
    work_dir = work_dir.resolve()
    with _lock(work_dir, wait):
        there = predecessors.find_same(work_dir, spec, heartbeat_stale, adopt or spec.resume)
        if there is not None:
            return there, True
        tree = load(Path(spec.tree))
        earlier = predecessors.find_earlier(work_dir, spec, tree) if spec.resume else None
        if earlier is not None:
            spec = resuming.go_on(spec, tree, earlier, anyway=bool(spec.anyway))
        launch = {
            "created": time.time(),
            "launcher": launcher,
            "heartbeat_interval": heartbeat_interval,
            "heartbeat_stale": heartbeat_stale,
            "cancel_grace": cancel_grace,
            "asked": asking.fingerprint(spec),
            "starter": {**vars(this_machine()), "pid": os.getpid()},
        }
        run = rundir.create(work_dir, spec, launch)
        try:
            if earlier is not None:
                _hand_over(earlier.run, run, spec)
            launchers.launch(launcher, run, work_dir)
        except FfwdError as error:
            settle(run, str(error))
            raise
        return _await_takeover(run, heartbeat_stale, wait), False


@contextlib.contextmanager
def _lock(work_dir: Path, wait: float) -> Iterator[None]:
    runs = work_dir / RUNS
    try:
        work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # the mode is not that of parents made on the way
        runs.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(runs / ".lock", timeout=wait + 15, mode=0o600)
        lock.acquire()
    except Timeout as error:
        raise RunActive("another run is being started", where=str(runs), remedy="Try again in a moment") from error
    except OSError as error:
        raise WriteRefused(f"the lock can't be taken: {error.strerror}", where=str(runs)) from error
    with lock:
        yield


def _hand_over(earlier: RunDir, run: RunDir, spec: RunSpec) -> None:
    try:
        resuming.hand_over(earlier, run, spec)
    except OSError as error:
        raise WriteRefused(f"what Ansible knew can't be copied: {error.strerror}", where=str(run.variables)) from error


def _await_takeover(run: RunDir, heartbeat_stale: float, wait: float) -> RunStatus:
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline and not run.status.exists():
        if run.claim.exists() and read_status(run, heartbeat_stale=heartbeat_stale).settled:
            break
        time.sleep(POLL)
    late = f"no supervisor took the run over within {wait:g} s"
    if not run.claim.exists() and settle(run, late):
        raise LaunchFailed(f"{late}{_log_tail(run)}", where=str(run.supervisor_log), remedy="Look at the log")
    status = read_status(run, heartbeat_stale=heartbeat_stale)
    if status.state == "interrupted":
        raise LaunchFailed(f"{status.message}{_log_tail(run)}", where=str(run.supervisor_log), remedy="Look at the log")
    return status


def _log_tail(run: RunDir) -> str:
    try:
        text = run.supervisor_log.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    return f"; its log ends with: {text[-LOG_TAIL:]}" if text else ""


def timeout_of(run_dir: Path) -> int:
    """Return the seconds after which a run's supervisor ends it; 0 when its directory can't be read."""
    spec = rundir.load_spec(RunDir(run_dir))
    return spec.timeout if spec else 0


def status(run_dir: Path, *, heartbeat_stale: float = HEARTBEAT_STALE) -> RunStatus:
    """Return where a run stands; ``unknown`` with a message where it can't be told. Never raises for a run's files."""
    return read_status(RunDir(run_dir.absolute()), heartbeat_stale=heartbeat_stale)


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
    if run.claim.exists() or not settle(run, "it was cancelled before it began"):
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


def list_runs(
    work_dir: Path, plan: str | None = None, *, heartbeat_stale: float = HEARTBEAT_STALE, certain: bool = False
) -> tuple[RunStatus, ...]:
    """Return the runs of a plan (all plans by default), newest last.

    Args:
        work_dir: the [ffwd] work_dir.
        plan: the plan's name. A run whose spec can't be read may be of any plan: it is among them, with `plan` empty.
        heartbeat_stale: as for `status`.
        certain: leave those out that may be another plan's: for what is done to a plan's runs.
    """
    found = (read_status(run, heartbeat_stale=heartbeat_stale) for run in run_dirs(work_dir))
    wanted = (plan,) if certain else (plan, "")
    return tuple(status for status in found if plan is None or status.plan in wanted)


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


def leftovers(run_dir: Path) -> tuple[int, ...]:
    """Return the pids of what is alive of a run on this machine, without its supervisor: the proof of its end."""
    return tuple(process.pid for process in process_tree.scan(run_dir.name))


def _existing(run_dir: Path) -> RunDir:
    if not run_dir.is_dir():
        raise NotFound("there is no such run", where=str(run_dir), remedy="See `tripleo-ffwd run list`")
    return RunDir(run_dir.absolute())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
