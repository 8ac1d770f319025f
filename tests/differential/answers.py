"""What the stand-ins for modules answer: a script drawn from a seed, the same for the same execution; stdlib only.

An execution is a host, a task, its rendered arguments, and how often that came before. Who asks first or in which
process makes no difference, so that two trees which execute the same tasks get the same answers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
from typing import Any

# What commands say. Twice as likely: what conditions of the templates look for.
_WORDS = (
    "",
    "",
    "True",
    "False",
    "true",
    "0",
    "1",
    "2",
    "enabled",
    "enabled",
    "active",
    "active",
    "disabled",
    "overcloud-x",
)
_PATHS = ("/etc/a", "/var/lib/b", "ifcfg-eth0")


def draw(*identity: Any) -> random.Random:
    """Return a source of choices that depends on what is given and on nothing else."""
    text = json.dumps(identity, sort_keys=True, default=str)
    return random.Random(hashlib.sha256(text.encode()).digest())


def facts(host: str) -> dict[str, Any]:
    """Return what gathering facts finds on a host."""
    return {
        "ansible_hostname": host,
        "ansible_fqdn": f"{host}.localdomain",
        "ansible_os_family": "RedHat",
        "ansible_distribution": "CentOS",
        "ansible_service_mgr": "systemd",
        "ansible_mounts": [{"mount": "/", "fstype": "xfs"}, {"mount": "/var/lib/cinder/mnt/x", "fstype": "nfs"}],
        "ansible_interfaces": ["lo", "eth0"],
    }


def answer(
    seed: str, host: str, action: str, args: dict[str, Any], identity: list[Any], may_fail: bool
) -> dict[str, Any]:
    """Return a module's result.

    Args:
        seed: of the script.
        host: the host that the task runs for.
        action: the module's name without its collection.
        args: its rendered arguments.
        identity: what tells this execution from others of the run.
        may_fail: whether a failure is survived.
    """
    if action in ("setup", "gather_facts"):
        return {"changed": False, "ansible_facts": facts(host)}
    command = str(args.get("_raw_params") or args.get("cmd") or args.get("argv") or "")
    source = draw(seed, host, identity)
    result: dict[str, Any] = {"changed": source.random() < 0.5}
    if "bootstrap_nodeid" in command:  # the one question to which all hosts get the same answer
        chosen = draw(seed, "bootstrap").choice(args.get("_bootstrap") or [host])
        return {**result, "changed": True, "rc": 0, "stdout": chosen, "stdout_lines": [chosen], "stderr": ""}
    if action in ("stat",):
        there = source.random() < 0.6
        kind = source.random() < 0.5
        found = {"exists": there, **({"isdir": kind, "islnk": False, "isreg": not kind, "size": 3} if there else {})}
        return {"changed": False, "stat": {**found, "path": str(args.get("path"))}}
    if action == "find":
        paths = source.sample(_PATHS, source.randint(0, 2))
        return {"changed": False, "matched": len(paths), "files": [{"path": path} for path in paths]}
    if action == "getent":
        database = str(args.get("database", "passwd"))
        return {"changed": False, "ansible_facts": {f"getent_{database}": {source.choice(("x", "ceph")): ["1"]}}}
    if action == "slurp":
        return {"changed": False, "content": base64.b64encode(source.choice(_WORDS).encode()).decode()}
    word = source.choice(_WORDS)
    result |= {"rc": source.choice((0, 0, 0, 0, 1, 2)), "stdout": word, "stderr": source.choice(_WORDS)}
    result |= {"stdout_lines": word.splitlines() or [""], "output": word, "state": source.choice(_WORDS)}
    if may_fail and (result["rc"] == 1 if action in ("command", "shell", "script") else source.random() < 0.2):
        result |= {"failed": True, "msg": "the script says so"}
    else:
        result["failed"] = False  # whatever rc is
    return result
