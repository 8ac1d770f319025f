"""The same overcloud run by real Ansible twice: the templates' own tree and ours; per host the same tasks.

`make test` takes one seed; FFWD_TEST_DIFFERENTIAL=all (`make test-differential`) takes more, on all of the overcloud.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import support
import yaml
from differential import compare
from differential.compare import Ansible, Trees

DATA = Path(__file__).parents[1] / "unit" / "playbook_gen" / "data" / "small_outputs.yaml"
ALL = os.environ.get("FFWD_TEST_DIFFERENTIAL") == "all"
FAST_FORWARD = "fast_forward_upgrade_playbook.yaml"
UPGRADE = "upgrade_steps_playbook.yaml"
DEPLOY = "deploy_steps_playbook.yaml"
POST = "post_upgrade_steps_playbook.yaml"
UPDATE = "update_steps_playbook.yaml"
ROLLING = "pre_upgrade_rolling_steps_playbook.yaml"

# What takes time is the templates' skips: two controllers, so that one is not the bootstrap node, and one of each else.
BLACKLIST = ["", "", "overcloud-controller-2", "", "overcloud-compute-1", ""]
SOME: list[tuple[str, str, dict[str, Any]]] = [
    (FAST_FORWARD, "1", {}),
    (POST, "1", {}),
    (DEPLOY, "1", {"tags": "host_prep_steps,step1"}),
]
MORE: list[tuple[str, str, dict[str, Any]]] = [
    *((name, seed, {}) for name in (FAST_FORWARD, UPGRADE, POST, DEPLOY, UPDATE) for seed in ("2", "3", "4")),
    (UPGRADE, "1", {}),
    (UPGRADE, "5", {"skip_tags": "validation,pre-upgrade"}),
    (UPGRADE, "5", {"tags": "common,pre-upgrade"}),
    (UPGRADE, "6", {"skip_tags": "common"}),
    (UPGRADE, "7", {"tags": "always"}),
    (FAST_FORWARD, "5", {"tags": "common"}),
    (FAST_FORWARD, "6", {"skip_tags": "common"}),
    (FAST_FORWARD, "7", {"extra_vars": {"httpd_running": True, "cinder_api_enabled": False}}),
    (UPGRADE, "8", {"extra_vars": {"run_ovs_update": True, "mysql_containerized": False}}),
    *((ROLLING, seed, {}) for seed in ("1", "2", "3")),
    (ROLLING, "4", {"skip_tags": "validation"}),
    (ROLLING, "4", {"tags": "common"}),
    (UPDATE, "5", {"skip_tags": "common"}),
    (UPDATE, "6", {"tags": "common"}),
    (UPDATE, "7", {"extra_vars": {"update_serial": 2, "docker_rpm_needs_update": True}}),
]
UNSELECTING = ("common", "always", "common,pre-upgrade")


@pytest.fixture(scope="module")
def reference(ansible: Ansible, tmp_path_factory: pytest.TempPathFactory) -> Trees:
    outputs = support.queens_outputs()
    outputs["BlacklistedHostnames"] = BLACKLIST
    for data in outputs["RoleData"].values():  # that overcloud has none; of these, one step's are for this playbook
        data["pre_upgrade_rolling_tasks"] = data["upgrade_tasks"]
    return compare.write_trees(outputs, tmp_path_factory.mktemp("reference"), ansible)


@pytest.mark.parametrize(("playbook", "seed", "selection"), [*SOME, *(MORE if ALL else [])])
def test_a_real_overcloud_runs_the_same_tasks(
    playbook: str, seed: str, selection: dict[str, Any], reference: Trees, ansible: Ansible
) -> None:
    run = compare.compare_trees(reference, playbook, seed, ansible, **selection)
    assert run.code == 0
    # Nothing below an untagged include is selected by a tag of its own.
    assert (sum(event[0] == "run" for event in run.events) > 10) == (selection.get("tags") not in UNSELECTING)


def test_a_variable_with_a_fixed_value_is_not_given(reference: Trees, ansible: Ansible) -> None:
    with pytest.raises(compare.Refused, match="skip_package_update"):
        compare.compare_trees(reference, UPGRADE, "1", ansible, extra_vars={"skip_package_update": True})


@pytest.mark.skipif(not ALL, reason="one of the slow ones: make test-differential")
def test_a_step_playbook_runs_the_same_tasks_on_a_single_controller(ansible: Ansible, tmp_path: Path) -> None:
    outputs = support.queens_outputs()
    outputs["BlacklistedHostnames"] = ["", "overcloud-controller-1", *BLACKLIST[2:]]
    trees = compare.write_trees(outputs, tmp_path, ansible)
    # As tripleoclient's --skip-tags has it.
    run = compare.compare_trees(trees, UPGRADE, "9", ansible, skip_tags="validation,pre-upgrade")
    assert run.code == 0 and len(run.events) > 300


@pytest.mark.parametrize("playbook", [FAST_FORWARD, UPGRADE, POST, DEPLOY])
@pytest.mark.parametrize("seed", ["1", "2"] if ALL else ["1"])
def test_a_small_overcloud_runs_the_same_tasks(playbook: str, seed: str, each_ansible: Ansible, tmp_path: Path) -> None:
    outputs = yaml.safe_load(DATA.read_text())
    trees = compare.write_trees(outputs, tmp_path, each_ansible)
    run = compare.compare_trees(trees, playbook, seed, each_ansible)
    hosts = {event[1] for event in run.events} - {"undercloud"}
    assert run.code == 0 and hosts <= {"cmp-0", "cmp-1", "ctl-0", "ctl-1"} and "ctl-0" in hosts


@pytest.mark.parametrize("selection", [{"skip_tags": "common"}, {"tags": "common"}])
def test_tags_select_the_same_tasks(selection: dict[str, Any], ansible: Ansible, tmp_path: Path) -> None:
    trees = compare.write_trees(yaml.safe_load(DATA.read_text()), tmp_path, ansible)
    run = compare.compare_trees(trees, UPGRADE, "1", ansible, **selection)
    names = {event[2] for event in run.events}
    assert run.code == 0 and "upgrade in step 2" not in names and bool(names) == ("skip_tags" in selection)


@pytest.mark.parametrize("failing", ["in every step", "sees the loop's step"])
def test_a_failure_comes_after_the_same_tasks(failing: str, ansible: Ansible, tmp_path: Path) -> None:
    """What happens after a failure is policy; until then it is the templates' order, host by host."""
    outputs = yaml.safe_load(DATA.read_text())
    playbook = FAST_FORWARD if failing == "in every step" else UPGRADE
    for tasks in outputs["RoleData"]["Controller"].values():
        for task in tasks if isinstance(tasks, list) else []:
            if task.get("name") == failing:
                task["failed_when"] = True
    trees = compare.write_trees(outputs, tmp_path, ansible)
    run = compare.compare_trees(trees, playbook, "1", ansible, survive=False)
    assert run.code == 2
