"""Which machine this is, and whether a process of it is alive: what decides if a run is dead (stdlib only)."""

from __future__ import annotations

import dataclasses
import datetime
import os
import socket
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where a process lives: a pid means something only on the same boot and in the same pid namespace.

    Attributes:
        host: host name, for people.
        boot_id: the kernel's id of this boot.
        pid_ns: the pid namespace, as in ``/proc/self/ns/pid``.
    """

    host: str
    boot_id: str
    pid_ns: str

    def same(self, other: Machine) -> bool:
        """Tell whether pids of the one can be looked up on the other."""
        return bool(self.boot_id) and (self.boot_id, self.pid_ns) == (other.boot_id, other.pid_ns)


@dataclasses.dataclass(frozen=True)
class ProcessStat:
    """A process in /proc: state letter, parent, and start in clock ticks since boot."""

    pid: int
    state: str
    ppid: int
    started: int

    @property
    def dead(self) -> bool:
        """True for a zombie: it runs no more and only waits to be reaped."""
        return self.state in "ZXx"


def now() -> str:
    """Return this moment in UTC, to the millisecond, as ISO 8601."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


def this_machine() -> Machine:
    """Return the machine that this process runs on."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return Machine(host=socket.gethostname(), boot_id=boot_id, pid_ns=str(Path("/proc/self/ns/pid").readlink()))


def read_proc(path: str) -> bytes:
    """Return a file of /proc, at a third of what `Path.read_bytes` costs: all processes are looked at, often."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = b""
        while part := os.read(descriptor, 1 << 17):
            found += part
        return found
    finally:
        os.close(descriptor)


def stat_process(pid: int) -> ProcessStat | None:
    """Return what /proc says of `pid`; None when it isn't there (or hidden from us)."""
    try:
        text = read_proc(f"/proc/{pid}/stat")
    except OSError:
        return None
    if b")" not in text:
        return None
    # The command's name, in parentheses, may itself hold spaces and parentheses.
    fields = text[text.rindex(b")") + 2 :].split()
    return ProcessStat(pid=pid, state=fields[0].decode(), ppid=int(fields[1]), started=int(fields[19]))


def is_alive(pid: int, started: int) -> bool | None:
    """Tell whether the process that began at `started` still runs; None when this can't be seen from here."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    stat = stat_process(pid)
    if stat is None:  # gone this instant, or hidden by a /proc mounted with hidepid
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return None
    return stat.started == started and not stat.dead
