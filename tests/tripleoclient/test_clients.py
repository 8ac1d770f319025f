"""The commands of the real clients against the demo overcloud: what they say, how they end, what became of the nodes.

The tests build on each other: the way of the overcloud is gone once, and each fault happens on it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from pathlib import Path

import pytest
import undercloud_machine
from support import until

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.embedded import faults, node_state, nodes, overcloud, undercloud

PREPARE = ("overcloud", "ffwd-upgrade", "prepare", "--yes")
FFWD_RUN = ("overcloud", "ffwd-upgrade", "run", "--yes")
UPGRADE_RUN = ("overcloud", "upgrade", "run")
UPDATE_RUN = ("overcloud", "update", "run")
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


@pytest.fixture
def queens_2(clients):
    if "queens-2" not in clients:
        pytest.skip("needs a Python 2.7: the client of Queens can't refresh a plan on Python 3")
    return clients["queens-2"]


@pytest.fixture(scope="module")
def templates(cloud) -> list[str]:
    """The options that name the demo overcloud's templates."""
    environments = overcloud.queens_environments(cloud.site)
    return ["--templates", str(overcloud.PLAN_DIR), *(f"--environment-file={path}" for path in environments)]


@pytest.fixture(scope="module")
def undercloud_path(cloud, tmp_path_factory):
    """A PATH with which this machine looks like an undercloud, and nodes that can be reached as usual."""
    there = nodes.read(cloud.site)
    for node in there["nodes"]:
        (Path(node["root"]) / ".ssh").mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(
                undercloud_machine.at_port_22([node["address"] for node in there["nodes"]], there["ssh_port"])
            )
        except PermissionError:
            pytest.skip("needs the right to listen on port 22: the client of Train knows no other")
        yield undercloud_machine.path_with_host_entry(tmp_path_factory.mktemp("bin"), shutil.which("getent") or "false")


def blocked(cloud, name: str = CONTROLLERS[0]) -> None:
    faults.wait_blocked(cloud.site, name, timeout=180)


def ended(cloud) -> None:
    """Wait until no run is live."""
    until("the end of all runs", lambda: all(run.settled for run in cloud.runs()), 120)


def releases(cloud) -> set[str]:
    return {state.release for state in node_state.read(cloud.site).values()}


def test_the_clients_are_unmodified(clients):
    assert {client.version for client in clients.values()} == {"12.3.1", "9.3.1"}
    assert not any(client.changed() for client in clients.values())


def prepared(cloud, since: str) -> bool:
    """True when a phase prepare that is newer than `since` has succeeded."""
    (newest,) = cloud.mistral.newest(["ffwd_upgrade.v1.prepare"], 1)
    return newest.id != since and newest.state == "SUCCESS"


def test_prepare_by_the_client_of_queens(cloud, queens_2, templates):
    before = cloud.mistral.newest(["ffwd_upgrade.v1.prepare"], 1)[0].id
    done = queens_2(*PREPARE, *templates)
    assert done.code == 0, done.said
    assert "FFWD Upgrade Prepare on stack overcloud complete." in done.said
    assert prepared(cloud, before)
    assert "OS_AUTH_URL=" in (queens_2.home / "overcloudrc").read_text()


def test_on_python_3_the_client_of_queens_dies_by_itself_and_the_passwords_are_kept(
    cloud, queens, templates, plan_passwords
):
    passwords = plan_passwords()
    done = queens(*PREPARE, *templates)
    assert done.code == 1, done.said
    # It opens an archive as text; when its library does not, it writes bytes to a file of text itself.
    assert "'utf-8' codec can't decode byte 0x8b" in done.said
    assert "overcloud" in cloud.mistral.ask("ffwd.list_plans", {})
    assert plan_passwords() == passwords


def test_prepare_by_the_client_of_train(cloud, train, templates, undercloud_path):
    before = cloud.mistral.newest(["ffwd_upgrade.v1.prepare"], 1)[0].id
    client = dataclasses.replace(train, environ={**train.environ, "PATH": undercloud_path})
    key = str(cloud.site.ssh_key_file)
    done = client(*PREPARE, *templates, "--overcloud-ssh-user", "heat-admin", "--overcloud-ssh-key", key)
    assert done.code == 0, done.said
    assert "Enabling ssh admin - COMPLETE." in done.said
    assert "FFWD Upgrade Prepare on stack overcloud complete." in done.said
    assert prepared(cloud, before)


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
    assert COMPUTES[0] in done.said.rpartition("Update failed with:")[2].splitlines()[0]


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


