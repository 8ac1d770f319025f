"""The servers' deployments in the tree: what is written, what is missing, and what real Ansible makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tripleo_ffwd import software
from tripleo_ffwd.exceptions import FfwdError, MalformedOutputs
from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.deployments import load_deployments
from tripleo_ffwd.playbook_gen.options import GenerateOptions

DEPLOY = "deploy_steps_playbook.yaml"
LIKE = software.Like("deployment_resource", "CREATE", "TripleOSoftwareDeployment", "NO_SIGNAL")
SERVERS = {"id-c0": "ctl-0", "id-c1": "ctl-1", "id-n0": "cmp-0", "id-n1": "cmp-1"}
HOOK = """#!{python}
import json, os, pathlib, sys
source = pathlib.Path(os.environ["HEAT_SHELL_CONFIG"])
base = source.parent.parent
[config] = json.loads(source.read_text())
(base / "deployed").mkdir(exist_ok=True)
mark = base / "deployed" / (config["id"] + ".json")
if not mark.exists():
    with (base / "applied").open("a") as log:
        log.write(json.dumps(config) + "\\n")
    mark.write_text("{{}}")
    fails = (base / "fails").exists() and (base / "fails").read_text() == config["deployment_name"]
    notice = {{"deploy_status_code": 2 if fails else 0}}
    (base / "deployed" / (config["id"] + ".notify.json")).write_text(json.dumps(notice))
    print("what the hook says", file=sys.stderr)
