"""Overclouds of several shapes, from released templates: what their stacks would have as outputs.

``outputs(name)`` evaluates the templates' own ``overcloud.yaml`` (see `evaluation`), so that services, conditions,
playbooks and their order are TripleO's. Servers, addresses, passwords and images are made up.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import posixpath
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from overclouds import sdist, written

if TYPE_CHECKING:
    from overclouds.evaluation import Library

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NETWORKS = ("ctlplane", "storage", "storage_mgmt", "internal_api", "tenant", "external", "management")
_HERE = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Role:
    """A role of a shape.

    Attributes:
        name: its file in the templates' ``roles``.
        count: number of servers.
        services_in: directory: the role has every service found there that can be evaluated (some templates are
            broken, in Heat too) instead of the services of its file; empty: those of its file.
    """

    name: str
    count: int = 1
    services_in: str = ""


@dataclasses.dataclass(frozen=True)
class Shape:
    """An overcloud.

    Attributes:
        version: release of the templates.
        roles: its roles, the first one has the bootstrap server.
        environments: after the resource registry, in order.
        parameters: parameter_defaults.
    """

    version: str
    roles: tuple[Role, ...]
    environments: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)


_QUEENS = "8.4.1"
_CONTAINERS = ("environments/docker.yaml", "environments/docker-ha.yaml")
_FFWD = ("environments/config-download-environment.yaml", "environments/lifecycle/ffwd-upgrade-prepare.yaml")
_PACEMAKER = "environments/puppet-pacemaker.yaml"
_CEPH = "environments/ceph-ansible/ceph-ansible.yaml"
_SPLIT = ("ControllerOpenstack", "Database", "Messaging", "Networker", "Telemetry")
_MANY = ("barbican", "cinder-backup", "ec2-api", "ironic", "manila", "mistral", "octavia", "sahara", "zaqar")
_SERVICES = tuple(f"environments/services-docker/{name}.yaml" for name in _MANY)

SHAPES: Mapping[str, Shape] = {
    # The roles of tests/data/queens_outputs.json.xz, with templates that are older than those.
    "reference": Shape(
        _QUEENS, (Role("Controller", 3), Role("Compute", 2), Role("CephStorage")), (*_CONTAINERS, *_FFWD)
    ),
    "baremetal": Shape(
        _QUEENS,
        (Role("Controller", 2), Role("Compute")),
        ("environments/baremetal-services.yaml", _PACEMAKER, *_FFWD),
    ),
    "composable": Shape(
        _QUEENS,
        (*(Role(name, 2 if name == "ControllerOpenstack" else 1) for name in _SPLIT), Role("Compute")),
        (*_CONTAINERS, *_SERVICES, *_FFWD),
    ),
    "hyperconverged": Shape(
        _QUEENS,
        (Role("Controller", 2), Role("ComputeHCI", 2), Role("ObjectStorage"), Role("BlockStorage")),
        (*_CONTAINERS, _CEPH, *_FFWD),
    ),
    "everything": Shape(
        _QUEENS,
        (Role("Controller", 2, "docker/services"), Role("Compute", 1, "puppet/services")),
        (*_CONTAINERS, *_FFWD),
    ),
    "rocky": Shape(
        "9.4.1",
        (Role("Controller", 2), Role("ComputeHCI"), Role("Networker")),
        (*_CONTAINERS, _CEPH, *_FFWD),
        {"FastForwardUpgradeReleases": ["pike", "queens", "rocky"]},
    ),
    "stein": Shape(
        "10.6.2",
        (Role("Controller", 2), Role("Compute"), Role("CephStorage")),
        ("environments/docker-ha.yaml", _CEPH, *_FFWD),
        {"FastForwardUpgradeReleases": ["queens", "rocky", "stein"]},
    ),
    "stein-everything": Shape(
        "10.6.2",
        (Role("Controller", 2, "deployment"),),
        _FFWD,
        {"FastForwardUpgradeReleases": ["queens", "rocky", "stein"]},
    ),
    # These have no fast forward tasks.
    # Pike's docker-ha has a task without an action, which no Ansible loads.
    "pike": Shape("7.0.18", (Role("Controller", 2), Role("Compute")), _CONTAINERS[:1]),
    "train": Shape("11.6.0", (Role("Controller", 2), Role("Compute")), ("environments/docker-ha.yaml",)),
}


def outputs(name: str) -> dict[str, Any]:
    """Return the outputs of a shape's stack, fresh for each caller, from the cache when nothing has changed.

    Raises:
        sdist.Unavailable: the templates can't be had.
    """
    kept = sdist.cache() / f"outputs-{name}-{_key(SHAPES[name])}.json"
    if not kept.is_file():
        text = json.dumps(evaluate(SHAPES[name]))
        with tempfile.NamedTemporaryFile("w", dir=kept.parent, delete=False, encoding="utf-8") as stream:
            stream.write(text)
        Path(stream.name).rename(kept)
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def settled(name: str) -> dict[str, Any]:
    """Return the outputs of a shape's stack with the releases in place, where the templates leave them open."""
    return written.with_releases(outputs(name), SHAPES[name].parameters.get("FastForwardUpgradeReleases", ()))


