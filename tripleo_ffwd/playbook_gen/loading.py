"""Stack outputs to a checked model: what is missing, None or nonsense is refused by name; no I/O.

How large outputs and each text in them may be, `bounds` says: 64 MiB in all, 16 MiB for one text.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.exceptions import MalformedOutputs
from tripleo_ffwd.model import UNSELECTED_GROUP
from tripleo_ffwd.playbook_gen import bounds
from tripleo_ffwd.playbook_gen.yaml_loading import load_yaml as load_yaml

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_ADDRESS = re.compile(r"[A-Za-z0-9._:/%\[\]-]*")
_FILE_NAME = re.compile(rf"{_NAME.pattern}(\.[A-Za-z0-9_-]+)*")
_WRAPPER = frozenset(("output_key", "output_value"))
# Names that a role, a host or a file of the outputs can't have: they have a meaning in the tree, or to Ansible.
_GROUPS = ("all", "ungrouped", "localhost", "overcloud", "undercloud", "allovercloud", "Undercloud", UNSELECTED_GROUP)
_PATHS = ("group_vars", "host_vars")
_OURS = re.compile(r"(manifest\.json|inventory(\.ya?ml)?|ffwd_.*|.*_playbook\.ya?ml)")
_LONGEST_NAME = 200
_BLACKLIST = "BlacklistedHostnames"
_REQUIRED = ("RoleData", "RoleConfig", "ServerIdData", "RoleNetHostnameMap", "RoleNetIpMap")


@dataclasses.dataclass(frozen=True)
class Server:
    """One server: short host name, role, id, addresses by network, fully qualified names by network."""

    name: str
    role: str
    server_id: str
    addresses: Mapping[str, str]
    names: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Outputs:
    """The outputs that the compiler reads, checked.

    Attributes:
        role_data: role → its data (lists of tasks, configuration), roles in the outputs' order.
        role_config: the playbooks, task files and variables of the whole overcloud.
        servers: all servers but the blacklisted ones, by role, in the order of the outputs.
        bootstrap_server_id: id of the overcloud's bootstrap server; may be empty.
        enabled_services: role → names of its services.
        vips: network (and ``redis``) → virtual address, those that there are.
        urls: ``keystone`` and ``horizon`` → public address of that service, where the outputs have it.
    """

    role_data: Mapping[str, Mapping[str, Any]]
    role_config: Mapping[str, Any]
    servers: tuple[Server, ...]
    bootstrap_server_id: str
    enabled_services: Mapping[str, tuple[str, ...]]
    vips: Mapping[str, str] = dataclasses.field(default_factory=dict)
    urls: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def roles(self) -> tuple[str, ...]:
        """Names of the roles."""
        return tuple(self.role_data)

    def hosts(self, role: str) -> tuple[str, ...]:
        """Return the host names of a role."""
        return tuple(server.name for server in self.servers if server.role == role)


def load_outputs(raw: object) -> Outputs:
    """Return the checked model of a stack's outputs.

    Args:
        raw: a list of ``{output_key, output_value}`` as Heat returns them, or a mapping; see `as_mapping`.

    Raises:
        MalformedOutputs: naming the key that is missing, None or of a wrong type.
    """
    bounds.check(raw)
    values = as_mapping(raw)
    if values is not raw:
        bounds.check(values)
    for key in _REQUIRED:
        if key not in values:
            raise MalformedOutputs(f"the stack's outputs have no {key}", where=key)
        _mapping(values[key], key)
    role_data = {}
    for role, data in values["RoleData"].items():
        _check_name(role, "RoleData")
        if role in (*_GROUPS, *_PATHS):
            raise MalformedOutputs(f"no role can have the name {role}", where="RoleData")
        role_data[role] = _mapping(data, f"RoleData.{role}")
        for key in role_data[role]:
            _check_file_name(key, f"RoleData.{role}")
    if not role_data:
        raise MalformedOutputs("there are no roles", where="RoleData")
    for key in values["RoleConfig"]:
        _check_file_name(key, "RoleConfig")
        if "." in key and key.removesuffix(".yaml") in values["RoleConfig"] and key.endswith(".yaml"):
            raise MalformedOutputs(f"{key} and {key.removesuffix('.yaml')} are one file", where="RoleConfig")
    bootstrap = values["ServerIdData"].get("bootstrap_server_id") or ""
    if not isinstance(bootstrap, str):
        raise MalformedOutputs("is no text", where="ServerIdData.bootstrap_server_id")
    servers = _servers(values, tuple(role_data))
    services = _services(values)
    return Outputs(role_data, values["RoleConfig"], servers, bootstrap, services, _vips(values, servers), _urls(values))


def as_mapping(raw: object) -> Mapping[str, Any]:
    """Return outputs by key, whichever of their shapes they come in.

    The shapes: a list of ``{output_key, output_value}``; a mapping of key to value; a mapping of key to
    ``{output_key, output_value}``, as ``openstack stack output show --all -f json`` prints it, JSON texts inside.

    Raises:
        MalformedOutputs: it is none of them.
    """
    if isinstance(raw, Mapping):
        items = {key: _from_json(value) for key, value in raw.items()}
        if items and all(isinstance(item, Mapping) and set(item) >= _WRAPPER for item in items.values()):
            return {key: _from_json(item["output_value"]) for key, item in items.items()}
        return raw
    if not isinstance(raw, list):
        raise MalformedOutputs(
            f"the outputs are a {type(raw).__name__}, neither a list of {{output_key, output_value}} nor a mapping"
        )
    values = {}
    for index, item in enumerate(raw):
        if not isinstance(item, Mapping) or not isinstance(item.get("output_key"), str) or "output_value" not in item:
            raise MalformedOutputs("is not {output_key, output_value}", where=f"outputs[{index}]")
        values[item["output_key"]] = item["output_value"]
    return values


def _from_json(value: Any) -> Any:
    """Return the list or mapping that a text is the JSON of; anything else as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        what = "is None" if value is None else f"is a {type(value).__name__}, not a mapping"
        raise MalformedOutputs(what, where=where, remedy="Look whether the stack was created completely")
    return value


