"""A real overcloud of a release's own templates, on deployed servers, as an operator keeps it: for a real Heat.

`lay_out` makes what an operator has: a directory of templates with a ``roles_data.yaml`` of their own, and beside it
the environment with addresses, passwords and images, all made up. Heat asks no other service for any of it.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from overclouds import sdist

from tripleo_ffwd import heat
from tripleo_ffwd.plan.store import PlanStore

VERSION = "8.4.1"
STACK = "overcloud"
# The operator's environments within the templates, in order; the local one comes after them.
ENVIRONMENTS = (
    "environments/docker.yaml",
    "environments/docker-ha.yaml",
    "environments/deployed-server-environment.yaml",
    "environments/deployed-server-noop-ctlplane.yaml",
    "environments/deployed-server-pacemaker-environment.yaml",
    "environments/config-download-environment.yaml",
)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_SUBNETS = {
    "storage": "172.16.1",
    "storage_mgmt": "172.16.3",
    "internal_api": "172.16.2",
    "tenant": "172.16.0",
    "external": "10.0.0",
}
_VIRTUAL = {
    "ControlFixedIPs": "192.168.24.6",
    "PublicVirtualFixedIPs": "10.0.0.5",
    "InternalApiVirtualFixedIPs": "172.16.2.5",
    "StorageVirtualFixedIPs": "172.16.1.5",
    "StorageMgmtVirtualFixedIPs": "172.16.3.5",
    "RedisVirtualFixedIPs": "172.16.2.6",
}
_VIPS = ("Storage", "StorageMgmt", "InternalApi", "External", "Redis")
_PARAMETERS = {
    "SoftwareConfigTransport": "POLL_SERVER_HEAT",
    "CloudName": "overcloud.example.com",
    "ControlPlaneDefaultRoute": "192.168.24.1",
    "ControlPlaneSubnetCidr": "24",
    "EC2MetadataIp": "192.168.24.1",
    "DnsServers": ["192.168.24.1"],
}
_EMPTY: Mapping[str, Any] = {"number": 1, "json": {}, "comma_delimited_list": [], "boolean": False}
# What a service is given by the template that uses it.
_GIVEN = ("ServiceNetMap", "EndpointMap", "DefaultPasswords", "RoleName", "RoleParameters", "ServiceData")
_FIXED_VIP = """\
heat_template_version: queens
description: A virtual address that nobody else gives.
parameters:
  FixedIPs: {type: json}
  ControlPlaneIP: {type: string, default: ''}
  ControlPlaneNetwork: {type: string, default: ''}
  NetworkName: {type: string, default: ''}
  PortName: {type: string, default: ''}
  ServiceName: {type: string, default: ''}
outputs:
  ip_address:
    value: {get_param: [FixedIPs, 0, ip_address]}
  ip_address_uri:
    value: {get_param: [FixedIPs, 0, ip_address]}
  ip_subnet:
    value: ''
"""


@dataclasses.dataclass(frozen=True)
class Role:
    """A role, how many servers it has, and which services: the last parts of their names, empty for all."""

    name: str
    count: int = 1
    services: tuple[str, ...] = ()


WHOLE = (Role("Controller", 3), Role("Compute", 2), Role("CephStorage", 1))
# Of each kind of service one or two, so that it is created and updated in a minute: plain, in containers, behind
# Apache, with a database, run by Pacemaker; with tasks of a fast forward upgrade.
_FEW = ("CACerts", "Docker", "Kernel", "TripleoPackages", "Pacemaker", "HAproxy", "MySQL", "RabbitMQ", "Keystone")
_FEW += ("NovaApi", "NovaPlacement", "GnocchiApi")
ONE_CONTROLLER = (Role("Controller", 1, _FEW),)


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What an operator has in hand.

    Attributes:
        templates: directory of the templates, not rendered.
        local: the environment of their own, outside of it.
    """

    templates: Path
    local: Path

    @property
    def environments(self) -> list[str]:
        """What they pass to prepare and converge, in order."""
        return [*ENVIRONMENTS, str(self.local)]


