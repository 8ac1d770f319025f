"""Rows in which the file system of the work directory has no room, or too little."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ansible_lab import is_running
from faults import proof
from faults.lab import Case
from faults.processes import kill
from support import until

from tripleo_ffwd.exceptions import InvalidInput

# Less than is reserved for the variables of a stage, more than all else takes.
LITTLE = 400 << 10


def disk_full(case: Case) -> None:
    """The file system of the work directory has no room any more; once there is room again the run is gone on with."""
    case.start()
    case.wait_moment()
    ballast = _fill(case.work)
    pid = case.supervisor()
    # It tries to write its last word until there is room; it must not take the run for live meanwhile.
    until("the end of Ansible", lambda: not case.family() or not is_running(pid), 60)
    status = case.look()
    assert status.state in ("live", "interrupted", "unknown") or status.settled, status
    ballast.unlink()
    status = case.settled(60)
    assert status.result in ("failed", "successful", ""), status
    proof.settled(case, torn=True)
    _resume_or_begin_again(case)


def disk_full_once(case: Case) -> None:
    """There is no room for a moment; later the supervisor is killed. Going on works, or is refused at once by name."""
    case.start()
    case.moment = case.wait_moment(case.moment // 2)
    ballast = _fill(case.work)
    case.wait_moment_or_end(case.moment + case.random.randint(1, 30), seconds=5)
    ballast.unlink()
    case.wait_moment_or_end(case.moment + case.random.randint(30, 50), seconds=20)
    kill(case.supervisor())
    status = case.look()
    assert status.settled, status
    proof.settled(case, torn=True)
    _resume_or_begin_again(case)


def disk_nearly_full(case: Case) -> None:
    """With little room no stage begins, and nothing is lost; a run under way has taken its room before."""
    under_way = case.random.random() < 0.5
    if under_way:
        case.start()
        case.wait_moment(case.moment // 2)
    ballast = _fill(case.work if under_way else case.lab.root, LITTLE)
    if not under_way:
        case.start()
    status = case.settled(60)
    # One that is young has not come to its first stage, and taken no room for it.
    assert status.succeeded == under_way or (under_way and status.stage == ""), status
    assert status.succeeded or (status.result == "failed" and "no room in" in status.message), status
    proof.settled(case)
    ballast.unlink()


def _fill(directory: Path, left: int = 0) -> Path:
    """Fill the file system of a directory but for some bytes; return the file that does."""
    ballast = directory / "ballast"
    if left:
        ballast.touch()
        found = os.statvfs(directory)
        with ballast.open("wb") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - left))
        return ballast
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 8, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return ballast


def _resume_or_begin_again(case: Case) -> None:
    """Variables that there was no room for are lost: then going on is refused, and the playbook begins again."""
    if case.status is None or case.status.succeeded:
        return
    try:
        case.resume()
    except InvalidInput as error:
        assert "variables" in str(error) and "No space left" in str(error), error
        case.lab.fresh()
        case.done = 0
        case.start()
    status = case.settled()
    assert status.succeeded, status
    proof.settled(case)
