"""The turns of an include's loop, where they are known before the run; no I/O. Imports conditions and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.playbook_gen import conditions
from tripleo_ffwd.playbook_gen.tasks import loop_key, sequence


def is_plain(task: Mapping[str, Any]) -> bool:
    """Return whether a loop, if there is one, goes through its values and does nothing else."""
    control = task.get("loop_control") or {}
    return isinstance(control, Mapping) and not set(control) - {"loop_var", "label"}


def values(task: Mapping[str, Any], known: Mapping[str, Any]) -> list[Any] | None:
    """Return the values of a task's loop; None when only the run can tell.

    Args:
        task: one that has a loop.
        known: the values that are known of variables inside it.
    """
    loop = loop_key(task)
    if loop == "with_sequence":
        text = task[loop]
        return sequence(conditions.render(text, known) if isinstance(text, str) else text)
    if loop not in ("loop", "with_items", "with_list"):
        return None
    value = conditions.evaluate_template(task[loop], known)
    if not isinstance(value, list):
        return None
    if loop != "with_items":
        return value
    return [item for entry in value for item in (entry if isinstance(entry, list) else [entry])]
