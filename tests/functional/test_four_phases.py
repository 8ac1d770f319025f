"""The demo overcloud's way from newton to queens, with what goes wrong on the way. The tests build on each other.

FFWD_TEST_RUNS=all adds what `make test` has no time for: `make test-runs`.
"""

from __future__ import annotations

import collections
import os
from pathlib import Path

import pytest
from support import processes_naming, until

from tripleo_ffwd.ansible_run import ledger, leftovers
from tripleo_ffwd.embedded import faults, node_state, overcloud, undercloud

CONTROLLERS = [f"overcloud-controller-{index}" for index in range(3)]
COMPUTES = [f"overcloud-novacompute-{index}" for index in range(2)]
PLAN = "overcloud"
PLANTED = "planted-9d1f"
# What the controllers do at step 2 of ocata, before any schema is migrated.
OCATA_STEP2_COMMAND = "disable --now openstack-nova-conductor"
# What every node does first for each release, and what the bootstrap node alone does.
EVERY_RELEASE_COMMAND = "hiera"
BOOTSTRAP_COMMAND = "cinder-manage db sync"
ALL = os.environ.get("FFWD_TEST_RUNS") == "all"
SLOW = pytest.mark.skipif(not ALL, reason="minutes: make test-runs")


@pytest.fixture(autouse=True)
def healthy_nodes(newton):
    yield
    for name in [*CONTROLLERS, *COMPUTES]:
        faults.clear(newton.site, name)


@pytest.fixture
def health_check(tmp_path) -> Path:
    """A command that finds nothing wrong, for batches."""
    path = tmp_path / "check"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    return path


def prepare_arguments(cloud) -> dict:
    environments = [str(path) for path in overcloud.queens_environments(cloud.site)]
    return {"plan": PLAN, "templates": str(overcloud.PLAN_DIR), "environments": environments}


def effects_of_ledger(run_dir: str) -> collections.Counter:
    """How often each task was executed on each host in each stage, from the run's ledger."""
    counted: collections.Counter = collections.Counter()
    for record in ledger.read(Path(run_dir) / "ledger.jsonl"):
        if record.get("status") in ("ok", "changed", "failed"):
            counted[(record["stage"], record["task_id"], record["task"], record["host"])] += 1
    return counted


def external_log(cloud) -> Path:
    return cloud.site.root / "overcloud" / "external" / "external-deploy.log"


def test_run_before_prepare_is_refused_and_names_the_nodes(newton):
    ended = newton.do("run", plan=PLAN)
    assert ended.state == "ERROR"
    assert ended.output["status"] == "FAILED"
    assert "has not finished prepare" in ended.message
    assert all(node in ended.message for node in [*CONTROLLERS, *COMPUTES])
    assert newton.runs() == ()


def test_prepare_with_templates_that_are_not_there_names_them(newton):
    ended = newton.do("prepare", plan=PLAN, templates="/nowhere/templates")
    assert ended.state == "ERROR"
    assert "/nowhere/templates" in ended.message


def test_prepare_updates_plan_and_stack(newton):
    ended = newton.do("prepare", **prepare_arguments(newton))
    assert (ended.state, ended.output["status"]) == ("SUCCESS", "SUCCESS"), ended.message
    assert newton.went(ended.id, "update_plan", "update_stack")
    assert {state.release for state in node_state.read(newton.site).values()} == {"newton"}


def test_one_controller_failing_at_ocata_step2_means_no_migration_anywhere(newton):
    faults.set(newton.site, CONTROLLERS[1], "fail", OCATA_STEP2_COMMAND)
    ended = newton.do("run", plan=PLAN)
    assert ended.state == "ERROR"
    failed = ended.output["failed"][0]
    assert (failed["host"], failed["stage"]) == (CONTROLLERS[1], "ocata/step2/Controller/all")
    assert failed["playbook"] == "fast_forward_upgrade_playbook.yaml"
    assert CONTROLLERS[1] in ended.message
    database = node_state.database(newton.site)
    assert database.history == ()
    assert set(database.schemas.values()) == {"newton"}
    assert processes_naming(ended.output["run_id"]) == []


