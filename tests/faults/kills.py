"""Rows in which processes of a run are killed; each function does it and checks what must be true then."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time

import psutil
import pytest
from ansible_lab import is_running
from faults import proof
from faults.lab import LONG, OPTIONS, STALE, Case
from faults.playbook import RECORDS, STAGES
from faults.processes import at_once, kill, soon
from support import until

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.exceptions import RunActive


def dead_or_done(case: Case) -> None:
    """The supervisor is dead: the run is interrupted, unless it had written its result before."""
    status = case.look()
    assert (status.state, status.result) in (("interrupted", ""), ("finished", "successful")), status
    proof.settled(case)


def failed_or_done(case: Case, said: str = "") -> None:
    """Ansible is dead, its supervisor lives: the run has failed, and says why."""
    status = case.settled(60)
    assert (status.state, status.result) in (("finished", "failed"), ("finished", "successful")), status
    assert status.succeeded or said in status.message, status.message
    proof.settled(case)


def supervisor(case: Case) -> None:
    case.start()
    case.wait_moment()
    kill(case.supervisor())
    dead_or_done(case)


def supervisor_unnoticed(case: Case) -> None:
    """Nobody asks for the status: Ansible itself starts no other task."""
    case.start()
    case.wait_moment()
    pid = case.ansible()
    kill(case.supervisor())
    soon("the end of Ansible", lambda: not is_running(pid), LONG)
    stopped = [line for line in case.all_lines() if line.stage == STAGES[-1].id]
    assert case.moment > RECORDS - 40 or not stopped, "Ansible went on to the end without its supervisor"
    dead_or_done(case)


def supervisor_at_once(case: Case) -> None:
    """Nobody asks for the status: the run is gone on with at once, and what is left of it is ended first."""
    case.start()
    case.wait_moment()
    first, pid = case.run_dir, case.supervisor()
    kill(pid)
    case.resume()
    if case.run_dir != first:
        assert proof.marked(first.name) == []
        assert runs.status(first, heartbeat_stale=STALE).state == "interrupted"
    assert case.settled().succeeded, case.status
    proof.settled(case, torn=True)  # which lines are which run's can't be said: the first went on while we asked


def supervisor_told(case: Case) -> None:
    case.start()
    case.wait_moment()
    os.kill(case.supervisor(), signal.SIGTERM)
    status = case.settled(15)
    assert (status.state, status.result) in (("finished", "cancelled"), ("finished", "successful")), status
    proof.settled(case)


def ansible(case: Case) -> None:
    case.start()
    case.wait_moment()
    kill(case.ansible())
    failed_or_done(case, "-9")


def ansible_told(case: Case) -> None:
    case.start()
    case.wait_moment()
    kill(case.ansible(), number=case.random.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP]))
    failed_or_done(case)


def worker(case: Case) -> None:
    case.start()
    case.wait_moment()

    def found() -> object:
        if case.look().settled:
            return "none"
        try:
            workers = psutil.Process(case.ansible()).children()
            return case.random.choice(workers).pid if workers else None
        except psutil.Error:
            return None

    pid = until("a worker", found)
    kill(*([pid] if isinstance(pid, int) else []))
    failed_or_done(case)


def both(case: Case) -> None:
    case.start()
    case.wait_moment()
    pids = [case.ansible(), case.supervisor()]
    case.random.shuffle(pids)
    kill(*pids)
    dead_or_done(case)


def _everything(case: Case) -> None:
    """As if the machine had lost its power: nothing of the run gets to do anything more."""
    pids = [case.supervisor(), *(process.pid for process in case.family())]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        pids = sorted({*pids, *(process.pid for process in case.family())})
    kill(*pids, *(process.pid for process in case.family()))


def everything(case: Case) -> None:
    case.start()
    case.wait_moment()
    _everything(case)
    dead_or_done(case)


def other_boot(case: Case) -> None:
    """After a restart nobody can look whether the supervisor lives: silence is unknown until the operator's word."""
    case.start()
    case.wait_moment()
    _everything(case)
    claim = json.loads((case.run_dir / "supervisor.json").read_text())
    (case.run_dir / "supervisor.json").write_text(json.dumps({**claim, "boot_id": "before", "host": "undercloud-0"}))
    status = until("silence", lambda: case.look() if case.look().state != "live" else None, 30)
    if not status.succeeded:
        assert status.state == "unknown" and "undercloud-0" in status.message, status
        with pytest.raises(RunActive, match="fence"):
            case.resume()
        assert len(case.chain) == 1
        runs.fence(case.run_dir, "undercloud-0", "it was restarted")
        assert case.look().state == "interrupted"
    if case.sockets:
        shutil.rmtree(case.sockets, ignore_errors=True)  # as a restart does with all temporary files of its machine
    proof.settled(case)


def twice(case: Case) -> None:
    """The run is killed, and so is the one that goes on with it, and the next."""
    case.start()
    case.wait_moment()
    for _ in range(case.random.randint(2, 3)):
        case.random.choice([lambda: kill(case.supervisor()), lambda: _everything(case)])()
        dead_or_done(case)
        if case.status is not None and case.status.succeeded:
            return
        case.resume()
        case.wait_moment(case.random.randint(1, 60))
    kill(case.supervisor())
    dead_or_done(case)


def young(case: Case) -> None:
    """The supervisor is killed before or while Ansible starts: when a file of the run appears."""
    appears = case.random.choice(["supervisor.json", "status.json", "tree", "ansible", "sockets.json", "ledger.jsonl"])
    had = case.counts()
    starter = os.fork()
    if not starter:
        try:
            runs.start(case.work, case.spec(), **OPTIONS)
        finally:
            os._exit(0)
    directory = soon("the file", lambda: next(case.work.glob(f"runs/2*/{appears}"), None)).parent
    kill(int(json.loads((directory / "supervisor.json").read_text())["pid"]))
    os.waitpid(starter, 0)
    case.took(runs.status(directory), had)
    dead_or_done(case)


def looked_at_by_two(case: Case) -> None:
    """Two processes see at once that the supervisor is dead, and both end what it has left."""
    case.start()
    case.wait_moment()
    kill(case.supervisor())
    first, second = at_once(*[lambda: case.look().to_dict()] * 2)
    assert first["state"] == second["state"] and first["result"] == second["result"], (first, second)
    dead_or_done(case)


def frozen_supervisor(case: Case) -> None:
    """One that was stopped for longer than its lease is alive, and whatever it does then, it says what it did."""
    case.start()
    case.wait_moment()
    pid = case.supervisor()
    kill(pid, number=signal.SIGSTOP)
    begun = time.monotonic()
    while time.monotonic() - begun < 8 and is_running(pid):
        status = case.look()
        assert status.state == "live" or status.succeeded, status
        time.sleep(0.2)
    kill(pid, number=signal.SIGCONT)
    status = case.settled(LONG)
    assert status.state == "finished" and status.result in ("successful", "failed"), status
    assert status.succeeded or "heartbeat" in status.message, status
    proof.settled(case)


def frozen_ansible(case: Case) -> None:
    """An ansible-playbook that is stopped hears no signal; a cancel that is to be at once ends it all the same."""
    case.start()
    case.wait_moment()
    kill(case.ansible(), number=signal.SIGSTOP)
    begun = time.monotonic()
    runs.cancel(case.run_dir, now=True)
    status = case.settled(20)
    assert time.monotonic() - begun < 10
    assert (status.state, status.result) in (("finished", "cancelled"), ("finished", "successful")), status
    proof.settled(case)
