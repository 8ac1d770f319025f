"""A real Queens overcloud goes through prepare and converge in a real Heat, driven by Mistral.

There are no servers behind it, and no key for any: converge ends where Ansible would be started, with the stack updated
and the playbooks generated.
The tests build on each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from overclouds import real

from tripleo_ffwd import heat
from tripleo_ffwd.plan.store import PlanStore

PLAYBOOKS = (
    "fast_forward_upgrade_playbook.yaml",
    "upgrade_steps_playbook.yaml",
    "deploy_steps_playbook.yaml",
    "post_upgrade_steps_playbook.yaml",
)
PREPARE = "environments/lifecycle/ffwd-upgrade-prepare.yaml"
CONVERGE = "environments/lifecycle/ffwd-upgrade-converge.yaml"


def outputs_of(cloud) -> dict:
    return {item["output_key"]: item["output_value"] for item in heat.get_outputs(cloud.client, real.STACK)}


def test_the_stack_is_the_whole_overcloud(cloud):
    status = heat.get_status(cloud.client, real.STACK)
    assert status.complete, status.describe()
    ids = outputs_of(cloud)["ServerIdData"]["server_ids"]
    assert {role: len(found) for role, found in ids.items()} == {role.name: role.count for role in cloud.roles}


def test_prepare_updates_plan_and_stack(cloud):
    ended = cloud.do("prepare", templates=str(cloud.inputs.templates), environments=cloud.inputs.environments)
    assert (ended.state, ended.output["status"]) == ("SUCCESS", "SUCCESS"), ended.message
    version = PlanStore(cloud.work_dir).current(real.STACK)
    assert version.lifecycle == PREPARE
    assert version.environments.index(PREPARE) < version.environments.index(real.ENVIRONMENTS[-1])
    environment = cloud.environment()
    assert environment["parameter_defaults"]["StackUpdateType"] == "FASTFORWARDUPGRADE"
    assert environment["parameter_defaults"]["EnableOnlineDataMigrations"] is False
    assert environment["resource_registry"]["OS::TripleO::DeploymentSteps"] == "OS::Heat::None"
    status = heat.get_status(cloud.client, real.STACK)
    assert (status.action, status.status) == ("UPDATE", "COMPLETE")


def test_outputs_and_deployments_after_prepare_feed_the_generation(cloud, tmp_path):
    outputs = outputs_of(cloud)
    deployments = heat.fetch_deployments(cloud.client, real.STACK, outputs)
    assert len(deployments["servers"]) == cloud.servers
    assert all(len(found) > 7 for found in deployments["servers"].values())
    assert len(outputs["RoleData"]["Controller"]["fast_forward_upgrade_tasks"]) > 30
    tree = generate(cloud, outputs, tmp_path)
    manifest = json.loads((tree / "manifest.json").read_text())
    assert manifest["releases"] == ["ocata", "pike", "queens"]
    assert manifest["missing_inputs"] == []
    check_syntax(tree, tmp_path)


@pytest.mark.skipif(os.environ.get("FFWD_TEST_REAL") == "sample", reason="two minutes more: FFWD_TEST_REAL=one")
def test_converge_updates_plan_and_stack_and_generates_playbooks(cloud, tmp_path):
    ended = cloud.do("converge", force_reason="no server was upgraded", run_timeout=300)
    order = ["update_plan", "update_stack", "query_outputs", "generate_playbooks", "run_deploy_steps_playbook"]
    began = cloud.tasks(ended.id)
    assert [name for name in sorted(began, key=began.__getitem__) if name in order] == order, ended.message
    # There are no servers, and no key for them.
    assert ended.state == "ERROR"
    assert "ssh_key_file" in ended.message
    version = PlanStore(cloud.work_dir).current(real.STACK)
    assert version.lifecycle == CONVERGE
    environment = cloud.environment()
    assert environment["parameter_defaults"]["StackUpdateType"] == ""
    assert environment["parameter_defaults"]["EnableOnlineDataMigrations"] is True
    [tree] = (cloud.work_dir / "trees").iterdir()
    check_syntax(tree, tmp_path, ["deploy_steps_playbook.yaml"])


def generate(cloud, outputs: dict, scratch: Path) -> Path:
    """Generate with the local command, as an operator does, with the servers' deployments from Heat."""
    (scratch / "outputs.json").write_text(json.dumps(outputs))
    (scratch / "ffwd.conf").write_text(f"[ffwd]\nheat_url = {cloud.heat_url}\n")
    command = [str(Path(sys.executable).with_name("tripleo-ffwd")), "generate", "--stack", real.STACK]
    command += ["--config-file", str(scratch / "ffwd.conf"), "--outputs", str(scratch / "outputs.json")]
    tree = scratch / "tree"
    done = subprocess.run([*command, "--output-dir", str(tree)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tree


def check_syntax(tree: Path, scratch: Path, playbooks: Sequence[str] = PLAYBOOKS) -> None:
    """Let Ansible load the playbooks, with an empty one for each module and role that the manifest names as needed."""
    library, roles = scratch / "library", scratch / "roles"
    library.mkdir()
    for needed in json.loads((tree / "manifest.json").read_text())["modules"]:
        if needed.startswith("role "):
            (roles / needed.removeprefix("role ") / "tasks").mkdir(parents=True)
        elif " " not in needed:  # plugins are looked for when a task runs
            (library / f"{needed.rpartition('.')[2]}.py").touch()
    places = {"ANSIBLE_LIBRARY": str(library), "ANSIBLE_ROLES_PATH": str(roles), "ANSIBLE_HOME": str(scratch / "home")}
    environment = {**os.environ, **places}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "--syntax-check", "-i", "inventory.yaml"]
    done = subprocess.run(
        [*command, *playbooks], cwd=tree, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-500:]}{done.stderr[-2000:]}"