def test_a_paused_run_ends_before_its_next_stage_and_is_gone_on_with(newton):
    faults.set(newton.site, CONTROLLERS[0], "block", OCATA_STEP2_COMMAND)
    execution = newton.start("run", plan=PLAN, resume=True)
    faults.wait_blocked(newton.site, CONTROLLERS[0], timeout=120)
    live = newton.runs()[-1]
    (asked,) = newton.do("pause", plan=PLAN).output["paused"]
    assert asked == live.run_id
    until("the supervisor to have seen it", (Path(live.run_dir) / "stop.json").exists)
    faults.clear(newton.site, CONTROLLERS[0])
    ended = newton.wait(execution)
    assert (ended.state, ended.output["status"]) == ("ERROR", "PAUSED")
    assert "Start it with resume to go on" in ended.message
    executed = {stage for stage, *_ in effects_of_ledger(live.run_dir)}
    assert executed == {leftovers.PLAY, "ocata/step2/Controller/all"}, (
        "it went on where the run before it had failed, and no further"
    )
    assert processes_naming(live.run_id) == []


def test_cancelling_a_run_leaves_nothing_alive_and_says_so(newton):
    faults.set(newton.site, CONTROLLERS[2], "block", EVERY_RELEASE_COMMAND)
    execution = newton.start("run", plan=PLAN)
    faults.wait_blocked(newton.site, CONTROLLERS[2], timeout=120)
    (cancelled,) = newton.do("cancel", plan=PLAN, now=True).output["cancelled"]
    ended = newton.wait(execution)
    assert ended.state == "ERROR"
    assert "cancelled" in ended.message and "cut off" in ended.message
    assert ended.output["run_id"] == cancelled
    assert processes_naming(cancelled) == []


@SLOW
def test_a_run_is_paused_and_cancelled_with_its_execution(newton):
    faults.set(newton.site, CONTROLLERS[0], "block", EVERY_RELEASE_COMMAND)
    execution = newton.start("run", plan=PLAN)
    faults.wait_blocked(newton.site, CONTROLLERS[0], timeout=120)
    first = newton.runs()[-1]
    newton.mistral.set_state(execution, "PAUSED")
    until("the run is asked to pause", (Path(first.run_dir) / "pause.json").exists)
    faults.clear(newton.site, CONTROLLERS[0])
    until("the run has paused", lambda: newton.runs()[-1].settled)
    paused = newton.runs()[-1]
    assert (paused.run_id, paused.result) == (first.run_id, "paused")
    assert execution in paused.message
    assert newton.mistral.execution(execution).state == "PAUSED"
    assert processes_naming(first.run_id) == []

    faults.set(newton.site, CONTROLLERS[0], "block", BOOTSTRAP_COMMAND)
    newton.mistral.set_state(execution, "RUNNING")
    faults.wait_blocked(newton.site, CONTROLLERS[0], timeout=120)
    second = newton.runs()[-1]
    assert second.run_id != first.run_id
    assert second.stages_done >= paused.stages_done, "it went on where it had paused"
    newton.mistral.set_state(execution, "CANCELLED")
    until("the run is asked to end", (Path(second.run_dir) / "cancel.json").exists)
    faults.clear(newton.site, CONTROLLERS[0])
    until("the run has ended", lambda: newton.runs()[-1].settled)
    ended = newton.runs()[-1]
    assert (ended.run_id, ended.result) == (second.run_id, "cancelled")
    assert execution in ended.message


