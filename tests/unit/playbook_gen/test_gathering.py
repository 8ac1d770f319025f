"""Facts are gathered as far as something in a playbook may read them; what can't be told has all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions

PLAYBOOK = "fast_forward_upgrade_playbook.yaml"


def enough(*subsets: str) -> str:
    return f"{{{{ ffwd_gather_subset | default({['!all', *subsets]}) }}}}"


def with_task(outputs: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    outputs["RoleData"]["Controller"]["fast_forward_upgrade_tasks"] = [
        {"name": "the task", "when": "step|int == 2", **task}
    ]
    return outputs


def gathered(outputs: dict[str, Any]) -> str | None:
    files = dict(pipeline.compile_playbooks(outputs, GenerateOptions(phase="run")).files)
    tasks = [task for play in yaml.safe_load(files[PLAYBOOK]) for task in play["tasks"]]
    (arguments,) = (task["gather_facts"] for task in tasks if "gather_facts" in task)
    subset: str | None = arguments.get("gather_subset")
    return subset


@pytest.mark.parametrize(
    ("task", "subsets"),
    [
        ({"command": "echo"}, []),
        ({"command": "echo {{ ansible_hostname }} {{ ansible_date_time.epoch }}"}, []),
        ({"command": "echo {{ ansible_facts['os_family'] }} {{ ansible_facts.fqdn }}"}, []),
        ({"service": {"name": "httpd", "state": "stopped"}}, []),
        ({"command": "echo", "delegate_to": "{{ ansible_play_hosts[0] }}"}, []),
        ({"pacemaker_resource": {"resource": "x", "state": "disable"}}, []),
        ({"debug": {"var": "ansible_mounts"}}, ["hardware"]),
        ({"debug": {"msg": '{{ ansible_facts["memtotal_mb"] }}'}}, ["hardware"]),
        ({"command": "echo", "when": ["step|int == 2", "ansible_virtualization_role == 'guest'"]}, ["virtual"]),
    ],
    ids=str,
)
def test_what_is_read_is_gathered(outputs: dict[str, Any], task: dict[str, Any], subsets: list[str]) -> None:
    assert gathered(with_task(outputs, task)) == enough(*subsets)


@pytest.mark.parametrize(
    "task",
    [
        {"command": "echo {{ ansible_eth0.ipv4.address }}"},
        {"command": "echo {{ ansible_default_ipv4.address }}"},
        {"command": "echo {{ ansible_facts[name] }}"},
        {"command": "echo {{ hostvars['other'].name }}"},
        {"command": "echo {{ lookup('vars', 'ansible_' ~ name) }}"},
        {"command": "echo {{ '192.0.2.1' | ipaddr }}"},
        {"template": {"src": "x.j2", "dest": "/x"}},
        {"include_role": {"name": "x"}},
        {"include_vars": "site.yaml"},
        {"site_module": {"a": 1}},
        {"command": "echo {{ ansible_local_thing }}"},
        {"command": "echo {{ facter_hostname }}"},
    ],
    ids=lambda task: json.dumps(task)[:50],
)
def test_what_cannot_be_told_has_all_facts(outputs: dict[str, Any], task: dict[str, Any]) -> None:
    assert gathered(with_task(outputs, task)) is None


def test_variables_of_hosts_count_as_well(outputs: dict[str, Any]) -> None:
    outputs["RoleConfig"]["global_vars"] = {
        **outputs["RoleConfig"].get("global_vars", {}),
        "where": "{{ ansible_eth1 }}",
    }
    assert gathered(with_task(outputs, {"command": "echo"})) is None


def test_a_subset_that_the_templates_name_stays(outputs: dict[str, Any]) -> None:
    config = outputs["RoleConfig"]
    plays = yaml.safe_load(json.dumps(config["fast_forward_upgrade_playbook"]))
    plays = yaml.safe_load(plays) if isinstance(plays, str) else plays
    for play in plays:
        play["gather_subset"] = ["network"]
    config["fast_forward_upgrade_playbook"] = plays
    assert gathered(with_task(outputs, {"command": "echo"})) == ["network"]


def test_real_ansible_gathers_no_more_unless_the_run_asks_for_it(
    outputs: dict[str, Any], slow_playbook: str, tmp_path: Path
) -> None:
    task = {"debug": {"msg": "name {{ ansible_hostname is defined }}, {{ seen | default('nothing') }}"}}
    tree = pipeline.compile_playbooks(with_task(outputs, task), GenerateOptions(phase="run"))
    writing.write_tree(tree, tmp_path / "tree")
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"vars": local}}))

    def run(variables: dict[str, Any]) -> str:
        command = [slow_playbook, "-i", str(tmp_path / "tree/inventory.yaml"), "-i", str(inventory)]
        command += ["-e", json.dumps(variables), "--limit", "ctl-0", str(tmp_path / "tree" / PLAYBOOK)]
        environment = {**os.environ, "ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_BECOME": "0"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False).stdout

    looks = {"seen": "mounts {{ ansible_mounts is defined }}"}
    assert "name True, mounts False" in run(looks)
    assert "name True, mounts True" in run({**looks, "ffwd_gather_subset": ["all"]})