def lay_out(root: Path, roles: Sequence[Role], version: str = VERSION, control_plane: str = "192.168.24") -> Inputs:
    """Make the inputs of an overcloud in an empty directory.

    Args:
        control_plane: the first three octets of the servers' addresses for SSH.

    Raises:
        sdist.Unavailable: the templates can't be had.
    """
    templates = root / "templates"
    root.mkdir(exist_ok=True)
    shutil.copytree(sdist.templates(version), templates)
    wanted = {role.name: role.services for role in roles}
    data = [role for role in _read(templates / "roles_data.yaml") if role["name"] in wanted]
    for role in data:
        services = wanted[role["name"]]
        chosen = [name for name in role["ServicesDefault"] if not services or name.rpartition("::")[2] in services]
        role["ServicesDefault"] = chosen
        # There is no Nova and no Glance that Heat could ask for flavors, images and keys.
        role["disable_constraints"] = True
    (templates / "roles_data.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    local = root / "local.yaml"
    (root / "fixed-vip.yaml").write_text(_FIXED_VIP)
    local.write_text(yaml.dump(_local(templates, roles, data, control_plane), Dumper=_DUMPER, sort_keys=False))
    return Inputs(templates, local)


def create(client: heat.HeatClient, inputs: Inputs, scratch: Path, timeout: int = 1800) -> None:
    """Create the overcloud's stack as a deployment with config-download does, and wait for it.

    Raises:
        StackFailed, StackBusy: Heat could not make it, or not in `timeout` seconds.
    """
    scratch.mkdir(exist_ok=True)
    first = scratch / "first.yaml"
    # What the client says of each stack when it deploys it.
    first.write_text("parameter_defaults: {StackAction: CREATE, DeployIdentifier: '1'}\n")
    version = PlanStore(scratch / "work").create_version(
        STACK, templates=inputs.templates, environments=[*inputs.environments, str(first)], phase="deploy"
    )
    heat.create(client, STACK, heat.build_bundle(version.template_path, version.environment_paths), timeout)


def _local(
    templates: Path, roles: Sequence[Role], data: Sequence[Mapping[str, Any]], control_plane: str
) -> dict[str, Any]:
    registry = {f"OS::TripleO::Network::Ports::{name}VipPort": "fixed-vip.yaml" for name in _VIPS}
    registry["OS::TripleO::Network::Ports::ControlPlaneVipPort"] = (
        "templates/deployed-server/deployed-neutron-port.yaml"
    )
    ports = {"control_virtual_ip": f"{control_plane}.6"}
    defaults: dict[str, Any] = dict(_made_up(templates))
    for number, role in enumerate(roles, 1):
        found = next(item for item in data if item["name"] == role.name)
        registry |= {
            f"OS::TripleO::{role.name}::Ports::{name}Port": f"templates/network/ports/{_lower(name)}_from_pool.yaml"
            for name in found["networks"]
        }
        hosts = {number * 10 + index: index for index in range(role.count)}
        defaults[f"{role.name}Count"] = role.count
        defaults[f"{role.name}IPs"] = {
            lower: [f"{_SUBNETS[lower]}.{host}" for host in hosts] for lower in map(_lower, found["networks"])
        }
        prefix = found.get("HostnameFormatDefault", f"%stackname%-{role.name.lower()}-%index%")
        for host, index in hosts.items():
            name = prefix.replace("%stackname%", STACK).replace("%index%", str(index))
            ports[f"{name}-ctlplane"] = f"{control_plane}.{host}"
    defaults["DeployedServerPortMap"] = {
        name: {"fixed_ips": [{"ip_address": address}], "subnets": [{"cidr": "24"}]} for name, address in ports.items()
    }
    defaults |= {parameter: [{"ip_address": address}] for parameter, address in _VIRTUAL.items()}
    return {"resource_registry": registry, "parameter_defaults": defaults | _PARAMETERS}


def _lower(network: str) -> str:
    """Return a network's name as its file and its pool have it."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in network).lstrip("_")


def _made_up(templates: Path) -> Iterator[tuple[str, Any]]:
    """Yield a value for every parameter of a service that has none, and for every container image."""
    for folder in ("docker/services", "puppet/services"):
        for path in sorted((templates / folder).rglob("*.yaml")):
            parameters = {} if ".j2." in path.name else (_read(path) or {}).get("parameters") or {}
            for name, described in parameters.items():
                if name.startswith("Docker") and name.endswith("Image"):
                    yield name, f"registry.example.com/tripleoqueens/{name[6:-5].lower()}:current"
                # In 9.4.1 a condition stands among the parameters.
                elif "type" in described and "default" not in described and name not in _GIVEN:
                    yield name, _value(name, described["type"])


def _value(name: str, kind: str) -> Any:
    if name.endswith("SshKey"):
        return {"private_key": "made up", "public_key": "made up"}
    return _EMPTY.get(kind, f"made-up-{name}")


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
