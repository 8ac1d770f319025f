"""The tasks of one stage in two trees: what was added, removed, moved or changed; imports reading, no I/O."""

from __future__ import annotations

import collections
import difflib
import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from tripleo_ffwd.playbook_gen.reading import StageTask

HIDDEN = "(hidden by no_log)"
_ABSENT = object()


def compare(old: Sequence[StageTask], new: Sequence[StageTask]) -> list[dict[str, Any]]:
    """Return what differs between a stage's tasks, in the order of the new ones, removed ones where they stood.

    Returns:
        ``{change, task, module, after, differences}``: `change` is ``added``, ``removed``, ``moved`` or ``changed``;
        `after` the task that it now follows (for a removed one: followed; empty at the beginning); `differences` as
        `differences` returns them, for what changed on its way as well.
    """
    pairs = _pairs(old, new)
    matched = dict(pairs)
    moved = _moved(pairs)
    taken = set(matched.values())
    back = {place: origin for origin, place in pairs}
    found: list[tuple[int, int, dict[str, Any]]] = []
    last = -1
    for index, task in enumerate(old):
        if index in matched:
            last = max(last, matched[index])
        else:
            found.append((last, 0, _entry("removed", task, old, index)))
    for index, task in enumerate(new):
        if index not in taken:
            found.append((index, 1, _entry("added", task, new, index)))
            continue
        origin = back[index]
        differing = differences(old[origin], task)
        if origin in moved or differing:
            entry = _entry("moved" if origin in moved else "changed", task, new, index)
            found.append((index, 1, {**entry, "differences": differing}))
    return [entry for *_, entry in sorted(found, key=lambda item: item[:2])]


def differences(old: StageTask, new: StageTask) -> list[dict[str, Any]]:
    """Return in what two tasks differ: ``[{what, old, new}]``, `what` a keyword or an argument (``service.state``).

    An argument that is not there is left out of its entry. Values of a task with `no_log` are hidden.
    """
    hidden = any(task.body.get("no_log") not in (None, False) for task in (old, new))
    return between(_shown(old.body), _shown(new.body), hidden)


def between(old: Mapping[str, Any], new: Mapping[str, Any], hidden: bool = False) -> list[dict[str, Any]]:
    """Return in what two mappings differ, mappings in them taken apart."""
    found = []
    first, second = _flat(old), _flat(new)
    for what in dict.fromkeys([*first, *second]):
        before, after = first.get(what, _ABSENT), second.get(what, _ABSENT)
        if before == after and type(before) is type(after):
            continue
        entry: dict[str, Any] = {"what": what}
        for key, value in (("old", before), ("new", after)):
            if value is not _ABSENT:
                entry[key] = HIDDEN if hidden else value
        found.append(entry)
    return found


def longest_common(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Return the places of what is equal in both and in the same order."""
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return [(block.a + step, block.b + step) for block in blocks for step in range(block.size)]


def _pairs(old: Sequence[StageTask], new: Sequence[StageTask]) -> list[tuple[int, int]]:
    """Return which task became which: the equal ones in their order first, then what is more and more unlike."""
    pairs = longest_common([_exact(task) for task in old], [_exact(task) for task in new])
    for key in (_exact, _name, _but_name):
        kept, came = {origin for origin, _ in pairs}, {place for _, place in pairs}
        left = [index for index in range(len(old)) if index not in kept]
        right = [index for index in range(len(new)) if index not in came]
        pairs += _by_key(old, new, left, right, key)
    return pairs


def _by_key(
    old: Sequence[StageTask],
    new: Sequence[StageTask],
    left: Iterable[int],
    right: Iterable[int],
    key: Callable[[StageTask], Hashable],
) -> list[tuple[int, int]]:
    waiting: dict[Hashable, collections.deque[int]] = collections.defaultdict(collections.deque)
    for index in right:
        waiting[key(new[index])].append(index)
    found = []
    for index in left:
        places = waiting.get(key(old[index]))
        if places:
            found.append((index, places.popleft()))
    return found


def _moved(pairs: list[tuple[int, int]]) -> set[int]:
    """Return the old places of the tasks that no longer stand in the same order as most others."""
    ordered = [place for _, place in sorted(pairs)]
    stay = {place for _, place in longest_common(sorted(ordered), ordered)}
    return {origin for index, (origin, _) in enumerate(sorted(pairs)) if index not in stay}


def _entry(change: str, task: StageTask, tasks: Sequence[StageTask], index: int) -> dict[str, Any]:
    after = tasks[index - 1].title if index else ""
    return {"change": change, "task": task.title, "module": task.module, "after": after, "differences": []}


def _exact(task: StageTask) -> str:
    return json.dumps(task.body, sort_keys=True, default=str)


def _name(task: StageTask) -> tuple[str, str]:
    return task.name, task.module


def _but_name(task: StageTask) -> str:
    return json.dumps({key: value for key, value in task.body.items() if key != "name"}, sort_keys=True, default=str)


def _shown(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with one-item lists of conditions and the like as they were mostly written."""
    return {key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in body.items()}


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            found |= _flat(item, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = item
    return found
