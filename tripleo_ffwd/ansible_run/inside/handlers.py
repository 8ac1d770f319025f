"""Handlers that were notified in a stage that begins again, which would not notify them a second time.

A task that has changed something is ``ok`` the second time, and its handler would never run. Ansible itself resolves a
notification only where handlers run, so the task's own words are kept. A handler that has run is run again, like all
of its stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def notifications(task: Any) -> list[str]:
    """Return what a task that has changed something notifies."""
    notify = task.notify
    return [notify] if isinstance(notify, str) else [str(one) for one in notify or ()]


def _names(handler: Any) -> list[str]:
    """Return all that a handler is notified by."""
    listen = handler.listen or ()
    topics = [listen] if isinstance(listen, str) else list(listen)
    found = [handler.name, handler.get_name(), handler.get_name(include_role_fqcn=False), *topics]
    return list(dict.fromkeys(str(name).strip() for name in found if name))


def notify(play: Any, wanted: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Notify a play's handlers, before it begins, of (notification, host); return these.

    Raises:
        LookupError: the play has no such handler.
    """
    inventory = play.get_variable_manager()._inventory
    every = [handler for block in reversed(play.handlers) for handler in reversed(block.block)]
    for notification, name in wanted:
        named = [one for one in every if notification in (one.name, one.get_name())][:1]  # the last one loaded
        found = named + [one for one in every if one not in named and notification in _names(one)]
        if not found:
            raise LookupError(f"the play {play.get_name()} has no handler {notification}")
        host = inventory.get_host(name)
        for handler in found if host else ():
            handler.notify_host(host)
    return list(wanted)