def as_written(name: str) -> dict[str, Any]:
    """Return `settled` outputs with the files that TripleO's own writer adds: for the templates' tree."""
    return written.with_step_files(settled(name), SHAPES[name].version)


def evaluate(shape: Shape, source: Path | None = None) -> dict[str, Any]:
    """Return the outputs of a shape's stack, evaluated now.

    Args:
        source: directory of templates to use instead of the released ones.
    """
    # Heat takes seconds to load, and it is not needed when the outputs are in the cache.
    from overclouds.evaluation import Library

    from tripleo_ffwd.plan.rendering import render_tree

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "templates"
        shutil.copytree(source or sdist.templates(shape.version), root)
        roles = [_read(root / "roles" / f"{role.name}.yaml")[0] for role in shape.roles]
        (root / "roles_data.yaml").write_text(yaml.safe_dump(roles, sort_keys=False))
        render_tree(root, [path.relative_to(root).as_posix() for path in root.rglob("*.j2.yaml")])
        registry: dict[str, str] = {}
        defaults: dict[str, Any] = {}
        for path in ("overcloud-resource-registry-puppet.yaml", *shape.environments):
            _add_environment(root, path, registry, defaults)
        defaults |= shape.parameters
        library = Library(root, registry, defaults, _given(shape), _made_up)
        for role in shape.roles:
            if role.services_in:
                types = _services_in(library, role)
                registry |= types
                defaults[f"{role.name}Services"] = list(types)
        found = {key: library.output("overcloud.yaml", key) for key in ("RoleData", "RoleConfig", "EnabledServices")}
    return {**found, **_servers(shape)}


def _key(shape: Shape) -> str:
    parts = [repr(shape), *((_HERE / f"{name}.py").read_text() for name in ("evaluation", "shapes"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)


def _services_in(library: Library, role: Role) -> dict[str, str]:
    """Return types of resources and the templates of the services that they stand for."""
    names = []
    for path in sorted((library.root / role.services_in).rglob("*.yaml")):
        data = {} if ".j2." in path.name else _read(path) or {}
        if "service_name" in (data.get("outputs", {}).get("role_data", {}).get("value") or {}):
            names.append(path.relative_to(library.root).as_posix())
    working = library.working(role.name, names)
    return {f"OS::TripleO::Services::{role.name}{number}": name for number, name in enumerate(working)}


def _add_environment(root: Path, path: str, registry: dict[str, str], defaults: dict[str, Any]) -> None:
    data = _read(root / path)
    for name, value in (data.get("resource_registry") or {}).items():
        if isinstance(value, str):
            relative = value.endswith(".yaml")
            registry[name] = posixpath.normpath(posixpath.join(posixpath.dirname(path), value)) if relative else value
    defaults |= data.get("parameter_defaults") or {}


def _made_up(name: str, kind: str) -> Any:
    if name.endswith("Image"):
        return f"registry.example.com/tripleo/{name.lower()}:current"
    return {"number": 1, "json": {}, "comma_delimited_list": [], "boolean": False}.get(kind, f"made-up-{name}")


def _ids(shape: Shape, role: Role) -> list[str]:
    return [str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{role.name}-{number}")) for number in range(role.count)]


def _names(role: Role) -> list[str]:
    return [f"overcloud-{role.name.lower()}-{number}" for number in range(role.count)]


def _given(shape: Shape) -> dict[str, dict[str, Any]]:
    given: dict[str, dict[str, Any]] = {
        f"{role.name}Servers": {"value": {str(n): found for n, found in enumerate(_ids(shape, role))}}
        for role in shape.roles
    }
    hosts = [name for role in shape.roles for name in _names(role)]
    given["SshKnownHostsHostnames"] = {"value": {name: f"[{name}]*" for name in hosts}}
    return given


def _servers(shape: Shape) -> dict[str, Any]:
    """Return the outputs that say which servers there are."""
    hostnames, addresses = {}, {}
    for number, role in enumerate(shape.roles, 1):
        hostnames[role.name] = {
            "canonical": [f"{name}.localdomain" for name in _names(role)],
            **{net: [f"{name}.{net.replace('_', '')}.localdomain" for name in _names(role)] for net in _NETWORKS},
        }
        addresses[role.name] = {
            net: [f"172.16.{place}.{number * 10 + index}" for index in range(role.count)]
            for place, net in enumerate(_NETWORKS)
        }
    ids = {role.name: _ids(shape, role) for role in shape.roles}
    return {
        "ServerIdData": {"server_ids": ids, "bootstrap_server_id": next(iter(ids.values()))[0]},
        "RoleNetHostnameMap": hostnames,
        "RoleNetIpMap": addresses,
        "BlacklistedHostnames": [""] * sum(role.count for role in shape.roles),
    }