def _check_name(name: object, where: str, pattern: re.Pattern[str] = _NAME) -> None:
    # Names become names of files and groups.
    if not isinstance(name, str) or not pattern.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise MalformedOutputs(f"{bounds.shown(name)} is not a name of letters, digits, - and _", where=where)


def _check_file_name(name: object, where: str) -> None:
    _check_name(name, where, _FILE_NAME)
    if _OURS.fullmatch(str(name)):
        raise MalformedOutputs(f"{name} is the name of a file that the generator writes", where=where)


def _strings(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MalformedOutputs("is not a list of texts", where=where)
    return value


def _blacklisted(value: object) -> frozenset[str]:
    names = _strings([name for name in value if name] if isinstance(value, list) else value or [], _BLACKLIST)
    return frozenset(name.split(".")[0] for name in names)


def _servers(values: Mapping[str, Any], roles: tuple[str, ...]) -> tuple[Server, ...]:
    ids = _mapping(values["ServerIdData"].get("server_ids"), "ServerIdData.server_ids")
    blacklisted = _blacklisted(values.get(_BLACKLIST))
    servers: list[Server] = []
    for role in roles:
        names = _networks(values["RoleNetHostnameMap"], role, "RoleNetHostnameMap", _HOST_NAME)
        addresses = _networks(values["RoleNetIpMap"], role, "RoleNetIpMap", _ADDRESS)
        canonical = names.get("canonical", [])
        server_ids = _strings(ids.get(role) or [], f"ServerIdData.server_ids.{role}")
        for what, found in (("RoleNetIpMap", addresses.get("ctlplane", [])), ("ServerIdData.server_ids", server_ids)):
            if len(found) != len(canonical):
                raise MalformedOutputs(
                    f"role {role} has {len(found)} servers there and {len(canonical)} in RoleNetHostnameMap", where=what
                )
        for index, fqdn in enumerate(canonical):
            name = fqdn.split(".")[0]
            _check_name(name, f"RoleNetHostnameMap.{role}.canonical")
            if name not in blacklisted:
                servers.append(Server(name, role, server_ids[index], _pick(addresses, index), _pick(names, index)))
    _check_unique(servers, roles)
    return tuple(servers)


def _check_unique(servers: list[Server], roles: tuple[str, ...]) -> None:
    taken = {*roles, *_GROUPS}
    for server in servers:
        if server.name in taken:
            raise MalformedOutputs(f"the name {server.name} is used twice", where="RoleNetHostnameMap")
        taken.add(server.name)


def _networks(value: Mapping[str, Any], role: str, where: str, pattern: re.Pattern[str]) -> Mapping[str, list[str]]:
    if role not in value:
        raise MalformedOutputs(f"role {role} is missing", where=where)
    networks = _mapping(value[role], f"{where}.{role}")
    for name in networks:
        _check_name(name, f"{where}.{role}", _NETWORK)
    found = {name: _strings(items, f"{where}.{role}.{name}") for name, items in networks.items()}
    for name, items in found.items():
        # They end up in the inventory, where Ansible would run what stands in braces.
        if not all(map(pattern.fullmatch, filter(None, items))):
            odd = [item for item in items if item and not pattern.fullmatch(item)]
            raise MalformedOutputs(f"{bounds.shown(odd[0])} is no name and no address", where=f"{where}.{role}.{name}")
    return found


def _pick(networks: Mapping[str, list[str]], index: int) -> Mapping[str, str]:
    return {name: found[index] for name, found in networks.items() if index < len(found)}


def _services(values: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    services = _mapping(values.get("EnabledServices") or {}, "EnabledServices")
    found = {role: tuple(_strings(names or [], f"EnabledServices.{role}")) for role, names in services.items()}
    for role, names in found.items():
        for name in names:
            _check_name(name, f"EnabledServices.{role}", _NETWORK)
            if name in _GROUPS:
                raise MalformedOutputs(f"no service can have the name {name}", where=f"EnabledServices.{role}")
    return found


def _vips(values: Mapping[str, Any], servers: tuple[Server, ...]) -> Mapping[str, str]:
    vips = _mapping(values.get("VipMap") or {}, "VipMap")
    networks = {"redis"}.union(*(server.addresses for server in servers))
    return {name: vip for name, vip in vips.items() if name in networks and vip and isinstance(vip, str)}


def _urls(values: Mapping[str, Any]) -> Mapping[str, str]:
    endpoints = values.get("EndpointMap")
    horizon = endpoints.get("HorizonPublic") if isinstance(endpoints, Mapping) else None
    found = {
        "keystone": values.get("KeystoneURL"),
        "horizon": horizon.get("uri") if isinstance(horizon, Mapping) else None,
    }
    return {name: url for name, url in found.items() if url and isinstance(url, str)}
