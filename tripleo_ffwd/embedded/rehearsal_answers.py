"""What stand-ins for modules answer in a rehearsal: as on a healthy overcloud, where all goes well; stdlib only.

An answer depends on the host, the module and its arguments alone, so that two rehearsals of the same are the same.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

# What only looks, and changes nothing.
_LOOKS = frozenset(
    ("stat", "find", "slurp", "getent", "setup", "gather_facts", "package_facts", "service_facts", "ping")
)
# What commands print whose answer is a word; the first that stands in the command is taken.
_WORDS = (
    ("is-enabled", "enabled"),
    ("is-active", "active"),
    ("version", "1.1"),
    ("rpm -q", "1.1"),
    ("hiera", ""),
)
# Whose state ``present`` is how things are already.
_PACKAGES = frozenset(("apt", "dnf", "dnf5", "package", "pip", "yum"))
# What everything else prints: not empty, a number, true, and JSON.
_OUTPUT = "1"

# Facts that are gathered only when their subset is; all others are in the minimum.
_SUBSETS = {
    "hardware": ("mounts", "devices", "processor_vcpus", "processor_count", "memtotal_mb", "memory_mb"),
    "network": ("interfaces", "default_ipv4", "default_ipv6", "all_ipv4_addresses"),
}


def facts(host: str, address: str, subset: Any = None) -> dict[str, Any]:
    """Return what gathering facts finds on a host.

    Args:
        host: its name in the inventory.
        address: where it would be reached; may be empty.
        subset: `gather_subset` as a task has it; None for everything.
    """
    wanted = subset.split(",") if isinstance(subset, str) else list(subset or ())
    left_out = {
        name
        for kind, names in _SUBSETS.items()
        if f"!{kind}" in wanted or ("!all" in wanted and kind not in wanted)
        for name in names
    }
    return {f"ansible_{key}": value for key, value in _found(host, address).items() if key not in left_out}


def _found(host: str, address: str) -> dict[str, Any]:
    name = host.partition(".")[0]
    interface = {"address": address, "interface": "eth0", "gateway": "", "netmask": "255.255.255.0", "macaddress": ""}
    return {
        "hostname": name,
        "nodename": f"{name}.localdomain",
        "fqdn": f"{name}.localdomain",
        "domain": "localdomain",
        "os_family": "RedHat",
        "distribution": "CentOS",
        "distribution_version": "7.9",
        "distribution_major_version": "7",
        "architecture": "x86_64",
        "machine": "x86_64",
        "kernel": "3.10.0",
        "system": "Linux",
        "pkg_mgr": "yum",
        "service_mgr": "systemd",
        "selinux": {"status": "enabled", "mode": "enforcing", "type": "targeted", "config_mode": "enforcing"},
        "python": {"executable": "/usr/bin/python"},
        "python_version": "2.7.5",
        "user_id": "heat-admin",
        "env": {"HOME": "/home/heat-admin", "PATH": "/usr/bin:/bin"},
        "interfaces": ["lo", "eth0"],
        "default_ipv4": interface,
        "default_ipv6": {},
        "all_ipv4_addresses": [address] if address else [],
        "mounts": [{"mount": "/", "device": "/dev/vda1", "fstype": "xfs"}],
        "devices": {},
        "processor_vcpus": 8,
        "processor_count": 2,
        "memtotal_mb": 32768,
        "memory_mb": {"real": {"total": 32768, "free": 16384, "used": 16384}},
        "date_time": {"iso8601": "2018-06-01T00:00:00Z", "epoch": "1527811200", "date": "2018-06-01"},
    }


def answer(action: str, args: Mapping[str, Any], host: str, address: str, bootstrap: str) -> dict[str, Any]:
    """Return a module's result.

    Args:
        action: the module's name without its collection.
        args: its arguments.
        host: the host that the task runs for.
        address: that host's address.
        bootstrap: the host that is the bootstrap node of its role.
    """
    there = action in _PACKAGES and args.get("state", "present") in ("present", "installed")
    result: dict[str, Any] = {"changed": not there and action not in _LOOKS, "failed": False}
    if action in ("setup", "gather_facts"):
        return {**result, "ansible_facts": facts(host, address, args.get("gather_subset"))}
    if action == "stat":
        return {**result, "stat": _stat(str(args.get("path", "")))}
    if action == "find":
        path = f"{str(args.get('paths', '/tmp')).split(',')[0]}/stand-in"
        return {**result, "matched": 1, "examined": 1, "files": [_stat(path)]}
    if action == "slurp":
        return {**result, "encoding": "base64", "content": base64.b64encode(_OUTPUT.encode()).decode()}
    if action == "getent":
        database, key = str(args.get("database", "passwd")), str(args.get("key", "root"))
        return {**result, "ansible_facts": {f"getent_{database}": {key: ["x", "1", "1", "", "/", "/bin/sh"]}}}
    if action in ("package_facts", "service_facts"):
        return {**result, "ansible_facts": {action.removesuffix("_facts") + "s": {}}}
    if action == "async_status":
        result |= {"started": 1, "finished": 1, "ansible_job_id": str(args.get("jid", "1"))}
    if action == "uri":
        result |= {"status": 200, "json": {}, "content": "{}", "url": str(args.get("url", ""))}
    if action == "tempfile":
        result["path"] = "/tmp/stand-in"
    return {**_printed(_said(args, bootstrap)), **result}


def _said(args: Mapping[str, Any], bootstrap: str) -> str:
    command = " ".join(str(args.get(key) or "") for key in ("_raw_params", "cmd", "argv"))
    if "bootstrap_nodeid" in command:
        return bootstrap.partition(".")[0]
    return next((word for pattern, word in _WORDS if pattern in command), _OUTPUT)


def _printed(text: str) -> dict[str, Any]:
    return {"rc": 0, "stdout": text, "stdout_lines": text.splitlines(), "stderr": "", "stderr_lines": []}


def _stat(path: str) -> dict[str, Any]:
    directory = "." not in path.rpartition("/")[2]
    kind = {"isdir": directory, "isreg": not directory, "islnk": False}
    return {"exists": True, "path": path, **kind, "size": 1, "mode": "0755", "uid": 0, "gid": 0, "pw_name": "root"}
