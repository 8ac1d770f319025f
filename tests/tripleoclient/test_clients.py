"""The commands of the real clients against the demo overcloud: what they say, how they end, what became of the nodes.

The tests build on each other: the way of the overcloud is gone once, and each fault happens on it.
"""

from __future__ import annotations

import pytest
from support import until

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.embedded import faults, node_state, undercloud

FFWD_RUN = ("overcloud", "ffwd-upgrade", "run", "--yes")
UPGRADE_RUN = ("overcloud", "upgrade", "run")
CONTROLLERS = [f"overcloud-controller-{index}" for index in range(3)]
COMPUTES = [f"overcloud-novacompute-{index}" for index in range(2)]
STEP2 = "disable --now openstack-nova-conductor"
FIRST = "hiera"
# Seconds within which a client must have ended after what ends it.
SOON = 90


@pytest.fixture(autouse=True)
def healthy_nodes(cloud):
    yield
    for name in [*CONTROLLERS, *COMPUTES]:
        faults.clear(cloud.site, name)


@pytest.fixture
def train(clients):
    return clients["train"]


@pytest.fixture
def queens(clients):
    return clients["queens"]


def blocked(cloud, name: str = CONTROLLERS[0]) -> None:
    faults.wait_blocked(cloud.site, name, timeout=180)


def ended(cloud) -> None:
    """Wait until no run is live."""
    until("the end of all runs", lambda: all(run.settled for run in cloud.runs()), 120)


def releases(cloud) -> set[str]:
    return {state.release for state in node_state.read(cloud.site).values()}


def test_the_clients_are_unmodified(clients):
    assert sorted(client.version for client in clients.values()) == ["12.3.1", "9.3.1"]
    assert [client.changed() for client in clients.values()] == [[], []]


def test_without_an_inventory_that_is_one_nothing_is_begun(cloud, train, tmp_path):
    (tmp_path / "inventory").write_text("{planted-81: [")
    done = train(*FFWD_RUN, "--static-inventory", str(tmp_path / "inventory"))
    assert done.code == 1, done.said
    assert "can't be read by Ansible" in done.said
    assert cloud.runs() == ()


def test_upgrade_before_run_is_out_of_turn(cloud, queens, inventory):
    done = queens(*UPGRADE_RUN, "--roles", "Controller", "--static-inventory", inventory)
    assert done.code == 1, done.said
    assert "Phase upgrade of plan overcloud is out of turn" in done.said


def test_a_failing_task_is_named_and_ends_the_command(cloud, train, inventory):
    faults.set(cloud.site, CONTROLLERS[1], "fail", STEP2)
    done = train(*FFWD_RUN, "--static-inventory", inventory)
    assert done.code == 1, done.said
    assert "fast_forward_upgrade_playbook.yaml: run" in done.said
    assert f"{CONTROLLERS[1]} failed in ocata/step2/Controller/all" in done.said
    assert "Update failed with: Phase run of plan overcloud failed" in done.said
    assert set(node_state.database(cloud.site).schemas.values()) == {"newton"}


def test_a_cancelled_execution_ends_the_command(cloud, queens, inventory):
    faults.set(cloud.site, CONTROLLERS[0], "block", FIRST)
    running = queens.start(*FFWD_RUN, "--static-inventory", inventory)
    blocked(cloud)
    (execution,) = cloud.mistral.newest(["tripleo.package_update.v1.update_nodes"], 1)
    cloud.mistral.set_state(execution.id, "CANCELLED")
    done = running.ends(SOON)
    faults.clear(cloud.site, CONTROLLERS[0])
    assert done.code == 1
    assert "was cancelled" in done.said
    ended(cloud)


def test_a_run_to_its_end_tells_its_stages(cloud, train, inventory):
    done = train(*FFWD_RUN, "--static-inventory", inventory)
    assert done.code == 0, done.said
    assert "ocata/step2/Controller/all (" in done.said
    assert "Phase run of plan overcloud has finished on 5 nodes." in done.said
    assert done.said.index("stages are done") < done.said.index("has finished on 5 nodes")
    assert "Success" in done.said
    again = train(*FFWD_RUN, "--static-inventory", inventory)
    assert again.code == 1 and "has finished run already" in again.said


def test_a_role_is_upgraded_by_three_calls(cloud, queens, inventory):
    done = queens(
        *UPGRADE_RUN, "--roles", "Controller", "--skip-tags", "validation,pre-upgrade", "--static-inventory", inventory
    )
    assert done.code == 0, done.said
    assert done.said.count("Success") == 3
    assert "Completed Overcloud Upgrade Run for Controller" in done.said
    assert {run.result for run in cloud.runs()[-3:]} == {"successful"}
    states = node_state.read(cloud.site)
    assert {states[name].release for name in CONTROLLERS} == {"queens"}


def test_an_unreachable_node_is_named(cloud, train, inventory):
    faults.set(cloud.site, COMPUTES[0], "off")
    done = train(*UPGRADE_RUN, "--limit", ", ".join(COMPUTES), "--static-inventory", inventory)
    assert done.code == 1, done.said
    assert COMPUTES[0] in done.said.splitlines()[-1]


def test_one_playbook_after_the_other_on_nodes(cloud, train, inventory):
    for playbook in ("upgrade_steps_playbook.yaml", "deploy_steps_playbook.yaml", "post_upgrade_steps_playbook.yaml"):
        done = train(*UPGRADE_RUN, "--limit", COMPUTES[0], "--playbook", playbook, "--static-inventory", inventory)
        assert done.code == 0, done.said
    assert node_state.read(cloud.site)[COMPUTES[0]].release == "queens"


def test_mistral_is_restarted_and_the_command_comes_to_its_end(cloud, queens, inventory):
    faults.set(cloud.site, COMPUTES[1], "block", "yum")
    running = queens.start(
        *UPGRADE_RUN,
        "--nodes",
        COMPUTES[1],
        "--playbook",
        "upgrade_steps_playbook.yaml",
        "--static-inventory",
        inventory,
    )
    blocked(cloud, COMPUTES[1])
    undercloud.kill(cloud.site, "mistral")
    undercloud.start(cloud.site)
    faults.clear(cloud.site, COMPUTES[1])
    done = running.ends()
    assert done.code == 0, done.said


def test_zaqar_is_restarted_and_the_upgrade_goes_on(cloud, zaqar, train, inventory):
    running = train.start(
        *UPGRADE_RUN,
        "--limit",
        COMPUTES[1],
        "--playbook",
        "deploy_steps_playbook.yaml",
        "--static-inventory",
        inventory,
    )
    before = len(cloud.runs())
    until("a run", lambda: len(cloud.runs()) > before, 120)
    for name in ("websocket", "zaqar"):
        zaqar.processes[name].stop(kill=True)
    done = running.ends(SOON)
    assert done.code == 1
    for name in ("zaqar", "websocket"):
        zaqar.processes[name].start()
    until("the end of the run", lambda: cloud.runs()[-1].settled, 120)
    assert cloud.runs()[-1].succeeded
    rest = train(
        *UPGRADE_RUN,
        "--limit",
        COMPUTES[1],
        "--playbook",
        "post_upgrade_steps_playbook.yaml",
        "--static-inventory",
        inventory,
    )
    assert rest.code == 0, rest.said
    assert releases(cloud) == {"queens"}
    assert not any(runs.leftovers(path) for path in (cloud.work_dir / "runs").iterdir() if path.is_dir())
