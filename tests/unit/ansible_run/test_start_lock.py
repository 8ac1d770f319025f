"""The lock of all starts: whoever waits for one that hangs is told which process that is."""

from __future__ import annotations

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
