"""The servers' deployments from a real Heat, with stacks nested as TripleO's config-download nests them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from oslo_config import cfg
from support import until

from tripleo_ffwd import config, heat, software
from tripleo_ffwd.actions.base import Caller
from tripleo_ffwd.actions.stacks import QueryOutputsAction
from tripleo_ffwd.cli.main import main
from tripleo_ffwd.heat import listing
from tripleo_ffwd.playbook_gen.deployments import load_deployments

HOT = {"heat_template_version": "queens"}
STACK = "deployed"


def parameter(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


def deployment_template(kind: str) -> dict[str, Any]:
    """What stands for each deployment: a value that names the server and a deployment on a server that is none."""
    inputs = {
        "name": parameter("string", default=""),
        "server": parameter("string"),
        "config": parameter("string"),
        "input_values": parameter("json", default={}),
        "actions": parameter("comma_delimited_list", default=["CREATE", "UPDATE"]),
        "signal_transport": parameter("string", default="NO_SIGNAL"),
        "input_key": parameter("string", default="get_input"),
        "input_values_validate": parameter("string", default="LAX"),
    }
    told = {name: {"get_param": name} for name in ("name", "server", "config", "input_values")}
    record = {name: {"get_param": name} for name in ("config", "input_values", "actions")}
    record |= {"name": "deployment_resource", "server": {"get_resource": "Server"}, "signal_transport": "NO_SIGNAL"}
    resources = {
        "TripleODeployment": {
            "type": "OS::Heat::Value",
            "properties": {"value": {**told, "deployment": {"get_resource": "TripleOSoftwareDeployment"}}},
        },
        "TripleOSoftwareDeployment": {"type": kind, "properties": record},
        "Server": {"type": "OS::Heat::DeployedServer", "properties": {"name": "server_resource"}},
    }
    # Heat wants the outputs of what the template stands for.
    outputs = {f"deploy_{name}": {"value": ""} for name in ("stdout", "stderr", "status_code")}
    return {**HOT, "parameters": inputs, "resources": resources, "outputs": outputs}


def deployment(kind: str, name: str, config_name: str, **properties: Any) -> dict[str, Any]:
    properties |= {"config": {"get_resource": config_name}} | ({"name": name} if name else {})
    return {"type": kind, "properties": properties}


def write_plan(directory: Path, message: str = "first") -> None:
    """Two servers: scripts, hieradata with inputs, a script in a stack of its own, one on delete, groups, one after."""
    server = {"get_resource": "Server"}
    names = {"get_attr": ["Compute", "name"]}
    servers = {"get_attr": ["Servers", "value"]}
    keys = {"s": {"get_attr": ["Compute", "attributes", "server"]}}
    node = {
        "Server": {"type": "OS::Heat::DeployedServer", "properties": {"name": {"get_param": "name"}}},
        "Net": {"type": "OS::Own::Net", "properties": {"name": {"get_param": "name"}}},
        "NetworkDeployment": deployment(
            "OS::TripleO::SoftwareDeployment",
            "NetworkDeployment",
            "Net",
            server=server,
            input_values={"bridge_name": "br-ex", "more": {"a": [1, None, True]}},
            actions=["CREATE"],
        ),
        "AtTheEnd": deployment("OS::Heat::SoftwareDeployment", "AtTheEnd", "Net", server=server, actions=["DELETE"]),
        "Data": {
            "type": "OS::Heat::StructuredConfig",
            "properties": {
                "group": "hiera",
                "config": {"datafiles": {"node": {"fqdn": {"get_param": "name"}, "up": {"get_input": "up"}}}},
            },
        },
        "ComputeDeployment": deployment(
            "OS::Heat::StructuredDeployment", "", "Data", server=server, input_values={"up": False}
        )
        | {"depends_on": "NetworkDeployment"},
    }
    net_inputs = [{"name": "bridge_name", "default": "br"}, {"name": "safe", "type": "Boolean", "default": True}]
    net = {"group": "script", "inputs": net_inputs, "outputs": [{"name": "done"}]}
    net["config"] = {"str_replace": {"template": "#!/bin/sh\necho NAME\n", "params": {"NAME": {"get_param": "name"}}}}
    top = {
        "Compute": {
            "type": "OS::Heat::ResourceGroup",
            "properties": {
                "count": 2,
                "resource_def": {"type": "OS::Own::Node", "properties": {"name": "cmp-%index%"}},
            },
        },
        "Servers": {
            "type": "OS::Heat::Value",
            "properties": {"type": "json", "value": {"yaql": {"expression": "$.data.s", "data": keys}}},
        },
        "HostsConfig": {
            "type": "OS::Heat::SoftwareConfig",
            "properties": {"group": "script", "config": {"list_join": ["\n", ["#!/bin/sh", message]]}},
        },
        "HostsDeployment": deployment(
            "OS::Heat::SoftwareDeploymentGroup",
            "HostsDeployment",
            "HostsConfig",
            servers=servers,
            input_values={"hosts": {"list_join": [",", names]}},
        ),
        "AllNodesExtraConfigPost": {
            "type": "OS::Own::Post",
            "depends_on": "HostsDeployment",
            "properties": {"servers": servers},
        },
    }
    extra = {
        "ExtraConfig": {"type": "OS::Heat::SoftwareConfig", "properties": {"group": "script", "config": "#!/bin/sh"}},
        "ExtraDeployments": deployment(
            "OS::Heat::SoftwareDeploymentGroup", "", "ExtraConfig", servers={"get_param": "servers"}
        ),
    }
    ids = {"server_ids": {"Compute": {"get_attr": ["Compute", "server"]}}}
    registry = {
        "OS::Own::Node": "node.yaml",
        "OS::Own::Net": "net.yaml",
        "OS::Own::Post": "post.yaml",
        "OS::TripleO::SoftwareDeployment": "structured.yaml",
        "OS::Heat::SoftwareDeployment": "software.yaml",
        "OS::Heat::StructuredDeployment": "structured.yaml",
    }
    named = {"name": parameter("string")}
    reference = {"get_resource": "Server"}
    files = {
        "overcloud.yaml": {**HOT, "resources": top, "outputs": {"ServerIdData": {"value": ids}}},
        "node.yaml": {
            **HOT,
            "parameters": named,
            "resources": node,
            "outputs": {
                "OS::stack_id": {"value": reference},
                "server": {"value": reference},
                "name": {"value": {"get_param": "name"}},
            },
        },
        "net.yaml": {
            **HOT,
            "parameters": named,
            "resources": {"Script": {"type": "OS::Heat::SoftwareConfig", "properties": net}},
            "outputs": {"OS::stack_id": {"value": {"get_resource": "Script"}}},
        },
        "post.yaml": {**HOT, "parameters": {"servers": parameter("json")}, "resources": extra},
        "software.yaml": deployment_template("OS::Heat::SoftwareDeployment"),
        "structured.yaml": deployment_template("OS::Heat::StructuredDeployment"),
        "registry.yaml": {"resource_registry": registry},
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_text(yaml.safe_dump(content))


@pytest.fixture(scope="module")
def client(cloud) -> heat.HeatClient:
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    options.set_override("heat_url", cloud.heat_url, group=config.GROUP)
    return heat.connect(section)


@pytest.fixture(scope="module")
def outputs(client, tmp_path_factory) -> list[dict[str, Any]]:
    """The stack's outputs."""
    plan = tmp_path_factory.mktemp("plan")
    write_plan(plan)
    heat.create(client, STACK, heat.build_bundle(plan / "overcloud.yaml", [plan / "registry.yaml"]), 120)
    return heat.get_outputs(client, STACK)


