"""Updates of the overcloud's stack: sent once, looked at, cancelled.

Nothing here waits for an update: `poll` says where one stands. Each update leaves a tag on the stack. Who sends the
same update again, because the answer to the first was lost, finds its tag there and attaches to it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.exceptions import InvalidTemplates, NotFound, StackBusy, Unavailable
from tripleo_ffwd.heat.connection import HeatClient, get_stack, mapped
from tripleo_ffwd.heat.progress import is_lost, last_event, progress_of
from tripleo_ffwd.heat.stacks import list_failures
from tripleo_ffwd.stack import MAX_FAILURES, Bundle, Progress, StackStatus, StartedUpdate

# Tags of ours begin with it; each update takes the last one's away.
TAG_PREFIX = "ffwd-"


def update(
    client: HeatClient, stack: str, bundle: Bundle, *, timeout_mins: int = 240, tag: str = "", stall_timeout: int = 0
) -> StartedUpdate:
    """Start an update of a stack that is there; nothing is created, and an update of someone else is left alone.

    It is a PATCH, as TripleO's: parameters and resource types that no environment names stay as they are, so what
    prepare set is in force until converge's lifecycle environment sets it back.

    Args:
        timeout_mins: minutes after which Heat gives the update up.
        tag: names this update, at most 80 characters without a comma. When the stack has it, the update was accepted
            already and is not sent again, unless it is lost.
        stall_timeout: seconds without an event after which an update whose engines are gone is lost; 0: never.

    Raises:
        NotFound: there is no such stack.
        StackBusy: Heat works on it. Heat itself would let the new update supersede the one under way.
        InvalidTemplates: Heat refuses what it was sent, with its reason; it has changed nothing.
        Unavailable, ConfigurationError: Heat does not answer, or not to us. It may have accepted the update: call
            again with the same tag.
    """
    before = _status(client, stack)
    ours = bool(tag) and tag in before.tags
    if ours and not (before.in_progress and is_lost(client, before, stall_timeout)):
        return StartedUpdate(before.id, "", before.updated_at, attached=True)
    if before.in_progress and not ours:
        raise before.busy()
    marker = f"{before.updated_at or '-'} {last_event(client, before.id).id or '-'}"
    try:
        _send(client, before, bundle, timeout_mins, tag)
    except (StackBusy, Unavailable):
        # Heat may have accepted it, now or when it was sent before, although its answer is not that.
        if accepted := _accepted(client, before, tag):
            return accepted
        raise
    return StartedUpdate(before.id, marker, _began(client, before, tag))


def poll(
    client: HeatClient,
    stack: str,
    marker: str = "",
    *,
    stall_timeout: int = 0,
    known: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return where an update stands, for a workflow.

    Args:
        stack: name or id of the stack.
        marker: what `update` returned: an end that is older does not count. Empty: whatever is there counts.
        stall_timeout: as for `update`.
        known: the progress of an earlier poll, which is told again instead of asking for it: that costs Heat the most.

    Returns:
        ``{state, settled, succeeded, status, reason, progress, failures, message, remedy}``; state is ``in_progress``,
        ``complete``, ``failed`` or ``lost``; progress is ``{done, all, in_progress}``, while it lasts and Heat tells;
        failures are ``{path, type, status, reason, physical_id}``, at most 20.

    Raises:
        NotFound: there is no such stack.
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    status = _status(client, stack)
    pending = not status.in_progress and bool(marker) and not _has_begun(client, status, marker)
    if not pending and status.failed:
        status = dataclasses.replace(status, failures=list_failures(client, status.id)[:MAX_FAILURES])
    progress = None
    if status.in_progress:
        progress = Progress.of(known) if known else progress_of(client, status)
        if progress and is_lost(client, status, stall_timeout):
            progress = dataclasses.replace(progress, lost=True)
    return status.to_poll(pending=pending, progress=progress)


def cancel(client: HeatClient, stack: str) -> StackStatus:
    """Stop an update where it is, without a rollback, and return the stack's status afterwards.

    Heat lets resources that it works on come to their end; the next update takes the stack on from there.

    Raises:
        NotFound: there is no such stack.
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    status = _status(client, stack)
    if not status.in_progress:
        return status
    # Refused when the update ended just now: then there is nothing to cancel.
    with contextlib.suppress(InvalidTemplates), mapped(client.where, f"The update of stack {stack} can't be cancelled"):
        client.api.actions.cancel_without_rollback(status.id)
    return _status(client, stack)


def _status(client: HeatClient, stack: str) -> StackStatus:
    return StackStatus.of(get_stack(client, stack, resolve_outputs=False))


def _send(client: HeatClient, before: StackStatus, bundle: Bundle, timeout_mins: int, tag: str) -> None:
    tags = [one for one in before.tags if not one.startswith(TAG_PREFIX)]
    named = {"tags": ",".join([*tags, tag])} if tag else {}
    with mapped(client.where, f"The update of stack {before.name} was refused"):
        client.slow_api.stacks.update(before.id, existing=True, timeout_mins=timeout_mins, **named, **bundle.payload())


def _accepted(client: HeatClient, before: StackStatus, tag: str) -> StartedUpdate | None:
    if not tag:
        return None
    with contextlib.suppress(Unavailable, NotFound):
        status = _status(client, before.id)
        if tag in status.tags:
            return StartedUpdate(status.id, "", status.updated_at, attached=True)
    return None


def _began(client: HeatClient, before: StackStatus, tag: str) -> str:
    """Return when the update that was just accepted began; empty when it can't be told, or has not."""
    with contextlib.suppress(Unavailable, NotFound):
        status = _status(client, before.id)
        return status.updated_at if tag in status.tags else ""
    return ""


def _has_begun(client: HeatClient, status: StackStatus, marker: str) -> bool:
    """True when an update has begun since `marker`: without convergence Heat accepts it before it begins."""
    updated_at, _, event = marker.partition(" ")
    # Heat's times are whole seconds; two updates in one are told apart by their events.
    return (status.updated_at or "-") != updated_at or (last_event(client, status.id).id or "-") != event
