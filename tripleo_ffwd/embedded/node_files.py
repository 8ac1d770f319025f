"""The files of embedded nodes: where each is, and how nodes are made as they are at newton, with their keys."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncssh

from tripleo_ffwd.embedded.node_tools import catalog
from tripleo_ffwd.embedded.node_tools.node import write_json
from tripleo_ffwd.embedded.site import NODE_NAMES, Site
from tripleo_ffwd.exceptions import InvalidInput, NotFound

SSH_USER = "heat-admin"
TOOLS_DIRECTORY = Path(catalog.__file__).parent
NODE_SITE = TOOLS_DIRECTORY / "node_site"
PACKAGE_ROOT = TOOLS_DIRECTORY.parents[2]
# A tool is started without site-packages, which would cost more time than all else it does.
TOOL = """#!/bin/sh
exec {python} -SE -c 'import sys; sys.path[:1] = []; sys.path.append(sys.argv.pop(1))
from tripleo_ffwd.embedded.node_tools.main import main
sys.exit(main())' {root} {tool} "$@"
"""
# The machine's own, put off by the node's fault `clock`.
DATE = """#!/bin/sh
off=$(sed -n 's/.*"clock": *"\\([-0-9.]*\\)".*/\\1/p' "$NODE_ROOT/../fault.json" 2>/dev/null)
exec /bin/date ${off:+-d "$off seconds"} "$@"
"""
# On a node we are whoever we can be, as become to root expects: the options are taken off, the command is run.
SUDO = """#!/bin/sh
while :; do case "$1" in
-u|-g|-p|-C|-r|-t) shift 2 ;;
--) shift; break ;;
-*|*=*) shift ;;
*) break ;;
esac; done
exec "$@"
"""


@dataclasses.dataclass(frozen=True)
class NodeFiles:
    """Where the files of one node are.

    Attributes:
        name, role, address: as in nodes.json.
        directory: the node's directory; what the node itself does not see is at its top.
    """

    name: str
    role: str
    address: str
    directory: Path

    @property
    def root(self) -> Path:
        """The node's own root directory: home and working directory of its user."""
        return self.directory / "root"

    @property
    def state(self) -> Path:
        """State of the node: repository, packages, units, containers."""
        return self.root / "state" / "node.json"

    @property
    def host_key(self) -> Path:
        """The node's SSH host key."""
        return self.directory / "host_key"

    @property
    def fault(self) -> Path:
        """The faults that are set."""
        return self.directory / "fault.json"

    @property
    def fault_applied(self) -> Path:
        """The faults as the server last acted on them."""
        return self.directory / "fault.applied"

    @property
    def drop_request(self) -> Path:
        """Made by a tool that matches a `drop` fault."""
        return self.directory / "drop.request"

    @property
    def blocked(self) -> Path:
        """Directory with a record of each tool that waits for a `block` fault to be cleared."""
        return self.directory / "blocked"


def names(controllers: int, computes: int) -> tuple[str, ...]:
    """Return the names of that many controllers and computes.

    Raises:
        InvalidInput: no controller, a negative number, or more nodes than there are addresses.
    """
    if controllers < 1 or computes < 0 or controllers + computes > 200:
        raise InvalidInput(
            f"{controllers} controllers and {computes} computes: at least 1 controller, at most 200 nodes"
        )
    return (
        *(f"overcloud-controller-{number}" for number in range(controllers)),
        *(f"overcloud-novacompute-{number}" for number in range(computes)),
    )


def role_of(name: str) -> str:
    """Return the role of a node from its name."""
    return "Controller" if "controller" in name else "Compute"


def layout(site: Site, node_names: Sequence[str]) -> tuple[NodeFiles, ...]:
    """Return where the files of the named nodes are; each has the address of its place in the list."""
    return tuple(
        NodeFiles(name, role_of(name), site.address(index), site.nodes / name) for index, name in enumerate(node_names)
    )


