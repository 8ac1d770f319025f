"""One phase at a time on one plan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tripleo_ffwd.exceptions import InvalidInput, PlanLocked
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan import lock


def run(state: str, phase: str = "run") -> RunStatus:
    return RunStatus(
        run_id="r1", run_dir="/runs/r1", plan="overcloud", phase=phase, playbook="p.yaml", state=state, message="stale"
    )


def acquire(work_dir: Path, execution: str, phase: str = "run", state: str = "", runs: tuple[RunStatus, ...] = ()):
    current = lock.holder(work_dir, "overcloud")
    known = current.execution if current and state else ""
    return lock.acquire(
        work_dir, "overcloud", phase, execution, find_runs=lambda: runs, known_holder=known, known_state=state
    )


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
        lock.acquire(tmp_path, "overcloud", "run", "three", find_runs=tuple, known_holder="zero", known_state="SUCCESS")
        is not None
    )


def test_only_the_holder_gives_it_back_and_only_when_no_run_is_live(tmp_path):
    acquire(tmp_path, "one")
    assert not lock.release(tmp_path, "overcloud", "two", find_runs=tuple)
    assert not lock.release(tmp_path, "overcloud", "one", find_runs=lambda: [run("live")])
    assert lock.release(tmp_path, "overcloud", "one", find_runs=lambda: [run("finished")])
    assert lock.holder(tmp_path, "overcloud") is None


def test_a_free_plan_with_a_live_run_is_taken_by_the_run_s_phase_only(tmp_path):
    with pytest.raises(PlanLocked, match=r"Run r1 .* is still live"):
        acquire(tmp_path, "one", phase="prepare", runs=(run("live"),))
    assert lock.holder(tmp_path, "overcloud") is None
    assert acquire(tmp_path, "one", runs=(run("live"),)) is None


def test_one_execution_runs_one_phase_at_a_time(tmp_path):
    acquire(tmp_path, "one")
    with pytest.raises(PlanLocked, match="one phase of a plan at a time"):
        acquire(tmp_path, "one", phase="upgrade")


def test_an_execution_of_another_project_is_not_told_gone(tmp_path):
    lock.acquire(tmp_path, "overcloud", "run", "one", find_runs=tuple, project="theirs")
    with pytest.raises(PlanLocked, match="of project theirs, which can't be seen from here"):
        acquire(tmp_path, "two", state=lock.GONE)


@pytest.mark.parametrize("name", ["../../elsewhere", "a/b", "", 5, None])
def test_a_name_that_leaves_the_directory_is_refused_and_makes_nothing(tmp_path, name):
    for call in (
        lambda: lock.acquire(tmp_path, name, "run", "one", find_runs=tuple),
        lambda: lock.release(tmp_path, name, "one", find_runs=tuple),
        lambda: lock.check_owner(tmp_path, name, "one"),
    ):
        with pytest.raises(InvalidInput, match="can't be the name of a plan"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_two_at_once_make_one_holder(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda name: acquire(tmp_path, name), [f"e{number}" for number in range(8)]))
    assert sum(current is None for current in told) == 1
    holder = lock.holder(tmp_path, "overcloud")
    assert {current.execution for current in told if current} == {holder.execution}


def test_acting_on_a_plan_of_somebody_else_or_of_nobody_is_refused(tmp_path):
    lock.check_owner(tmp_path, "overcloud", "")
    with pytest.raises(PlanLocked, match="does not hold plan overcloud any more"):
        lock.check_owner(tmp_path, "overcloud", "anybody")
    acquire(tmp_path, "one")
    lock.check_owner(tmp_path, "overcloud", "one")
    with pytest.raises(PlanLocked, match="by execution one"):
        lock.check_owner(tmp_path, "overcloud", "two")


def test_the_records_are_given_back_also_while_an_error_is_being_told(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "GUARD_SECONDS", 0.1)
    with pytest.raises(ZeroDivisionError) as caught, lock.guarded(tmp_path, "overcloud"):
        raise ZeroDivisionError
    with lock.guarded(tmp_path, "overcloud"):
        assert caught.value.__traceback__ is not None
