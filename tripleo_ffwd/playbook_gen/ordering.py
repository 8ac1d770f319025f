"""The releases of an upgrade, and the order of a role's tasks that follows from them; imports loading and options."""

from __future__ import annotations

import re
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput, MalformedOutputs
from tripleo_ffwd.playbook_gen.loading import Outputs, load_yaml
from tripleo_ffwd.playbook_gen.options import TASK_ORDERS, GenerateOptions

# Rocky is the last release whose writer sorts; names of older releases come before it in the alphabet.
_LAST_SORTED = "rocky"


def find(outputs: Outputs, options: GenerateOptions) -> str:
    """Return ``sorted`` or ``written``.

    Outputs without any release (no fast forward playbook) are taken for those of a writer that doesn't sort.

    Raises:
        InvalidInput: the option names no order.
    """
    if options.task_order:
        if options.task_order not in TASK_ORDERS:
            raise InvalidInput(f"task order {options.task_order!r} is none of {', '.join(TASK_ORDERS)}")
        return options.task_order
    releases = releases_of(outputs, options)
    # From 2023 on releases have numbers, and the alphabet has begun anew at antelope.
    return "sorted" if releases and releases[-1][:1].isalpha() and releases[-1] <= _LAST_SORTED else "written"


def releases_of(outputs: Outputs, options: GenerateOptions) -> tuple[str, ...]:
    """Return the releases of the fast forward playbook as it stands, or as the options have them."""
    if options.releases:
        return options.releases
    plays: Any = outputs.role_config.get("fast_forward_upgrade_playbook")
    if isinstance(plays, str):
        try:
            plays = load_yaml(plays, "RoleConfig.fast_forward_upgrade_playbook")
        except MalformedOutputs:
            return ()  # refused, with its line, where the playbook itself is needed
    for play in plays if isinstance(plays, list) else []:
        for task in (play.get("tasks") if isinstance(play, dict) else None) or []:
            facts = task.get("set_fact") if isinstance(task, dict) else None
            found = facts.get("releases") if isinstance(facts, dict) else None
            if isinstance(found, list) and found and all(isinstance(item, str) for item in found):
                return tuple(found)
    return ()


def check_releases(value: Any, given: tuple[str, ...], where: str) -> list[str]:
    """Return the releases: those that a playbook sets, or those that the operator names where it leaves them open.

    Raises:
        MalformedOutputs: nobody names them, both do and differ, or a name is none.
    """
    resolved = isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
    if not resolved and not given:
        raise MalformedOutputs(
            f"the outputs leave the releases unresolved: {value}",
            where=where,
            remedy="Name them, all but the one the upgrade starts from: --releases ocata,pike,queens",
        )
    if resolved and given and value != list(given):
        raise MalformedOutputs(
            f"the outputs say {', '.join(value)}, --releases says {', '.join(given)}",
            where=where,
            remedy="Leave --releases out, or correct FastForwardUpgradeReleases",
        )
    found: list[str] = value if resolved else list(given)
    for item in found:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", item):
            raise MalformedOutputs(f"{item!r} is no name of a release", where=where)
    if len(set(found)) != len(found):
        raise MalformedOutputs(f"a release is named twice: {', '.join(found)}", where=where)
    return found
