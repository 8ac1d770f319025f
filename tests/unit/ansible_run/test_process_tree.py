from __future__ import annotations

import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import until

from tripleo_ffwd.ansible_run import process_tree
from tripleo_ffwd.ansible_run.machine import is_alive, stat_process, this_machine


def start(run_id: str | None, script: str) -> subprocess.Popen[str]:
    env = {"PATH": os.environ["PATH"], **({process_tree.MARK: run_id} if run_id else {})}
    child = subprocess.Popen(["bash", "-c", script], env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    child.stdout.readline()
    return child


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[str]]:
    child = start("another-run", "echo up; exec sleep 1000")
    yield child
    child.kill()
    child.wait()


def test_marked_processes_and_their_unmarked_children_are_ended_and_no_stranger(
    stranger: subprocess.Popen[str],
) -> None:
    run_id = uuid.uuid4().hex
    child = start(run_id, "env -i sleep 1000 & (setsid sleep 1000 &); echo up; wait")
    # In the moment in which a process becomes another program it shows no environment.
    found = until("all three processes", lambda: len(seen := process_tree.scan(run_id)) == 3 and seen)
    assert process_tree.end_all(run_id) == ()
    assert process_tree.scan(run_id) == ()
    child.wait()
    assert not any(is_alive(one.pid, one.started) for one in found)
    assert stranger.poll() is None


def test_mark_is_compared_whole(stranger: subprocess.Popen[str]) -> None:
    assert process_tree.scan("another-ru") == ()
    assert len(process_tree.scan("another-run")) == 1


def test_known_process_is_ended_only_when_it_is_the_same(stranger: subprocess.Popen[str]) -> None:
    stat = stat_process(stranger.pid)
    assert stat is not None
    reused = process_tree.Process(stat.pid, stat.started - 1)
    assert process_tree.end_all("no-run", known=[reused]) == ()
    assert stranger.poll() is None
    assert process_tree.end_all("no-run", known=[process_tree.Process(stat.pid, stat.started)]) == ()
    assert stranger.wait() == -9


def test_zombie_and_reused_pid_are_dead(stranger: subprocess.Popen[str]) -> None:
    stat = stat_process(stranger.pid)
    assert stat is not None
    assert is_alive(stat.pid, stat.started) is True
    assert is_alive(stat.pid, stat.started + 1) is False
    stranger.kill()
    os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(stat.pid, stat.started) is False
    stranger.wait()
    assert is_alive(stat.pid, stat.started) is False


def test_machine_is_the_same_only_on_the_same_boot() -> None:
    here = this_machine()
    assert here.same(this_machine())
    assert here.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_children_of_all_threads_are_found_by_the_kernel_s_lists() -> None:
    started: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: started.append(subprocess.Popen(["sleep", "60"])))
    started.append(subprocess.Popen(["sleep", "60"]))
    thread.start()
    thread.join()
    try:
        found = process_tree.own_children()
        assert {one.pid for one in started} <= {one.pid for one in found}
        assert set(found) == set(process_tree.children(os.getpid()))
    finally:
        for one in started:
            one.kill()
            one.wait()
