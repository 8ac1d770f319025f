"""A phase as it is seen: lines without a terminal, a picture with one."""

from __future__ import annotations

import dataclasses
import io
from datetime import datetime, timedelta, timezone

import pytest
from rich.console import Console

from tripleo_ffwd.cli.osc.progress import Progress, failure_lines, view
from tripleo_ffwd.cli.osc.snapshot import Run, Snapshot, clock, seconds_between

FAILED = {
    "playbook": "upgrade_steps_playbook.yaml",
    "stage": "ocata/step2/Controller/all",
    "host": "ctl-1",
    "task": "Migrate [nova]",
    "message": "the schema is locked\nby nova-conductor",
    "log": "/var/lib/ffwd/runs/r-1/ansible.log",
}
STATUS = {
    "run_id": "r-1",
    "playbook": "fast_forward_upgrade_playbook.yaml",
    "state": "live",
    "stage": "ocata/step2/Controller/all",
    "stages_done": 3,
    "stages_total": 52,
    "hosts_done": 1,
    "hosts_total": 3,
    "failed": [],
    "failed_total": 0,
    "running": [{"host": f"ctl-{number}", "stage": "", "task": "Migrate [nova]"} for number in range(12)],
    "running_total": 30,
    "settled": False,
}


def snapshot(**changes) -> Snapshot:
    base = Snapshot("overcloud", "run", "e-1", "RUNNING", elapsed=3723.0, runs=(Run(STATUS),))
    return dataclasses.replace(base, **changes)


def run(**changes) -> Run:
    return Run({**STATUS, **changes})


def in_ten_minutes() -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=599)).isoformat(timespec="milliseconds")


def shown(value: Snapshot) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(view(value))
    return console.file.getvalue()


def lines(*snapshots: Snapshot) -> list[str]:
    stream = io.StringIO()
    with Progress(stream) as progress:
        for one in snapshots:
            progress.show(one)
    return stream.getvalue().splitlines()


def test_the_picture_has_phase_stage_hosts_tasks_and_times():
    text = shown(snapshot(runs=(run(eta=in_ten_minutes()),)))
    for told in ("run of plan overcloud", "elapsed 1:02:03", "ocata", "step2", "Controller", "1/3", "3/52", "9:5"):
        assert told in text
    assert "ctl-7" in text and "ctl-8" not in text
    assert "and 22 more" in text
    assert "Migrate [nova]" in text


def test_the_picture_has_the_last_failure_in_full():
    text = shown(snapshot(runs=(run(failed=[{**FAILED, "host": "ctl-0"}, FAILED], failed_total=2),)))
    assert "1/3, 2 failed" in text
    assert "FAILED  ctl-1" in text and "FAILED  ctl-0" not in text
    assert "the schema is locked" in text and "by nova-conductor" in text and "/var/lib/ffwd/runs" in text


def test_the_picture_of_several_runs_has_a_row_for_each():
    text = shown(snapshot(runs=(run(), run(run_id="r-2", stage="ocata/step3/Compute/all", hosts_total=200))))
    assert "Controller" in text and "Compute" in text and "1/200" in text


def test_the_picture_before_a_run_has_the_step_of_the_workflow():
    text = shown(snapshot(runs=(), activity="update stack", trouble="Mistral does not answer; trying again"))
    assert "update stack" in text and "trying again" in text


def test_a_line_is_told_once_for_each_stage():
    same = snapshot(elapsed=1)
    other = snapshot(
        elapsed=9, runs=(run(stage="ocata/step3/Compute/bootstrap", hosts_done=0, eta="2001-01-01T00:00:00.000+00:00"),)
    )
    assert lines(snapshot(elapsed=0, runs=(), activity="query outputs"), same, same, other) == [
        "   0:00  query outputs",
        "   0:01  fast_forward_upgrade  ocata step2 Controller all  hosts 1/3  stages 3/52",
        "   0:09  fast_forward_upgrade  ocata step3 Compute bootstrap  hosts 0/3  stages 3/52  left 0:00",
    ]


def test_silence_is_broken_every_minute():
    assert len(lines(*(snapshot(elapsed=seconds) for seconds in range(0, 200, 10)))) == 4


def test_a_failure_is_told_once_and_in_full():
    failed = snapshot(runs=(run(failed=[FAILED]),))
    told = lines(failed, failed)
    assert told[:4] == failure_lines(FAILED)
    assert told[0] == "FAILED  ctl-1  ocata/step2/Controller/all  Migrate [nova]"
    assert told[2] == "        by nova-conductor"
    assert len(told) == 5


def test_a_mistral_that_does_not_answer_is_told_once_and_that_it_is_back():
    silent = snapshot(trouble="Mistral does not answer; trying again")
    assert lines(silent, silent, snapshot())[:2] == [
        "1:02:03  Mistral does not answer; trying again",
        "1:02:03  Mistral answers again",
    ]


@pytest.mark.parametrize(
    ("state", "output", "runs", "message", "succeeded"),
    [
        ("SUCCESS", {"status": "SUCCESS", "message": "All is well"}, (), "All is well", True),
        ("ERROR", {"status": "PAUSED", "message": "is paused"}, (), "is paused", False),
        ("CANCELLED", {}, (), "Phase run of plan overcloud has ended: CANCELLED", False),
    ],
)
def test_how_an_execution_ended(state, output, runs, message, succeeded):
    ended = snapshot(state=state, output=output, runs=runs)
    assert ended.ended
    assert (ended.message, ended.succeeded) == (message, succeeded)


def test_how_runs_without_an_execution_ended():
    done = run(settled=True, succeeded=True, message="all stages finished")
    ended = snapshot(execution="", state="", runs=(done,))
    assert ended.ended and ended.succeeded
    assert ended.message == "Run r-1 has ended: all stages finished"
    assert not snapshot(execution="", state="").ended


def test_times():
    assert [clock(59), clock(61), clock(3600)] == ["0:59", "1:01", "1:00:00"]
    assert seconds_between("2026-11-23 09:00:00", "2026-11-23T09:01:00.5+00:00") == 60.5
    assert seconds_between("2026-11-23 09:00:00", "2026-11-23 08:00:00") == 0
    assert seconds_between("", "2026-11-23 08:00:00") == 0