def test_an_executor_is_killed_and_the_command_comes_to_its_end(cloud, executors, train, inventory):
    if not executors.apart:
        pytest.skip("needs RabbitMQ: Mistral and its executor are one process here")
    faults.set(cloud.site, COMPUTES[1], "block", "yum")
    steps = ("--playbook", "upgrade_steps_playbook.yaml")
    running = train.start(*UPGRADE_RUN, "--limit", COMPUTES[1], *steps, "--static-inventory", inventory)
    blocked(cloud, COMPUTES[1])
    executors.kill()
    faults.clear(cloud.site, COMPUTES[1])
    executors.start("second")
    done = running.ends()
    assert done.code == 0, done.said
    assert "Phase upgrade of plan overcloud has finished on 1 node." in done.said
    assert cloud.runs()[-1].succeeded


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
    (execution,) = cloud.mistral.newest(["tripleo.package_update.v1.update_nodes"], 1)
    assert cloud.wait(execution.id).state == "SUCCESS"
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


def test_tags_set_no_node_back_and_all_three_playbooks_are_run(cloud, train, inventory):
    done = train(*UPGRADE_RUN, "--limit", COMPUTES[0], "--tags", "validation", "--static-inventory", inventory)
    assert done.code == 0, done.said
    assert done.said.count("has run what is tagged validation") == 3
    status = cloud.mistral.ask("ffwd.list_nodes", {"plan": "overcloud"})["nodes"]
    assert {node["node"]: node["phases"]["upgrade"] for node in status}[COMPUTES[0]] == "finished"


def test_an_update_is_out_of_turn_in_the_middle_of_an_upgrade(cloud, train, inventory):
    before = len(cloud.runs())
    done = train(*UPDATE_RUN, "--limit", "Compute", "--static-inventory", inventory)
    assert done.code == 1
    assert "Update of plan overcloud is out of turn: overcloud-novacompute-0, overcloud-novacompute-1 is" in done.said
    assert len(cloud.runs()) == before


def test_the_external_upgrade_by_its_tags(cloud, train, inventory):
    done = train("overcloud", "external-upgrade", "run", "--tags", "online_upgrade", "--static-inventory", inventory)
    assert done.code == 0, done.said
    assert "External upgrade of plan overcloud has run what is tagged online_upgrade on 5 nodes." in done.said
    written = overcloud.external_dir(cloud.site) / "external-upgrade.log"
    assert written.read_text().splitlines() == ["migrated online"]


def test_converge_by_the_client_of_queens(cloud, queens_2, templates):
    done = queens_2("overcloud", "ffwd-upgrade", "converge", "--yes", *templates)
    assert done.code == 0, done.said
    assert "FFWD Upgrade Converge on stack overcloud complete." in done.said
    assert overcloud.check_final_state(cloud.site) == []


def test_converge_by_the_client_of_train_is_repeatable(cloud, train, templates, undercloud_path):
    client = dataclasses.replace(train, environ={**train.environ, "PATH": undercloud_path})
    key = str(cloud.site.ssh_key_file)
    done = client(
        *("overcloud", "ffwd-upgrade", "converge", "--yes"),
        *templates,
        *("--overcloud-ssh-user", "heat-admin", "--overcloud-ssh-key", key),
    )
    assert done.code == 0, done.said
    assert "FFWD Upgrade Converge on stack overcloud complete." in done.said
    assert not any(runs.leftovers(path) for path in (cloud.work_dir / "runs").iterdir() if path.is_dir())


def test_updates_after_the_upgrade_by_both_clients(cloud, train, queens, inventory):
    done = train("overcloud", "external-update", "run", "--static-inventory", inventory)
    assert done.code == 0, done.said
    assert "External update of plan overcloud has finished on 5 nodes." in done.said
    for client, selection in ((train, "--limit"), (queens, "--nodes")):
        done = client(*UPDATE_RUN, selection, COMPUTES[0], "--static-inventory", inventory)
        assert done.code == 0, done.said
        assert "Update of plan overcloud has finished on 1 node." in done.said
    assert cloud.runs()[-1].playbook == "update_steps_playbook.yaml"
    assert overcloud.check_final_state(cloud.site) == []
