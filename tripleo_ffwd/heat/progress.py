"""How far an update of a stack has come, and whether anybody still works on it, in few and cheap requests.

A list of all resources of a real overcloud takes Heat ten seconds. So the stack's own resources are counted, and what
is in progress below is found by a list of the stacks that are: Heat answers it from one table.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.heat.connection import HeatClient, asking
from tripleo_ffwd.heat.listing import DEPTH
from tripleo_ffwd.stack import Progress, StackStatus

# In-progress stacks that are listed, and how many of the innermost are asked for their resources.
_MAX_STACKS = 200
_MAX_ASKED = 3
_MAX_NAMES = 20
# Heat ends the name of a nested stack by a dash and so many random characters.
_RANDOM = 13


@dataclasses.dataclass(frozen=True)
class Event:
    """The id and time of a stack's event; both empty when there is none."""

    id: str = ""
    time: str = ""


def progress_of(client: HeatClient, status: StackStatus) -> Progress | None:
    """Return how far the update has come; None when Heat does not tell."""
    with contextlib.suppress(FfwdError):
        with asking(client, f"The resources of stack {status.name} can't be listed"):
            own = client.api.resources.list(status.id)
        with asking(client, "The stacks in progress can't be listed"):
            filters = {"status": "IN_PROGRESS"}
            stacks = list(client.api.stacks.list(show_nested=True, limit=_MAX_STACKS, filters=filters))
        done = sum(1 for resource in own if _is_done(resource, status.updated_at))
        names = [resource.resource_name for resource in own if resource.resource_status.endswith("IN_PROGRESS")]
        return Progress(done=done, all=len(own), in_progress=_innermost(client, status, stacks, names))
    return None


def last_event(client: HeatClient, stack: str, *, depth: int = 0) -> Event:
    """Return the latest event of a stack, and of those nested in it as deep as `depth`.

    Raises:
        NotFound, Unavailable, ConfigurationError: the stack is gone, or Heat does not answer, or not to us.
    """
    nested = {"nested_depth": depth} if depth else {}
    with asking(client, f"The events of stack {stack} can't be read"):
        found = list(client.api.events.list(stack, sort_dir="desc", limit=1, **nested))
        return Event(found[0].id, found[0].event_time) if found else Event()


def is_lost(client: HeatClient, status: StackStatus, stall_timeout: int) -> bool:
    """Return whether an update in progress has nobody left who works on it.

    That is so when every engine that is up was started after the update had begun and no resource has had an event for
    `stall_timeout` seconds: with convergence Heat leaves such a stack in progress for ever. Who may not see Heat's
    services is told False.
    """
    if not stall_timeout or not status.updated_at:
        return False
    with contextlib.suppress(FfwdError, ValueError):
        with asking(client, "Heat's services can't be listed"):
            engines = [found.to_dict() for found in client.api.services.list()]
        alive = [found for found in engines if found["status"] == "up"]
        if not alive or any(_time(found["created_at"]) <= _time(status.updated_at) for found in alive):
            return False
        newest = _time(last_event(client, status.id, depth=DEPTH).time or status.updated_at)
        # By Heat's clock, not by ours.
        now = max(_time(found["updated_at"] or found["created_at"]) for found in alive)
        return (now - newest).total_seconds() > stall_timeout
    return False


def _is_done(resource: Any, began: str) -> bool:
    since = max(getattr(resource, "updated_time", "") or "", getattr(resource, "creation_time", "") or "")
    return bool(resource.resource_status.endswith("_COMPLETE") and since >= began)


def _innermost(client: HeatClient, status: StackStatus, stacks: Iterable[Any], own: list[str]) -> tuple[str, ...]:
    """Return the paths of what Heat works on; a nested stack stands for itself unless its resources are asked for."""
    known = {found.id: found for found in stacks}
    parents = {found.parent for found in known.values()}
    paths = {identity: _path(identity, known, status.id) for identity in known}
    leaves = {identity: path for identity, path in paths.items() if path and identity not in parents}
    found = [".".join(path) for path in leaves.values()]
    for identity, path in list(leaves.items())[:_MAX_ASKED]:
        with contextlib.suppress(FfwdError), asking(client, "The resources in progress can't be listed"):
            rows = client.api.resources.list(identity, filters={"status": "IN_PROGRESS"})
            inner = [".".join((*path, row.resource_name)) for row in rows]
            found = [*inner, *[name for name in found if name != ".".join(path)]] if inner else found
    covered = {path[0] for path in paths.values() if path}
    found += [name for name in own if name not in covered]
    return tuple(found[:_MAX_NAMES])


def _path(identity: str, known: Mapping[str, Any], root: str) -> tuple[str, ...]:
    """Return the names of the resources from the root down to a nested stack; empty when it is not below the root."""
    names: list[str] = []
    while identity != root:
        found = known.get(identity)
        above = known.get(found.parent) if found is not None else None
        if found is None or above is None:
            return ()
        name = found.stack_name.removeprefix(f"{above.stack_name}-")
        names.append(name[:-_RANDOM] if name != found.stack_name and len(name) > _RANDOM else name)
        identity = found.parent
    return tuple(reversed(names))


def _time(text: str) -> datetime.datetime:
    parsed = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.timezone.utc)
