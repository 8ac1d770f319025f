"""Embedded nodes as a client meets them: real OpenSSH, real Ansible, and every fault."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import until

from tripleo_ffwd.cli.main import main
from tripleo_ffwd.embedded import faults, node_files, node_processes, node_state, nodes
from tripleo_ffwd.embedded.site import NODE_NAMES, Site, open_site
from tripleo_ffwd.exceptions import Busy, InvalidInput

NAME = NODE_NAMES[1]
OTHER = NODE_NAMES[2]
PLAYBOOK = """
- hosts: all
  gather_facts: true
  gather_subset: min
  tasks:
    - assert:
        that:
          - ansible_hostname == inventory_hostname
          - ansible_nodename == inventory_hostname
          - ansible_fqdn == inventory_hostname ~ '.localdomain'
          - ansible_env.HOME == ansible_env.NODE_ROOT
    - copy: {content: "debug = true\\n", dest: ~/etc/nova/nova.conf, mode: "0600"}
    - command: systemctl stop openstack-nova-api
      become: true
    - systemd: {name: openstack-nova-api, state: started, enabled: true}
      become: true
    - shell: rpm -q httpd && pwd
      register: answer
    - assert:
        that: answer.stdout_lines == ['httpd-newton-1.el7.noarch', ansible_env.NODE_ROOT]
"""

TRANSFER = """
- hosts: all
  gather_facts: false
  tasks:
    - copy: {content: "debug = true\\n", dest: ~/etc/nova/api.conf, mode: "0600"}
      become: true
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = open_site(tmp_path_factory.mktemp("site"))
    nodes.start(site)
    yield site
    nodes.stop(site)


@pytest.fixture
def site(served: Site) -> Iterator[Site]:
    yield served
    for name in NODE_NAMES:
        faults.clear(served, name)
        node_processes.end(served.nodes / name / "root", name)


def ssh_argv(site: Site, name: str, *command: str) -> list[str]:
    node = node_files.find(site, name)
    options = [f"UserKnownHostsFile={site.nodes / 'known_hosts'}", "StrictHostKeyChecking=yes", "BatchMode=yes"]
    words = [word for option in options for word in ("-o", option)]
    login = ["-p", str(site.ssh_port), f"heat-admin@{node.address}"]
    return ["ssh", "-F", "none", "-i", str(site.ssh_key_file), *words, *login, *command]


def ssh(site: Site, name: str, command: str) -> subprocess.CompletedProcess[str]:
    argv = ssh_argv(site, name, command)
    return subprocess.run(argv, text=True, capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL)