def servers_of(outputs: list[dict[str, Any]]) -> list[str]:
    [ids] = [item["output_value"]["server_ids"]["Compute"] for item in outputs]
    return ids


def check_against_heat(client: heat.HeatClient, fetched: dict[str, Any]) -> int:
    """Compare each document with the config that Heat derived, but for the server, where another one stands in."""
    count = 0
    for server, entries in fetched["servers"].items():
        for _, digest, config_id, stack, created, _ in entries:
            text = fetched["documents"][digest]
            own = zip(
                (software.OWN_ID, software.OWN_SERVER, software.OWN_STACK, software.OWN_TIME),
                (config_id, server, stack, created),
                strict=True,
            )
            for token, value in own:
                text = text.replace(token, value)
            mine, theirs = json.loads(text), client.api.software_configs.get(config_id).to_dict()
            assert (mine["id"], mine["name"], mine["group"]) == (theirs["id"], theirs["name"], theirs["group"])
            assert mine["config"] in (theirs["config"], f"{theirs['config']}\n")
            told = {item["name"]: item["value"] for item in theirs["inputs"]} | {"deploy_server_id": server}
            texts = {name: json.dumps(v) if isinstance(v, dict) else str(v) for name, v in told.items()}
            assert {item["name"]: item["value"] for item in mine["inputs"]} == texts
            assert [item["name"] for item in mine["outputs"]] == [item["name"] for item in theirs["outputs"]]
            count += 1
    return count


