"""Stack outputs to a checked model: what is missing, None or nonsense is refused by name; imports yaml, no I/O."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from tripleo_ffwd.exceptions import MalformedOutputs

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WRAPPER = frozenset(("output_key", "output_value"))
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
    """

    role_data: Mapping[str, Mapping[str, Any]]
    role_config: Mapping[str, Any]
    servers: tuple[Server, ...]
    bootstrap_server_id: str
    enabled_services: Mapping[str, tuple[str, ...]]

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
    values = as_mapping(raw)
    for key in _REQUIRED:
        if key not in values:
            raise MalformedOutputs(f"the stack's outputs have no {key}", where=key)
        _mapping(values[key], key)
    role_data = {}
    for role, data in values["RoleData"].items():
        _check_name(role, "RoleData")
        role_data[role] = _mapping(data, f"RoleData.{role}")
    if not role_data:
        raise MalformedOutputs("there are no roles", where="RoleData")
    for key in values["RoleConfig"]:
        _check_name(key, "RoleConfig")
    bootstrap = values["ServerIdData"].get("bootstrap_server_id") or ""
    if not isinstance(bootstrap, str):
        raise MalformedOutputs("is no text", where="ServerIdData.bootstrap_server_id")
    return Outputs(role_data, values["RoleConfig"], _servers(values, tuple(role_data)), bootstrap, _services(values))


def load_yaml(text: str, where: str) -> Any:
    """Return the value of a YAML text.

    Raises:
        MalformedOutputs: naming the line when it is no YAML, or when it has a tag that would make an object.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "can't be read"
        raise MalformedOutputs(f"is not YAML{line}: {problem}", where=where) from error
    except (ValueError, RecursionError) as error:
        raise MalformedOutputs(f"is not YAML: {error}", where=where) from error


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


def _check_name(name: object, where: str) -> None:
    # Names become names of files and groups.
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MalformedOutputs(f"{name!r} is not a name of letters, digits, - and _", where=where)


def _strings(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MalformedOutputs("is not a list of texts", where=where)
    return value


def _servers(values: Mapping[str, Any], roles: tuple[str, ...]) -> tuple[Server, ...]:
    ids = _mapping(values["ServerIdData"].get("server_ids"), "ServerIdData.server_ids")
    blacklisted = {str(name).split(".")[0] for name in values.get("BlacklistedHostnames") or () if name}
    servers: list[Server] = []
    for role in roles:
        names = _networks(values["RoleNetHostnameMap"], role, "RoleNetHostnameMap")
        addresses = _networks(values["RoleNetIpMap"], role, "RoleNetIpMap")
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
    taken = {*roles, "overcloud", "undercloud", "all"}
    for server in servers:
        if server.name in taken:
            raise MalformedOutputs(f"the name {server.name} is used twice", where="RoleNetHostnameMap")
        taken.add(server.name)


def _networks(value: Mapping[str, Any], role: str, where: str) -> Mapping[str, list[str]]:
    if role not in value:
        raise MalformedOutputs(f"role {role} is missing", where=where)
    networks = _mapping(value[role], f"{where}.{role}")
    return {name: _strings(found, f"{where}.{role}.{name}") for name, found in networks.items()}


def _pick(networks: Mapping[str, list[str]], index: int) -> Mapping[str, str]:
    return {name: found[index] for name, found in networks.items() if index < len(found)}


def _services(values: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    services = _mapping(values.get("EnabledServices") or {}, "EnabledServices")
    return {role: tuple(_strings(found or [], f"EnabledServices.{role}")) for role, found in services.items()}