def ssh_start(site: Site, name: str, command: str) -> subprocess.Popen[str]:
    argv = ssh_argv(site, name, command)
    return subprocess.Popen(argv, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def ansible(site: Site, directory: Path, playbook: str, *options: str, names: tuple[str, ...] = (NAME,)) -> str:
    hosts = {
        name: {"ansible_host": node_files.find(site, name).address, "ansible_port": site.ssh_port} for name in names
    }
    common = f"-F none -o UserKnownHostsFile={site.nodes / 'known_hosts'} -o StrictHostKeyChecking=yes"
    variables = {
        "ansible_user": "heat-admin",
        "ansible_python_interpreter": nodes.read(site)["python_interpreter"],
        "ansible_ssh_private_key_file": str(site.ssh_key_file),
        "ansible_ssh_common_args": common,
    }
    inventory = directory / "inventory.yaml"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    (directory / "playbook.yaml").write_text(playbook)
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), *options, "playbook.yaml"]
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",
    }
    done = subprocess.run(argv, cwd=directory, env=env, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ansible_works_on_nodes(site: Site, tmp_path: Path) -> None:
    ansible(site, tmp_path, PLAYBOOK, "-e", "ansible_pipelining=true")
    state = node_state.read(site)[NAME]
    assert state.units["openstack-nova-api"] == "active"
    assert list(state.config) == ["etc/nova/nova.conf"]
    assert "systemctl stop openstack-nova-api" in [call.text for call in node_state.read_journal(site, NAME)]


@pytest.mark.parametrize("transfer", ["sftp", "scp"])
def test_ansible_transfers_files_into_the_node(site: Site, tmp_path: Path, transfer: str) -> None:
    options = ["-e", "ansible_pipelining=false", "-e", f"ansible_ssh_transfer_method={transfer}"]
    ansible(site, tmp_path, TRANSFER, *options, names=(OTHER,))
    root = site.nodes / OTHER / "root"
    assert (root / "etc" / "nova" / "api.conf").read_text() == "debug = true\n"
    assert not list(root.glob("~*"))
    assert {path.name for path in tmp_path.iterdir()} <= {"inventory.yaml", "playbook.yaml", ".ansible"}


def test_openssh_reaches_each_node_under_its_own_name(site: Site) -> None:
    for name in NODE_NAMES:
        done = ssh(site, name, "hostname; uname -n; hostname -f; echo ~heat-admin; cat | wc -c; exit 7")
        assert done.returncode == 7
        home = str(site.nodes / name / "root")
        assert done.stdout.split() == [name, name, f"{name}.localdomain", home, "0"]


def test_large_output_arrives_whole(site: Site) -> None:
    assert len(ssh(site, NAME, "head -c 3000000 /dev/zero | tr '\\0' x").stdout) == 3_000_000


def test_a_host_key_that_changed_is_refused(site: Site) -> None:
    argv = ssh_argv(site, NAME, "true")
    argv[argv.index(f"heat-admin@{node_files.find(site, NAME).address}")] = "heat-admin@127.0.0.1"
    argv[1:1] = ["-o", f"HostName={node_files.find(site, NAME).address}"]
    argv[1:1] = ["-o", f"HostKeyAlias=[{node_files.find(site, OTHER).address}]:{site.ssh_port}"]
    done = subprocess.run(argv, text=True, capture_output=True, timeout=20, check=False)
    assert done.returncode == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in done.stderr


def nothing_left(site: Site) -> None:
    """Wait until nothing runs on the node: its connections are cut first, and their clients know it at once."""
    root = site.nodes / NAME / "root"
    until("the end of all on the node", lambda: not node_processes.of_root(root), 10, 0.02)


def test_a_client_that_goes_away_ends_its_command(site: Site) -> None:
    client = ssh_start(site, NAME, "echo started; exec sleep 600")
    assert client.stdout and client.stdout.readline() == "started\n"
    root = site.nodes / NAME / "root"
    assert node_processes.of_root(root)
    client.kill()
    client.communicate()
    nothing_left(site)


def test_off_cuts_all_and_refuses_until_on(site: Site) -> None:
    client = ssh_start(site, NAME, "nohup setsid sleep 600 >/dev/null 2>&1 </dev/null & echo started; exec sleep 600")
    assert client.stdout and client.stdout.readline() == "started\n"
    faults.set(site, NAME, "off")
    assert node_processes.of_root(site.nodes / NAME / "root") == []
    client.communicate(timeout=10)
    assert client.returncode == 255
    refused = ssh(site, NAME, "true")
    assert refused.returncode == 255
    assert "Connection refused" in refused.stderr
    assert not node_state.read(site)[NAME].up
    assert ssh(site, OTHER, "true").returncode == 0
    faults.set(site, NAME, "on")
    assert ssh(site, NAME, "true").returncode == 0
    assert node_state.read(site)[NAME].up


def test_slow_delays_each_command(site: Site) -> None:
    faults.set(site, NAME, "slow", "0.7")
    started = time.monotonic()
    assert ssh(site, NAME, "true").returncode == 0
    assert time.monotonic() - started > 0.7


def test_drop_after_seconds_cuts_the_next_command_once(site: Site) -> None:
    faults.set(site, NAME, "drop", "0.2")
    assert ssh(site, NAME, "sleep 600").returncode == 255
    nothing_left(site)
    assert ssh(site, NAME, "true").returncode == 0


@pytest.mark.parametrize("command", ["yum -y update httpd", "sh run.sh"])
def test_drop_cuts_when_a_command_or_a_tool_call_matches(site: Site, command: str) -> None:
    (site.nodes / NAME / "root" / "run.sh").write_text("systemctl is-active httpd; yum -y update httpd; echo after\n")
    faults.set(site, NAME, "drop", "yum.*update")
    assert ssh(site, NAME, "echo healthy").returncode == 0
    done = ssh(site, NAME, command)
    assert done.returncode == 255
    assert "after" not in done.stdout
    nothing_left(site)
    assert ssh(site, NAME, command).returncode == 0


def test_hang_never_answers_and_goes_on_when_cleared(site: Site) -> None:
    faults.set(site, NAME, "hang")
    client = ssh_start(site, NAME, "echo answered")
    with pytest.raises(subprocess.TimeoutExpired):
        client.communicate(timeout=1)
    faults.clear(site, NAME, "hang")
    assert client.communicate(timeout=10)[0] == "answered\n"


def test_fail_makes_matching_tool_calls_fail(site: Site) -> None:
    faults.set(site, NAME, "fail", "systemctl stop openstack-nova")
    done = ssh(site, NAME, "systemctl stop httpd && systemctl start httpd && systemctl stop openstack-nova-conductor")
    assert done.returncode == 1
    assert "fail systemctl stop openstack-nova" in done.stderr
    assert node_state.read(site)[NAME].units["openstack-nova-conductor"] == "active"
    assert node_state.read_journal(site, NAME)[-1].rc == 1


def test_block_holds_a_tool_call_until_cleared(site: Site) -> None:
    faults.set(site, NAME, "block", "disable httpd")
    faults.set(site, NAME, "slow", "0.01")
    client = ssh_start(site, NAME, "systemctl disable httpd; echo done")
    assert faults.wait_blocked(site, NAME, 20) == "systemctl disable httpd"
    state = node_state.read(site)[NAME]
    assert state.blocked == ("systemctl disable httpd",)
    assert dict(state.fault) == {"block": "disable httpd", "slow": "0.01"}
    assert "httpd" in state.enabled
    faults.clear(site, NAME, "block")
    assert client.communicate(timeout=20)[0] == "done\n"
    assert "httpd" not in node_state.read(site)[NAME].enabled


def test_unknown_names_and_faults_are_refused(site: Site) -> None:
    with pytest.raises(InvalidInput, match="overcloud-novacompute-1"):
        faults.set(site, "overcloud-controller-9", "off")
    with pytest.raises(InvalidInput, match="slow, drop, hang, fail, block"):
        faults.set(site, NAME, "explode")
    with pytest.raises(InvalidInput, match="number of seconds"):
        faults.set(site, NAME, "slow", "much")
    with pytest.raises(InvalidInput, match="regular expression"):
        faults.set(site, NAME, "fail", "(")
    assert dict(node_state.read(site)[NAME].fault) == {}


def test_the_command_line_starts_shows_and_stops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = ["--dir", str(tmp_path)]
    few = ["--count-controllers", "1", "--count-computes", "1"]
    assert main(["nodes", "show", *directory]) == 1
    assert "nodes start" in capsys.readouterr().err
    try:
        assert main(["nodes", "start", *directory, *few, "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        assert [node["name"] for node in data["nodes"]] == ["overcloud-controller-0", "overcloud-novacompute-0"]
        pid = faults.server(open_site(tmp_path))
        assert main(["nodes", "start", *directory]) == 0
        assert faults.server(open_site(tmp_path)) == pid
        assert main(["nodes", "start", *directory, "--count-controllers", "2"]) == 1
        assert main(["nodes", "fault", *directory, "overcloud-novacompute-0", "off"]) == 0
        capsys.readouterr()
        assert main(["nodes", "show", *directory, "--json"]) == 0
        assert [node["up"] for node in json.loads(capsys.readouterr().out)["nodes"]] == [True, False]
        assert main(["nodes", "show", *directory]) == 0
        assert "overcloud-novacompute-0" in capsys.readouterr().out
        sleeper = "setsid nohup sleep 600 >/dev/null 2>&1 </dev/null & echo"
        assert ssh(open_site(tmp_path), "overcloud-controller-0", sleeper).returncode == 0
    finally:
        assert main(["nodes", "stop", *directory]) == 0
    assert faults.server(open_site(tmp_path)) is None
    assert node_processes.start_time(pid or 0) == ""
    for name in ("overcloud-controller-0", "overcloud-novacompute-0"):
        assert node_processes.of_root(tmp_path / "nodes" / name / "root") == []


def test_stop_ends_what_a_killed_server_left_behind(tmp_path: Path) -> None:
    site = open_site(tmp_path)
    nodes.start(site, ["overcloud-controller-0"])
    root = tmp_path / "nodes" / "overcloud-controller-0" / "root"
    try:
        sleeper = "setsid nohup sleep 600 >/dev/null 2>&1 </dev/null & systemctl disable httpd"
        assert ssh(site, "overcloud-controller-0", sleeper).returncode == 0
        pid = faults.server(site)
        assert pid
        os.kill(pid, signal.SIGKILL)
        assert node_processes.wait_gone(pid, node_processes.start_time(pid) or "gone", 10)
        assert len(node_processes.of_root(root)) == 1
        nodes.stop(site)
        assert node_processes.of_root(root) == []
        before = (site.nodes / "known_hosts").read_text()
        nodes.start(site)
        assert (site.nodes / "known_hosts").read_text() == before
        assert ssh(site, "overcloud-controller-0", "systemctl is-enabled httpd").stdout == "disabled\n"
        nodes.start(site, reset=True)
        assert ssh(site, "overcloud-controller-0", "systemctl is-enabled httpd").stdout == "enabled\n"
    finally:
        nodes.stop(site)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    site = open_site(tmp_path)
    with socket.create_server((site.address(1), site.ssh_port)):
        with pytest.raises(Busy, match=r"overcloud-controller-1: Address already in use.*--dir"):
            nodes.start(site)
    assert faults.server(site) is None
