"""What an update would do to the stack's resources, as far as Heat can tell beforehand."""

from __future__ import annotations

from typing import Any

from tripleo_ffwd.exceptions import FfwdError, Unavailable
from tripleo_ffwd.heat.connection import HeatClient, asking
from tripleo_ffwd.stack import Bundle

KINDS = ("added", "deleted", "replaced", "updated", "unchanged")
# Names of each kind that are kept; the counts are of all.
MAX_NAMES = 2000


def preview(client: HeatClient, stack: str, bundle: Bundle) -> dict[str, Any]:
    """Return what Heat says that an update would do; never an error: what can't be told is told so.

    Heat can't foresee everything: a resource may decide at run time that it must be replaced.

    Returns:
        ``{supported, nested, reason, counts: {added, deleted, replaced, updated, unchanged}, added: [names], …}``;
        nested: whether resources of nested stacks are among them; reason: why it could not be told, or not all;
        names are those of the stack and of the resource, joined by a dot; unchanged ones are only counted.
    """
    problems: list[str] = []
    for nested in (True, False):
        try:
            with asking(client, f"The preview of the update of stack {stack} failed"):
                found = client.preview_api.stacks.preview_update(
                    stack, existing=True, **({"show_nested": True} if nested else {}), **bundle.payload()
                )
                changes = found["resource_changes"]
        except Unavailable as error:
            # Too slow, or down: the shorter question would fare no better.
            return _unsupported([*problems, str(error)])
        except FfwdError as error:
            problems.append(error.what)
        else:
            return _told(changes, nested, "; ".join(problems))
    return _unsupported(problems)


def _unsupported(problems: list[str]) -> dict[str, Any]:
    return {"supported": False, "nested": False, "reason": "; ".join(dict.fromkeys(problems)), "counts": {}}


def _told(changes: dict[str, Any], nested: bool, reason: str) -> dict[str, Any]:
    names = {kind: sorted({_name(row) for row in changes.get(kind) or ()}) for kind in KINDS}
    return {
        "supported": True,
        "nested": nested,
        "reason": reason,
        "counts": {kind: len(changes.get(kind) or ()) for kind in KINDS},
        **{kind: names[kind][:MAX_NAMES] for kind in KINDS if kind != "unchanged"},
    }


def _name(row: dict[str, Any]) -> str:
    return f"{row.get('stack_name', '')}.{row['resource_name']} ({row.get('resource_type', '')})"
