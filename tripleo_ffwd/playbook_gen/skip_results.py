"""Tasks that are only there to be skipped, and to register it, to two tasks that do it for all of them; no I/O.

Imports parts and model. What a skipped task without a loop registers is told by the condition that skipped it alone, so
one such result serves each of them. It is taken from a task that Ansible skips, for it differs between its versions.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable
from typing import Any

from tripleo_ffwd.model import SKIP_RESULTS_TASK, SKIP_TASK
from tripleo_ffwd.playbook_gen.parts import Entry

# A name of our own: one of the templates' may have another value in an extra variable.
_RESULT = "ffwd_skip_result"
# As many tasks as are put in their place save nothing.
_OURS = 2


def gathered(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return a stage's entries; of those that follow one another, all that are skipped for one reason become two."""
    found: list[Entry] = []
    for may_move, group in itertools.groupby(entries, key=_may_move):
        alike = list(group)
        found += _by_reason(alike) if may_move else alike
    return tuple(found)


def _may_move(entry: Entry) -> bool:
    return bool(entry.skip) and entry.task is not None and not entry.beside


def _by_reason(entries: list[Entry]) -> list[Entry]:
    """Return entries that do nothing but register: in which order they do it makes no difference but for one name."""
    count = collections.Counter(map(_register, entries))
    alike: dict[tuple[Any, ...], list[Entry]] = {}
    for number, entry in enumerate(entries):
        tags = repr(entry.task and entry.task.get("tags"))
        again = number if count[_register(entry)] > 1 else None  # the last of one name counts: they stay as they are
        alike.setdefault((entry.skip, tags, entry.untagged, entry.file, again), []).append(entry)
    return [entry for group in alike.values() for entry in (_in_two(group) if len(group) > _OURS else group)]


def _register(entry: Entry) -> str:
    return str(entry.task and entry.task["register"])


def _in_two(alike: list[Entry]) -> list[Entry]:
    first = alike[0]
    common: dict[str, Any] = {"run_once": True}
    if first.task and "tags" in first.task:
        common["tags"] = first.task["tags"]
    results = {_register(entry): f"{{{{ {_RESULT} }}}}" for entry in alike}
    skip = {"name": SKIP_TASK, "debug": {"var": _RESULT}, "when": first.skip, "register": _RESULT, **common}
    give = {"name": SKIP_RESULTS_TASK, "set_fact": results, **common}
    return [Entry(first.guards, task, first.untagged, first.file, beside=False) for task in (skip, give)]
