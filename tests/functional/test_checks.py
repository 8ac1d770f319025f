"""The checks before a phase, by the real Mistral and over ssh. The tests build on each other."""

from __future__ import annotations

import datetime
import json
import os
import signal
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import small_overcloud
import yaml
from openstack_cli import Openstack
from support import processes_naming, until

from tripleo_ffwd import config, heat
from tripleo_ffwd.embedded import faults, node_files, nodes
from tripleo_ffwd.model import RunSpec
from tripleo_ffwd.plan import phases
from tripleo_ffwd.preflight import gathering, launching, reports

STACK = "checked"
NODES = [f"overcloud-controller-{index}" for index in range(3)]
FULL = r"df=Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 9 9 1024 99% /"
CHECK = ("overcloud", "ffwd-upgrade", "check", "--stack", STACK)
TOMORROW = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).date().isoformat()
WAIVER = {"key": "disk-space", "reason": "a small image", "until": TOMORROW}


def outputs(site, gate: Path) -> dict[str, Any]:
    """The outputs of an overcloud of three controllers, with their host keys."""
    found = small_overcloud.outputs(gate)
    served = [node_files.find(site, name) for name in NODES]
    keys = {node["name"]: node["host_key"] for node in json.loads((site.nodes / "nodes.json").read_text())["nodes"]}
    variables = found["RoleConfig"]["global_vars"]
    del variables["ansible_connection"]
    variables["ssh_known_hosts"] = {node.name: f"{node.address}* {keys[node.name]}" for node in served}
    names = {kind: [f"{name}.{kind}" for name in NODES] for kind in ("ctlplane",)}
    found["RoleNetHostnameMap"]["Controller"] = {"canonical": [f"{name}.localdomain" for name in NODES], **names}
    found["RoleNetIpMap"]["Controller"] = {"ctlplane": [node.address for node in served]}
    return found


@pytest.fixture(scope="module")
def checked(cloud, tmp_path_factory):
    """The cloud, with nodes and a stack of three of them; its tasks wait for nothing."""
    nodes.start(cloud.site)
    scratch = tmp_path_factory.mktemp("checked")
    for step in ("1", "3"):
        (scratch / step).touch()
    values = {key: {"value": value} for key, value in outputs(cloud.site, scratch).items()}
    template = scratch / "overcloud.yaml"
    template.write_text(yaml.safe_dump({"heat_template_version": "queens", "outputs": values}))
    client = heat.connect(config.load_file(cloud.site.mistral / "mistral.conf"), None)
    heat.create(client, STACK, heat.build_bundle(template, []), 120)
    return cloud


@pytest.fixture(autouse=True)
def healthy_nodes(checked):
    yield
    for name in NODES:
        faults.clear(checked.site, name)


@pytest.fixture(scope="module")
def openstack(checked, tmp_path_factory):
    client = Openstack(tmp_path_factory.mktemp("operator"), {"OS_MISTRAL_URL": checked.mistral.url})
    yield client
    client.close()


def test_check_tells_what_it_finds_and_changes_nothing(checked, openstack):
    done = openstack(*CHECK, "-f", "json")
    assert (done.code, {row["Key"] for row in done.data}) == (0, {"backup-age", "repositories"}), done.err
    assert done.err == "3 nodes looked at: nothing to mend.\n"
    assert all(not (node_files.find(checked.site, name).root / "journal.jsonl").exists() for name in NODES)
    assert not (checked.work_dir / "records" / STACK / "phases.json").exists()


def test_inhibitors_end_check_with_1_in_every_format(checked, openstack):
    faults.set(checked.site, NODES[0], "answer", FULL)
    faults.set(checked.site, NODES[1], "off")
    done = openstack(*CHECK, "-f", "json")
    assert done.code == 1
    stands = {row["Key"]: (row["Where"], row["What"]) for row in done.data if row["Inhibitor"]}
    assert set(stands) == {"disk-space", "node-unreachable"}
    assert stands["disk-space"] == (NODES[0], "1 MB are free in /, and 4096 MB are wanted")
    assert stands["node-unreachable"][0] == NODES[1]
    table = openstack(*CHECK, "--nodes", NODES[0])
    assert table.code == 1
    assert "disk-space" in table.out and "node-unreachable" not in table.out


def test_nodes_are_looked_at_with_the_variables_that_a_run_would_have(checked, openstack):
    done = openstack(*CHECK, "--extra-vars", "ansible_port=1", "-f", "json")
    assert [row["Where"] for row in done.data if row["Key"] == "node-unreachable"] == NODES
    refused = openstack(*CHECK, "--extra-vars", "step=3")
    assert refused.code == 1 and "step can't be given" in refused.err


def test_a_waiver_needs_a_reason_and_a_day_and_is_shown(checked, openstack):
    faults.set(checked.site, NODES[0], "answer", FULL)
    assert "--waive and --until go together" in openstack(*CHECK, "--waive", "disk-space=a small image").err
    assert "has no reason" in openstack(*CHECK, "--waive", "disk-space", "--until", TOMORROW).err
    done = openstack(*CHECK, "--waive", "disk-space=a small image", "--until", TOMORROW, "-f", "json")
    assert done.code == 0
    (row,) = [row for row in done.data if row["Waived"]]
    assert (row["Key"], row["Waived"]) == ("disk-space", f"until {TOMORROW}: a small image")


