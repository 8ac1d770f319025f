"""When a run will end, from ledgers made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tripleo_ffwd.ansible_run.estimate import Estimate, known_times
from tripleo_ffwd.ansible_run.ledger import Reader
from tripleo_ffwd.ansible_run.outlook import Outlook
from tripleo_ffwd.ansible_run.rundir import RunDir, write_json
from tripleo_ffwd.ansible_run.tree import StagePlan, Tree
from tripleo_ffwd.model import GATE_TASK, RunSpec

HOSTS = ("ctl-0", "ctl-1")
STAGES = tuple(StagePlan(f"-/step{number}/Controller/all", HOSTS, 2, "Controller") for number in range(4))
IDS = [stage.id for stage in STAGES]


def fed(estimate: Any, *lines: Any) -> Any:
    """An estimate that has read these lines of a ledger; a text is a play, what it says of the clock is nonsense."""
    reader = Reader()
    for line in lines:
        if isinstance(line, str):
            line = {"event": "play_start", "play": line, "t": "1999-01-01T00:00:00+00:00"}
        record = reader.record(json.dumps(line).encode())
        assert record is not None
        estimate.feed(record)
    return estimate


def stage(number: int, begin: float, seconds: float) -> list[Any]:
    """All lines of a stage: two tasks on two hosts."""
    lines: list[Any] = [IDS[number]]
    for task in (1, 2):
        lines.append({"event": "task", "number": task, "task": f"task {task}", "t": ""})
        for host in HOSTS:
            lines += [[begin + (task - 1) * seconds / 2, task, host], [begin + task * seconds / 2, task, host, "ok"]]
    return lines


def new(known: dict[str, float] | None = None, done: tuple[str, ...] = (), forks: int = 25) -> Estimate:
    return Estimate(STAGES, done, forks, known or {})


def test_nothing_is_said_before_something_is_done() -> None:
    assert new().left(0) is None
    assert fed(new(), IDS[0], [0.5, 1, "ctl-0"]).left(100) is None
    assert fed(new(), *stage(0, 0, 2)).left(0) is None, "two seconds are too few to tell"


def test_what_is_left_goes_at_the_pace_so_far() -> None:
    estimate = fed(new(), *stage(0, 0, 10), *stage(1, 10, 10))
    assert estimate.left(0) == pytest.approx(20)
    # While nothing ends the pace gets slower.
    assert estimate.left(10) == pytest.approx(30)


def test_the_stage_under_way_counts_by_its_tasks() -> None:
    half = [IDS[1], {"event": "task", "number": 1, "task": "a", "t": ""}]
    half += [line for host in HOSTS for line in ([10, 1, host], [15, 1, host, "changed"])]
    assert fed(new(), *stage(0, 0, 10), *half).left(0) == pytest.approx(25)


def test_more_hosts_than_forks_take_more_rounds() -> None:
    wide = StagePlan("wide", tuple(f"cmp-{number}" for number in range(100)), 2)
    estimate = fed(Estimate((*STAGES[:1], wide), (), 25, {}), *stage(0, 0, 10), "wide")
    assert estimate.left(0) == pytest.approx(40)


def test_earlier_times_stand_for_stages_that_are_left() -> None:
    known = dict(zip(IDS, (10, 20, 300, 40), strict=True))
    assert fed(new(known), IDS[0], [0, 1, "ctl-0"]).left(0) == pytest.approx(370)
    assert fed(new(known), IDS[0], [0, 1, "ctl-0"]).left(4) == pytest.approx(366)
    # Twice as slow as then.
    assert fed(new(known), *stage(0, 0, 20), *stage(1, 20, 40), IDS[2], [60, 1, "ctl-0"]).left(0) == pytest.approx(680)


def test_a_stage_that_takes_longer_than_ever_is_expected_to_end_now() -> None:
    known = dict(zip(IDS, (10, 20, 30, 40), strict=True))
    assert fed(new(known), IDS[0], [0, 1, "ctl-0"]).left(500) == pytest.approx(90)


def test_stages_that_an_earlier_run_has_finished_are_not_waited_for() -> None:
    known = dict(zip(IDS, (10, 20, 30, 40), strict=True))
    assert fed(new(known, done=tuple(IDS[:2])), IDS[2], [0, 1, "ctl-0"]).left(10) == pytest.approx(60)


def test_a_run_that_has_ended_has_no_end_ahead() -> None:
    estimate = fed(new(), *(line for number in range(4) for line in stage(number, 10 * number, 10)))
    assert fed(estimate, {"event": "stats", "failures": {}, "dark": {}, "t": ""}).left(0) is None


def test_the_times_of_finished_stages_are_kept() -> None:
    estimate = fed(new(), *stage(0, 0, 10), *stage(1, 12, 30), IDS[2], IDS[3], [50, 1, "ctl-0"], [60, 1, "ctl-0", "ok"])
    # From task to task; the third had nothing to do, of the fourth the end has not come.
    assert estimate.times(IDS[:3]) == {IDS[0]: 12, IDS[1]: 38, IDS[2]: 0}
    fed(estimate, {"event": "stats", "t": ""})
    assert estimate.times(IDS)[IDS[3]] == 10


def test_gates_are_no_tasks_of_a_stage() -> None:
    lines = [
        IDS[0],
        {"event": "task", "number": 1, "task": GATE_TASK, "t": ""},
        [20, 1, "ctl-0"],
        [21, 1, "ctl-0", "ok"],
    ]
    assert fed(new(), *lines).left(0) is None


def test_of_each_stage_the_newest_time_counts() -> None:
    earlier = [{"stages": {IDS[0]: 5, "other": 1}}, {"stages": {IDS[0]: 7, IDS[1]: 8}}, {}, {"stages": "torn"}]
    assert known_times(earlier, IDS) == {IDS[0]: 5, IDS[1]: 8}


def runs_beside(tmp_path: Path, **fields: Any) -> Outlook:
    spec = RunSpec("overcloud", "upgrade", "p.yaml", str(tmp_path), "d")
    tree = Tree(
        tmp_path,
        "d",
        {"p.yaml": STAGES},
        {},
        frozenset(HOSTS),
        frozenset(HOSTS),
        {},
        frozenset(),
        frozenset(),
        frozenset(),
    )
    earlier = tmp_path / "runs" / "20260101T000000-a"
    earlier.mkdir(parents=True)
    spec_of_it = {**vars(spec), "extra_vars": {}, "targets": ["ctl-0"], **fields}
    write_json(earlier / "spec.json", spec_of_it)
    write_json(earlier / "times.json", {"stages": dict.fromkeys(IDS, 60)})
    run = RunDir(tmp_path / "runs" / "20260102T000000-b")
    run.path.mkdir()
    return Outlook(run, spec, tree)


def test_earlier_runs_of_the_same_playbook_are_found_whatever_their_nodes(tmp_path: Path) -> None:
    outlook = runs_beside(tmp_path)
    assert outlook.eta is None
    assert str(fed(outlook, IDS[0], [0, 1, "ctl-0"]).eta).endswith("Z")
    fed(outlook, *stage(0, 0, 10), IDS[1], [10, 1, "ctl-0"]).keep(IDS[1:], IDS)
    kept = json.loads((tmp_path / "runs" / "20260102T000000-b" / "times.json").read_text())
    assert kept == {"stages": {IDS[0]: 10}}


def test_runs_that_did_something_else_say_nothing(tmp_path: Path) -> None:
    outlook = runs_beside(tmp_path, tags="validation")
    assert fed(outlook, IDS[0], [0, 1, "ctl-0"]).eta is None
