"""What the nodes of a site are at: a value for each node, and the database and cluster that they share."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tripleo_ffwd.embedded import faults, node_files
from tripleo_ffwd.embedded.node_files import NodeFiles
from tripleo_ffwd.embedded.node_tools import catalog
from tripleo_ffwd.embedded.node_tools.node import read_json
from tripleo_ffwd.embedded.site import Site


@dataclasses.dataclass(frozen=True)
class NodeState:
    """One node.

    Attributes:
        name, role, address: who it is.
        up: its SSH server listens.
        fault: the faults that are set, kind to argument.
        repo: release whose repositories are enabled.
        release: the oldest release among its packages.
        packages: package to release.
        units: each unit that the node has, to ``active`` or ``inactive``.
        enabled: units that start by themselves.
        containers: container that runs, to its release.
        config: each file below ``etc``, to its sha256.
        pcs: ``online``, ``offline``, or empty for a node that is no member of the cluster.
        blocked: tool calls that a `block` fault holds.
        journal: number of tool calls so far.
    """

    name: str
    role: str
    address: str
    up: bool
    fault: Mapping[str, str]
    repo: str
    release: str
    packages: Mapping[str, str]
    units: Mapping[str, str]
    enabled: tuple[str, ...]
    containers: Mapping[str, str]
    config: Mapping[str, str]
    pcs: str
    blocked: tuple[str, ...]
    journal: int

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}


@dataclasses.dataclass(frozen=True)
class Migration:
    """A schema sync: `source` and `target` are the same when there was nothing to migrate; `time` is a Unix time."""

    service: str
    source: str
    target: str
    node: str
    time: float


@dataclasses.dataclass(frozen=True)
class Database:
    """The site's database: the release of each schema, and every sync in the order in which they ran."""

    schemas: Mapping[str, str]
    history: tuple[Migration, ...]

    @property
    def migrations(self) -> tuple[Migration, ...]:
        """The syncs that changed a schema."""
        return tuple(entry for entry in self.history if entry.source != entry.target)


@dataclasses.dataclass(frozen=True)
class ToolCall:
    """A line of a node's journal: a tool call that ended; `time` is when it ended, a Unix time."""

    time: float
    tool: str
    argv: tuple[str, ...]
    rc: int

    @property
    def text(self) -> str:
        """The call as it was typed."""
        return " ".join([self.tool, *self.argv])


def read(site: Site) -> Mapping[str, NodeState]:
    """Return the state of every node of the site, by name, in the order of nodes.json.

    Raises:
        NotFound: nodes were never started there.
    """
    served = faults.server(site) is not None
    nodes = node_files.registered(site)
    members = read_json(site.nodes / "cluster.json")["members"]
    return MappingProxyType({node.name: _read_node(node, served, members.get(node.name, "")) for node in nodes})


def _read_node(node: NodeFiles, served: bool, membership: str) -> NodeState:
    data = read_json(node.state)
    packages: dict[str, str] = data["packages"]
    fault = faults.read(node)
    units = {unit: data["units"].get(unit, "inactive") for unit, owner in catalog.UNITS.items() if owner in packages}
    if "pacemaker" in units:
        units["pacemaker"] = "active" if membership == "online" else "inactive"
    return NodeState(
        name=node.name,
        role=node.role,
        address=node.address,
        up=served and "off" not in fault,
        fault=MappingProxyType(fault),
        repo=data["repo"],
        release=min(packages.values(), key=catalog.rank),
        packages=MappingProxyType(packages),
        units=MappingProxyType(units),
        enabled=tuple(sorted(data["enabled"])),
        containers=MappingProxyType(data["containers"]),
        config=MappingProxyType(_digests(node.root / "etc")),
        pcs=membership,
        blocked=tuple(faults.blocked(node)) if served else (),
        journal=len(journal(site_node=node)),
    )


def _digests(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory.parent)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def journal(site_node: NodeFiles) -> tuple[ToolCall, ...]:
    """Return every tool call on a node that ended, in order."""
    path = site_node.root / "journal.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    calls = [json.loads(line) for line in lines]
    return tuple(ToolCall(call["time"], call["tool"], tuple(call["argv"]), call["rc"]) for call in calls)


def read_journal(site: Site, name: str) -> tuple[ToolCall, ...]:
    """Return every tool call on the named node that ended, in order.

    Raises:
        NotFound, InvalidInput: there are no nodes, or none of that name.
    """
    return journal(node_files.find(site, name))


def database(site: Site) -> Database:
    """Return the site's database.

    Raises:
        NotFound: nodes were never started there.
    """
    node_files.registered(site)
    data = read_json(site.nodes / "database.json")
    history = tuple(
        Migration(entry["service"], entry["from"], entry["to"], entry["node"], entry["time"])
        for entry in data["history"]
    )
    return Database(MappingProxyType(data["schemas"]), history)


def resources(site: Site) -> Mapping[str, str]:
    """Return the cluster's resources, each ``enabled`` or ``disabled``.

    Raises:
        NotFound: nodes were never started there.
    """
    node_files.registered(site)
    return MappingProxyType(read_json(site.nodes / "cluster.json")["resources"])