def test_a_look_that_dies_is_taken_again(checked):
    faults.set(checked.site, NODES[0], "hang")
    execution = checked.start("check", plan=STACK)
    directory = reports.checks_dir(checked.work_dir / "records" / STACK)

    def begun() -> Path | None:
        # Of those that have ended the claim is gone.
        return next(directory.glob(f"*/{launching.CLAIM}"), None)

    first = until("the look has begun", begun, pause=0.05)
    os.kill(json.loads(first.read_text())["pid"], signal.SIGKILL)
    until("it has begun again", lambda: begun() not in (None, first), pause=0.05)
    faults.clear(checked.site, NODES[0])
    ended = checked.wait(execution)
    assert (ended.state, len(ended.output["inhibitors"]) < 2) == ("SUCCESS", True), ended.message


def test_a_phase_stops_at_an_inhibitor_and_goes_on_when_it_is_waived(checked):
    faults.set(checked.site, NODES[0], "answer", FULL)
    arguments = {"plan": STACK, "force_reason": "a test without prepare", "dry_run": True, "checks": True}
    stopped = checked.do("run", **arguments)
    assert (stopped.state, stopped.output["status"]) == ("ERROR", "FAILED")
    assert f"disk-space on {NODES[0]}: 1 MB are free in /" in stopped.message
    assert "or waive their keys" in stopped.message
    assert "begin_phase" not in checked.tasks(stopped.id) and checked.runs(STACK) == ()
    assert "until when" in checked.do("run", waivers=[{"key": "sudo", "reason": "so"}], **arguments).message

    ended = checked.do("run", waivers=[WAIVER], **arguments)
    assert ended.state == "SUCCESS", ended.message
    (note,) = phases.read_record(checked.work_dir, STACK).waived
    assert {key: note[key] for key in WAIVER} == WAIVER
    assert (note["phase"], note["execution"], note["where"]) == ("run", ended.id, [NODES[0]])


@pytest.fixture
def look(checked, tmp_path):
    """Looks at the nodes without a workflow, with a file of host keys and a key; returns what is found by node."""

    def at_nodes(known_hosts: str, key: Path, seconds: int = 10) -> dict[str, tuple[str, str]]:
        tree = tmp_path / "tree"
        tree.mkdir(exist_ok=True)
        port = {"ansible_port": checked.site.ssh_port}
        hosts = {name: {"ansible_host": node_files.find(checked.site, name).address, **port} for name in NODES}
        children = {"overcloud": {"children": {"Controller": {}}}, "Controller": {"hosts": hosts}}
        (tree / "inventory.yaml").write_text(yaml.safe_dump({"all": {"children": children}}))
        (tree / "known_hosts").write_text(known_hosts)
        conf = config.load_file(checked.site.mistral / "mistral.conf")
        request = gathering.request(conf, "p", "run", None, [], {})
        request |= {"tree": str(tree), "node_seconds": seconds, "look": True}
        request["limits"]["seconds"] = seconds
        spec = RunSpec("p", "run", "", str(tree), "", ssh_user=conf.ssh_user, ssh_key_file=str(key))
        directory = launching.begin(tmp_path / "checks", request, spec, look=True)
        until("the end of the look", lambda: launching.status(directory)["settled"], pause=0.05)
        return {one["where"]: (one["key"], one["what"]) for one in launching.result(directory)["findings"]}

    return at_nodes


def test_host_keys_are_checked_as_runs_check_them(checked, look):
    lines = (checked.site.nodes / "known_hosts").read_text().splitlines()
    served = {name: next(x for x in lines if node_files.find(checked.site, name).address in x) for name in NODES}
    stolen = f"{served[NODES[2]].split()[0]} {served[NODES[0]].partition(' ')[2]}"
    found = look(f"{served[NODES[0]]}\n{stolen}\n", checked.site.ssh_key_file)
    assert found == {
        NODES[1]: ("host-key-unknown", "its host key is not known"),
        NODES[2]: ("host-key-unknown", "it shows another host key than the known one"),
    }


def test_a_key_that_is_refused_and_a_node_that_never_answers(checked, look, tmp_path):
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o600)
    faults.set(checked.site, NODES[1], "hang")
    found = look((checked.site.nodes / "known_hosts").read_text(), tmp_path / "key", seconds=4)
    assert found[NODES[0]][0] == "node-unreachable" and found[NODES[0]][1].startswith("it refuses the key: ")
    assert found[NODES[1]] == ("node-unreachable", "it has not answered within 4 s")


def test_a_stack_that_is_not_there_is_a_finding(checked):
    ended = checked.do("check", plan="nothing")
    assert ended.state == "SUCCESS" and not ended.output["passed"]
    assert "stack-status" in {one["key"] for one in ended.output["inhibitors"]}
    refused = checked.do("check", plan=STACK, phase="prepare")
    assert refused.state == "ERROR"
    assert "Nothing is checked for phase 'prepare'" in refused.message


def test_nothing_of_a_check_is_left(checked):
    records = checked.work_dir / "records" / STACK
    made = reports.read_all(records)
    assert len(made) >= 5
    assert [one["waived"][0]["reason"] for one in made if one["waived"]] == ["a small image"] * 2
    for one in made:
        assert processes_naming(one["id"]) == []
        names = {path.name for path in (reports.checks_dir(records) / one["id"]).iterdir()}
        assert names == {"report.json", "supervisor.log"}
