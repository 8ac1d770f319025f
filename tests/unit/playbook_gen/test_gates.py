"""Real Ansible: after a failure no later stage starts anywhere, and the stage itself goes on on the other hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions

ACTIONS = Path(__file__).parent / "action_plugins"
LOCAL = {"all": {"vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}
REFUSING = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


@pytest.fixture()
def small(outputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs with as few tasks as the gates need."""
    roles = outputs["RoleData"]
    roles["Controller"]["fast_forward_upgrade_tasks"] = [
        {"name": "stop", "command": "{{ fails | default('echo') }} stop", "when": "step|int == 2"},
        {"name": "go on", "command": "echo go on", "when": "step|int == 2"},
        {"name": "migrate", "command": "echo migrate", "when": "step|int == 5"},
    ]
    roles["Compute"]["fast_forward_upgrade_tasks"] = [
        {"name": "compute", "command": "echo compute", "when": "step|int == 2"},
    ]
    return outputs


def play(
    tree: Path, program: str, tmp_path: Path, hosts: dict[str, Any], *more: dict[str, Any], real: bool = False
) -> tuple[int, str]:
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {**LOCAL["all"], "hosts": hosts}}))
    command = [program, "-i", str(tree / "inventory.yaml"), "-i", str(inventory)]
    for number, extra in enumerate(more):
        path = tmp_path / f"more{number}.json"
        path.write_text(json.dumps(extra))
        command += ["-i", str(path)]
    environment = {
        **os.environ,
        **({} if real else {"ANSIBLE_ACTION_PLUGINS": str(ACTIONS)}),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_SSH_RETRIES": "0",
    }
    done = subprocess.run(
        [*command, str(tree / "fast_forward_upgrade_playbook.yaml")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def tree_of(outputs: dict[str, Any], tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    writing.write_tree(pipeline.compile_playbooks(outputs, GenerateOptions(phase="run")), tree)
    return tree


def task_of(output: str, name: str) -> str:
    """What ansible-playbook printed for the first task of a name."""
    return output.partition(f"TASK [{name}]")[2].partition("\nTASK [")[0].partition("\nPLAY [")[0]


def test_one_failed_controller_stops_the_run_before_the_next_stage(
    small: dict[str, Any], ansible_playbook: str, tmp_path: Path
) -> None:
    code, output = play(tree_of(small, tmp_path), ansible_playbook, tmp_path, {"ctl-1": {"fails": "false"}})
    assert code != 0
    assert "Stage ocata/step2/Controller/all did not finish on ctl-1: the run ends here" in output
    assert "changed: [ctl-0]" in task_of(output, "go on")  # the stage itself goes on on the others
    assert "TASK [compute]" not in output
    assert "TASK [migrate]" not in output


def test_a_failure_that_ends_the_play_at_once_stops_the_run(
    small: dict[str, Any], ansible_playbook: str, tmp_path: Path
) -> None:
    small["RoleConfig"]["fast_forward_upgrade_playbook"][0]["any_errors_fatal"] = True
    code, output = play(tree_of(small, tmp_path), ansible_playbook, tmp_path, {"ctl-1": {"fails": "false"}})
    assert code != 0
    assert "TASK [compute]" not in output
    assert "TASK [migrate]" not in output


def test_a_play_that_stays_whole_has_gates_between_its_steps(
    small: dict[str, Any], ansible_playbook: str, tmp_path: Path
) -> None:
    small["RoleConfig"]["fast_forward_upgrade_playbook"][0]["handlers"] = [{"name": "a handler", "debug": {}}]
    code, output = play(tree_of(small, tmp_path), ansible_playbook, tmp_path, {"ctl-1": {"fails": "false"}})
    assert code != 0
    assert "Stage -/pre/overcloud/all, ocata/step2, did not finish on ctl-1: the run ends here" in output
    assert "TASK [compute]" in output  # the step goes on on the others
    assert "TASK [migrate]" not in output


def test_all_controllers_failed_stops_the_run(small: dict[str, Any], ansible_playbook: str, tmp_path: Path) -> None:
    hosts = {"ctl-0": {"fails": "false"}, "ctl-1": {"fails": "false"}}
    code, output = play(tree_of(small, tmp_path), ansible_playbook, tmp_path, hosts)
    assert code != 0
    assert "TASK [compute]" not in output
    assert "TASK [migrate]" not in output


def test_an_unreachable_host_stops_the_run(small: dict[str, Any], ansible_playbook: str, tmp_path: Path) -> None:
    small["RoleConfig"]["fast_forward_upgrade_prep_tasks"] = (
        "- ping:\n" + small["RoleConfig"]["fast_forward_upgrade_prep_tasks"]
    )
    code, output = play(tree_of(small, tmp_path), ansible_playbook, tmp_path, {"cmp-1": REFUSING})
    assert code != 0
    assert "Stage ocata/pre/overcloud/all did not finish on cmp-1" in output
    assert "TASK [stop]" not in output


def test_a_limited_run_passes_though_an_unselected_host_is_unreachable(
    small: dict[str, Any], ansible_playbook: str, tmp_path: Path
) -> None:
    unselected = {"all": {"children": {"ffwd_unselected": {"hosts": {"cmp-0": {}, "cmp-1": {}}}}}}
    code, output = play(
        tree_of(small, tmp_path), ansible_playbook, tmp_path, {"cmp-1": REFUSING}, unselected, real=True
    )
    assert code == 0, output
    assert "TASK [migrate]" in output
    assert "TASK [compute]" not in output
    assert "changed: [ctl-0]" in task_of(output, "migrate")
    assert "[ctl-1]" not in task_of(output, "migrate")  # only the bootstrap node, decided at run time


BROKEN = {"ansible_python_interpreter": "/nonexistent/python"}


def test_facts_that_fail_on_an_unselected_host_do_not_end_the_run(
    small: dict[str, Any], ansible_playbook: str, tmp_path: Path
) -> None:
    unselected = {"all": {"children": {"ffwd_unselected": {"hosts": {"cmp-0": {}, "cmp-1": {}}}}}}
    code, output = play(tree_of(small, tmp_path), ansible_playbook, tmp_path, {"cmp-1": BROKEN}, unselected, real=True)
    assert "fatal: [cmp-1]: FAILED!" in task_of(output, "Gathering Facts")
    assert code == 0, output
    assert "TASK [migrate]" in output


def test_facts_that_fail_on_a_selected_host_end_the_run(
    small: dict[str, Any], ansible_playbook: str, tmp_path: Path
) -> None:
    unselected = {"all": {"children": {"ffwd_unselected": {"hosts": {"cmp-0": {}}}}}}
    code, output = play(tree_of(small, tmp_path), ansible_playbook, tmp_path, {"cmp-1": BROKEN}, unselected, real=True)
    assert code != 0
    assert "did not finish on cmp-1" in output
    assert "TASK [stop]" not in output


def test_a_rescued_failure_does_not_trip_the_gate(small: dict[str, Any], ansible_playbook: str, tmp_path: Path) -> None:
    tasks = small["RoleData"]["Controller"]["fast_forward_upgrade_tasks"]
    tasks[0] = {
        "block": [tasks[0] | {"when": True}],
        "rescue": [{"debug": {"msg": "rescued"}}],
        "when": "step|int == 2",
    }
    code, output = play(tree_of(small, tmp_path), ansible_playbook, tmp_path, {"ctl-1": {"fails": "false"}})
    assert code == 0, output
    assert "TASK [migrate]" in output