"""


def loops(kind: str) -> str:
    names = f"{{{{ lookup('vars', '{kind}_deployments_' + tripleo_role_name, default=[]) }}}}"
    task = {"include_tasks": "deployments.yaml", "vars": {"force": False}, "with_items": names}
    play = {"hosts": "Controller:overcloud", "name": kind, "gather_facts": False, "any_errors_fatal": True}
    return yaml.safe_dump([{**play, "tasks": [task]}])


@pytest.fixture()
def small(outputs: dict[str, Any]) -> dict[str, Any]:
    """The small overcloud with a deploy playbook that only applies the deployments, before and after."""
    outputs["RoleConfig"]["deploy_steps_playbook"] = loops("pre") + loops("post")
    return outputs


def collection(names: dict[str, list[str]] | None = None) -> software.Collection:
    """Two servers of each role: a script and hieradata of its own, a hosts list for all, one for the end."""
    made = software.Collection()
    script = {"group": "script", "inputs": [{"name": "bridge", "type": "String", "default": "br"}]}
    sources: dict[str, Any] = {
        "NetworkDeployment": lambda server: (
            {**script, "config": f"#!/bin/sh\necho {server} {{{{ raw }}}} {{% x %}}"},
            {},
        ),
        "NodeDeployment": lambda server: (
            {"group": "hiera", "config": {"datafiles": {"node": {"id": server, "up": {"get_input": "up"}}}}},
            {"up": False},
        ),
        "HostsDeployment": lambda server: ({**script, "config": "#!/bin/sh\necho $hosts\n\n"}, {"hosts": "a b\nc d\n"}),
        "ExtraDeployments": lambda server: (
            {"group": "ansible", "config": '[{"hosts": "localhost"}]'},
            {"m": {"k": [1]}},
        ),
    }
    for server in SERVERS:
        for number, name in enumerate((names or {}).get(server, list(sources))):
            source, inputs = sources[name](server)
            digest = made.add(software.derive(source, inputs, LIKE), name)
            config_id = f"{server}-{number}"
            last = name == "ExtraDeployments"
            made.assign(
                server, software.Deployment(name, digest, config_id, f"s/{server}", "2026-01-01T00:00:00Z", last)
            )
    return made


def generate(outputs: dict[str, Any], made: software.Collection | None, **options: Any):
    deployments = load_deployments(made.to_json()) if made else None
    return pipeline.compile_playbooks(outputs, GenerateOptions(phase="converge", deployments=deployments, **options))


class Nodes:
    """Runs the deploy playbook of a tree on this machine; each host has a directory with what its hook was told."""

    def __init__(self, root: Path, ansible_playbook: str) -> None:
        self.root = root
        self.program = ansible_playbook
        self.hook = root / "hook"
        self.hook.write_text(HOOK.format(python=sys.executable))
        self.hook.chmod(0o700)
        for name in SERVERS.values():
            (root / name / "tripleo-config-download").mkdir(parents=True)

    def run(self, tree: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
        writing.write_tree(tree, self.root / "tree")
        extra = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "ffwd_heat_config_dir": f"{self.root}/{{{{ inventory_hostname }}}}",
            "ffwd_heat_config_hook": str(self.hook),
            "async_poll": 1,
        }
        command = [self.program, "-i", "inventory.yaml", DEPLOY, "-e", json.dumps(extra), *arguments]
        environment = {**os.environ, "HOME": str(self.root), "ANSIBLE_FORKS": "4"}
        return subprocess.run(
            command, cwd=self.root / "tree", env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    def applied(self, host: str) -> list[dict[str, Any]]:
        path = self.root / host / "applied"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_each_host_applies_its_own_deployments_in_their_order(
    small: dict[str, Any], slow_playbook: str, tmp_path: Path
) -> None:
    nodes = Nodes(tmp_path, slow_playbook)
    everything = ["NetworkDeployment", "NodeDeployment", "HostsDeployment", "ExtraDeployments"]
    fewer = ["NetworkDeployment", "ExtraDeployments"]
    tree = generate(small, collection({"id-c1": fewer, "id-n1": fewer}))
    assert tree.manifest["missing_inputs"] == []

    done = nodes.run(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    for server, host in SERVERS.items():
        names = [config["deployment_name"] for config in nodes.applied(host)]
        assert names == (fewer if host.endswith("-1") else everything)
        network, extra = nodes.applied(host)[0], nodes.applied(host)[-1]
        assert network["config"] == f"#!/bin/sh\necho {server} {{{{ raw }}}} {{% x %}}\n"
        assert {item["name"]: item["value"] for item in network["inputs"]} == {
            "bridge": "br",
            "deploy_server_id": server,
            "deploy_action": "CREATE",
            "deploy_stack_id": f"s/{server}",
            "deploy_resource_name": "TripleOSoftwareDeployment",
            "deploy_signal_transport": "NO_SIGNAL",
        }
        assert network["id"] == f"{server}-0" and network["creation_time"] == "2026-01-01T00:00:00Z"
        assert json.loads(extra["config"]) == [{"hosts": "localhost"}] and extra["config"].startswith("[\n")
        assert extra["inputs"][0]["value"] == '{"k": [1]}'
    assert nodes.applied("cmp-0")[1]["config"] == {"datafiles": {"node": {"id": "id-n0", "up": False}}}
    assert nodes.applied("cmp-0")[2]["inputs"][1]["value"] == "a b\nc d"
    assert "[WARNING]" not in done.stderr and "[DEPRECATION" not in done.stderr, done.stderr


def test_what_was_applied_is_left_alone_and_what_failed_is_applied_again(
    small: dict[str, Any], slow_playbook: str, tmp_path: Path
) -> None:
    nodes = Nodes(tmp_path, slow_playbook)
    tree = generate(small, collection({server: ["HostsDeployment", "NodeDeployment"] for server in SERVERS}))
    (tmp_path / "ctl-0" / "fails").write_text("NodeDeployment")
    done = nodes.run(tree, "--limit", "undercloud,ctl-0")
    assert done.returncode != 0
    assert "what the hook says" in done.stdout and '"status_code": "2"' in done.stdout.replace(": 2,", ': "2",')
    names = [config["deployment_name"] for config in nodes.applied("ctl-0")]
    assert names == ["HostsDeployment", "NodeDeployment"]

    (tmp_path / "ctl-0" / "fails").unlink()
    done = nodes.run(tree, "--limit", "undercloud,ctl-0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [config["deployment_name"] for config in nodes.applied("ctl-0")] == [*names, "NodeDeployment"]


def test_check_mode_changes_nothing(small: dict[str, Any], ansible_playbook: str, tmp_path: Path) -> None:
    nodes = Nodes(tmp_path, ansible_playbook)
    done = nodes.run(generate(small, collection({server: ["NetworkDeployment"] for server in SERVERS})), "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any(nodes.applied(host) for host in SERVERS.values())


def test_a_classic_tree_is_run_by_its_own_tasks(small: dict[str, Any], ansible_playbook: str, tmp_path: Path) -> None:
    """The shape that tripleo-common's Queens code writes: lists by role, a file for each deployment of each server."""
    given = {
        "deployments.yaml": (
            '- name: "Render {{ item }}"\n  copy:\n    dest: "{{ ffwd_heat_config_dir }}/applied-{{ item }}"\n'
            "    content: \"{{ (lookup('file', role_name ~ '/' ~ inventory_hostname ~ '/' ~ item)\n"
            '      | from_yaml)[item].id }}"\n'
        )
    }
    for role in ("Controller", "Compute"):
        lists = {f"{role}_pre_deployments": ["NetworkDeployment"], f"pre_deployments_{role}": ["NetworkDeployment"]}
        lists |= {f"{role}_post_deployments": [], f"post_deployments_{role}": []}
        given[f"group_vars/{role}"] = yaml.safe_dump(lists)
    for server, host in SERVERS.items():
        role = "Controller" if host.startswith("ctl") else "Compute"
        value = {"deploy_server_id": server, "NetworkDeployment": {"config": "#!/bin/sh\n", "id": f"{server}-0"}}
        given[f"{role}/{host}/NetworkDeployment"] = yaml.safe_dump(value)
    tree = generate(small, None, config_download=given)
    assert tree.manifest["missing_inputs"] == []
    done = Nodes(tmp_path, ansible_playbook).run(tree)
    assert done.returncode == 0, done.stdout + done.stderr
    for server, host in SERVERS.items():
        assert (tmp_path / host / "applied-NetworkDeployment").read_text() == f"{server}-0"

    del given["Compute/cmp-1/NetworkDeployment"]
    [missing] = generate(small, None, config_download=given).manifest["missing_inputs"]
    assert missing == {"playbook": DEPLOY, "what": "deployment NetworkDeployment of cmp-1 (Compute, 1 server)"}
    del given["group_vars/Compute"]
    told = [entry["what"] for entry in generate(small, None, config_download=given).manifest["missing_inputs"]]
    assert told == [f"per-server deployments {kind}_deployments_Compute (2 servers)" for kind in ("pre", "post")]


