"""The lock of all starts of runs: held for seconds; who holds it is told to whoever waits in vain."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tripleo_ffwd.ansible_run import rundir
from tripleo_ffwd.ansible_run.machine import Machine, is_alive, now, stat_process, this_machine
from tripleo_ffwd.exceptions import RunActive, WriteRefused

FILE, HOLDER = ".lock", ".lock.json"
# A process that a signal, or a debugger, has stopped.
_STOPPED = "Tt"


@contextlib.contextmanager
def held(work_dir: Path, seconds: float) -> Iterator[None]:
    """Hold the lock.

    Args:
        work_dir: the [ffwd] work_dir.
        seconds: how long it is waited for.

    Raises:
        RunActive: another process had it all the time; says which one, and since when.
        WriteRefused: work_dir can't be written.
    """
    runs = work_dir / rundir.RUNS
    try:
        work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # the mode is not that of parents made on the way
        runs.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(runs / FILE, timeout=seconds, mode=0o600)
        taken = lock.acquire()
    except Timeout as error:
        raise _refusal(runs, seconds) from error
    except OSError as error:
        raise WriteRefused(f"the lock can't be taken: {error.strerror}", where=str(runs)) from error
    with taken:  # `with lock` would take it twice and give it back once
        _sign(runs)
        try:
            yield
        finally:
            _unsign(runs)


def _sign(runs: Path) -> None:
    stat = stat_process(os.getpid())
    me = {**vars(this_machine()), "pid": os.getpid(), "started": stat.started if stat else 0, "since": now()}
    try:
        rundir.write_json(runs / HOLDER, me, durable=False)
    except OSError:  # the lock itself is what counts; what can't be written fails elsewhere
        _unsign(runs)


def _unsign(runs: Path) -> None:
    """Have nobody named: neither who has no lock any more, nor who was killed with it."""
    with contextlib.suppress(OSError):
        (runs / HOLDER).unlink(missing_ok=True)


def _refusal(runs: Path, seconds: float) -> RunActive:
    text = f"another run is being started, and that has taken more than {seconds:g} s"
    told = rundir.read_json(runs / HOLDER) or {}
    try:
        machine = Machine(told["host"], told["boot_id"], told["pid_ns"])
        pid, started, since = int(told["pid"]), int(told["started"]), str(told["since"])
    except (KeyError, TypeError, ValueError):
        return RunActive(text, where=str(runs / FILE), remedy="Try again in a moment")
    how, remedy = _look(machine, pid, started)
    return RunActive(
        f"{text}: process {pid} on {machine.host} has the lock since {since}{how}",
        where=str(runs / FILE),
        remedy=f"Try again in a moment. {remedy}",
        holder=pid,
        host=machine.host,
    )


def _look(machine: Machine, pid: int, started: int) -> tuple[str, str]:
    """Return what can be seen of the process that has the lock, in words that follow its name, and what ends it."""
    if not machine.same(this_machine()):
        return "", f"If it lasts, see what that process does, on {machine.host} or in the container that it is in"
    alive, stat = is_alive(pid, started), stat_process(pid)
    if alive is False:
        return (
            ", and is gone: another one has it that could not say so",
            "If it lasts, `lslocks`, as root on each machine that starts runs, tells which process has it",
        )
    if alive is None:
        return "", f"If it lasts, see as root on {machine.host} what that process does"
    return (
        ", and is stopped (SIGSTOP, or a debugger)" if stat and stat.state in _STOPPED else "",
        f"If that process hangs, end it: `kill -9 {pid}` on {machine.host}; what it was starting is settled by the "
        "next start",
    )
