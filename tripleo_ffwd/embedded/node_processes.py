"""The processes of embedded nodes: who is who, and how all of a node's end; stdlib only, no import of ours but errors.

A process belongs to a node when it carries the node's ``NODE_ROOT`` in its environment, which every command on a
node is given and hands on, or when it is in a session that the node's server started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

from tripleo_ffwd.exceptions import FfwdError

PROC = Path("/proc")
POLL = 0.01


def start_time(pid: int) -> str:
    """Return what makes a pid this process and no later one: boot id and start tick; empty when it is dead."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        boot = (PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def of_root(root: Path, sessions: Collection[int] = ()) -> list[int]:
    """Return the pids of everything that runs on the node with this root directory.

    Args:
        root: the node's root directory.
        sessions: ids of sessions that were started on the node: a process that dropped its environment is still in one.
    """
    marker = b"\0NODE_ROOT=" + os.fsencode(root) + b"\0"
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            pid = int(entry.name)
            ours = bool(sessions) and os.getsid(pid) in sessions and bool(start_time(pid))
            if ours or marker in b"\0" + (entry / "environ").read_bytes() + b"\0":
                found.append(pid)
    return found


def kill(root: Path, sessions: Collection[int] = ()) -> bool:
    """Kill everything on the node that is alive now; return whether there was nothing."""
    pids = of_root(root, sessions)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not pids


def end(root: Path, name: str, timeout: float = 10.0) -> None:
    """Kill everything on the node until nothing is left.

    Raises:
        FfwdError: something is alive after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while not kill(root):
        if time.monotonic() > deadline:
            raise FfwdError(
                f"processes {of_root(root)} of {name} do not end", remedy="Look at them, then stop the nodes again"
            )
        time.sleep(POLL)


def wait_gone(pid: int, started: str, timeout: float) -> bool:
    """Wait until a process is gone; return False when it is still there after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while start_time(pid) == started:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True
