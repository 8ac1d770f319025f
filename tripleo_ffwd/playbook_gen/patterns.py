"""Host patterns of plays to hosts: what is not understood is refused, so that no task is lost; imports loading."""

from __future__ import annotations

import re
from typing import Any

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen.loading import Outputs

UNDERCLOUD = "undercloud"
OVERCLOUD = "overcloud"
_SEPARATOR = re.compile(r"[:,]")


def normal(hosts: Any) -> str:
    """Return the pattern of a play's `hosts` as one text, the undercloud under its one name."""
    text = ":".join(str(item) for item in hosts) if isinstance(hosts, list) else str(hosts)
    parts = [re.sub(r"^([!&]?)localhost$", rf"\1{UNDERCLOUD}", part.strip()) for part in _SEPARATOR.split(text)]
    if all(part[:1] in ("!", "&") for part in parts):
        parts = ["all", *parts]  # as Ansible does
    return ":".join(parts)


def hosts_of(outputs: Outputs, pattern: str, where: str) -> tuple[str, ...]:
    """Return the hosts of a normal pattern, the undercloud first.

    Args:
        outputs: the outputs' model.
        pattern: groups and hosts, joined by ``:``, with ``!`` and ``&``.
        where: the play, for the message.

    Raises:
        UnsupportedConstruct: a part is neither a group nor a host.
    """
    groups = _groups(outputs)
    chosen: set[str] = set()
    kept, removed = set(groups["all"]), set()
    for part in pattern.split(":"):
        name = part.lstrip("!&")
        if name not in groups or len(part) - len(name) > 1:
            raise UnsupportedConstruct(
                f"the host pattern {pattern!r} is not understood: {part!r} is no group and no host",
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
    return tuple(host for host in groups["all"] if host in (chosen & kept) - removed)


def label(pattern: str) -> str:
    """Return the role part of a stage's id for a host pattern."""
    return pattern if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", pattern) else OVERCLOUD


def _groups(outputs: Outputs) -> dict[str, list[str]]:
    everyone = [server.name for server in outputs.servers]
    groups: dict[str, list[str]] = {role: list(outputs.hosts(role)) for role in outputs.roles}
    groups |= {OVERCLOUD: everyone, UNDERCLOUD: [UNDERCLOUD], "all": [UNDERCLOUD, *everyone]}
    groups |= {name: [name] for name in everyone}
    taken = set(groups)
    for role, services in outputs.enabled_services.items():
        for service in set(services) - taken:
            groups.setdefault(service, []).extend(outputs.hosts(role))
    return groups
