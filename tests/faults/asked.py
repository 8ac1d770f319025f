"""Rows in which somebody asks for something: an end, a pause, the same run once more."""

from __future__ import annotations

import time

from faults import proof
from faults.lab import OPTIONS, Case
from faults.playbook import RECORDS, STAGES
from faults.processes import at_once

from tripleo_ffwd.ansible_run import runs

# From the request to the proof that nothing is alive.
WITHIN = 10.0


def _ended_as(case: Case, *results: str, seconds: float = 60) -> None:
    status = case.settled(seconds)
    assert status.state == "finished" and status.result in (*results, "successful"), status
    proof.settled(case)


def nothing(case: Case) -> None:
    """Without a fault all is as it should be, and moments are drawn from about all records that there are."""
    case.start()
    assert case.settled().succeeded
    proof.settled(case)
    assert abs((case.run_dir / "ledger.jsonl").read_bytes().count(b"\n") - RECORDS) < 10


def cancel(case: Case) -> None:
    case.start()
    case.wait_moment()
    runs.cancel(case.run_dir, by="the operator")
    _ended_as(case, "cancelled")
    assert case.status is not None and case.status.running == (), case.status


def cancel_now(case: Case) -> None:
    case.start()
    case.wait_moment()
    begun = time.monotonic()
    runs.cancel(case.run_dir, now=True)
    _ended_as(case, "cancelled", seconds=WITHIN)
    assert time.monotonic() - begun < WITHIN + 2  # with what it takes us to prove it


def cancel_twice(case: Case) -> None:
    case.start()
    case.wait_moment()
    runs.cancel(case.run_dir)
    case.wait_moment(case.moment + case.random.randint(0, 3))
    runs.cancel(case.run_dir, now=True)
    _ended_as(case, "cancelled", seconds=WITHIN)


def pause(case: Case) -> None:
    case.start()
    case.wait_moment()
    runs.pause(case.run_dir, by="the operator")
    _ended_as(case, "paused")
    status = case.status
    assert status is not None and status.running == (), status
    begun = {line.stage for line in case.all_lines()}
    assert begun == {stage.id for stage in STAGES[: status.stages_done]}, status


def pause_then_cancel_now(case: Case) -> None:
    case.start()
    case.wait_moment()
    runs.pause(case.run_dir)
    case.wait_moment(case.moment + case.random.randint(0, 5))
    runs.cancel(case.run_dir, now=True)
    _ended_as(case, "paused", "cancelled", seconds=WITHIN)


def pause_taken_back(case: Case) -> None:
    case.start()
    case.wait_moment()
    runs.pause(case.run_dir)
    case.wait_moment(case.moment + case.random.randint(0, 3))
    runs.unpause(case.run_dir)
    _ended_as(case, "paused")


def pause_attached(case: Case) -> None:
    """Somebody starts the same run again, gets it, pauses it and goes on with it; for who was first it is the same."""
    case.start()
    case.wait_moment()
    again, attached = runs.start(case.work, case.spec(owner="another", resume=True), **OPTIONS)
    assert attached and again.run_id == case.run_dir.name, again
    runs.pause(case.run_dir, by="another")
    _ended_as(case, "paused")
    if case.status is None or case.status.succeeded:
        return
    assert "another" in case.status.message, case.status
    case.resume(owner="another")
    goes_on, attached = runs.start(case.work, case.spec(resume=True), **OPTIONS)
    assert attached and goes_on.run_id == case.run_dir.name, goes_on
    assert case.settled().succeeded, case.status
    proof.settled(case)


def timeout(case: Case) -> None:
    """The moment is one of time here."""
    case.start(timeout=case.random.randint(1, 9))
    _ended_as(case, "timeout")


def start_twice(case: Case) -> None:
    """Two processes start the same run at once, and two more at a later moment: it is one run."""
    for _ in range(2):
        had = case.counts()
        answers = at_once(*[lambda: runs.start(case.work, case.spec(), **OPTIONS)[0].to_dict()] * 2)
        assert not [answer for answer in answers if "error" in answer], answers
        assert len({answer["run_id"] for answer in answers}) == 1, answers
        (status,) = runs.list_runs(case.work)
        case.took(status, had)
        case.moment = case.moment * 2 // 3  # it must not have ended before the second time
        if case.wait_moment() > RECORDS - 20:
            break
    assert case.settled().succeeded
    proof.settled(case)


def resume_twice(case: Case) -> None:
    """Two processes go on with the same run at once: one goes on, the other gets that run."""
    case.start()
    case.wait_moment()
    runs.cancel(case.run_dir, now=True)
    _ended_as(case, "cancelled", seconds=WITHIN)
    had = case.counts()
    answers = at_once(*[lambda: runs.start(case.work, case.spec(resume=True), **OPTIONS)[0].to_dict()] * 2)
    assert not [answer for answer in answers if "error" in answer], answers
    assert len({answer["run_id"] for answer in answers}) == 1, answers
    case.took(runs.list_runs(case.work)[-1], had)
    assert len(runs.list_runs(case.work)) == len(case.chain) <= 2
    assert case.settled().succeeded
    proof.settled(case)


def task_fails(case: Case) -> None:
    """A task fails on one host, and the operator mends it."""
    host = case.random.choice(list(case.lab.effects))
    switch = case.lab.effects[host].with_name(f"{case.lab.effects[host].name}.fails")
    case.start()
    case.wait_moment()
    switch.touch()
    _ended_as(case, "failed")
    status = case.status
    assert status is not None and (status.succeeded or {task.host for task in status.failed} == {host}), status
    switch.unlink()
