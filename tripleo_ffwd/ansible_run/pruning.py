"""Removing the directories of runs that nothing needs any more: those of former journeys, but for what is kept of them.

A journey is what comes after a plan's prepare until its next one, which begins only when all nodes have finished
converge. What belongs to the present one stays: reports, states of nodes and resume are made from it.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tripleo_ffwd.ansible_run import rundir, start_lock
from tripleo_ffwd.ansible_run.rundir import RUNS, RunDir, run_dirs
from tripleo_ffwd.ansible_run.status import HEARTBEAT_STALE, read_status
from tripleo_ffwd.exceptions import WriteRefused
from tripleo_ffwd.files import sync_dir
from tripleo_ffwd.model import RunSpec, RunStatus

LOCK_SECONDS = 30
# How the name of a directory begins that is being removed.
GONE = ".gone-"


def prune(
    work_dir: Path,
    journey: Callable[[str], str],
    *,
    plan: str = "",
    days: float = 0,
    dry_run: bool = False,
    heartbeat_stale: float = HEARTBEAT_STALE,
) -> tuple[RunStatus, ...]:
    """Remove runs that nothing needs any more.

    It stays what is not settled, or can't be read; the newest run of each playbook of a plan with the same tags and
    check mode; the newest of those on the same nodes and of the same batch when it was not successful, because it could
    be gone on with; what one that stays has gone on with; and all of the plan's present journey, or of a plan of which
    no journey is known. A run that never began is none of the newest.

    Args:
        work_dir: the [ffwd] work_dir.
        journey: gives the moment (ISO 8601, UTC) at which a plan's present journey began; empty when it isn't known.
        plan: the plan whose runs are meant; empty for all.
        days: how long ago they must have ended.
        dry_run: remove nothing.
        heartbeat_stale: as for `runs.status`.

    Returns:
        The last statuses of the runs that were removed, oldest first.

    Raises:
        RunActive: runs are being started all the time.
        WriteRefused: one can't be removed whole; the next time that is tried again.
    """
    work_dir = work_dir.resolve()
    with start_lock.held(work_dir, LOCK_SECONDS):
        found = _useless(work_dir, journey, plan, days, heartbeat_stale)
        if not dry_run:
            _hide(work_dir / RUNS, found)
    if not dry_run:  # starts don't wait for that
        _remove_hidden(work_dir / RUNS)
    return found


def _useless(
    work_dir: Path, journey: Callable[[str], str], plan: str, days: float, heartbeat_stale: float
) -> tuple[RunStatus, ...]:
    until = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    begun: dict[str, str] = {}
    newest: set[tuple[object, ...]] = set()
    needed: set[str] = set()
    found: list[RunStatus] = []
    for run in reversed(run_dirs(work_dir)):
        spec = rundir.load_spec(run)
        status = read_status(run, heartbeat_stale=heartbeat_stale)
        if spec is None or not status.settled:
            continue
        ended = status.finished_at or status.started_at or _made(run)
        if spec.plan not in begun:
            begun[spec.plan] = journey(spec.plan)
        former = bool(ended) and ended < begun[spec.plan] and ended < until.isoformat()
        stays = (bool(status.started_at) and _is_newest(spec, status, newest)) or run.run_id in needed
        if former and not stays and plan in ("", spec.plan):
            found.append(status)
        else:
            needed |= {spec.resumes, spec.follows, *spec.chain}
    return tuple(reversed(found))


def _is_newest(spec: RunSpec, status: RunStatus, newest: set[tuple[object, ...]]) -> bool:
    """Return whether a run is the newest of its kind, or could be gone on with; notes its kinds."""
    playbook = (spec.plan, spec.phase, spec.playbook, spec.check, spec.tags, spec.skip_tags)
    same = (*playbook, spec.targets, spec.batch)
    is_newest = playbook not in newest or (same not in newest and not status.succeeded)
    newest |= {playbook, same}
    return is_newest


def _made(run: RunDir) -> str:
    """Return the moment in a run's id, for one that never began; empty when there is none in it."""
    try:
        made = datetime.datetime.strptime(run.run_id.partition("-")[0], "%Y%m%dT%H%M%S%f")
    except ValueError:
        return ""
    return made.replace(tzinfo=datetime.timezone.utc).isoformat()


def _hide(runs: Path, found: Sequence[RunStatus]) -> None:
    """Have runs be none any more, each at once: half a run is none."""
    path = runs
    try:
        for path in [Path(status.run_dir) for status in found]:
            path.rename(path.with_name(f"{GONE}{path.name}"))
        path = runs
        sync_dir(runs)
    except OSError as error:
        raise _refusal(path, error) from error


def _remove_hidden(runs: Path) -> None:
    """Remove all that is hidden, also by one that was ended in the middle of it."""
    refusal: WriteRefused | None = None
    for path in sorted(runs.glob(f"{GONE}*")):
        try:
            shutil.rmtree(path)
        except FileNotFoundError:  # another one is at it
            continue
        except OSError as error:
            refusal = _refusal(path, error)
    if refusal is not None:
        raise refusal


def _refusal(path: Path, error: OSError) -> WriteRefused:
    return WriteRefused(
        f"the run's directory can't be removed: {error.strerror}", where=str(path), remedy="Check owner and modes"
    )
