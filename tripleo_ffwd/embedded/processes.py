"""Daemons of one directory: started detached, found again, never mistaken for another process, ended for certain.

Linux only, stdlib only; knows nothing of Mistral or Heat.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tripleo_ffwd import files
from tripleo_ffwd.exceptions import Busy, FfwdError

_RECORD = "process.json"
_POLL = 0.05


@dataclasses.dataclass(frozen=True)
class Process:
    """A process that can't be confused with a later one of the same pid.

    Attributes:
        pid: process id.
        start_ticks: start time in clock ticks since boot, as the kernel has it.
        boot_id: the boot that the two belong to.
    """

    pid: int
    start_ticks: int
    boot_id: str


def identify(pid: int) -> Process | None:
    """Return the live process `pid`; None when there is none or it is a zombie (ours is reaped)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    # A main thread that is a zombie while others still end: sockets and locks are not free yet.
    threads = int(fields[17])
    if fields[0] in "ZX" and threads <= 1:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return None
    return Process(pid=pid, start_ticks=int(fields[19]), boot_id=_boot_id())


def is_alive(process: Process) -> bool:
    """Return whether this very process still runs."""
    return identify(process.pid) == process


def find(directory: Path) -> Process | None:
    """Return the live process that recorded itself in `directory`, or None."""
    data = files.read_json(directory / _RECORD)
    if data is None:
        return None
    process = Process(**data)
    return process if is_alive(process) else None


def claim(directory: Path) -> IO[str]:
    """Make the calling process the one daemon of `directory` and record it; keep the result open for life.

    The lock is a POSIX one: children don't inherit it, so an Ansible run that outlives its Mistral holds nothing.

    Raises:
        Busy: another live process has claimed the directory.
    """
    lock = (files.make_private_dir(directory) / "process.lock").open("w", encoding="utf-8")
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise Busy("Another process already serves this directory", where=str(directory)) from error
    own = identify(os.getpid())
    if own is None:  # pragma: no cover - /proc is not mounted
        raise FfwdError("/proc does not show this process", remedy="Mount /proc")
    files.write_json(directory / _RECORD, dataclasses.asdict(own))
    return lock


def spawn(argv: Sequence[str], log: Path) -> Process:
    """Start a process in a session of its own, its output appended to `log` (mode 0600), and return it.

    It gets the caller's environment without OpenStack credentials, finds this Python's programs first and reaches
    loopback addresses without a proxy.

    Raises:
        FfwdError: it ended at once.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        pid = os.posix_spawn(
            argv[0],
            list(argv),
            _environment(),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(output)
    process = identify(pid)
    if process is None:
        raise FfwdError("The process ended at once", where=argv[0], remedy=f"See {log}")
    return process


def end(process: Process, *, grace: float) -> None:
    """End a process: SIGTERM, and SIGKILL after `grace` seconds (at once when 0); return when it is proven dead.

    Raises:
        FfwdError: it is still there 10 seconds after SIGKILL.
    """
    if grace and _signal(process, signal.SIGTERM) and wait_dead(process, grace):
        return
    if _signal(process, signal.SIGKILL) and not wait_dead(process, 10):
        raise FfwdError(f"Process {process.pid} does not end", remedy="Look what it waits for: ps -o wchan,stat")


def wait_dead(process: Process, timeout: float) -> bool:
    """Wait up to `timeout` seconds for the process to be gone; return whether it is."""
    deadline = time.monotonic() + timeout
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _signal(process: Process, number: signal.Signals) -> bool:
    """Send a signal to this very process; return False when it is gone."""
    try:
        # The descriptor pins the process before its start time is compared, so a reused pid can't be hit.
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(process):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _environment() -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
    programs = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([programs, environment.get("PATH", os.defpath)])
    environment["PYTHONWARNINGS"] = "ignore"
    for name in ("no_proxy", "NO_PROXY"):
        environment[name] = ",".join(filter(None, [environment.get(name, ""), "127.0.0.1", "localhost"]))
    return environment
