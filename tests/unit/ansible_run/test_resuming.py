"""What a run goes on with, by the ledgers of the runs before it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from ansible_lab import PLAYBOOK, Trees, command, play, spec_of

from tripleo_ffwd.ansible_run import predecessors, resuming, rundir
from tripleo_ffwd.ansible_run.ledger import Ledger, Record
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.tree import Tree, load
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import DEPLOY_STEPS_PLAYBOOK, END_PLAY, RunSpec

ONE, TWO, THREE = (f"-/step{number}/Controller/all" for number in (1, 2, 3))
BEFORE = (("restart", "ctl-0"),)


def begun(stage: str) -> list[Record]:
    return [announced(stage), {"event": "task", "number": 1, "task": "a task"}]


def announced(stage: str) -> Record:
    return {"event": "play_start", "play": stage}


def notified(handler: str, host: str) -> Record:
    return {"event": "notify", "handler": handler, "host": host}


STOPPED = {"event": "stopped", "why": "it was asked to"}
END = [announced(END_PLAY), {"event": "stats", "failures": {}, "dark": {}}]


@dataclasses.dataclass
class Past:
    """A work directory with runs as they are left by runs that have ended, and their tree."""

    path: Path
    tree: Tree
    count: int = 0

    def spec(self, **fields: Any) -> RunSpec:
        return spec_of(self.tree.path, **fields)

    def run(self, spec: RunSpec, *records: Record, result: str = "failed") -> RunDir:
        self.count += 1
        run = RunDir(self.path / "runs" / f"2026010{self.count}")
        run.path.mkdir(parents=True)
        rundir.write_json(run.spec, dataclasses.asdict(spec))
        rundir.write_json(run.status, {"state": "finished", "result": result, "stage": ONE})
        ledger = Ledger(run.ledger)
        for record in records:
            ledger.append(record)
        ledger.close()
        return run

    def notified(self, spec: RunSpec, *records: Record) -> set[tuple[str, str]]:
        """What is to be notified by the run that goes on with this one."""
        return set(resuming.past(self.run(spec, *records), spec, self.tree).notified)

    def done(self, spec: RunSpec) -> RunDir:
        """A run that was successful."""
        stages = [record for stage in (ONE, TWO, THREE) for record in begun(stage)]
        return self.run(spec, *stages, *END, result="successful")

    def earlier(self, spec: RunSpec) -> str:
        """Id of the run that one goes on with; empty for none."""
        found = predecessors.find_earlier(self.path, dataclasses.replace(spec, resume=True), self.tree)
        return found.run.run_id if found else ""


@pytest.fixture
def past(tmp_path: Path) -> Past:
    tree = load(Trees(tmp_path).make([play(stage, "Controller", [command("true")]) for stage in (ONE, TWO, THREE)]))
    return Past(
        tmp_path, dataclasses.replace(tree, stages={**tree.stages, DEPLOY_STEPS_PLAYBOOK: tree.stages[PLAYBOOK]})
    )


@pytest.mark.parametrize("first", [ONE, TWO])
def test_handlers_that_were_to_run_are_kept_by_a_run_that_stops_where_its_first_stage_begins(
    past: Past, first: str
) -> None:
    spec = past.spec(resumes="r1", first_stage=first if first != ONE else "", notified=BEFORE)
    assert past.notified(spec) == {*BEFORE}
    assert past.notified(spec, announced(first), STOPPED) == {*BEFORE}
    told = notified("restart", "ctl-0"), notified("restart", "ctl-1"), notified("reload", "ctl-0")
    assert past.notified(spec, *begun(first), *told) == {*BEFORE, ("restart", "ctl-1"), ("reload", "ctl-0")}


def test_handlers_of_a_stage_that_is_finished_are_not_those_of_the_next_one(past: Past) -> None:
    spec = past.spec(resumes="r1", first_stage=TWO, notified=BEFORE)
    begins_three = [*begun(TWO), notified("restart", "ctl-0"), announced(THREE)]
    assert past.notified(spec, *begins_three, STOPPED) == set()
    assert past.notified(spec, *begins_three, notified("reload", "ctl-1")) == {("reload", "ctl-1")}
    # It was stopped between the two.
    assert past.notified(spec, *begun(TWO), notified("restart", "ctl-0"), announced("no stage"), STOPPED) == set()


BATCH = {"targets": ("ctl-0",), "batch": "Controller-1"}


def test_with_tags_runs_without_are_passed_over_that_were_successful(past: Past) -> None:
    spec = past.spec(tags="validation", **BATCH)
    past.done(past.spec(**BATCH))
    past.done(past.spec(playbook=DEPLOY_STEPS_PLAYBOOK, **BATCH))
    assert past.earlier(spec) == ""
    begun_with_tags = past.run(spec, *begun(ONE))
    assert past.earlier(spec) == begun_with_tags.run_id
    past.done(past.spec(**BATCH))
    with pytest.raises(InvalidInput, match="has worked on its hosts since"):
        past.earlier(spec)


def test_with_tags_a_run_without_that_failed_is_not_passed_over(past: Past) -> None:
    failed = past.run(past.spec(**BATCH), *begun(ONE))
    assert past.earlier(past.spec(tags="validation", **BATCH)) == failed.run_id  # which `go_on` refuses: other tags
