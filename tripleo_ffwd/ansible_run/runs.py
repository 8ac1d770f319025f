"""Runs, as the rest of the package uses them: start, go on with, status, pause, cancel, list, fence."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from tripleo_ffwd.ansible_run import (
    asking,
    inventories,
    keys,
    launchers,
    predecessors,
    process_tree,
    resuming,
    rundir,
    start_lock,
)
from tripleo_ffwd.ansible_run.ending import (
    cancel,
    execution,
    fence,
    followed,
    note_follower,
    pause,
    paused_by,
    unpause,
)
from tripleo_ffwd.ansible_run.machine import this_machine
from tripleo_ffwd.ansible_run.rundir import RunDir, run_dirs
from tripleo_ffwd.ansible_run.status import HEARTBEAT_STALE, read_status, settle
from tripleo_ffwd.ansible_run.tree import load
from tripleo_ffwd.ansible_run.validation import validate
from tripleo_ffwd.exceptions import FfwdError, LaunchFailed, NoFreeSlot, WriteRefused
from tripleo_ffwd.model import FailedTask, RunSpec, RunStatus

__all__ = [
    "cancel",
    "execution",
    "fence",
    "followed",
    "leftovers",
    "list_runs",
    "lost",
    "note_follower",
    "pause",
    "paused_by",
    "stages",
    "start",
    "status",
    "timeout_of",
    "unpause",
]

POLL = 0.05
LOG_TAIL = 600
CANCEL_GRACE = 300
# Who holds the lock of all starts waits for a supervisor's takeover, and looks at all runs.
LOCK_SECONDS = 15


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
    ssh_key: str = "",
    secrets: Sequence[str] = (),
    executor: str = "",
    most: int = 0,
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
        ssh_key: private key to reach the nodes with, as `keys.check` returns it; kept on no disk but on its way to the
            supervisor.
        secrets: texts that no log may show, besides those that the spec, its inventory and its playbooks tell of.
        executor: name under which runs are counted; by default that of the machine.
        most: how many live runs one executor may have started; 0 for any number.

    Returns:
        The status, and whether it is that of a run that was there already.

    Raises:
        InvalidInput: the spec is wrong, or an earlier run can't be gone on with; nothing was made.
        ConfigurationError: there is no Ansible.
        RunActive: another run of the plan is live, or may be. Those of other batches of its phase are no obstacle.
        NoFreeSlot: the executor has as many live runs as it may have.
        LaunchFailed: the supervisor didn't start; the run is settled as never started.
        WriteRefused: work_dir can't be written.
    """
    validate(spec)
    work_dir = work_dir.resolve()
    with start_lock.held(work_dir, wait + LOCK_SECONDS):
        there = predecessors.find_same(work_dir, spec, heartbeat_stale, adopt or spec.resume)
        if there is not None:
            return there, True
        executor = executor or this_machine().host
        if most:
            _check_slot(work_dir, executor, most, heartbeat_stale)
        tree = load(Path(spec.tree))
        earlier = predecessors.find_earlier(work_dir, spec, tree) if spec.resume else None
        if earlier is not None:
            spec = resuming.go_on(spec, tree, earlier, anyway=bool(spec.anyway))
        launch = {
            "created": time.time(),
            "launcher": launcher,
            "executor": executor,
            "heartbeat_interval": heartbeat_interval,
            "heartbeat_stale": heartbeat_stale,
            "cancel_grace": cancel_grace,
            "asked": asking.fingerprint(spec),
            "starter": {**vars(this_machine()), "pid": os.getpid()},
        }
        covered = sorted({*secrets, *inventories.secrets(spec.inventory_file)})
        run = rundir.create(work_dir, spec, launch, keys.handed(ssh_key, covered))
        try:
            if earlier is not None:
                _hand_over(earlier.run, run, spec)
            launchers.launch(launcher, run, work_dir)
        except FfwdError as error:
            settle(run, str(error))
            raise
        return _await_takeover(run, heartbeat_stale, wait), False


def _check_slot(work_dir: Path, executor: str, most: int, heartbeat_stale: float) -> None:
    ours = [run for run in run_dirs(work_dir) if (rundir.read_json(run.launch) or {}).get("executor") == executor]
    live = [run.run_id for run in ours if not read_status(run, heartbeat_stale=heartbeat_stale).settled]
    if len(live) >= most:
        raise NoFreeSlot(
            f"executor {executor} has {len(live)} live runs and may have {most}: {', '.join(live)}",
            where="[ffwd] runs_per_executor",
            remedy="Try again when one has ended, or on another executor",
        )


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


def lost(run_dir: Path) -> tuple[FailedTask, ...]:
    """Return the hosts that a run has lost, each with its first failed task, in the order in which it lost them.

    They are those of a run that came to an end by itself; of any other nothing is said.

    Raises:
        InvalidInput: its playbooks are gone.
        OSError: its ledger can't be read.
    """
    run = RunDir(run_dir.absolute())
    spec = rundir.load_spec(run)
    ended = rundir.read_json(run.status) or {}
    if spec is None or (ended.get("state"), ended.get("result")) != ("finished", "failed"):
        return ()
    return resuming.replay(run, spec, load(Path(spec.tree)))[0].lost


def stages(run_dir: Path) -> tuple[tuple[int, str], ...]:
    """Return the stages that a run goes through, in order: how many are finished when it begins, and its id.

    Empty when its playbooks are gone; a stage that no host of the run has anything in is left out.
    """
    spec = rundir.load_spec(RunDir(run_dir))
    if spec is None:
        return ()
    try:
        tree = load(Path(spec.tree))
    except (FfwdError, OSError):
        return ()
    done = tree.done_before(spec)
    return tuple((n, stage.id) for n, stage in enumerate(tree.required(spec)) if stage.hosts and stage.id not in done)


def timeout_of(run_dir: Path) -> int:
    """Return the seconds after which a run's supervisor ends it; 0 when its directory can't be read."""
    spec = rundir.load_spec(RunDir(run_dir))
    return spec.timeout if spec else 0


def status(run_dir: Path, *, heartbeat_stale: float = HEARTBEAT_STALE) -> RunStatus:
    """Return where a run stands; ``unknown`` with a message where it can't be told. Never raises for a run's files."""
    return read_status(RunDir(run_dir.absolute()), heartbeat_stale=heartbeat_stale)


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


def leftovers(run_dir: Path) -> tuple[int, ...]:
    """Return the pids of what is alive of a run on this machine, without its supervisor: the proof of its end."""
    return tuple(process.pid for process in process_tree.scan(run_dir.name))
