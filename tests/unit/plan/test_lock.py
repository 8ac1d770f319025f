"""One phase at a time on one plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tripleo_ffwd.exceptions import PlanLocked
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan import lock


def run(state: str, phase: str = "run") -> RunStatus:
    return RunStatus(
        run_id="r1", run_dir="/runs/r1", plan="overcloud", phase=phase, playbook="p.yaml", state=state, message="stale"
    )


def acquire(work_dir: Path, execution: str, phase: str = "run", state: str = "", runs: tuple[RunStatus, ...] = ()):
    current = lock.holder(work_dir, "overcloud")
    known = current.execution if current and state else ""
    return lock.acquire(work_dir, "overcloud", phase, execution, runs=runs, known_holder=known, known_state=state)


def test_a_free_plan_is_taken_and_taking_it_again_changes_nothing(tmp_path):
    assert acquire(tmp_path, "one") is None
    first = lock.holder(tmp_path, "overcloud")
    assert acquire(tmp_path, "one") is None
    assert lock.holder(tmp_path, "overcloud") == first
    assert first is not None and (first.execution, first.phase) == ("one", "run")


def test_the_second_terminal_is_told_who_holds_the_plan(tmp_path):
    acquire(tmp_path, "one")
    told = acquire(tmp_path, "two", phase="upgrade")
    assert told is not None and told.execution == "one"
    with pytest.raises(PlanLocked, match=r"Plan overcloud is in phase run since .* by execution one, which is RUNNING"):
        acquire(tmp_path, "two", phase="upgrade", state="RUNNING")


@pytest.mark.parametrize("state", [*lock.TERMINAL, lock.GONE])
def test_the_lock_of_an_ended_execution_is_taken_over(tmp_path, state):
    acquire(tmp_path, "one")
    assert acquire(tmp_path, "two", state=state, runs=(run("finished"), run("interrupted"))) is None
    assert lock.holder(tmp_path, "overcloud").execution == "two"


def test_a_live_run_of_another_phase_keeps_the_plan(tmp_path):
    acquire(tmp_path, "one")
    with pytest.raises(PlanLocked, match=r"Run r1 of plan overcloud .* is still live"):
        acquire(tmp_path, "two", phase="upgrade", state="CANCELLED", runs=(run("live"),))


def test_the_same_phase_may_attach_to_its_own_live_run(tmp_path):
    acquire(tmp_path, "one")
    assert acquire(tmp_path, "two", state="CANCELLED", runs=(run("live"),)) is None


def test_an_unknown_run_keeps_the_plan_whatever_the_phase(tmp_path):
    acquire(tmp_path, "one")
    with pytest.raises(PlanLocked, match=r"may be alive: stale.*run fence r1"):
        acquire(tmp_path, "two", state="CANCELLED", runs=(run("unknown"),))


def test_what_was_known_of_another_holder_does_not_count(tmp_path):
    acquire(tmp_path, "one")
    assert (
        lock.acquire(tmp_path, "overcloud", "run", "three", runs=(), known_holder="zero", known_state="SUCCESS")
        is not None
    )


def test_only_the_holder_gives_it_back_and_only_when_no_run_is_live(tmp_path):
    acquire(tmp_path, "one")
    assert not lock.release(tmp_path, "overcloud", "two", runs=())
    assert not lock.release(tmp_path, "overcloud", "one", runs=(run("live"),))
    assert lock.release(tmp_path, "overcloud", "one", runs=(run("finished"),))
    assert lock.holder(tmp_path, "overcloud") is None


def test_acting_on_a_plan_of_somebody_else_is_refused(tmp_path):
    lock.check_owner(tmp_path, "overcloud", "anybody")
    acquire(tmp_path, "one")
    lock.check_owner(tmp_path, "overcloud", "one")
    with pytest.raises(PlanLocked, match="by execution one"):
        lock.check_owner(tmp_path, "overcloud", "two")
