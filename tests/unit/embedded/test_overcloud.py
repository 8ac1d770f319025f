"""The demo overcloud's environment and its verification, on nodes whose state the real tools made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tripleo_ffwd.embedded import overcloud
from tripleo_ffwd.embedded import overcloud_expected as expected
from tripleo_ffwd.embedded.node_tools import catalog
from tripleo_ffwd.embedded.node_tools.main import run
from tripleo_ffwd.embedded.node_tools.node import Node
from tripleo_ffwd.embedded.site import NODE_NAMES, Site
from tripleo_ffwd.exceptions import NotFound

BOOTSTRAP, COMPUTE = NODE_NAMES[0], NODE_NAMES[3]


def role_of(name: str) -> str:
    return "Controller" if "controller" in name else "Compute"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with five nodes at newton."""
    site = Site(root=tmp_path, network="127.9.9", ssh_port=2222)
    nodes = []
    for index, name in enumerate(NODE_NAMES):
        root = site.nodes / name / "root"
        (root / "state").mkdir(parents=True)
        (root / "state" / "node.json").write_text(json.dumps(catalog.newton_node(role_of(name))))
        key = f"ssh-ed25519 AAAA{index} comment"
        address = site.address(index)
        nodes.append({"name": name, "role": role_of(name), "address": address, "root": str(root), "host_key": key})
    (site.nodes / "nodes.json").write_text(json.dumps({"ssh_port": 2222, "nodes": nodes}))
    (site.nodes / "database.json").write_text(json.dumps(catalog.newton_database()))
    (site.nodes / "cluster.json").write_text(json.dumps(catalog.newton_cluster(list(NODE_NAMES[:3]))))
    return site


def call(site: Site, name: str, command: str) -> None:
    """Run one command on a node with its real tools, as an SSH session does."""
    node = Node(site.nodes / name / "root", name)
    tool, *arguments = command.split()
    code = run(node, tool, arguments)
    node.record(tool, arguments, code)
    assert code == 0, (name, command)


def kind(name: str) -> str:
    return "b" if name == BOOTSTRAP else "c" if role_of(name) == "Controller" else "n"


def travel(site: Site, phases: Sequence[str]) -> None:
    for phase in phases:
        for line in expected.JOURNAL[phase]:
            kinds, command = line.split(" ", 1)
            for name in NODE_NAMES:
                if kind(name) in kinds:
                    call(site, name, command)


def write_files(site: Site) -> None:
    for name in NODE_NAMES:
        for path, content in expected.FILES[role_of(name)].items():
            target = site.nodes / name / "root" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            for word, value in (("NODE", name), ("FIRST", BOOTSTRAP), ("VIP", site.address(0))):
                content = content.replace(word, value)
            target.write_text(content)
        for leftover in expected.LEFTOVERS:
            (site.nodes / name / "root" / leftover).unlink(missing_ok=True)
    external = site.root / "overcloud" / "external"
    external.mkdir(parents=True)
    (external / "external-deploy.log").write_text("\n".join(expected.EXTERNAL_LOG) + "\n")
    (external / "overcloudrc").touch()


@pytest.fixture
def at_queens(site: Site) -> Site:
    travel(site, ("run", "upgrade", "converge"))
    write_files(site)
    return site


def test_environment_names_every_node_with_its_key(site: Site) -> None:
    path = overcloud.build_environment(site)
    defaults = yaml.safe_load(path.read_text(encoding="utf-8"))["parameter_defaults"]
    assert [server["name"] for server in defaults["ControllerServers"]] == list(NODE_NAMES[:3])
    assert [server["address"] for server in defaults["ComputeServers"]] == ["127.9.9.13", "127.9.9.14"]
    assert defaults["ComputeServers"][0]["host_key"] == "ssh-ed25519 AAAA3"
    assert defaults["ControlPlaneVip"] == "127.9.9.10"
    assert overcloud.queens_environments(site) == (path,)


