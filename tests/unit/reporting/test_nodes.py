"""Where nodes stand after runs in batches, runs that lost a node, and between playbooks."""

from __future__ import annotations

from tripleo_ffwd.ansible_run.reached import HostReach, Reached
from tripleo_ffwd.cli.osc import nodes as told
from tripleo_ffwd.model import PHASE_PLAYBOOKS, RunStatus
from tripleo_ffwd.plan.phases import PhaseRecord
from tripleo_ffwd.reporting import nodes

UPGRADE, DEPLOY, POST = PHASE_PLAYBOOKS["upgrade"]
RELEASES = ("ocata", "pike", "queens")


def reached(number: int, hosts: dict[str, HostReach], playbook: str = UPGRADE, **status) -> Reached:
    fields = {"state": "finished", "result": "successful", **status}
    run = RunStatus(
        f"r-{number}", "/r", "p", "upgrade", playbook, **fields, started_at=f"2026-11-23T0{number}:00:00.000+00:00"
    )
    return Reached(run, "batch", RELEASES, hosts)


def record(*finished: str, started: tuple[str, ...] = (), **playbooks: tuple[str, ...]) -> PhaseRecord:
    found = {node: {"run": "finished", "upgrade": "finished"} for node in finished}
    found |= {node: {"run": "finished", "upgrade": "started"} for node in started}
    return PhaseRecord(prepare="finished", nodes=found, playbooks=playbooks)


def at(known: PhaseRecord, *runs: Reached) -> dict[str, dict]:
    return {row["node"]: row for row in nodes.rows(known, runs)}


def test_each_node_has_the_newest_run_that_was_for_it():
    full = HostReach(stage="-/post/Compute/all", done=9, total=9, role="Compute")
    lost = HostReach(
        stage="-/step1/Compute/all",
        following="-/step2/Compute/all",
        done=2,
        total=9,
        role="Compute",
        failed_stage="-/step2/Compute/all",
        failed_task="Update packages",
    )
    first = reached(1, {"cmp-0": full, "cmp-1": lost}, result="failed")
    without = reached(2, {"cmp-0": full})
    live = reached(3, {"cmp-2": HostReach(done=1, total=9)}, state="live", result="")
    rows = at(record(started=("cmp-0", "cmp-1", "cmp-2", "cmp-10"), **{"cmp-0": (UPGRADE,)}), first, without, live)
    assert [(name, row["state"], row["run_id"]) for name, row in rows.items()] == [
        ("cmp-2", "running", "r-3"),
        ("cmp-10", "waiting", ""),
        ("cmp-0", "waiting", "r-2"),
        ("cmp-1", "failed", "r-1"),
    ]
    assert (rows["cmp-1"]["step"], rows["cmp-1"]["release"]) == ("step1", "queens")
    assert rows["cmp-0"]["left"] == ["upgrade deploy_steps", "upgrade post_upgrade_steps", "converge"]


def test_a_node_that_another_one_stopped_says_so_and_one_that_was_cancelled_too():
    here = HostReach(stage="-/step1/Compute/all", following="-/step2/Compute/all", done=2, total=9)
    for result, state in (("failed", "stopped"), ("cancelled", "cancelled"), ("paused", "paused")):
        assert at(record(started=("cmp-0",)), reached(1, {"cmp-0": here}, result=result))["cmp-0"]["state"] == state
    gone = reached(1, {"cmp-0": here}, state="interrupted", result="")
    assert at(record(started=("cmp-0",)), gone)["cmp-0"]["state"] == "interrupted"


def test_what_has_finished_names_its_release_and_has_nothing_next():
    done = HostReach(stage="-/post/Compute/all", done=9, total=9)
    row = at(record("cmp-0"), reached(1, {"cmp-0": done}, POST))["cmp-0"]
    assert (row["state"], row["release"], row["step"], row["next"]) == ("finished", "queens", "post", "")
    assert row["left"] == ["converge"]
    assert list(told.lines(told.by_name([row]))) == ["upgrade finished, queens: cmp-0"]


def test_what_is_left_is_told_once_for_the_nodes_that_have_it_before_them():
    known = record("cmp-0", started=("cmp-1", "cmp-2"))
    left = told.left({"prepare": "finished"}, list(at(known).values()))
    assert list(told.left_lines(left)) == [
        "upgrade (upgrade_steps, deploy_steps, post_upgrade_steps): 2 nodes: cmp-1, cmp-2",
        "converge: 3 nodes: cmp-0, cmp-1, cmp-2",
    ]
    assert list(told.left_lines(told.left({"prepare": ""}, []))) == ["prepare", "run", "upgrade", "converge"]
    assert list(told.left_lines([])) == ["nothing: every node has finished converge"]


def test_many_nodes_at_one_place_are_counted_and_some_are_named():
    known = record(*(f"cmp-{number}" for number in range(20)))
    (line,) = told.lines(told.by_name(list(at(known).values())))
    assert line.startswith("upgrade finished: 20 nodes: cmp-0, cmp-1, ") and line.endswith(" and 12 more")