def test_without_deployments_each_role_is_told_with_its_servers(small: dict[str, Any]) -> None:
    told = [entry["what"] for entry in generate(small, None).manifest["missing_inputs"]]
    assert "task file deployments.yaml, included by deploy_steps_playbook.yaml" in told
    for kind in ("pre", "post"):
        assert f"per-server deployments {kind}_deployments_Controller (2 servers)" in told
        assert f"per-server deployments {kind}_deployments_Compute (2 servers)" in told


def test_a_server_for_which_heat_has_none_is_told(small: dict[str, Any]) -> None:
    made = collection()
    del made.servers["id-n1"]
    told = [entry["what"] for entry in generate(small, made).manifest["missing_inputs"]]
    assert told == ["per-server deployments of cmp-1 (Compute, 1 server)"]
    made.servers.clear()
    told = [entry["what"] for entry in generate(small, made).manifest["missing_inputs"]]
    assert "per-server deployments of cmp-0, cmp-1 (Compute, 2 servers)" in told


@pytest.mark.parametrize(
    "spelled", ["pre_deployments_' + tripleo_role_name", "' ~ tripleo_role_name + '_pre_deployments"]
)
def test_the_spellings_of_other_releases_are_known(small: dict[str, Any], spelled: str) -> None:
    text = small["RoleConfig"]["deploy_steps_playbook"]
    small["RoleConfig"]["deploy_steps_playbook"] = text.replace("pre_deployments_' + tripleo_role_name", spelled)
    told = [entry["what"] for entry in generate(small, None).manifest["missing_inputs"]]
    assert any("Compute" in what and "pre_deployments" in what for what in told)
    assert generate(small, collection()).manifest["missing_inputs"] == []


def test_what_is_the_same_on_every_server_is_written_once(small: dict[str, Any]) -> None:
    files = dict(generate(small, collection()).files)
    assert len([path for path in files if path.startswith("deployments/configs/")]) == 2
    assert len([path for path in files if path.startswith("deployments/servers/")]) == 4
    assert sum("a b" in text for text in files.values()) == 1
    assert not [path for path in files if path.startswith("host_vars/") and "deployments" in files[path]]


def test_a_blacklisted_servers_deployments_are_left_out(small: dict[str, Any]) -> None:
    made = collection()
    made.servers["id-c2"] = made.servers["id-c0"]
    assert "deployments/servers/ctl-2.json" not in dict(generate(small, made).files)


def test_the_same_deployments_give_the_same_bytes(small: dict[str, Any]) -> None:
    assert generate(small, collection()).manifest["digest"] == generate(small, collection()).manifest["digest"]


def entry(*parts: Any) -> dict[str, Any]:
    return {"format": 1, "documents": {"0" * 32: "{}"}, "servers": {"id-c0": [list(parts)]}}


GOOD = ("A", "0" * 32, "i", "s/1", "t", False)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (None, "format 1"),
        ({"format": 2}, "format 1"),
        ({"format": 1, "documents": [], "servers": {}}, "documents or servers"),
        ({"format": 1, "documents": {"../x": "{}"}, "servers": {}}, "is not a text"),
        ({"format": 1, "documents": {"0" * 32: {}}, "servers": {}}, "is not a text"),
        ({"format": 1, "documents": {}, "servers": {"id-c0": None}}, "is not a list"),
        (entry("A"), "no deployment"),
        (entry(*GOOD[:5], "yes"), "no deployment"),
        (entry(1, *GOOD[1:]), "no deployment"),
        (entry("../../etc/passwd", *GOOD[1:]), "can't be a file's name"),
        (entry("..", *GOOD[1:]), "can't be a file's name"),
        (entry("{{ lookup('pipe', 'id') }}", *GOOD[1:]), "can't be a file's name"),
        (entry("", *GOOD[1:]), "can't be a file's name"),
        (entry("A", "1" * 32, *GOOD[2:]), "document of A is missing"),
    ],
)
def test_malformed_deployments_are_refused_by_name(data: Any, told: str) -> None:
    with pytest.raises(MalformedOutputs, match=told) as caught:
        load_deployments(data)
    assert isinstance(caught.value, FfwdError) and caught.value.remedy
