"""The inventory, as Ansible itself reads it: the groups and variables that users of TripleO's own inventory know."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import support
import yaml

from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions


def listed(outputs: dict[str, Any], ansible_playbook: str, tmp_path: Path) -> dict[str, Any]:
    writing.write_tree(pipeline.compile_playbooks(outputs, GenerateOptions(phase="run")), tmp_path / "tree")
    program = Path(ansible_playbook).with_name("ansible-inventory")
    answer = subprocess.run(
        [str(program), "-i", str(tmp_path / "tree" / "inventory.yaml"), "--list"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
    )
    assert "WARNING" not in answer.stderr, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_the_reference_overcloud_has_tripleos_groups_and_variables(ansible_playbook: str, tmp_path: Path) -> None:
    outputs = support.queens_outputs()
    outputs["EndpointMap"] = {"HorizonPublic": {"uri": "http://10.0.0.5:80/dashboard"}}
    outputs["KeystoneURL"] = "http://10.0.0.5:5000/"
    found = listed(outputs, ansible_playbook, tmp_path)
    assert found["overcloud"]["children"] == ["Controller", "Compute", "CephStorage"]
    assert found["allovercloud"]["children"] == ["overcloud"]
    assert found["nova_compute"]["children"] == ["Compute"]
    assert found["Undercloud"]["hosts"] == ["undercloud"]
    variables = found["_meta"]["hostvars"]
    networks = ["ctlplane", "external", "internal_api", "management", "storage", "storage_mgmt", "tenant"]
    expected = {
        "ansible_host": "192.168.24.20",
        "deploy_server_id": outputs["ServerIdData"]["server_ids"]["Compute"][0],
        "bootstrap_server_id": outputs["ServerIdData"]["bootstrap_server_id"],
        "tripleo_role_name": "Compute",
        "tripleo_role_networks": networks,
        "internal_api_ip": "172.16.2.20",
        "internal_api_hostname": "overcloud-compute-0.internalapi.localdomain",
        "canonical_hostname": "overcloud-compute-0.localdomain",
        "internal_api_vip": "172.16.2.5",
        "redis_vip": "172.16.2.6",
    }
    assert {name: variables["overcloud-compute-0"].get(name) for name in expected} == expected
    assert sorted(variables["overcloud-compute-0"]["enabled_networks"]) == networks
    groups = yaml.safe_load((tmp_path / "tree" / "inventory.yaml").read_text())["all"]["children"]
    assert groups["Compute"]["vars"]["role_name"] == "Compute"  # ansible-inventory never shows this one
    assert not {"tenant_vip", "ctlplane_subnet_vip", "ctlplane_uri_vip"} & set(variables["overcloud-compute-0"])
    assert variables["undercloud"]["overcloud_horizon_url"] == "http://10.0.0.5:80/dashboard"
    assert variables["undercloud"]["overcloud_keystone_url"] == "http://10.0.0.5:5000/"


def test_blacklisted_servers_are_in_no_group(outputs: dict[str, Any], ansible_playbook: str, tmp_path: Path) -> None:
    assert outputs["BlacklistedHostnames"][2] == "ctl-2"
    found = listed(outputs, ansible_playbook, tmp_path)
    assert "ctl-2" not in json.dumps(found)
    assert found["Controller"]["hosts"] == ["ctl-0", "ctl-1"]


def test_services_are_groups_in_small_letters_and_by_cephs_names(outputs: dict[str, Any]) -> None:
    outputs["EnabledServices"] = {"Controller": ["CephMon", "ceph_mon"], "Compute": ["ceph_osd"], "Gone": ["x"]}
    files = dict(pipeline.compile_playbooks(outputs, GenerateOptions(phase="run")).files)
    groups = yaml.safe_load(files["inventory.yaml"])["all"]["children"]
    for name in ("CephMon", "cephmon", "ceph_mon", "mons"):
        assert list(groups[name]["children"]) == ["Controller"]
    assert list(groups["osds"]["children"]) == ["Compute"]
    assert "x" not in groups


@pytest.mark.parametrize("hosts", ["allovercloud", "Undercloud", "mons", "overcloud:!osds"])
def test_plays_of_later_releases_find_their_hosts(outputs: dict[str, Any], hosts: str) -> None:
    outputs["EnabledServices"] = {"Controller": ["ceph_mon"], "Compute": ["ceph_osd"]}
    play = {"hosts": hosts, "gather_facts": False, "tasks": [{"name": "t", "command": "true"}]}
    outputs["RoleConfig"]["deploy_steps_playbook"] = [play]
    (stage,) = pipeline.compile_playbooks(outputs, GenerateOptions(phase="converge")).manifest["stages"]
    controllers, computes = ("ctl-0", "ctl-1"), ("cmp-0", "cmp-1")
    expected = {"allovercloud": controllers + computes, "Undercloud": ("undercloud",)}.get(hosts, controllers)
    assert tuple(stage["hosts"]) == expected
