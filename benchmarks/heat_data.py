"""What Heat keeps for servers, made up: twenty deployments each; stdlib only, for the classic code's Python.

Sizes are made up, about 117 kB a server as a classic tree has. Hieradata and the network's script are each
server's own; most other configs are one for all servers of a role. A list of all hosts among a deployment's inputs,
which grows with the square of the servers in the classic code, is left out: in its favour.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

# Name, hook, bytes, whether each server has its own, whether it comes after the deploy steps.
KINDS: tuple[tuple[str, str, int, bool, bool], ...] = (
    ("{role}Deployment", "hiera", 16000, True, False),
    ("{role}AllNodesDeployment", "hiera", 24000, False, False),
    ("NetworkDeployment", "script", 12000, True, False),
    ("{role}UpgradeInitDeployment", "script", 1000, True, False),
    ("{role}SshKnownHostsDeployment", "script", 1000, True, False),
    ("{role}ExtraConfigPost", "script", 1000, True, True),
    *((f"{{role}}Shared{number:02d}Deployment", "script", 4400, False, number > 11) for number in range(14)),
)


@functools.cache
def _pattern(name: str, hook: str, size: int) -> str:
    """Return a config's text with a mark where each server's own differs: making it up must cost next to nothing."""
    count = size // 50
    if hook == "hiera":
        return json.dumps({f"tripleo::{name}::{number:05d}": f"@{number:020d}" for number in range(count)})
    return "#!/bin/sh\n" + "".join(f"echo @{number:05d} {'x' * 30}\n" for number in range(count))


def _content(name: str, hook: str, size: int, own: str) -> str:
    return _pattern(name, hook, size).replace("@", own)


@functools.cache
def _shared(name: str, hook: str, size: int) -> str:
    return _content(name, hook, size, "")


class Records:
    """The records of all servers of an overcloud.

    Args:
        outputs: the stack's; servers, their roles and names are theirs.
    """

    def __init__(self, outputs: dict[str, Any]) -> None:
        self.servers = [
            (server, role) for role, found in outputs["ServerIdData"]["server_ids"].items() for server in found
        ]
        self._names = {role: [kind[0].format(role=role) for kind in KINDS] for _, role in self.servers}

    def keys(self) -> Iterator[tuple[int, int]]:
        """Return what identifies each deployment: the number of its server, and of its kind."""
        return ((server, kind) for server in range(len(self.servers)) for kind in range(len(KINDS)))

    def name(self, key: tuple[int, int]) -> str:
        return self._names[self.servers[key[0]][1]][key[1]]

    def source(self, key: tuple[int, int]) -> tuple[str, str]:
        """Return what tells the configs apart: that of a role is one for all its servers."""
        server, role = self.servers[key[0]]
        return self.name(key), server if KINDS[key[1]][3] else role

    def config(self, key: tuple[int, int]) -> dict[str, Any]:
        """Return the config that Heat derived for a deployment, as its API gives it: new for each caller."""
        server, _ = self.servers[key[0]]
        name = self.name(key)
        _, hook, size, own, _ = KINDS[key[1]]
        values = {"deploy_server_id": "dummy", "deploy_action": "CREATE", "deploy_stack_id": self.stack(key)}
        values |= {"deploy_resource_name": "TripleOSoftwareDeployment", "deploy_signal_transport": "NO_SIGNAL"}
        return {
            "id": f"{server}-{key[1]:02d}",
            "creation_time": self.created(key),
            "name": "deployment_resource",
            "group": hook,
            "config": _content(name, hook, size, server) if own else _shared(name, hook, size),
            "inputs": [{"name": n, "type": "String", "value": v, "description": ""} for n, v in values.items()],
            "outputs": [],
            "options": {},
        }

    def created(self, key: tuple[int, int]) -> str:
        return f"2026-01-01T00:00:{key[1]:02d}Z"

    def stack(self, key: tuple[int, int]) -> str:
        return f"overcloud-{self.name(key)}-{key[0]}/{self.servers[key[0]][0]}"

    def is_post(self, key: tuple[int, int]) -> bool:
        return KINDS[key[1]][4]
