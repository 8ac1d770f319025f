"""The forms that outputs come in, and what a config-download tree adds."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.playbook_gen import hosts, pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions


def wrapped(outputs: dict[str, Any], *, texts: bool, inner: bool) -> dict[str, Any]:
    """What `openstack stack output show STACK --all -f json` prints."""
    found: dict[str, Any] = {}
    for key, value in outputs.items():
        value = json.dumps(value) if inner and not isinstance(value, str) else value
        item = {"output_key": key, "output_value": value, "description": "No description given"}
        found[key] = json.dumps(item, indent=2) if texts else item
    return found


@pytest.mark.parametrize("texts", [False, True])
@pytest.mark.parametrize("inner", [False, True])
def test_what_the_openstack_client_prints_is_taken(outputs: dict[str, Any], texts: bool, inner: bool) -> None:
    outputs["KeystoneURL"] = "http://192.0.2.5:5000/"
    outputs["NoUrl"] = None
    raw = wrapped(outputs, texts=texts, inner=inner)
    assert pipeline.compile_playbooks(raw, GenerateOptions()) == pipeline.compile_playbooks(outputs, GenerateOptions())
    assert hosts.hosts_by_role(raw)["Controller"] == ("ctl-0", "ctl-1")


def inventory_of(outputs: dict[str, Any], given: dict[str, str], tmp_path: Path, program: str) -> tuple[Any, str]:
    """What Ansible makes of the tree's inventory, and what it said about it."""
    tree = tmp_path / "tree"
    writing.write_tree(pipeline.compile_playbooks(outputs, GenerateOptions(config_download=given)), tree)
    done = subprocess.run(
        [str(Path(program).parent / "ansible-inventory"), "-i", str(tree / "inventory.yaml"), "--list"],
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("ending", ["", ".yaml", ".yml", ".json"])
def test_variables_of_a_config_download_tree_are_merged(
    ending: str, outputs: dict[str, Any], tmp_path: Path, ansible_playbook: str
) -> None:
    given = {f"host_vars/ctl-0{ending}": '{"theirs": 1}', f"group_vars/Compute{ending}": '{"pre_deployments": []}'}
    found, _ = inventory_of(outputs, given, tmp_path, ansible_playbook)
    variables = found["_meta"]["hostvars"]
    assert variables["ctl-0"]["theirs"] == 1
    assert variables["ctl-0"]["deploy_server_id"] == "id-c0"
    assert variables["cmp-1"]["pre_deployments"] == []
    assert variables["cmp-1"]["tripleo_role_name"] == "Compute"
    names = sorted(path.name for path in (tmp_path / "tree" / "host_vars").iterdir())
    assert names == ["cmp-0.yaml", "cmp-1.yaml", "ctl-0.yaml", "ctl-1.yaml"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"host_vars/ctl-0": "a: 1", "host_vars/ctl-0.yml": "a: 2"}, "host_vars/ctl-0.yml"),
        ({"group_vars/other.json": "{}", "group_vars/other.yaml": "a: 2"}, "group_vars/other.yaml"),
        ({"group_vars/Compute/more.yaml": "a: 1"}, "group_vars/Compute/more.yaml"),
        ({"manifest.json": "{}"}, "manifest.json"),
        ({"inventory.yaml": "all:"}, "inventory.yaml"),
    ],
)
def test_files_that_collide_are_refused(outputs: dict[str, Any], given: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        pipeline.compile_playbooks(outputs, GenerateOptions(config_download=given))
    assert said in str(caught.value)


def test_ansible_has_nothing_to_warn_of_in_the_inventory(
    outputs: dict[str, Any], tmp_path: Path, ansible_playbook: str
) -> None:
    found, said = inventory_of(outputs, {}, tmp_path, ansible_playbook)
    assert said == ""
    assert "undercloud" not in found
    assert found["_meta"]["hostvars"]["undercloud"]["ansible_connection"] == "local"


@pytest.mark.parametrize(
    "use",
    [
        "{{ groups['undercloud'][0] }}",
        '{{ groups["undercloud"] | first }}',
        "{{ groups.undercloud[0] }}",
        "{{ groups.get('undercloud', []) }}",
        "{{ 'undercloud' in groups }}",
        "{{ 'undercloud' not in group_names }}",
    ],
)
def test_the_group_undercloud_is_there_for_tasks_that_name_it(outputs: dict[str, Any], use: str) -> None:
    outputs["RoleData"]["Compute"]["upgrade_tasks"].append({"debug": {"msg": use}})
    text = dict(pipeline.compile_playbooks(outputs, GenerateOptions()).files)["inventory.yaml"]
    assert yaml.safe_load(text)["all"]["children"]["undercloud"] == {"hosts": {"undercloud": {}}}
