"""Servers to inventory.yaml, group_vars, host_vars and known_hosts; no I/O.

Imports loading, groups, rendering, options and worded, and the names of files from deployments and manifest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput, MalformedOutputs
from tripleo_ffwd.model import UNSELECTED_GROUP
from tripleo_ffwd.playbook_gen import rendering
from tripleo_ffwd.playbook_gen.deployments import DIRECTORY
from tripleo_ffwd.playbook_gen.groups import of_services
from tripleo_ffwd.playbook_gen.loading import Outputs, Server, load_yaml
from tripleo_ffwd.playbook_gen.manifest import MANIFEST
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.patterns import UNDERCLOUD
from tripleo_ffwd.playbook_gen.worded import worded

_SSH_PORT = 22
_OUR_FILES = ("inventory.yaml", MANIFEST)
_UNDERCLOUD_VARS = "group_vars/undercloud"
_UNDERCLOUD_GROUP = (
    worded(r"""groups(\.get\(\s*|\[\s*|\.)\\*['"]*undercloud\b""", UNDERCLOUD),
    worded(r"""\bundercloud\\*['"]+\s+(not\s+)?in\s+group""", f"{UNDERCLOUD}'", f'{UNDERCLOUD}"', f"{UNDERCLOUD}\\"),
)


def check_given(given: Mapping[str, str], outputs: Outputs) -> frozenset[str]:
    """Return the files of variables in a config-download tree that are merged into ours, and so are not copied.

    Raises:
        InvalidInput: a path is one of our own, or Ansible would read only one of two files.
    """
    ours = {"overcloud", *outputs.roles, *(server.name for server in outputs.servers)}
    seen: dict[str, str] = {}
    merged = set()
    for path in given:
        if path in _OUR_FILES:
            raise InvalidInput(
                f"the config-download tree has a file {path}, as each generated tree has",
                where=path,
                remedy="Name the tree that config-download wrote, or take the file away",
            )
        directory, _, name = path.partition("/")
        if directory not in ("group_vars", "host_vars"):
            continue
        stem = re.sub(r"\.(yaml|yml|json)$", "", name.partition("/")[0])
        other = seen.setdefault(f"{directory}/{stem}", path)
        if other != path or ("/" in name and stem in ours):
            beside = other if other != path else f"{directory}/{stem}.yaml"
            raise InvalidInput(
                f"of {path} and {beside} Ansible would read only one", where=path, remedy="Join them in one file"
            )
        if stem in ours:
            merged.add(path)
    return frozenset(merged)


def inventory_files(outputs: Outputs, options: GenerateOptions, files: Mapping[str, str]) -> dict[str, str]:
    """Return the inventory and what belongs to it, by path.

    Args:
        outputs: the outputs' model.
        options: how the nodes are reached.
        files: the tree's other files: whether they refer to the group `undercloud`.

    Raises:
        MalformedOutputs: global_vars or ssh_known_hosts are no mappings.
    """
    files = {"inventory.yaml": rendering.document(_inventory(outputs, options, files))}
    global_vars = outputs.role_config.get("global_vars") or {}
    if isinstance(global_vars, str):
        global_vars = load_yaml(global_vars, "RoleConfig.global_vars")
    if not isinstance(global_vars, Mapping):
        raise MalformedOutputs("is not a mapping", where="RoleConfig.global_vars")
    given = options.config_download or {}
    writer = rendering.Writer()
    files["group_vars/overcloud.yaml"] = _merged(given, "group_vars/overcloud", dict(global_vars), writer)
    for role in outputs.roles:
        files[f"group_vars/{role}.yaml"] = _merged(given, f"group_vars/{role}", {"tripleo_role_name": role}, writer)
    for server in outputs.servers:
        path = f"host_vars/{server.name}"
        files[f"{path}.yaml"] = _merged(given, path, _host_vars(server), writer)
    known_hosts = _known_hosts(global_vars.get("ssh_known_hosts") or {}, options.ssh_port)
    if known_hosts:
        files["known_hosts"] = known_hosts
    return files


def bootstrap_of(outputs: Outputs) -> dict[str, str | None]:
    """Return the overcloud's bootstrap server; which host is a role's is decided on the nodes."""
    name = next((item.name for item in outputs.servers if item.server_id == outputs.bootstrap_server_id), None)
    return {"server_id": outputs.bootstrap_server_id, "host": name}


def _merged(given: Mapping[str, str], path: str, ours: dict[str, Any], writer: rendering.Writer) -> str:
    """Return our variables with those of the config-download tree's file of that name."""
    for name in (path, f"{path}.yaml", f"{path}.yml", f"{path}.json"):
        if name in given:
            theirs = load_yaml(given[name], name) or {}
            if not isinstance(theirs, Mapping):
                raise MalformedOutputs("is not a mapping", where=name)
            ours = {**ours, **theirs}
    return writer.document(ours)


def _inventory(outputs: Outputs, options: GenerateOptions, files: Mapping[str, str]) -> dict[str, Any]:
    common: dict[str, Any] = {}
    if options.ssh_user:
        common["ansible_user"] = options.ssh_user
    if options.python_interpreter:
        common["ansible_python_interpreter"] = options.python_interpreter
    if outputs.bootstrap_server_id:
        common["bootstrap_server_id"] = outputs.bootstrap_server_id
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    # A group of the host's name makes Ansible warn in every run: only where somebody looks at that group.
    looked_at = ((path, text) for path, text in files.items() if not path.startswith(f"{DIRECTORY}/"))
    grouped = any(
        path.startswith(_UNDERCLOUD_VARS) or any(pattern.search(text) for pattern in _UNDERCLOUD_GROUP)
        for path, text in looked_at
    )
    children: dict[str, Any] = {"undercloud": {"hosts": {"undercloud": {}}}} if grouped else {}
    urls = {f"overcloud_{name}_url": url for name, url in outputs.urls.items()}
    children["Undercloud"] = {"hosts": {"undercloud": {}}, **({"vars": urls} if urls else {})}
    for role in outputs.roles:
        hosts = {server.name: _connection(server, options) for server in outputs.servers if server.role == role}
        children[role] = {"hosts": hosts, "vars": _role_vars(outputs, role)}
    common |= {f"{name}_vip": vip for name, vip in outputs.vips.items()}
    children["overcloud"] = {"children": {role: {} for role in outputs.roles}, "vars": common}
    children["allovercloud"] = {"children": {"overcloud": {}}}
    services = of_services(outputs)
    hosts_taken = {server.name for server in outputs.servers}
    for name in sorted(
        set(services) - set(children) - hosts_taken - {"undercloud", "all", "ungrouped", UNSELECTED_GROUP}
    ):
        children[name] = {"children": {role: {} for role in services[name]}}
    children[UNSELECTED_GROUP] = {"hosts": {}}
    return {"all": {"hosts": {"undercloud": local}, "children": children}}


def _role_vars(outputs: Outputs, role: str) -> dict[str, Any]:
    """Return what TripleO's inventory says of each server of a role, under the names of its releases.

    Not `ansible_ssh_user` and `serial`, which it has too: the one would outrank a run's own user, the other is a
    keyword of plays, of which Ansible warns.
    """
    networks = list(
        dict.fromkeys(name for server in outputs.servers if server.role == role for name in server.addresses)
    )
    return {
        "tripleo_role_name": role,
        "role_name": role,
        "tripleo_role_networks": sorted(networks),
        "enabled_networks": networks,
    }


def _connection(server: Server, options: GenerateOptions) -> dict[str, Any]:
    found: dict[str, Any] = {"ansible_host": server.addresses["ctlplane"]}
    if options.ssh_port != _SSH_PORT:
        found["ansible_port"] = options.ssh_port
    return found


def _host_vars(server: Server) -> dict[str, Any]:
    return {
        "deploy_server_id": server.server_id,
        **{f"{network}_ip": address for network, address in server.addresses.items()},
        **{f"{network}_hostname": name for network, name in server.names.items()},
    }


def _known_hosts(entries: object, port: int) -> str:
    """Return the host keys with patterns that OpenSSH matches for `port`; TripleO writes ``[name]*,… key``."""
    if not isinstance(entries, Mapping):
        raise MalformedOutputs("is not a mapping", where="RoleConfig.global_vars.ssh_known_hosts")
    lines: list[str] = []
    for name, entry in entries.items():
        if not isinstance(entry, str):
            raise MalformedOutputs("is no text", where=f"RoleConfig.global_vars.ssh_known_hosts.{name}")
        for line in entry.splitlines():
            patterns, _, key = line.strip().partition(" ")
            if not key.strip() or patterns.startswith("#"):
                continue
            hosts = dict.fromkeys(pattern.strip().removesuffix("*").strip("[]") for pattern in patterns.split(","))
            names = [host if port == _SSH_PORT else f"[{host}]:{port}" for host in hosts if host]
            lines.append(f"{','.join(names)} {key.strip()}")
    return "".join(f"{line}\n" for line in lines)
