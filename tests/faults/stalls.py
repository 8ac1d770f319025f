"""Rows in which the run's file system stalls: calls neither return nor fail, as those of a dead file server."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from ansible_lab import is_running
from faults import proof
from faults.kills import dead_or_done
from faults.lab import LONG, STALE, Case
from faults.processes import kill, soon
from support import until

SIZE = 64 << 20
LEASE = STALE / 2
# From the end of the lease to that of everything that can be ended, on a busy machine.
WITHIN = 20


def obstacle() -> str:
    """Return why there can be no file system that stalls, or an empty text."""
    if os.geteuid() != 0:
        return "only root can mount a file system and freeze it"
    missing = [name for name in ("mkfs.ext4", "mount", "umount", "fsfreeze") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    return "" if Path("/dev/loop-control").exists() else "there are no loop devices"


@contextlib.contextmanager
def file_system(image: Path, place: Path) -> Iterator[None]:
    """Have a file system of its own at `place`; it is thawed and taken away at the end."""
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    (place / "lost+found").rmdir()
    try:
        yield
    finally:
        _freeze(place, "--unfreeze")
        # What is held up there ends first.
        until("the end of what uses it", lambda: _do("umount", str(place)) == 0, 60)
        image.unlink()


def _do(*words: str) -> int:
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode


def _freeze(place: Path, how: str = "--freeze") -> int:
    return _do("fsfreeze", how, str(place))


def stalled(case: Case) -> None:
    """Whoever writes is held up for longer than the lease: what can be ended is, and nothing begins any more.

    A process that the kernel holds up in a write can't be killed: it is gone when the file system answers again.
    """
    with file_system(case.lab.root / "disk", case.work):
        case.start()
        case.wait_moment()
        pid, sleepers = case.supervisor(), case.family()
        assert _freeze(case.work) == 0
        time.sleep(LEASE)
        _held_up(case, sleepers)
        before = case.counts()
        time.sleep(2)
        assert case.counts() == before, "a task ran although the lease was over"
        if case.random.random() < 0.3:
            os.kill(pid, 9)
        _freeze(case.work, "--unfreeze")
        soon("the end of the supervisor", lambda: not is_running(pid), LONG)
        status = case.look()
        assert status.settled, status
        assert status.succeeded or status.state == "interrupted" or "heartbeat" in status.message, status
        proof.settled(case, torn=True)
        if not status.succeeded:
            case.complete()
            proof.settled(case)
        proof.whole(case)


def _held_up(case: Case, known: list[psutil.Process]) -> None:
    """Wait until all of the run but its supervisor is dead, or held up by the kernel."""

    def left() -> list[psutil.Process]:
        found = [process for process in {*known, *case.family()} if process.pid != case.supervisor()]
        return [process for process in found if _state(process) not in ("", "D", "Z")]

    until("the end of what can be ended", lambda: not left(), WITHIN)


def _state(process: psutil.Process) -> str:
    try:
        return str(Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0])
    except OSError:
        return ""


def stalled_for_a_moment(case: Case) -> None:
    """Within the lease a stall is no harm: the run goes on where it was held up."""
    with file_system(case.lab.root / "disk", case.work):
        case.start()
        case.wait_moment()
        assert _freeze(case.work) == 0
        time.sleep(case.random.uniform(0.2, 2))
        _freeze(case.work, "--unfreeze")
        assert case.settled().succeeded, case.status
        proof.settled(case)
        proof.whole(case)


def stalled_and_killed(case: Case) -> None:
    """The supervisor is killed while it is held up, and whoever asks for the status is held up with it, or is told."""
    with file_system(case.lab.root / "disk", case.work):
        case.start()
        case.wait_moment()
        pid = case.supervisor()
        assert _freeze(case.work) == 0
        time.sleep(case.random.uniform(0, 3))
        os.kill(pid, 9)
        asker = threading.Thread(target=case.look, daemon=True)
        asker.start()
        asker.join(case.random.uniform(0, 5))
        _freeze(case.work, "--unfreeze")
        asker.join(LONG)
        assert not asker.is_alive()
        kill(pid)
        dead_or_done(case)
        if case.status is not None and not case.status.succeeded:
            case.complete()
            proof.settled(case)
        proof.whole(case)


def request_stalled(case: Case) -> None:
    """Reading a request never returns: the supervisor hears a signal and ends the run all the same."""
    case.start()
    case.wait_moment()
    os.mkfifo(case.run_dir / "cancel.json", 0o600)  # nobody ever writes to it
    time.sleep(1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(case.supervisor(), signal.SIGTERM)
    status = case.settled(20)
    assert (status.state, status.result) in (("finished", "cancelled"), ("finished", "successful")), status
    proof.settled(case)
