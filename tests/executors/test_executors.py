"""An overcloud's upgrade on two executors that die on the way. The tests build on each other."""

from __future__ import annotations

import functools
import time

from executors import losing, proofs
from support import until

from tripleo_ffwd.embedded import faults, node_files, node_state, overcloud

PLAN = "overcloud"
NODES = node_files.names(3, 4)
COMPUTES = NODES[3:]
# Two executors hold a run each, a third run waits.
ONE_EACH = {"runs_per_executor": 1}
# What an upgrade does first on a compute. Facts are asked of all nodes, those of other batches too.
FIRST_COMMAND = "disable --now openstack-nova-compute"
# Beyond anything that a busy machine takes.
LONG = 1200


def prepare_arguments(cloud) -> dict:
    environments = [str(path) for path in overcloud.queens_environments(cloud.site)]
    return {"plan": PLAN, "templates": str(overcloud.PLAN_DIR), "environments": environments}


def lose(cloud, executors, action, reached=lambda: True):
    """Kill the executor that is at an action, and return the action's execution."""
    victim, asked = losing.freeze_at(executors, action, functools.partial(state, cloud), reached=reached)
    victim.kill()
    executors.remove(victim)
    return asked.execution


def state(cloud, execution: str) -> str:
    return losing.action_state(cloud.mistral.url, execution)


def test_both_executors_have_a_part_in_a_phase(spread):
    one, two = spread.start_all("one", "two")
    ended = spread.cloud.do("prepare", **prepare_arguments(spread.cloud))
    assert ended.state == "SUCCESS", ended.message
    assert one.asked() and two.asked()


def test_a_phase_goes_on_whatever_its_executors_were_at_when_they_were_killed(spread):
    cloud = spread.cloud
    executors = spread.start_all("one", "two", "three", "four", "five")
    execution = cloud.start("run", plan=PLAN)
    runs = cloud.work_dir / "runs"
    lost = [
        lose(cloud, executors, "GeneratePlaybooksAction"),
        lose(cloud, executors, "StartPlaybookAction"),
        # Asked for again, it has made a directory for the run, and nobody has heard of it.
        lose(cloud, executors, "StartPlaybookAction", lambda: any(runs.glob("*/launch.json"))),
        lose(cloud, executors, "GetPlaybookStatusAction"),
    ]
    ended = cloud.wait(execution, LONG)
    assert ended.state == "SUCCESS", ended.message
    assert {state(cloud, action) for action in lost} == {"ERROR"}, "Mistral has missed their executors"
    assert [run.run_id for run in proofs.begun(cloud.runs())] == [ended.output["run_id"]], (
        "one run, and everyone who asked was given it"
    )
    assert proofs.done_twice(cloud.runs()) == []
    assert overcloud.check_journal(cloud.site, ("run",)) == []


def test_batches_spread_over_executors_and_none_is_lost_with_one(spread):
    cloud = spread.cloud
    before = {run.run_id for run in cloud.runs()}
    one, two = spread.start_all("one", "two", **ONE_EACH)
    for name in COMPUTES[1:]:
        faults.set(cloud.site, name, "block", FIRST_COMMAND)
    batches = {"canary": 1, "size": 1, "parallel": 3}
    execution = cloud.start("upgrade", plan=PLAN, nodes=list(NODES), batches=batches)

    def live() -> list[str]:
        return [proofs.executor_of(run) for run in cloud.runs() if not run.settled and run.run_id not in before]

    def is_spread() -> bool:
        found = cloud.mistral.execution(execution)
        assert found.state == "RUNNING", found.state_info
        return sorted(live()) == ["one", "two"] and blocked(cloud) == 2

    def asks() -> int:
        return len([asked for each in (one, two) for asked in each.asked("StartPlaybookAction")])

    # Control plane and canary are through when two computes wait at a time.
    until("a batch on each executor", is_spread, LONG)
    asked = asks()
    until("the third batch to ask each of them", lambda: asks() >= asked + 4, 120)
    assert sorted(live()) == ["one", "two"], "it waits: each holds as many runs as it may"

    one.kill()
    time.sleep(1)
    assert sorted(live()) == ["one", "two"], "a run outlives the executor that has started it"
    for name in COMPUTES:
        faults.clear(cloud.site, name)
    ended = cloud.wait(execution, LONG)
    assert ended.state == "SUCCESS", ended.message

    runs = tuple(run for run in proofs.begun(cloud.runs()) if run.run_id not in before)
    assert {run.result for run in runs} == {"successful"}
    found = proofs.started_by(runs)
    assert set(found) == {"one", "two"}
    assert {name: proofs.most_at_once(those) for name, those in found.items()} == {"one": 1, "two": 1}
    assert proofs.done_twice(runs) == []
    assert {state.release for state in node_state.read(cloud.site).values()} == {"queens"}
    assert overcloud.check_journal(cloud.site, ("run", "upgrade")) == []


def blocked(cloud) -> int:
    return sum(bool(list(node_files.find(cloud.site, name).blocked.glob("*.json"))) for name in COMPUTES)


def test_converge_ends_with_every_node_as_the_templates_say(spread):
    spread.start_all("one")
    ended = spread.cloud.wait(spread.cloud.start("converge", **prepare_arguments(spread.cloud)), LONG)
    assert ended.state == "SUCCESS", ended.message
    assert overcloud.check_final_state(spread.cloud.site) == []
    assert overcloud.check_journal(spread.cloud.site) == []
