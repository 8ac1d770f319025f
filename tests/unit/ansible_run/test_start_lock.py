"""The lock of all starts: whoever waits for one that hangs is told which process that is."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import until

from tripleo_ffwd.ansible_run import start_lock
from tripleo_ffwd.ansible_run.machine import stat_process
from tripleo_ffwd.exceptions import RunActive

HOLD = """
import sys, time
from pathlib import Path
from tripleo_ffwd.ansible_run import start_lock
with start_lock.held(Path(sys.argv[1]), 5):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_frozen_process_that_has_the_lock_is_named_in_time(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    os.kill(other.pid, signal.SIGSTOP)
    until("it is stopped", lambda: getattr(stat_process(other.pid), "state", "") == "T")
    begun = time.monotonic()
    with pytest.raises(RunActive) as caught, start_lock.held(tmp_path, 0.3):
        pass
    assert time.monotonic() - begun < 5
    told = str(caught.value)
    assert f"process {other.pid} on {socket.gethostname()} has the lock since " in told
    assert "is stopped" in told and f"kill -9 {other.pid}" in told
    other.kill()
    other.wait()
    with start_lock.held(tmp_path, 5):
        assert (tmp_path / "runs" / start_lock.HOLDER).stat().st_mode & 0o777 == 0o600


def test_who_has_the_lock_and_could_not_say_so_is_not_made_up(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    (tmp_path / "runs" / start_lock.HOLDER).unlink()
    with pytest.raises(RunActive, match=r"another run is being started.* Try again"), start_lock.held(tmp_path, 0.1):
        pass


def refused(work_dir: Path, **changes: object) -> str:
    """Return what is told when the record of who has the lock is another."""
    holder = work_dir / "runs" / start_lock.HOLDER
    holder.write_text(json.dumps({**json.loads(holder.read_text()), **changes}))
    with pytest.raises(RunActive) as caught, start_lock.held(work_dir, 0.1):
        pass
    return str(caught.value)


def test_nobody_is_told_to_kill_what_is_gone_or_elsewhere(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    assert f"kill -9 {other.pid}" in refused(tmp_path)
    gone = refused(tmp_path, started=1)
    assert "and is gone" in gone and "lslocks" in gone and "kill -9" not in gone
    for where in ({"pid_ns": "pid:[1]"}, {"boot_id": "b", "host": "ctl-1"}):
        told = refused(tmp_path, **where)
        assert f"process {other.pid} on " in told and "container" in told and "kill -9" not in told


def test_former_holder_is_named_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = tmp_path / "runs" / start_lock.HOLDER
    with start_lock.held(tmp_path, 5):
        assert holder.exists()
    assert not holder.exists()
    holder.write_text("{}")  # of one that was killed

    def fail(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(start_lock.rundir, "write_json", fail)
    with start_lock.held(tmp_path, 5):
        assert not holder.exists()


def test_lock_is_given_back_also_while_an_error_is_being_told(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught, start_lock.held(tmp_path, 5):
        raise ZeroDivisionError
    with start_lock.held(tmp_path, 0.1):
        assert caught.value.__traceback__ is not None
