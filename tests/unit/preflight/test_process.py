"""The look at the nodes as a process: whole results, nothing left behind, nodes that hang, checks of one's own."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import processes_naming, until

from tripleo_ffwd.ansible_run import inventories, process_tree
from tripleo_ffwd.model import RunSpec
from tripleo_ffwd.preflight import launching, nodes
from tripleo_ffwd.preflight.findings import Finding
from tripleo_ffwd.preflight.judging import Limits

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
BENIGN = {"disk-space", "kernel-reboot", "sudo", "services-down", "pacemaker", "python-version"}


@pytest.fixture
def tree(tmp_path) -> Path:
    """An inventory of two local nodes, and of two that are reached by ssh."""
    made = tmp_path / "tree"
    made.mkdir()
    children = {
        "overcloud": {"children": {"Controller": {}, "Compute": {}}},
        "Controller": {"hosts": {"ctl-0": LOCAL, "ctl-1": LOCAL}},
        "Compute": {"hosts": {name: {"ansible_host": "127.0.0.9", "ansible_port": 1} for name in ("cmp-0", "cmp-1")}},
    }
    hosts = {"undercloud": {"ansible_connection": "local"}}
    (made / "inventory.yaml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "children": children}}))
    return made


@pytest.fixture
def begin(tmp_path, tree):
    """Begins looks; when the test ends nothing of any is alive."""
    begun: list[Path] = []

    def start(
        targets: tuple[str, ...] = ("ctl-0", "ctl-1"),
        key: str = "",
        given: dict[str, Any] | None = None,
        **request: Any,
    ) -> Path:
        limits = Limits(phase="run", ansible="", disk=0, skew=60, seconds=request.get("node_seconds", 10))
        asked = {
            "plan": "p",
            "phase": "run",
            "owner": "",
            "look": True,
            "findings": [],
            "tree": str(tree),
            "targets": list(targets),
            "rolling": ["Compute"],
            "limits": limits.to_dict(),
            "seconds": 30,
            "node_seconds": 10,
            "parallel": 10,
            "python": sys.executable,
            "releases": [],
            "repositories": "",
            "guests": False,
            "custom": {"directory": "", "seconds": 20},
            "backup": {"command": "", "hours": 24},
            **request,
        }
        spec = RunSpec("p", "run", "", str(tree), "", **{"become": False, **(given or {})})
        begun.append(launching.begin(tmp_path / "checks", asked, spec, key, look=True))
        return begun[-1]

    yield start
    for directory in begun:
        for process in process_tree.scan(directory.name):
            process_tree.send(process, signal.SIGKILL)


def looked(directory: Path, seconds: float = 40) -> dict[str, Any]:
    until("the end of the look", lambda: launching.status(directory)["settled"], seconds, 0.05)
    assert launching.status(directory)["succeeded"], (directory / "supervisor.log").read_text()
    # Its own process has told the end, and may be about to end.
    until("the end of its processes", lambda: processes_naming(directory.name) == [], 5, 0.05)
    return launching.result(directory)


def found(result: dict[str, Any], key: str) -> list[Finding]:
    return [Finding(**one) for one in result["findings"] if one["key"].startswith(key)]


def executable(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


def test_a_look_has_a_result_and_leaves_nothing(begin):
    directory = begin(targets=("ctl-0", "ctl-1", "cmp-0"))
    result = looked(directory)
    assert sorted(result["nodes"]) == ["cmp-0", "ctl-0", "ctl-1"]
    (away,) = found(result, "node-unreachable")
    assert away.where == "cmp-0" and "onnection refused" in away.what
    assert {one["key"] for one in result["findings"]} <= {"node-unreachable", *BENIGN}
    assert not list(directory.glob("handed*")) and not (directory / "ansible").exists()
    assert all(path.stat().st_mode & 0o077 == 0 for path in [directory, *directory.iterdir()])


def test_a_node_that_hangs_is_ended_and_told(begin, tmp_path, monkeypatch):
    executable(tmp_path / "ssh", "echo ffwd begin 1; sleep 600 & sleep 600")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    result = looked(begin(targets=("cmp-0",), node_seconds=1))
    (stuck,) = found(result, "nodes-not-checked")
    assert "are not done after 1 s" in stuck.what and stuck.where == "cmp-0"
    assert result["seconds"] < 8


def test_when_the_time_is_over_what_was_not_asked_is_told(begin, tmp_path, monkeypatch):
    executable(tmp_path / "ssh", "sleep 600")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    result = looked(begin(targets=("cmp-0", "cmp-1"), parallel=1, node_seconds=60, seconds=1))
    (silent,) = found(result, "node-unreachable")
    assert silent.what == "it has not answered within 60 s"
    (waiting,) = found(result, "nodes-not-checked")
    assert waiting.what == "the time of the checks was over before it was asked"
    assert {silent.where, waiting.where} == {"cmp-0", "cmp-1"}
    assert (result["nodes"], result["not_asked"]) == ([silent.where], [waiting.where])


def test_a_look_that_is_killed_is_told_and_takes_its_commands_along(begin, tmp_path, monkeypatch):
    marker = tmp_path / "asked"
    executable(tmp_path / "ssh", f"touch {marker}; exec sleep 600")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    directory = begin(targets=("cmp-0",))
    until("the node is asked", marker.exists, 20, 0.05)
    claim = launching.rundir.read_json(directory / launching.CLAIM)
    assert claim is not None
    os.kill(claim["pid"], signal.SIGKILL)
    until("the end of all", lambda: not processes_naming(directory.name), 10, 0.05)
    status = launching.status(directory)
    assert (status["settled"], status["succeeded"], status["died"]) == (True, False, True)
    assert "has died" in status["message"]


def test_a_key_that_is_no_file_is_held_by_an_agent(begin, tmp_path, monkeypatch):
    executable(tmp_path / "ssh", 'ssh-add -L >&2; echo "ffwd begin 1"; echo "ffwd end 1"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    os.system(f"ssh-keygen -q -t ed25519 -N '' -C planted -f {tmp_path}/key")
    text = (tmp_path / "key").read_text()
    directory = begin(targets=("cmp-0",), key=text)
    result = looked(directory)
    assert not found(result, "node-unreachable")
    told = "".join(path.read_text() for path in directory.rglob("*") if path.is_file())
    assert text.splitlines()[1] not in told


def test_the_operators_own_checks(begin, tmp_path):
    checks = tmp_path / "own"
    checks.mkdir()
    executable(checks / "well", "exit 0")
    executable(
        checks / "window", """echo '{"what": "closed for '$FFWD_PHASE'", "inhibitor": true, "remedy": "wait"}'"""
    )
    executable(checks / "play.sh", """echo '{"what": "it has the name of a playbook", "severity": "info"}'""")
    executable(checks / "many.sh", """echo '[{"what": "a", "severity": "info", "where": "x"}, {"what": "b"}]'""")
    executable(checks / "broken", "echo '{\"what\": '")
    executable(checks / "odd", """echo '{"what": "a", "severity": "fatal"}'""")
    executable(checks / "crash", "echo no such host >&2; exit 4")
    (checks / "notes.txt").write_text("what is this")
    play = {"hosts": "overcloud", "gather_facts": False}
    tasks = [
        {"name": "It is asked", "command": "true"},
        {"name": "The first is well", "fail": {"msg": "it\nis not"}, "when": "inventory_hostname == 'ctl-1'"},
        {"name": "Never mind", "command": "false", "ignore_errors": True},
    ]
    (checks / "play.yaml").write_text(yaml.safe_dump([{**play, "tasks": tasks}]))
    (checks / "typo.yaml").write_text("- hosts: [unclosed")
    request = {"custom": {"directory": str(checks), "seconds": 120}, "backup": {"command": "echo 0", "hours": 1}}
    result = looked(begin(seconds=150, **request), 180)
    own = {one.key: one for one in found(result, "custom:")}
    assert (own["custom:window"].what, own["custom:window"].inhibitor) == ("closed for run", True)
    assert [(one.what, one.severity, one.where) for one in found(result, "custom:many")] == [
        ("a", "info", "x"),
        ("b", "warning", ""),
    ]
    assert "no JSON" in own["custom:broken"].what and not own["custom:broken"].made
    assert "a severity is one of error, warning, info, not 'fatal'" in own["custom:odd"].what
    assert own["custom:crash"].what == "the check could not be made: it ended with 4: no such host"
    assert "neither executable nor a playbook" in own["custom:notes"].what
    assert {(one.where, one.severity, one.what) for one in found(result, "custom:play")} == {
        ("", "info", "it has the name of a playbook"),
        ("ctl-1", "error", "The first is well: it is not"),
    }
    assert "ansible-playbook ended with" in own["custom:typo"].what
    assert "custom:well" not in own
    (backup,) = found(result, "backup-age")
    assert "hours old" in backup.what


def test_a_check_of_ones_own_that_does_not_end_is_ended(begin, tmp_path):
    executable(tmp_path / "slow", "sleep 600 & sleep 600")
    result = looked(begin(custom={"directory": str(tmp_path), "seconds": 1}))
    (slow,) = found(result, "custom:slow")
    assert slow.what == "the check could not be made: it did not end within 1 s"


def test_a_directory_of_checks_that_is_not_there_is_told(begin, tmp_path):
    result = looked(begin(custom={"directory": str(tmp_path / "nowhere"), "seconds": 5}))
    (finding,) = found(result, "custom:")
    assert "can't be read" in finding.what


def test_nodes_are_reached_as_runs_reach_them(tree, tmp_path):
    (tree / "known_hosts").touch()
    (tree / "group_vars").mkdir()
    (tree / "group_vars" / "Compute.yaml").write_text("ansible_user: stack\nother: 1\n")
    spec = RunSpec(
        "p", "run", "", str(tree), "", ssh_user="heat-admin", ssh_key_file="/key", ssh_extra_args="-J bastion"
    )
    found = {node.name: node for node in nodes.read(tree, ("ctl-0", "cmp-0"), ("Compute",), spec, tmp_path)}
    assert set(found) == {"ctl-0", "cmp-0"}
    assert (found["ctl-0"].control, found["cmp-0"].control) == (True, False)
    assert found["ctl-0"].command == ("sh", "-s")
    told = found["cmp-0"].command
    assert told[-6:] == ("1", "-l", "stack", "--", "127.0.0.9", "sh -s")
    for words in (("-J", "bastion"), ("-i", "/key"), ("-o", "StrictHostKeyChecking=yes"), ("-F", "/dev/null")):
        assert words in itertools.pairwise(told)
    masters = [word for word in told if word.startswith("Control")]
    assert masters[0] == "ControlMaster=no", "ssh takes the first: no connection is kept"
    assert f'UserKnownHostsFile="{tree}/known_hosts"' in told


def test_variables_of_the_run_go_before_those_of_the_inventory(tree, tmp_path):
    given = {"ansible_user": "stack", "ansible_port": 2222, "ansible_ssh_private_key_file": "/given/key"}
    more = tmp_path / "more.yaml"
    more.write_text("{ansible_become_password: kept, ansible_port: 2022, ansible_ssh_common_args: '-o Foo=\"a b\"'}")
    spec = RunSpec("p", "run", "", str(tree), "", become=True, extra_vars=given, extra_vars_file=str(more))
    remote, local = nodes.read(tree, ("ctl-0", "cmp-0"), ("Compute",), spec, tmp_path)
    words = ("-i", "/given/key", "-p", "2022", "-l", "stack", "-o", "Foo=a b", "--", "127.0.0.9", "sh -s")
    assert remote.command[-11:] == words, "the file's come last, as on Ansible's command line"
    assert (remote.way.password, remote.way.become) == ("kept", True)
    assert local.command == ("sh", "-s") and local.way.python == sys.executable
    root = dataclasses.replace(spec, extra_vars={"ansible_ssh_user": "root", "ansible_python_interpreter": "auto"})
    (remote,) = nodes.read(tree, ("cmp-0",), (), root, tmp_path)
    assert (remote.way.become, remote.way.python) == (False, "")


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("ansible_user", "{{ somebody }}", "only Ansible can work out ansible_user"),
        ("ansible_port", {"__ansible_vault": "kept-away"}, "only Ansible can work out ansible_port"),
        ("ansible_ssh_pass", "kept-away", "it is logged in there with a password, and a look takes keys alone"),
        ("ansible_connection", "paramiko", "ansible_connection is not ssh there, and a look takes ssh alone"),
        ("ansible_ssh_extra_args", "-o 'a", "options of ssh can't be split into words: No closing quotation"),
    ],
)
def test_how_a_node_is_reached_may_be_more_than_a_look_knows(begin, variable, value, why):
    result = looked(begin(("cmp-0",), given={"extra_vars": {variable: value}}))
    assert (result["nodes"], result["not_asked"]) == ([], ["cmp-0"])
    (finding,) = found(result, "nodes-not-checked")
    assert (finding.where, finding.severity, finding.made) == ("cmp-0", "warning", False)
    assert finding.what == f"the check could not be made: {why}"


def test_checks_of_ones_own_have_what_a_run_is_given_and_no_secret_of_it_is_told(begin, tmp_path):
    checks = tmp_path / "own"
    checks.mkdir()
    executable(checks / "inventory.sh", """echo '{"what": "'$(grep -c heat-admin $FFWD_INVENTORY_GIVEN)'"}'""")
    shown = "{{ ansible_user }} {{ rack }} {{ site_password }} {{ fruit }}"
    task = {"name": "Where", "fail": {"msg": shown}}
    (checks / "play.yaml").write_text(yaml.safe_dump([{"hosts": "ctl-1", "gather_facts": False, "tasks": [task]}]))
    theirs = {"Controller": {"hosts": {"ctl-1": {"rack": 7}}, "vars": {"ansible_ssh_user": "heat-admin"}}}
    file = inventories.store(tmp_path, yaml.safe_dump(theirs))
    more = tmp_path / "more.yaml"
    more.write_text("fruit: pear\n")
    variables = {"site_password": "planted-5b1c", "ansible_user": "stack"}
    given = {"extra_vars": variables, "extra_vars_file": str(more), "inventory_file": str(file)}
    directory = begin(given=given, seconds=150, custom={"directory": str(checks), "seconds": 120})
    result = looked(directory, 180)
    assert {(one.key, one.what) for one in found(result, "custom:")} == {
        ("custom:inventory", "1"),
        ("custom:play", "Where: stack 7 ****** pear"),
    }
    assert not [path for path in directory.rglob("*") if path.is_file() and "planted-5b1c" in path.read_text()]


def test_what_a_client_calls_the_user_is_whom_ansible_takes(tree, tmp_path):
    theirs = {"Compute": {"hosts": {"cmp-0": {"ansible_ssh_port": 22}}, "vars": {"ansible_ssh_user": "heat-admin"}}}
    file = inventories.store(tmp_path, yaml.safe_dump(theirs))
    spec = RunSpec("p", "run", "", str(tree), "", ssh_user="stack", inventory_file=str(file))
    (node,) = nodes.read(tree, ("cmp-0",), (), spec, tmp_path)
    assert (node.way.user, node.way.port, node.way.address) == ("heat-admin", "22", "127.0.0.9")


def test_an_inventory_beside_the_trees_is_merged_as_ansible_does(tree, tmp_path):
    inventory = yaml.safe_load((tree / "inventory.yaml").read_text())
    common = {"ansible_user": "heat-admin", "ansible_python_interpreter": "/of/the/tree", "ansible_become": False}
    inventory["all"]["children"]["overcloud"]["vars"] = common
    (tree / "inventory.yaml").write_text(yaml.safe_dump(inventory))
    for path, text in (("group_vars/Compute", "ansible_port: 3"), ("host_vars/cmp-1", "ansible_host: 192.0.2.9")):
        (tree / path).parent.mkdir()
        (tree / f"{path}.yaml").write_text(f"{text}\nbig: {{ansible_host: never}}\n")
    theirs = {
        "all": {"vars": {"ansible_user": "stack", "ansible_ssh_private_key_file": "/all/key"}},
        "overcloud": {"children": {"Compute": {}}, "vars": {"ansible_python_interpreter": "/of/theirs"}},
        "Compute": {"hosts": {"cmp-0": {}, "cmp-1": {"ansible_host": "192.0.2.1"}}, "vars": {"ansible_port": 22}},
    }
    file = inventories.store(tmp_path, yaml.safe_dump(theirs))
    spec = RunSpec("p", "run", "", str(tree), "", inventory_file=str(file), extra_vars={"ansible_become": True})
    for node in nodes.read(tree, ("cmp-0", "cmp-1"), (), spec, tmp_path):
        way = node.way
        assert (way.user, way.key_file) == ("heat-admin", "/all/key"), "`all` is the last that is asked"
        assert way.python == "/of/theirs", "of the same group the second inventory says it"
        assert way.port == "1", "a host of either goes before every group"
        assert way.address == ("192.0.2.9" if node.name == "cmp-1" else "127.0.0.9"), "host_vars go before inline ones"
        assert way.become, "what the run is given goes before all"
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.name not in ("tree", "inventories")]


def test_options_of_ssh_that_are_given_get_what_ansible_adds(tree, tmp_path):
    given = {"ansible_ssh_args": "-F /theirs"}
    spec = RunSpec("p", "run", "", str(tree), "", extra_vars=given, host_key_checking=False)
    (node,) = nodes.read(tree, ("cmp-0",), (), spec, tmp_path)
    at = node.command.index("/theirs")
    assert node.command[at + 1 : at + 3] == ("-o", "StrictHostKeyChecking=no")
    (node,) = nodes.read(tree, ("cmp-0",), (), dataclasses.replace(spec, host_key_checking=True), tmp_path)
    assert "StrictHostKeyChecking=no" not in node.command


def test_an_inventory_that_is_none_is_told(tree, begin):
    (tree / "inventory.yaml").write_text("all: {}")
    (finding,) = found(looked(begin()), "nodes-not-checked")
    assert finding.what == "the inventory can't be understood" and finding.severity == "error"
