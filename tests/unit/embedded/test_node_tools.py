"""The tools of a node, called as a task calls them, on nodes that nobody serves."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tripleo_ffwd.embedded import faults, node_files, node_state
from tripleo_ffwd.embedded.site import NODE_NAMES, Site, open_site
from tripleo_ffwd.exceptions import InvalidInput

CONTROLLERS = NODE_NAMES[:3]
BOOTSTRAP = CONTROLLERS[0]
NOVA_UNITS = "openstack-nova-api openstack-nova-conductor openstack-nova-scheduler"
Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = open_site(tmp_path)
    node_files.make_site(site, NODE_NAMES, reset=False)
    return site


@pytest.fixture
def tool(site: Site) -> Tool:
    def call(command: str, name: str = BOOTSTRAP, rc: int = 0) -> subprocess.CompletedProcess[str]:
        root = site.nodes / name / "root"
        env = {"PATH": f"{root}/bin:{os.environ['PATH']}", "NODE_NAME": name, "NODE_ROOT": str(root), "HOME": str(root)}
        done = subprocess.run(command, shell=True, env=env, cwd=root, text=True, capture_output=True, check=False)
        assert done.returncode == rc, done
        return done

    return call


def to_release(tool: Tool, release: str, name: str = BOOTSTRAP) -> None:
    tool(f"ffwd-repo enable {release} && yum -y update", name)


def test_units_answer_as_systemctl_does(tool: Tool) -> None:
    assert tool("systemctl is-active httpd").stdout == "active\n"
    tool("systemctl stop httpd.service && systemctl stop httpd")
    assert tool("systemctl is-active httpd", rc=3).stdout == "inactive\n"
    assert tool("systemctl is-enabled httpd").stdout == "enabled\n"
    tool("systemctl disable httpd")
    assert tool("systemctl is-enabled --quiet httpd", rc=1).stdout == ""
    tool("systemctl enable --now httpd && systemctl is-active httpd && systemctl is-enabled httpd")


def test_a_unit_without_its_package_is_not_found(tool: Tool) -> None:
    assert "docker.service not found" in tool("systemctl start docker", rc=5).stderr
    assert tool("systemctl is-active docker", rc=3).stdout == "inactive\n"
    assert tool("systemctl show docker").stdout.splitlines()[1] == "LoadState=not-found"


def test_packages_follow_the_enabled_repository_and_never_go_back(tool: Tool) -> None:
    assert tool("rpm -q httpd nothing", rc=1).stdout == "httpd-newton-1.el7.noarch\npackage nothing is not installed\n"
    assert "No package docker available" in tool("yum -y install docker", rc=1).stderr
    tool("ffwd-repo enable queens")
    tool("yum check-update", rc=100)
    tool("yum -y update httpd 'openstack-nova*'")
    assert tool("rpm -q --qf '%{VERSION}\\n' httpd openstack-nova-api haproxy").stdout == "queens\nqueens\nnewton\n"
    assert "can't go back to ocata" in tool("ffwd-repo enable ocata", rc=1).stderr
    assert tool("yum -y update httpd").stdout == "Nothing to do\n"
    tool("yum -y install docker && systemctl start docker && rpm -q docker")


def test_schemas_migrate_one_release_at_a_time(site: Site, tool: Tool) -> None:
    for name in CONTROLLERS:
        tool(f"systemctl stop {NOVA_UNITS}", name)
    to_release(tool, "pike")
    assert "ocata comes first" in tool("nova-manage api_db sync", rc=1).stderr
    assert dict(node_state.database(site).schemas)["nova_api"] == "newton"


def test_a_sync_waits_for_every_controller(site: Site, tool: Tool) -> None:
    for name in (BOOTSTRAP, CONTROLLERS[2]):
        tool(f"systemctl stop {NOVA_UNITS}", name)
    to_release(tool, "ocata")
    refused = tool("nova-manage api_db sync", rc=1).stderr
    assert "openstack-nova-api still runs on overcloud-controller-1" in refused
    tool(f"systemctl stop {NOVA_UNITS}", CONTROLLERS[1])
    assert "run api_db sync first" in tool("nova-manage db sync", rc=1).stderr
    tool("systemctl stop mariadb")
    assert "mariadb is not active" in tool("nova-manage api_db sync", rc=1).stderr
    tool("systemctl start mariadb && nova-manage api_db sync && nova-manage db sync && nova-manage db sync")
    history = [(entry.service, entry.source, entry.target, entry.node) for entry in node_state.database(site).history]
    assert history == [
        ("nova_api", "newton", "ocata", BOOTSTRAP),
        ("nova", "newton", "ocata", BOOTSTRAP),
        ("nova", "ocata", "ocata", BOOTSTRAP),
    ]
    assert len(node_state.database(site).migrations) == 2


def test_an_api_does_not_start_before_its_schema(tool: Tool) -> None:
    for name in CONTROLLERS:
        tool("systemctl stop openstack-cinder-api openstack-cinder-scheduler", name)
    to_release(tool, "ocata")
    assert "schema of cinder at newton" in tool("systemctl start openstack-cinder-api", rc=1).stderr
    tool("cinder-manage db sync && systemctl start openstack-cinder-api")
    refused = tool("systemctl start openstack-cinder-api", CONTROLLERS[1], rc=1).stderr
    assert "openstack-cinder-api is at newton, the schema of cinder at ocata" in refused


def test_a_container_replaces_a_unit_of_the_same_release_as_the_schema(site: Site, tool: Tool) -> None:
    for name in CONTROLLERS:
        tool("systemctl stop openstack-keystone", name)
    for release in ("ocata", "pike", "queens"):
        to_release(tool, release)
        tool("keystone-manage db_sync")
    apply = "paunch apply --config-id keystone --release queens"
    tool(apply, rc=127)
    tool("yum -y install docker python-paunch")
    assert "Docker daemon" in tool(apply, rc=1).stderr
    tool("systemctl enable --now docker")
    assert "schema of keystone is at queens" in tool("paunch apply --config-id keystone --release pike", rc=1).stderr
    assert tool(f"{apply} && {apply}").stdout == "keystone: started at queens\nkeystone: unchanged\n"
    assert "address in use" in tool("systemctl start openstack-keystone", rc=1).stderr
    assert dict(node_state.read(site)[BOOTSTRAP].containers) == {"keystone": "queens"}


def test_the_cluster_is_shared(site: Site, tool: Tool) -> None:
    tool("pcs resource disable haproxy --wait=600")
    assert dict(node_state.resources(site))["haproxy"] == "disabled"
    assert "does not exist" in tool("pcs resource disable nonsense", rc=1).stderr
    tool("pcs cluster stop")
    assert "not currently running" in tool("pcs status", rc=1).stderr
    assert "Offline: [ overcloud-controller-0 ]" in tool("pcs status", CONTROLLERS[1]).stdout
    tool("systemctl is-active pacemaker", rc=3)
    tool("systemctl start pacemaker && pcs resource create haproxy-bundle && pcs resource delete haproxy")
    assert set(node_state.resources(site)) == {"haproxy-bundle", "galera"}
    tool("pcs status", NODE_NAMES[3], rc=127)


def test_every_node_names_the_same_bootstrap_node(tool: Tool) -> None:
    for name in NODE_NAMES:
        assert tool("hiera -c /etc/puppet/hiera.yaml bootstrap_nodeid", name).stdout == f"{BOOTSTRAP}\n"
    assert tool("hiera nothing").stdout == "nil\n"


def test_configuration_files_are_in_the_state(site: Site, tool: Tool) -> None:
    tool("crudini --set etc/nova/nova.conf DEFAULT debug True && crudini --set etc/nova/nova.conf api workers 2")
    assert tool("crudini --get etc/nova/nova.conf api workers").stdout == "2\n"
    tool("crudini --get etc/nova/nova.conf api nothing", rc=1)
    assert list(node_state.read(site)[BOOTSTRAP].config) == ["etc/nova/nova.conf"]


def test_every_call_is_in_the_journal_also_when_many_come_at_once(site: Site, tool: Tool) -> None:
    tool("for n in 1 2 3 4 5 6; do systemctl enable httpd & done; wait; systemctl start nothing", rc=5)
    calls = node_state.read_journal(site, BOOTSTRAP)
    assert [call.text for call in calls] == ["systemctl enable httpd"] * 6 + ["systemctl start nothing"]
    assert calls[-1].rc == 5


def test_misuse_is_told(tool: Tool) -> None:
    for command in (
        "systemctl explode httpd",
        "ffwd-repo enable rocky",
        "yum install",
        "pcs nonsense",
        "nova-manage db drop",
        "rpm -e httpd",
        "yum --nonsense update",
    ):
        assert tool(command, rc=2).stderr.startswith("usage: ")


def test_a_tool_starts_quickly(tool: Tool) -> None:
    tool("systemctl is-active httpd")
    best = 1.0
    for _ in range(5):
        started = time.perf_counter()
        tool("systemctl is-active httpd")
        best = min(best, time.perf_counter() - started)
    assert best < 0.15  # 30 ms when the machine has nothing else to do


def test_nodes_keep_what_they_are_unless_reset(site: Site, tool: Tool) -> None:
    known_hosts = (site.nodes / "known_hosts").read_text()
    to_release(tool, "ocata")
    node_files.make_site(site, NODE_NAMES, reset=False)
    assert node_state.read(site)[BOOTSTRAP].release == "ocata"
    node_files.make_site(site, NODE_NAMES, reset=True)
    assert node_state.read(site)[BOOTSTRAP].release == "newton"
    assert (site.nodes / "known_hosts").read_text() == known_hosts
    assert site.ssh_key_file.stat().st_mode & 0o777 == 0o600


def test_a_state_is_plain_json(site: Site) -> None:
    states = node_state.read(site)
    assert list(states) == list(NODE_NAMES)
    data = json.loads(json.dumps(states[BOOTSTRAP].to_dict()))
    assert (data["release"], data["up"], data["pcs"], data["units"]["haproxy"]) == (
        "newton",
        False,
        "online",
        "inactive",
    )


def test_a_node_answers_the_checks_and_writes_nothing_down(tool: Tool, site: Site) -> None:
    assert tool("df -Pk / /var").stdout.splitlines()[1].split()[3:] == ["31457280", "25%", "/"]
    assert "Online: [ overcloud-controller-0" in tool("crm_mon -1 -r").stdout
    tool("pcs cluster stop", CONTROLLERS[1])
    assert "OFFLINE: [ overcloud-controller-1 ]" in tool("crm_mon -1 -r").stdout
    assert "not connected" in tool("crm_mon -1", CONTROLLERS[1], rc=107).stderr
    assert tool("crm_mon -1", NODE_NAMES[-1], rc=127).stderr == "crm_mon: command not found\n"
    assert tool("systemctl list-units --state=failed --no-legend --no-pager").stdout == ""
    assert not (site.nodes / BOOTSTRAP / "root" / "journal.jsonl").exists()


def test_faults_of_clock_and_answers(tool: Tool, site: Site) -> None:
    faults.set(site, BOOTSTRAP, "clock", "-3600")
    assert 3590 < time.time() - int(tool("date +%s").stdout) < 3700
    faults.set(site, BOOTSTRAP, "answer", r"rpm=one\ntwo")
    assert tool("rpm -q kernel").stdout == "one\ntwo\n"
    assert tool("df -Pk").stdout.startswith("Filesystem")
    for kind, argument in (("clock", "soon"), ("answer", "rpm"), ("clock", "")):
        with pytest.raises(InvalidInput, match=f"fault {kind} takes"):
            faults.set(site, BOOTSTRAP, kind, argument)
