"""Rows in which nodes behind SSH, or the way to them, misbehave."""

from __future__ import annotations

import contextlib

import psutil
from faults import proof
from faults.lab import Case
from faults.playbook import HOSTS
from faults.processes import soon

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.embedded import faults, node_files


def _lost_or_done(case: Case, host: str, seconds: float = 120) -> None:
    """The run has failed at one host, or had no task for it any more."""
    status = case.settled(seconds)
    assert status.state == "finished" and status.result in ("failed", "successful"), status
    if not status.succeeded:
        assert {task.host for task in status.failed} == {host}, status
        assert host in status.message, status
    proof.settled(case)


def _fault(case: Case, kind: str, argument: str = "") -> str:
    """Wait for the moment and for a task on a host that is drawn; make the host misbehave, and return its name."""
    host = case.random.choice(HOSTS)
    case.wait_moment()
    case.wait_task(host)
    assert case.lab.site is not None
    faults.set(case.lab.site, host, kind, argument)
    return host


def off(case: Case) -> None:
    """The power goes in the middle of a task, and is back when the run goes on."""
    case.start()
    host = _fault(case, "off")
    _lost_or_done(case, host)
    case.lab.heal()


def refusing(case: Case) -> None:
    """The node is still off when the run goes on: it fails before any task, and goes on later."""
    case.start()
    host = _fault(case, "off")
    _lost_or_done(case, host)
    if case.status is not None and not case.status.succeeded:
        had = case.counts()
        case.resume()
        _lost_or_done(case, host)
        assert case.status.succeeded or case.counts() == had, case.status
    case.lab.heal()


def dropped(case: Case) -> None:
    """Connections and processes are cut once; the node answers again at once."""
    case.start()
    host = _fault(case, "drop", "0.05")
    _lost_or_done(case, host)
    case.lab.heal()


def hanging(case: Case) -> None:
    """A node that never answers holds the run up; a cancel ends it within its bound and names the task."""
    case.start(grace=2)
    host = _fault(case, "hang")
    if not case.look().settled:
        runs.cancel(case.run_dir)
    status = case.settled(30)
    assert status.state == "finished" and status.result in ("cancelled", "successful"), status
    assert {task.host for task in status.running} <= {host}, status
    proof.settled(case)
    case.lab.heal()


def slow(case: Case) -> None:
    case.start()
    _fault(case, "slow", "0.4")
    assert case.settled().succeeded
    proof.settled(case)


def _clients(case: Case, host: str) -> list[psutil.Process]:
    """Return the run's ssh clients of tasks on a host."""
    assert case.lab.site is not None
    address = node_files.find(case.lab.site, host).address
    return [process for process in proof.marked(case.run_dir.name) if _is_client(process, address)]


def _is_client(process: psutil.Process, address: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.name() == "ssh" and address in process.cmdline()
    return False


def ssh_client(case: Case) -> None:
    """kill -9 of an ssh of a task: the node is lost for Ansible; what still runs there is waited for."""
    case.start()
    case.wait_moment()
    host = case.random.choice(HOSTS)
    found = soon("an ssh", lambda: _clients(case, host) or (case.look().settled and ["ended"]))
    for process in found:
        if isinstance(process, psutil.Process):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    _lost_or_done(case, host)


def ssh_master(case: Case) -> None:
    """kill -9 of the ssh that keeps a connection for the next tasks: a task fails, or a new connection is made."""
    case.start()
    case.wait_moment()
    found = soon("a master", lambda: proof.masters(case) or (case.look().settled and ["ended"]))
    chosen = case.random.choice(found)
    if isinstance(chosen, psutil.Process):
        with contextlib.suppress(psutil.NoSuchProcess):
            chosen.kill()
    status = case.settled(120)
    assert status.state == "finished" and status.result in ("failed", "successful"), status
    assert status.succeeded or len({task.host for task in status.failed}) == 1, status
    proof.settled(case)
