"""Host patterns of plays to hosts: what is not understood is refused, so that no task is lost; no I/O.

Imports groups, loading and bounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen.bounds import shown
from tripleo_ffwd.playbook_gen.groups import of_services
from tripleo_ffwd.playbook_gen.loading import Outputs

UNDERCLOUD = "undercloud"
OVERCLOUD = "overcloud"
_SEPARATOR = re.compile(r"[:,]")
# The groups that later releases' playbooks name.
_OTHER_NAME = re.compile(r"^([!&]?)(localhost|Undercloud|allovercloud)$")


def normal(hosts: Any) -> str:
    """Return the pattern of a play's `hosts` as one text, undercloud and overcloud under their one name each."""
    text = ":".join(str(item) for item in hosts) if isinstance(hosts, list) else str(hosts)
    parts = [_OTHER_NAME.sub(_own_name, part.strip()) for part in _SEPARATOR.split(text)]
    if all(part[:1] in ("!", "&") for part in parts):
        parts = ["all", *parts]  # as Ansible does
    return ":".join(parts)


class Groups:
    """The groups and hosts that a pattern may name: each pattern is looked at once for all plays and stages.

    Args:
        outputs: whose roles, services and servers they are.
    """

    def __init__(self, outputs: Outputs) -> None:
        self._groups = _groups_of(outputs)
        self._found: dict[str, tuple[str, ...]] = {}

    def hosts_of(self, pattern: str, where: str) -> tuple[str, ...]:
        """Return the hosts of a normal pattern, the undercloud first.

        Args:
            pattern: groups and hosts, joined by ``:``, with ``!`` and ``&``.
            where: the play, for the message.

        Raises:
            UnsupportedConstruct: a part is neither a group nor a host.
        """
        if pattern not in self._found:
            self._found[pattern] = _hosts_of(self._groups, pattern, where)
        return self._found[pattern]


def _groups_of(outputs: Outputs) -> dict[str, tuple[str, ...]]:
    everyone = tuple(server.name for server in outputs.servers)
    roles = {role: outputs.hosts(role) for role in outputs.roles}
    services = {
        name: tuple(host for role in found for host in roles[role]) for name, found in of_services(outputs).items()
    }
    ours = {OVERCLOUD: everyone, UNDERCLOUD: (UNDERCLOUD,), "all": (UNDERCLOUD, *everyone)}
    return {**services, **roles, **ours, **{name: (name,) for name in everyone}}


def _hosts_of(groups: Mapping[str, tuple[str, ...]], pattern: str, where: str) -> tuple[str, ...]:
    chosen: set[str] = set()
    kept, removed = set(groups["all"]), set()
    for part in pattern.split(":"):
        name = part.lstrip("!&")
        if name not in groups or len(part) - len(name) > 1:
            raise UnsupportedConstruct(
                f"the host pattern {shown(pattern)} is not understood: {shown(part)} is no group and no host",
                where=where,
                remedy=f"Name roles, services, hosts, {OVERCLOUD}, {UNDERCLOUD} or all",
            )
        members = set(groups[name])
        if part.startswith("!"):
            removed |= members
        elif part.startswith("&"):
            kept &= members
        else:
            chosen |= members
    left = (chosen & kept) - removed
    return tuple(host for host in groups["all"] if host in left)


def label(pattern: str) -> str:
    """Return the role part of a stage's id for a host pattern."""
    return pattern if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", pattern) else OVERCLOUD


def _own_name(match: re.Match[str]) -> str:
    return match.group(1) + (OVERCLOUD if match.group(2) == "allovercloud" else UNDERCLOUD)
