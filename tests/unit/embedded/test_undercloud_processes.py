from __future__ import annotations

import dataclasses
import os
import stat
import sys

import pytest
from support import until

from tripleo_ffwd import files
from tripleo_ffwd.embedded import processes
from tripleo_ffwd.exceptions import Busy

SERVER = """
import pathlib, signal, sys, time
from tripleo_ffwd.embedded import processes
if "stubborn" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
claim = processes.claim(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def started(tmp_path):
    """Start a daemon of tmp_path; all that were started are dead at the end."""
    made = []

    def start(*words):
        log = tmp_path / "daemon.log"
        process = processes.spawn([sys.executable, "-c", SERVER, str(tmp_path), *words], log)
        made.append(process)
        until("the daemon's claim", lambda: "ready" in log.read_text() or not processes.is_alive(process), 10)
        return process

    yield start
    for process in made:
        processes.end(process, grace=0)


def test_a_daemon_has_a_session_of_its_own_and_a_private_log(started, tmp_path):
    process = started()

    assert os.getsid(process.pid) == process.pid
    assert stat.S_IMODE((tmp_path / "daemon.log").stat().st_mode) == 0o600


def test_a_daemon_is_found_by_its_record_until_it_ends(started, tmp_path):
    process = started()
    assert processes.find(tmp_path) == process

    processes.end(process, grace=10)

    assert processes.find(tmp_path) is None
    processes.end(process, grace=10)


def test_a_record_of_a_reused_pid_is_nobody_and_gets_no_signal(started, tmp_path):
    process = started()
    earlier = dataclasses.replace(process, start_ticks=process.start_ticks - 1)
    files.write_json(tmp_path / "process.json", dataclasses.asdict(earlier))

    assert processes.find(tmp_path) is None
    processes.end(earlier, grace=10)

    assert processes.is_alive(process)


def test_a_daemon_that_ignores_sigterm_is_killed_after_the_grace(started):
    process = started("stubborn")

    processes.end(process, grace=0.2)

    assert not processes.is_alive(process)


def test_a_directory_has_one_daemon(started, tmp_path):
    started()

    with pytest.raises(Busy, match="already serves"):
        processes.claim(tmp_path)


def test_credentials_of_the_caller_do_not_reach_a_daemon(tmp_path, monkeypatch):
    monkeypatch.setenv("OS_PASSWORD", "hidden")
    log = tmp_path / "env.log"
    program = "import os; print(sorted(os.environ), flush=True); import time; time.sleep(60)"

    process = processes.spawn([sys.executable, "-c", program], log)

    try:
        text = until("its environment", log.read_text, 10)
        assert "OS_PASSWORD" not in text
        assert "PATH" in text
    finally:
        processes.end(process, grace=0)