def test_two_terminals_a_stopped_execution_and_a_restart_of_mistral_do_not_disturb_a_run(newton):
    faults.set(newton.site, CONTROLLERS[0], "block", BOOTSTRAP_COMMAND)
    first = newton.start("run", plan=PLAN)
    faults.wait_blocked(newton.site, CONTROLLERS[0], timeout=120)
    live = newton.runs()[-1]
    assert live.state == "live"

    second = newton.do("run", plan=PLAN)
    assert second.state == "ERROR"
    assert first in second.message
    refused = newton.do("upgrade", plan=PLAN, roles=["Controller"])
    assert first in refused.message

    beside = newton.do("prepare", **{**prepare_arguments(newton), "plan": "beside"}, stack=PLAN)
    assert f"Plan {PLAN}, of the same stack {PLAN}, is in phase run" in beside.message
    assert first in beside.message, "two plans are not at work on one stack at once"

    newton.mistral.set_state(first, "ERROR")
    assert newton.wait(first).state == "ERROR"
    other = newton.do("upgrade", plan=PLAN, roles=["Controller"])
    assert live.run_id in other.message, "the run of a stopped execution keeps the plan"

    third = newton.start("run", plan=PLAN)
    until("the third execution waits for the run", lambda: "run_fast_forward_upgrade_playbook" in newton.tasks(third))
    undercloud.restart(newton.site, "mistral")
    assert (newton.runs()[-1].run_id, newton.runs()[-1].state) == (live.run_id, "live")

    # It has attached to that run, which follows it now.
    newton.mistral.set_state(third, "PAUSED")
    until("the run is asked to pause", (Path(live.run_dir) / "stop.json").exists)
    faults.clear(newton.site, CONTROLLERS[0])
    until("the run has paused", lambda: newton.runs()[-1].settled)
    paused = newton.runs()[-1]
    assert (paused.run_id, paused.result) == (live.run_id, "paused")
    assert third in paused.message
    newton.mistral.set_state(third, "RUNNING")
    ended = newton.wait(third)
    assert ended.state == "SUCCESS", ended.message
    last = newton.runs()[-1]
    assert (ended.output["run_id"], last.owner) == (last.run_id, third)
    assert newton.went(third, "query_outputs", "generate_playbooks", "run_fast_forward_upgrade_playbook")
    before, after = effects_of_ledger(live.run_dir), effects_of_ledger(last.run_dir)
    assert before and [key for key, count in (before + after).items() if count > 1] == []
    assert {stage for stage, *_ in before} & {stage for stage, *_ in after} == set(), "it went on where it had paused"
    assert set(node_state.database(newton.site).schemas.values()) == {"pike"}


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ({"roles": ["Storage"]}, "Unknown role: Storage. The overcloud has "),
        ({"nodes": ["overcloud-controller-9"]}, "Unknown node: overcloud-controller-9"),
        ({"roles": ["Compute"], "nodes": COMPUTES}, "exactly one of roles and nodes"),
        ({}, "exactly one of roles and nodes"),
        ({"roles": ["Compute"], "playbook": "deploy.yaml"}, "'deploy.yaml' is not a playbook of phase upgrade"),
    ],
)
def test_upgrade_of_what_is_not_there_is_refused_by_name(newton, selection, told):
    before = len(newton.runs())
    ended = newton.do("upgrade", plan=PLAN, **selection)
    assert ended.state == "ERROR"
    assert told in ended.message
    assert len(newton.runs()) == before


def test_upgrade_of_the_controllers_runs_three_playbooks(newton):
    before = len(newton.runs())
    ended = newton.do("upgrade", plan=PLAN, roles=["Controller"], checks=True)
    assert ended.state == "SUCCESS", ended.message
    assert newton.went(
        ended.id,
        "query_outputs",
        "generate_playbooks",
        "run_upgrade_steps_playbook",
        "run_deploy_steps_playbook",
        "run_post_upgrade_steps_playbook",
    )
    assert [run.playbook for run in newton.runs()[before:]] == [
        "upgrade_steps_playbook.yaml",
        "deploy_steps_playbook.yaml",
        "post_upgrade_steps_playbook.yaml",
    ]
    states = node_state.read(newton.site)
    assert {states[name].release for name in CONTROLLERS} == {"queens"}
    assert {states[name].release for name in COMPUTES} == {"newton"}
    assert not external_log(newton).exists(), "external deploy tasks never run in upgrade"


def test_converge_with_nodes_left_behind_names_them_before_the_stack_is_touched(newton):
    ended = newton.do("converge", plan=PLAN)
    assert ended.state == "ERROR"
    assert f"{', '.join(COMPUTES)} has not finished upgrade" in ended.message
    assert "update_plan" not in newton.tasks(ended.id)


