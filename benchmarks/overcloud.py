"""The reference overcloud with more servers: its outputs, every list of servers made as long as is asked for."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

_NAMES = {"Controller": "controller", "Compute": "compute", "CephStorage": "cephstorage"}
_DOMAIN = "localdomain"


def counts(servers: int) -> dict[str, int]:
    """Return how many servers of that many each role has: three controllers, a tenth (at least one) for storage."""
    storage = max(1, servers // 10)
    return {"Controller": 3, "Compute": servers - 3 - storage, "CephStorage": storage}


def scaled(outputs: dict[str, Any], servers: int) -> dict[str, Any]:
    """Return the outputs for that many servers, roles, tasks and services as they are; changes what it is given.

    Args:
        outputs: of the reference overcloud, see tests/data/README.rst.
        servers: how many, at least 5.
    """
    wanted = counts(servers)
    names = {role: [f"overcloud-{_NAMES[role]}-{number}" for number in range(wanted[role])] for role in wanted}
    order = [name for role in wanted for name in names[role]]
    place = {name: number for number, name in enumerate(order)}
    networks = {role: list(found) for role, found in outputs["RoleNetHostnameMap"].items()}
    numbers = {network: n for n, network in enumerate(dict.fromkeys(net for nets in networks.values() for net in nets))}

    def address(network: str, name: str) -> str:
        number = place[name] + 10
        return f"10.{numbers.setdefault(network, len(numbers))}.{number // 250}.{number % 250}"

    outputs["RoleNetHostnameMap"] = {
        role: {net: [_host(name, net) for name in names[role]] for net in found} for role, found in networks.items()
    }
    outputs["RoleNetIpMap"] = {
        role: {net: [address(net, name) for name in names[role]] for net in found}
        for role, found in outputs["RoleNetIpMap"].items()
    }
    ids = {role: [str(uuid.uuid5(uuid.NAMESPACE_DNS, name)) for name in names[role]] for role in wanted}
    outputs["ServerIdData"] = {"server_ids": ids, "bootstrap_server_id": ids["Controller"][0]}
    outputs["BlacklistedHostnames"] = [""] * servers
    known = outputs["RoleConfig"]["global_vars"].get("ssh_known_hosts")
    if isinstance(known, Mapping):
        outputs["RoleConfig"]["global_vars"]["ssh_known_hosts"] = {
            name: ",".join(
                f"[{part}]*"
                for net in networks[role]
                for part in (address(net, name), _host(name, net), f"{name}.{net}")
            )
            for role in wanted
            for name in names[role]
        }
    return outputs


def _host(name: str, network: str) -> str:
    middle = "" if network == "canonical" else f".{network.replace('_', '')}"
    return f"{name}{middle}.{_DOMAIN}"
