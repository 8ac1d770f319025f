"""Which runs may be removed, and that all others stay."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tripleo_ffwd.ansible_run import pruning, start_lock
from tripleo_ffwd.cli import run as run_command
from tripleo_ffwd.exceptions import WriteRefused
from tripleo_ffwd.plan import phases

FORMER, LAST, PRESENT = (
    "2026-01-{:02}T00:00:00.000+00:00",
    "2026-06-01T00:00:00.000+00:00",
    "2026-07-01T00:00:00.000+00:00",
)


class Work:
    """A work directory with runs as they are left by runs that have ended."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, name: str, ended: str, result: str = "successful", state: str = "finished", **spec: Any) -> str:
        run_dir = self.path / "runs" / name
        run_dir.mkdir(parents=True)
        made = {"plan": "overcloud", "phase": "run", "playbook": "p.yaml", "tree": "/t", "digest": "d", **spec}
        status = {"state": state, "result": result, "finished_at": ended, "started_at": ended, "heartbeat": 1.0}
        claim = {"host": "elsewhere", "boot_id": "b", "pid_ns": "n", "pid": 1, "started": 1}
        files = {"spec": made, "status": status, "launch": {"created": 1}, "supervisor": claim}
        for file, data in files.items():
            (run_dir / f"{file}.json").write_text(json.dumps(data))
        return name

    def never_began(self, name: str, **spec: Any) -> str:
        self.run(name, "", **spec)
        (self.path / "runs" / name / "status.json").unlink()
        (self.path / "runs" / name / "supervisor.json").write_text('{"abandoned": "no Ansible"}')
        return name

    def prune(self, journey: str = LAST, **more: Any) -> list[str]:
        return [status.run_id for status in pruning.prune(self.path, lambda _plan: journey, **more)]

    @property
    def runs(self) -> list[str]:
        return sorted(path.name for path in (self.path / "runs").iterdir() if not path.name.startswith("."))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def test_runs_of_former_journeys_go_and_the_newest_of_each_playbook_stays(work: Work) -> None:
    for day in (1, 2, 3):
        work.run(f"2026010{day}", FORMER.format(day))
    work.run("20260104", FORMER.format(4), playbook="q.yaml")
    (work.path / "tree").mkdir()
    (work.path / "runs" / "20260101" / "tree").symlink_to(work.path / "tree")
    assert work.prune(dry_run=True) == ["20260101", "20260102"]
    assert work.prune() == ["20260101", "20260102"]
    assert work.runs == ["20260103", "20260104"]
    assert (work.path / "tree").is_dir()
    assert work.prune() == []


def test_what_belongs_to_the_present_journey_stays_and_so_does_all_without_one(work: Work) -> None:
    for day in (1, 2):
        work.run(f"2026070{day}", PRESENT)
    work.run("20260101", FORMER.format(1))
    assert work.prune(journey="") == []
    assert work.prune(plan="another") == []
    assert work.prune(days=36000) == []
    assert work.prune() == ["20260101"]


def test_what_is_not_settled_or_cannot_be_read_stays(work: Work) -> None:
    work.run("20260101", FORMER.format(1), result="", state="live")  # a silence from elsewhere: unknown
    work.run("20260102", FORMER.format(2))
    (work.path / "runs" / "20260102" / "spec.json").write_text("{")
    work.run("20260103", FORMER.format(3))
    work.run("20260104", FORMER.format(4))
    assert work.prune() == ["20260103"]
    assert work.runs == ["20260101", "20260102", "20260104"]


def test_what_could_be_gone_on_with_stays_with_what_it_has_gone_on_with(work: Work) -> None:
    nodes = {"targets": ["cmp-1"], "batch": "Compute-1"}
    work.run("20260101", FORMER.format(1), **nodes)
    work.run("20260102", FORMER.format(2), "failed", **nodes)
    work.run("20260103", FORMER.format(3), "", "interrupted", **nodes, resumes="20260102", chain=["20260102"])
    work.run("20260104", FORMER.format(4), "failed", targets=["cmp-2"])
    work.run("20260105", FORMER.format(5), targets=["cmp-2"])
    work.run("20260106", FORMER.format(6))
    assert work.prune() == ["20260101", "20260104", "20260105"]
    assert work.runs == ["20260102", "20260103", "20260106"]


def test_a_rehearsal_or_a_part_of_a_playbook_is_not_the_newest_of_the_whole(work: Work) -> None:
    work.run("20260101", FORMER.format(1))
    for day, limits in ((2, {"check": True}), (3, {"tags": "validation"}), (4, {"skip_tags": "images"})):
        work.run(f"2026010{day}", FORMER.format(day), **limits)
    assert work.prune() == []
    work.run("20260105", FORMER.format(5), tags="validation")
    assert work.prune() == ["20260103"]


def test_a_run_that_never_began_goes_and_hides_none_that_did(work: Work) -> None:
    work.run("20260101T000000000000-abcdef", FORMER.format(1))
    late = work.never_began("20260103T000000000000-abcdef")
    work.never_began("20260702T000000000000-abcdef")  # of the present journey
    assert work.prune() == [late]


def test_starts_do_not_wait_for_the_removal(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in (1, 2, 3):
        work.run(f"2026010{day}", FORMER.format(day))
    seen: list[list[str]] = []
    rmtree = shutil.rmtree

    def slow(path: Path) -> None:
        with start_lock.held(work.path, 0):
            seen.append(work.runs)
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", slow)
    assert work.prune() == ["20260101", "20260102"]
    assert seen == [["20260103"]] * 2
    assert not list((work.path / "runs").glob(f"{pruning.GONE}*"))


def test_one_that_cannot_be_removed_keeps_no_other_and_is_tried_again(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (1, 2, 3):
        work.run(f"2026010{day}", FORMER.format(day))
    rmtree = shutil.rmtree

    def refuse(path: Path) -> None:
        if path.name.endswith("1"):
            raise PermissionError(13, "Permission denied")
        rmtree(path)

    with monkeypatch.context() as patch, pytest.raises(WriteRefused, match="Permission denied"):
        patch.setattr(shutil, "rmtree", refuse)
        work.prune()
    assert [path.name for path in (work.path / "runs").glob(f"{pruning.GONE}*")] == [f"{pruning.GONE}20260101"]
    assert work.prune() == []
    assert not list((work.path / "runs").glob(f"{pruning.GONE}*"))


def test_the_command_takes_the_journey_from_the_plans_record(work: Work, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    run_command.add_parser(parser.add_subparsers())
    work.run("20260101", FORMER.format(1))
    work.run("20260102", FORMER.format(2))
    args = parser.parse_args(["run", "prune", "--work-dir", str(work.path)])
    assert args.func(args) == 0
    assert "0 runs were removed" in capsys.readouterr().out
    phases.begin(work.path, "overcloud", "prepare", [], execution="e-1")
    assert args.func(args) == 0
    told = capsys.readouterr().out
    assert "20260101  overcloud run p.yaml: successful" in told and "1 runs were removed" in told
    assert work.runs == ["20260102"]