IN_BATCHES = {"canary": 1, "size": 1, "failure_budget": {"Compute": 1}}


@SLOW
def test_upgrade_in_batches_stops_when_its_health_check_fails(newton, health_check):
    health_check.write_text('#!/bin/sh\necho "$FFWD_UPGRADED_NODES is ill"; exit 1\n')
    asked = {**IN_BATCHES, "health_check": [str(health_check)]}
    ended = newton.do("upgrade", plan=PLAN, roles=["Compute"], batches=asked)
    assert ended.state == "ERROR"
    assert "health check after wave 1" in ended.message
    states = node_state.read(newton.site)
    assert [states[name].release for name in COMPUTES] == ["queens", "newton"], "only the canary was upgraded"
    assert newton.runs()[-1].playbook == "health_check.yaml"
    log = (Path(newton.runs()[-1].run_dir) / "ansible.log").read_text()
    assert f"{COMPUTES[0]} is ill" in log


@SLOW
def test_upgrade_in_batches_goes_on_and_leaves_an_unreachable_node_behind_by_name(newton, health_check):
    before = len(newton.runs())
    faults.set(newton.site, COMPUTES[1], "off")
    asked = {**IN_BATCHES, "health_check": [str(health_check)]}
    ended = newton.do("upgrade", plan=PLAN, roles=["Compute"], batches=asked, resume=True)
    assert ended.state == "ERROR"
    assert f"left behind: {COMPUTES[1]} (Compute-1: " in ended.message
    assert {failed["host"] for failed in ended.output["failed"]} == {COMPUTES[1]}
    assert [run.playbook for run in newton.runs()[before:]] == ["health_check.yaml", "upgrade_steps_playbook.yaml"]
    ended = newton.do("converge", plan=PLAN)
    assert f"{COMPUTES[1]} has not finished upgrade" in ended.message
    assert COMPUTES[0] not in ended.message


def test_nodes_that_were_left_behind_are_upgraded_when_they_are_back(newton):
    ended = newton.do("upgrade", plan=PLAN, nodes=COMPUTES[1:] if ALL else COMPUTES)
    assert ended.state == "SUCCESS", ended.message


def test_converge_ends_with_every_node_as_the_templates_say(newton):
    ended = newton.do("converge", plan=PLAN, checks=True, extra_vars={"operator_secret": PLANTED})
    assert ended.state == "SUCCESS", ended.message
    assert newton.went(
        ended.id, "update_plan", "update_stack", "query_outputs", "generate_playbooks", "run_deploy_steps_playbook"
    )
    assert overcloud.check_final_state(newton.site) == []
    assert external_log(newton).exists(), "external deploy tasks always run in converge"


def test_stopping_the_undercloud_cancels_its_runs_first_and_the_phase_says_so(newton):
    faults.set(newton.site, COMPUTES[0], "block", ".")
    execution = newton.start("upgrade", plan=PLAN, nodes=COMPUTES[:1], force_reason="to be stopped in the middle")
    faults.wait_blocked(newton.site, COMPUTES[0], timeout=120)
    run_id = newton.runs()[-1].run_id
    undercloud.stop(newton.site)
    assert processes_naming(run_id) == []
    assert newton.runs()[-1].result == "cancelled"
    undercloud.start(newton.site)
    ended = newton.wait(execution)
    assert ended.state == "ERROR"
    assert "cancelled" in ended.message
    assert ended.output["run_id"] == run_id


def test_outputs_playbooks_and_keys_never_reached_mistral(newton):
    key = newton.site.ssh_key_file.read_text().splitlines()[1]
    database = b"".join(path.read_bytes() for path in newton.site.mistral.glob("*.sqlite*"))
    assert key.encode() not in database
    assert b"gather_facts: false" not in database
    assert b"fast_forward_upgrade_tasks" not in database
    for path in [*newton.work_dir.rglob("*"), *newton.site.mistral.glob("*.log")]:
        if path.is_file():
            content = path.read_bytes()
            assert key.encode() not in content, path
            assert PLANTED.encode() not in content, path
    for path in (newton.work_dir / "runs").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0 or path.is_symlink(), path