def registered(site: Site) -> tuple[NodeFiles, ...]:
    """Return the nodes that the site has.

    Raises:
        NotFound: nodes were never started there.
    """
    try:
        data = json.loads((site.nodes / "nodes.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound("there are no nodes", where=str(site.root), remedy="Run `tripleo-ffwd nodes start`") from None
    return layout(site, [node["name"] for node in data["nodes"]])


def find(site: Site, name: str) -> NodeFiles:
    """Return one node of the site.

    Raises:
        NotFound: nodes were never started.
        InvalidInput: no node has that name.
    """
    nodes = registered(site)
    for node in nodes:
        if node.name == name:
            return node
    raise InvalidInput(f"unknown node {name!r}", remedy=f"Nodes: {', '.join(node.name for node in nodes)}")


def default_names(site: Site) -> tuple[str, ...]:
    """Return the names of the nodes that the site has, or of those that it gets when nobody says otherwise."""
    try:
        return tuple(node.name for node in registered(site))
    except NotFound:
        return NODE_NAMES


def make_key(path: Path, comment: str) -> str:
    """Make an ed25519 key (0600) when there is none; return its public half, as in known_hosts."""
    if not path.exists():
        partial = path.with_suffix(".partial")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(asyncssh.generate_private_key("ssh-ed25519", comment=comment).export_private_key())
        partial.replace(path)
    public: str = asyncssh.read_private_key(path).export_public_key().decode()
    return " ".join(public.split()[:2])


def make_node(node: NodeFiles, reset: bool) -> None:
    """Make a node's directories, tools and state; what is there stays, unless it is to be made fresh."""
    if reset and node.root.exists():
        shutil.rmtree(node.root)
    configured = [
        node.root / "etc" / service for service in ("cinder", "haproxy", "keystone", "neutron", "nova", "puppet")
    ]
    for directory in (node.blocked, node.root / "bin", node.root / "state", node.root / "tmp", *configured):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not node.state.exists():
        write_json(node.state, catalog.newton_node(node.role))
    if reset or not node.fault.exists():
        write_json(node.fault, {})
    for tool in catalog.TOOLS:
        text = TOOL.format(python=shlex.quote(sys.executable), root=shlex.quote(str(PACKAGE_ROOT)), tool=tool)
        write_script(node.root / "bin" / tool, text)
    write_script(node.root / "bin" / "sudo", SUDO)
    write_script(node.root / "bin" / "date", DATE)


def write_script(path: Path, text: str) -> None:
    """Write an executable file; one that runs meanwhile is not disturbed."""
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(stat.S_IRWXU)
    partial.replace(path)


def make_site(site: Site, node_names: Sequence[str], reset: bool) -> tuple[NodeFiles, ...]:
    """Make all nodes, their keys, and what they share; then write nodes.json."""
    site.nodes.mkdir(mode=0o700, parents=True, exist_ok=True)
    nodes = layout(site, node_names)
    controllers = [node.name for node in nodes if node.role == "Controller"]
    for path, content in (
        (site.nodes / "database.json", catalog.newton_database()),
        (site.nodes / "cluster.json", catalog.newton_cluster(controllers)),
    ):
        if reset or not path.exists():
            write_json(path, content)
    make_key(site.ssh_key_file, "tripleo-ffwd")
    entries: list[dict[str, Any]] = []
    for node in nodes:
        make_node(node, reset)
        host_key = make_key(node.host_key, node.name)
        entries.append(
            {
                "name": node.name,
                "role": node.role,
                "address": node.address,
                "root": str(node.root),
                "host_key": host_key,
            }
        )
    known_hosts = site.nodes / "known_hosts"
    lines = [f"{known_host(entry['address'], site.ssh_port)} {entry['host_key']}\n" for entry in entries]
    partial = known_hosts.with_suffix(".partial")
    partial.write_text("".join(lines), encoding="utf-8")
    partial.chmod(0o600)
    partial.replace(known_hosts)
    write_json(
        site.nodes / "nodes.json",
        {
            "ssh_port": site.ssh_port,
            "ssh_user": SSH_USER,
            "key_file": str(site.ssh_key_file),
            "known_hosts_file": str(known_hosts),
            "python_interpreter": getattr(sys, "_base_executable", sys.executable),
            "nodes": entries,
        },
    )
    return nodes


def known_host(address: str, port: int) -> str:
    """Return how known_hosts names an address and a port."""
    return address if port == 22 else f"[{address}]:{port}"


def home_relative(command: str, user: str) -> str:
    """Return a command in which ``~user`` and ``~root`` mean the node's root.

    The machine's passwd knows no such user, or another home: with become, Ansible asks for ``~root`` and would write
    into the machine's own.
    """
    return re.sub(rf"(?<![\w./~-])~({re.escape(user)}|root)(?![\w.-])", "$HOME", command)