def test_each_server_has_what_heat_derived_for_it_in_the_templates_order(client, outputs):
    fetched = heat.fetch_deployments(client, STACK, outputs)
    assert sorted(fetched["servers"]) == sorted(servers_of(outputs))
    for entries in fetched["servers"].values():
        names = [(entry[0], entry[5]) for entry in entries]
        assert names == [
            ("NetworkDeployment", False),
            ("ComputeDeployment", False),
            ("HostsDeployment", False),
            ("ExtraDeployments", True),
        ]
    assert check_against_heat(client, fetched) == 8
    assert len(fetched["documents"]) == 2 * 2 + 2
    assert len(load_deployments(fetched).servers) == 2


def test_a_big_overcloud_is_fetched_in_parts_with_the_same_result(client, outputs, monkeypatch):
    whole = heat.fetch_deployments(client, STACK, outputs)
    monkeypatch.setattr("tripleo_ffwd.heat.deployments.WHOLE", 0)
    assert heat.fetch_deployments(client, STACK, outputs) == whole
    monkeypatch.setattr(listing, "MAX_ANSWER", 1500)
    assert heat.fetch_deployments(client, STACK, outputs) == whole


def test_after_an_update_the_new_configs_are_fetched(client, outputs, tmp_path):
    before = heat.fetch_deployments(client, STACK, outputs)
    write_plan(tmp_path, "second")
    started = heat.update(client, STACK, heat.build_bundle(tmp_path / "overcloud.yaml", [tmp_path / "registry.yaml"]))
    until("the end of the update", lambda: heat.poll(client, STACK, started.marker)["settled"], 120)
    after = heat.fetch_deployments(client, STACK, heat.get_outputs(client, STACK))
    assert check_against_heat(client, after) == 8
    for server, entries in after["servers"].items():
        old = {entry[0]: entry[2] for entry in before["servers"][server]}
        # What acts on CREATE alone keeps its config, and so is not applied again.
        assert entries[0][2] == old["NetworkDeployment"]
        assert next(entry for entry in entries if entry[0] == "HostsDeployment")[2] != old["HostsDeployment"]


def test_the_command_line_takes_them_from_the_stack(cloud, outputs, tmp_path, monkeypatch, capsys):
    small = yaml.safe_load((Path(__file__).parents[1] / "unit/playbook_gen/data/small_outputs.yaml").read_text())
    for key in ("RoleNetHostnameMap", "RoleNetIpMap", "RoleData", "EnabledServices"):
        del small[key]["Controller"]
    small |= {"BlacklistedHostnames": [], "ServerIdData": outputs[0]["output_value"]}
    task = {"include_tasks": "deployments.yaml", "vars": {"force": False}}
    task["with_items"] = "{{ lookup('vars', 'pre_deployments_' + tripleo_role_name, default=[]) }}"
    play = {"hosts": "Compute", "name": "Deployments", "gather_facts": False, "tasks": [task]}
    small["RoleConfig"]["deploy_steps_playbook"] = yaml.safe_dump([play])
    (tmp_path / "outputs.json").write_text(json.dumps(small))
    asked = ["generate", "--outputs", str(tmp_path / "outputs.json"), "--phase", "converge"]

    monkeypatch.setenv("HEAT_URL", cloud.heat_url)
    tree = tmp_path / "tree"
    assert main([*asked, "--output-dir", str(tree), "--stack", STACK]) == 0
    assert json.loads((tree / "manifest.json").read_text())["missing_inputs"] == []
    assert set(json.loads((tree / "deployments/servers/cmp-0.json").read_text())) == {
        "NetworkDeployment",
        "ComputeDeployment",
        "HostsDeployment",
        "ExtraDeployments",
    }

    capsys.readouterr()
    assert main([*asked, "--output-dir", str(tmp_path / "none"), "--stack", "absent"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "Stack absent does not exist" in told
    assert not (tmp_path / "none").exists()


def test_the_actions_pass_digests_and_keep_the_deployments_private(cloud, outputs, tmp_path):
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    options.set_override("heat_url", cloud.heat_url, group=config.GROUP)
    options.set_override("work_dir", str(tmp_path), group=config.GROUP)
    caller = Caller(conf=section, security=None, action_execution="")

    asked = QueryOutputsAction("overcloud", STACK, "upgrade").act(caller)
    assert asked["servers"] == 2 and len(json.dumps(asked)) < 1000
    stored = tmp_path / "outputs" / f"{asked['deployments']}.json"
    assert stored.stat().st_mode & 0o777 == 0o600
    assert load_deployments(json.loads(stored.read_text())).servers
    assert QueryOutputsAction("overcloud", STACK, "upgrade").act(caller) == asked
    assert QueryOutputsAction("overcloud", STACK, "run").act(caller)["deployments"] == ""
