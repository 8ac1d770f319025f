"""Finding, ending and proving the end of all processes of a run; knows nothing of Ansible or run directories.

A process belongs to a run when it carries the run's mark in its environment, or descends from one that does, or from
the run's supervisor. The supervisor is the subreaper of all it started, so nothing of a run can leave its family by
daemonising (every worker of ansible-core 2.19 and every ssh master tries) or by clearing its environment.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import signal
import time
from collections.abc import Iterable

from tripleo_ffwd.ansible_run.machine import ProcessStat, read_proc, stat_process

MARK = "FFWD_RUN_ID"


@dataclasses.dataclass(frozen=True)
class Process:
    """A process, unmistakable on its machine: pid and start in clock ticks since boot."""

    pid: int
    started: int


def _processes() -> dict[int, ProcessStat]:
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 (thousands of names: no Path for each)
        if entry.isdigit() and (stat := stat_process(int(entry))) is not None:
            found[stat.pid] = stat
    return found


def _is_marked(pid: int, mark: bytes) -> bool:
    try:
        environ = read_proc(f"/proc/{pid}/environ")
    except OSError:
        return False  # ended, or another user's: not ours
    return mark in environ.split(b"\0")


def _ancestry(pid: int, processes: dict[int, ProcessStat]) -> set[int]:
    line: set[int] = set()
    while pid in processes and pid not in line:
        line.add(pid)
        pid = processes[pid].ppid
    return line


def scan(run_id: str, *, supervisor: int | None = None, known: Iterable[Process] = ()) -> tuple[Process, ...]:
    """Return the living processes of a run, without the caller, the caller's ancestors and the supervisor.

    Args:
        run_id: what the mark says.
        supervisor: pid of the run's supervisor, when it lives: its descendants belong to the run.
        known: processes that are known to be the run's though they may carry no mark.
    """
    processes = _processes()
    spared = _ancestry(os.getpid(), processes) | {supervisor}
    mark = f"{MARK}={run_id}".encode()
    family = {pid for pid in processes if pid not in spared and _is_marked(pid, mark)}
    family |= {one.pid for one in known if one.pid in processes and processes[one.pid].started == one.started}
    if supervisor is not None:
        family.add(supervisor)
    members = {pid for pid in processes if pid not in spared and _ancestry(pid, processes) & family}
    return tuple(Process(pid, processes[pid].started) for pid in sorted(members) if not processes[pid].dead)


def send(process: Process, number: signal.Signals) -> None:
    """Signal a process, never another that took its pid; quiet when it has ended or is not ours to signal."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        fd = _pidfd(process.pid)
        try:
            stat = stat_process(process.pid)
            if stat is None or stat.started != process.started:
                return
            if fd is None:
                os.kill(process.pid, number)
            else:
                signal.pidfd_send_signal(fd, number)
        finally:
            if fd is not None:
                os.close(fd)


def _pidfd(pid: int) -> int | None:
    """Return a handle that no other process can take over; None on kernels before 5.3, as of CentOS 7 underclouds."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EINVAL):
            return None
        raise


def reap(spare: int) -> None:
    """Collect the ended children of this process, but `spare`, whose own parent code waits for it."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if ended.si_pid == spare:
                return
            os.waitpid(ended.si_pid, os.WNOHANG)


def end_all(
    run_id: str, *, supervisor: int | None = None, known: Iterable[Process] = (), seconds: float = 10.0
) -> tuple[Process, ...]:
    """Kill every process of a run until two scans in a row find none.

    All are stopped before any is killed: a stopped process can't start another, whose parent would be gone then.

    Returns:
        Those that still live after `seconds`; empty means proven.
    """
    deadline = time.monotonic() + seconds
    known = set(known)
    stopped: set[Process] = set()
    empty = 0
    while True:
        left = set(scan(run_id, supervisor=supervisor, known=known))
        empty = 0 if left else empty + 1
        if empty == 2:
            return ()
        if left and time.monotonic() > deadline:
            return tuple(sorted(left, key=lambda process: process.pid))
        number = signal.SIGKILL if left <= stopped else signal.SIGSTOP
        for process in left:
            send(process, number)
        stopped |= left
        known |= left  # of a family that has lost its marked head, too
        time.sleep(0.02)


def children(pid: int) -> tuple[Process, ...]:
    """Return the children of a process, ended ones too."""
    return tuple(Process(stat.pid, stat.started) for stat in _processes().values() if stat.ppid == pid)


def own_children() -> tuple[Process, ...]:
    """Return the children of this process, ended ones too, by the kernel's own lists: cheap enough to ask often.

    One may be missing that begins or ends meanwhile. Kernels without such lists are asked for all processes.
    """
    me = os.getpid()
    pids: set[int] = set()
    try:
        for thread in os.listdir(f"/proc/{me}/task"):  # noqa: PTH208
            with contextlib.suppress(ProcessLookupError):
                pids.update(map(int, read_proc(f"/proc/{me}/task/{thread}/children").split()))
    except FileNotFoundError:
        return children(me)
    stats = (stat_process(pid) for pid in sorted(pids))
    return tuple(Process(stat.pid, stat.started) for stat in stats if stat is not None and stat.ppid == me)