def test_environment_is_the_same_every_time(site: Site) -> None:
    before = overcloud.build_environment(site).read_bytes()
    assert overcloud.build_environment(site).read_bytes() == before


def test_environment_of_a_site_without_nodes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nodes start"):
        overcloud.build_environment(Site(root=tmp_path, network="127.9.9", ssh_port=2222))


def test_newton_nodes_are_found_to_be_at_newton(site: Site) -> None:
    assert {overcloud.release_of(site, name) for name in NODE_NAMES} == {"newton"}
    findings = overcloud.check_final_state(site)
    assert any("packages at newton" in finding for finding in findings)
    assert any("schema nova_api went []" in finding for finding in findings)


def test_the_expected_commands_lead_to_the_expected_state(at_queens: Site) -> None:
    assert overcloud.check_final_state(at_queens) == []
    assert overcloud.check_journal(at_queens) == []
    assert {overcloud.release_of(at_queens, name) for name in NODE_NAMES} == {"queens"}


def test_after_run_only_the_bootstrap_node_has_moved(site: Site) -> None:
    travel(site, ("run",))
    assert overcloud.check_journal(site, ("run",)) == []
    assert overcloud.release_of(site, BOOTSTRAP) == "newton-pike"
    assert overcloud.release_of(site, NODE_NAMES[1]) == "newton"


def test_a_command_that_ran_twice_is_found(at_queens: Site) -> None:
    call(at_queens, COMPUTE, "systemctl restart docker")
    assert overcloud.check_journal(at_queens) == [f"{COMPUTE}: `systemctl restart docker` ran unexpectedly"]


def test_a_command_that_never_ran_is_found(site: Site) -> None:
    travel(site, ("run",))
    findings = overcloud.check_journal(site, ("run", "converge"))
    assert f"{COMPUTE}: `systemctl enable --now docker` never ran" in findings


def test_questions_do_not_count_as_work(at_queens: Site) -> None:
    for command in ("systemctl is-enabled docker", "rpm -q docker", "hiera bootstrap_nodeid", "ffwd-repo show"):
        call(at_queens, BOOTSTRAP, command)
    assert overcloud.check_journal(at_queens) == []


@pytest.mark.parametrize(
    ("command", "finding"),
    [
        ("systemctl stop mariadb", "active units"),
        ("paunch delete --config-id keystone", "containers"),
        ("yum -y remove httpd", "removed packages ['httpd']"),
        ("pcs resource disable galera-bundle", "cluster resources"),
        ("pcs cluster stop", "cluster members"),
    ],
)
def test_a_wrong_end_is_found(at_queens: Site, command: str, finding: str) -> None:
    call(at_queens, BOOTSTRAP, command)
    assert any(finding in found for found in overcloud.check_final_state(at_queens))


def test_wrong_and_left_over_files_are_found(at_queens: Site) -> None:
    root = at_queens.nodes / COMPUTE / "root"
    (root / "etc/nova/nova.conf").write_text("[upgrade_levels]\ncompute = auto\n")
    (root / "etc/sysconfig/iptables").unlink()
    (root / "var/lib/nova").mkdir(parents=True)
    (root / "var/lib/nova/upgrade_marker").touch()
    findings = "\n".join(overcloud.check_final_state(at_queens))
    assert f"{COMPUTE}: etc/nova/nova.conf is " in findings
    assert f"{COMPUTE}: etc/sysconfig/iptables is missing" in findings
    assert f"{COMPUTE}: var/lib/nova/upgrade_marker is still there" in findings


def test_a_migration_on_another_node_is_found(at_queens: Site) -> None:
    path = at_queens.nodes / "database.json"
    database = json.loads(path.read_text())
    database["history"][0]["node"] = NODE_NAMES[1]
    path.write_text(json.dumps(database))
    assert [finding for finding in overcloud.check_final_state(at_queens) if NODE_NAMES[1] in finding]
