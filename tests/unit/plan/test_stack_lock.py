"""What is told to whoever wants a stack that another plan has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tripleo_ffwd.exceptions import PlanLocked
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan import lock, stack_lock


def taken(work_dir: Path) -> None:
    """Have plan one at work on the stack."""
    lock.acquire(work_dir, "one", "run", "e-1", find_runs=lambda: (), project="p-1")
    assert stack_lock.take(work_dir, work_dir, "one", "cloud", find_runs=lambda _plan: (), project="p-1") is None


def refused(work_dir: Path, state: str, *runs: RunStatus, project: str = "p-1") -> str:
    """Return what plan two is told."""
    known = {"known_holder": "e-1", "known_state": state, "project": project}
    with pytest.raises(PlanLocked) as caught:
        stack_lock.take(work_dir, work_dir, "two", "cloud", find_runs=lambda _plan: runs, **known)
    return str(caught.value)


def run(state: str) -> RunStatus:
    return RunStatus(run_id="r1", run_dir="/runs/r1", plan="one", phase="run", playbook="p.yaml", state=state)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a guard that was not given back be told at once."""
    monkeypatch.setattr(stack_lock, "GUARD_SECONDS", 1)


def test_what_ends_a_run_depends_on_whether_it_is_known_to_be_alive(tmp_path: Path) -> None:
    taken(tmp_path)
    assert "`tripleo-ffwd run cancel r1`" in refused(tmp_path, "ERROR", run("live"))
    assert "`tripleo-ffwd run fence r1 --host HOST" in refused(tmp_path, "ERROR", run("unknown"))


def test_the_lost_execution_of_another_project_is_ended_by_a_user_of_that_project(tmp_path: Path) -> None:
    taken(tmp_path)
    told = refused(tmp_path, lock.GONE, project="p-2")
    assert "of project p-1, which can't be seen from here" in told
    assert "a user of that project begins a phase of plan one and lets it end" in told
    assert "a user of that project" not in refused(tmp_path, "RUNNING", project="p-2")
