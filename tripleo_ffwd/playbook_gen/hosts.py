"""The overcloud's hosts by role, from the least that outputs of any release have: what a check of turns needs.

Imports loading; no I/O.
"""

from __future__ import annotations

from tripleo_ffwd.exceptions import MalformedOutputs
from tripleo_ffwd.playbook_gen import loading


def hosts_by_role(raw: object) -> dict[str, tuple[str, ...]]:
    """Return ``{role: (host, …)}`` in the outputs' order, blacklisted servers left out.

    Args:
        raw: a list of ``{output_key, output_value}``, as Heat returns it, or a mapping of key to value.

    Raises:
        MalformedOutputs: RoleNetHostnameMap is missing or not of its shape.
    """
    values = loading.as_mapping(raw)
    roles = values.get("RoleNetHostnameMap")
    if not isinstance(roles, dict):
        raise MalformedOutputs("the stack's outputs don't tell the hosts", where="RoleNetHostnameMap")
    blacklisted = {str(name).split(".")[0] for name in values.get("BlacklistedHostnames") or () if name}
    found = {}
    for role, networks in roles.items():
        names = networks.get("canonical") if isinstance(networks, dict) else None
        if not isinstance(names, list):
            raise MalformedOutputs("is not a list of names", where=f"RoleNetHostnameMap.{role}.canonical")
        short = (str(name).split(".")[0] for name in names)
        found[role] = tuple(name for name in short if name not in blacklisted)
    return found
