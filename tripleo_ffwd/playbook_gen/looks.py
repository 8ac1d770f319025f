"""What a task is by itself, wherever it stands, looked at once for all releases, steps and roles; no I/O.

Imports effects, facts and tasks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import Any

from tripleo_ffwd.playbook_gen.effects import reads_of, reads_own_result
from tripleo_ffwd.playbook_gen.facts import tags_of
from tripleo_ffwd.playbook_gen.tasks import BLOCK_KEYS, assigned_names, include_of, loop_key, short_keys

# Loops whose source can't fail, or fails without harm in a task that is skipped; lookups of files and commands can.
_PLAIN_LOOPS = frozenset(("loop", "with_items", "with_list", "with_sequence", "with_dict", "with_nested"))
_REGISTERS_NOTHING = frozenset(("meta", "include_tasks", "import_tasks", "import_role"))
_LOOKUPS = ("lookup(", "query(", "q(")


@dataclasses.dataclass(frozen=True)
class Look:
    """A task, those in its blocks left aside.

    Attributes:
        task: the task: held, so that its id stays its own.
        reads: what it may read.
        reads_result: its conditions on its result look at what it registers.
        register: the variable that it registers, run or skipped; empty for none.
        sets: the facts that it sets when it runs; none where it may not do so on its own host, or for each host.
        tags: its own.
        tagged: it, or a task in its blocks, has tags.
        droppable: nothing but a variable that it registers could tell that it is not there when it is skipped.
        skips_alike: every host that skips it for one condition registers the same.
    """

    task: Mapping[str, Any]
    reads: frozenset[str]
    reads_result: bool
    register: str
    sets: frozenset[str]
    tags: frozenset[str]
    tagged: bool
    droppable: bool
    skips_alike: bool


class Looks:
    """Looks at tasks, at each once.

    Attributes:
        dead: what `verdicts` finds of tasks that are skipped everywhere, for it to find again.
    """

    def __init__(self) -> None:
        self.dead: dict[Hashable, Any] = {}
        self._found: dict[int, Look] = {}

    def at(self, task: Mapping[str, Any]) -> Look:
        """Return what a task is."""
        found = self._found.get(id(task))
        if found is None:
            children = [child for key in BLOCK_KEYS for child in task.get(key) or ()]
            tagged = bool(tags_of(task)) or any(self.at(child).tagged for child in children)
            found = self._found[id(task)] = _look(task, tagged=tagged)
        return found


def _look(task: Mapping[str, Any], *, tagged: bool) -> Look:
    register = task.get("register")
    actions = short_keys(task)
    unsure = {"delegate_facts", "ignore_errors", "ignore_unreachable"} & task.keys() or loop_key(task)
    others = [{key: value for key, value in task.items() if key != "register"}]
    sets = frozenset() if unsure or "block" in task else assigned_names(others)
    return Look(
        task=task,
        reads=reads_of(task),
        reads_result=reads_own_result(task),
        register=register if isinstance(register, str) and not _REGISTERS_NOTHING & actions else "",
        sets=frozenset(name for name in sets if not name.startswith("*")),
        tags=frozenset(tags_of(task)),
        tagged=tagged,
        droppable=_is_droppable(task, actions),
        skips_alike=_has_plain_items(task) and not {"delegate_to", "no_log"} & task.keys(),
    )


def _is_droppable(task: Mapping[str, Any], actions: frozenset[str]) -> bool:
    include = include_of(task)
    if include is not None and include[0] != "include_tasks":
        return False
    if actions & {"meta", "import_role", "import_playbook", "listen"} or "{{" in str(task.get("register")):
        return False
    loop = loop_key(task)
    if loop is None:
        return True
    return loop in _PLAIN_LOOPS and not any(call in str(task[loop]) for call in _LOOKUPS)


def _has_plain_items(task: Mapping[str, Any]) -> bool:
    """Return whether a task has no loop, or one over plain texts that stand in it."""
    loop = loop_key(task)
    return loop is None or (
        loop in ("loop", "with_items")
        and isinstance(task[loop], list)
        and all(isinstance(item, str) and "{{" not in item and "{%" not in item for item in task[loop])
    )
