"""What can be read off a task: blocks, includes, loops, the variables that it sets; imports only stdlib."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

BLOCK_KEYS = ("block", "rescue", "always")
_BLOCKS = frozenset(BLOCK_KEYS)
# Stand for names that can't be told: of facts, and of variables that rank below facts and above a play's.
ANY_FACT, ANY_VARIABLE = "*fact", "*variable"
_INCLUDE_ORDER = tuple(
    prefix + action
    for prefix in ("", "ansible.builtin.", "ansible.legacy.")
    for action in ("include", "include_tasks", "import_tasks")
)
_INCLUDE_ACTIONS = frozenset(_INCLUDE_ORDER)
# Keywords of tasks; what is left is the module.
# fmt: off
KEYWORDS = frozenset(
    (
        "action", "any_errors_fatal", "args", "async", "async_val", "become", "become_exe", "become_flags",
        "become_method", "become_user", "block", "changed_when", "check_mode", "collections", "connection",
        "debugger", "delay", "delegate_facts", "delegate_to", "diff", "environment", "failed_when", "ignore_errors",
        "ignore_unreachable", "listen", "local_action", "loop", "loop_control", "module_defaults", "name", "no_log",
        "notify", "poll", "port", "register", "remote_user", "rescue", "always", "retries", "run_once", "tags",
        "throttle", "timeout", "until", "vars", "when"
    )
)
# fmt: on
_ROLES = frozenset(("include_role", "import_role"))
_SETS_BY_ACTION = re.compile(r"set_fact|include_vars|(include|import)_(role|tasks)")
_SEQUENCE = re.compile(r"(\w+)=(\S+)")


def include_of(task: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the action, without its collection, and the file of a task that includes one; None for other tasks."""
    if _INCLUDE_ACTIONS.isdisjoint(task):
        return None
    action = include_key(task)
    value = task[action]
    name = value.get("file") if isinstance(value, Mapping) else value
    return action.rpartition(".")[2], name if isinstance(name, str) else ""


def include_key(task: Mapping[str, Any]) -> str:
    """Return the key under which an including task names its file."""
    return next(action for action in _INCLUDE_ORDER if action in task)


def loop_key(task: Mapping[str, Any]) -> str | None:
    """Return the key of a task's loop, or None."""
    # Asked of each task for every release, step and role: nothing but the loop itself.
    for key in task:
        if key == "loop" or key.startswith("with_"):
            return key
    return None


def flatten(tasks: list[Any]) -> list[dict[str, Any]]:
    """Return tasks and blocks in order, those in blocks behind their block."""
    found: list[dict[str, Any]] = []
    for task in tasks:
        found.append(task)
        if not _BLOCKS.isdisjoint(task):
            for key in BLOCK_KEYS:
                if inner := task.get(key):
                    found.extend(flatten(inner))
    return found


def assigned_names(tasks: list[Any]) -> frozenset[str]:
    """Return the variables that tasks set by set_fact or register; their includes are not followed."""
    names: set[str] = set()
    for task in flatten(tasks):
        if isinstance(task.get("register"), str):
            names.add(task["register"])
        actions = short_keys(task)
        if "include_vars" in actions:
            names.add(ANY_VARIABLE)
        action = _action_of(task)
        by_action = action is not None and _SETS_BY_ACTION.search(str(action))
        if by_action or not _ROLES.isdisjoint(actions):
            names |= {ANY_FACT, ANY_VARIABLE}
        if "set_fact" in actions:
            names |= _fact_names(task)
    return frozenset(names)


def short_keys(task: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of a task without their collections."""
    return _short(tuple(task))


@functools.lru_cache(maxsize=4096)  # most tasks have the keys of many others
def _short(keys: tuple[str, ...]) -> frozenset[str]:
    return frozenset(key.rpartition(".")[2] for key in keys)


def _action_of(task: Mapping[str, Any]) -> Any:
    return task.get("action", task.get("local_action"))


def _fact_names(task: Mapping[str, Any]) -> set[str]:
    names: set[str] = set()
    for key, facts in task.items():
        if key.rpartition(".")[2] == "set_fact" or key == "args":
            found = facts if isinstance(facts, Mapping) else re.findall(r"(?:^|\s)([^\s=]+)=", str(facts))
            names.update(str(name) for name in found)
    return names | {ANY_FACT, ANY_VARIABLE} if any("{{" in name or "}}" in name for name in names) else names


def included_variables(task: Mapping[str, Any]) -> set[str]:
    """Return the file of variables that a task includes; a name that no file has where it can't be told."""
    for key, value in task.items():
        if key.rpartition(".")[2] == "include_vars":
            name = value.get("file") if isinstance(value, Mapping) else value
            return {name if isinstance(name, str) and "=" not in name and "{{" not in name else ANY_VARIABLE}
    return {ANY_VARIABLE} if "include_vars" in str(_action_of(task)) else set()


def is_static(task: Mapping[str, Any], static_parents: bool) -> bool:
    """Return whether an include is read when the playbook is; `include` was where its file and parents are plain."""
    action, name = include_of(task) or ("", "")
    if action == "include":
        return static_parents and loop_key(task) is None and "{{" not in name and task.get("static", True) is not False
    return action == "import_tasks"


def settle(task: dict[str, Any], static_parents: bool) -> dict[str, Any]:
    """Return a task with `include`, also in its blocks, as the import_tasks or include_tasks that it meant.

    It is the very task where that changes nothing: what was found out about it holds.
    """
    if all(include_of(inner) is None for inner in flatten([task])):
        return task
    result: dict[str, Any] = {}
    for key, value in task.items():
        if key in BLOCK_KEYS:
            result[key] = [settle(inner, static_parents) for inner in value or []]
        elif key.rpartition(".")[2] == "include" and include_of(task) is not None:
            result["import_tasks" if is_static(task, static_parents) else "include_tasks"] = value
        elif key != "static" or include_of(task) is None:
            result[key] = value
    return result


def sequence(text: Any) -> list[str] | None:
    """Return the texts of a with_sequence in its ``start=0 end=3`` form; None for what needs the run."""
    if not isinstance(text, str) or "{{" in text:
        return None
    parts = dict(_SEQUENCE.findall(text))
    if set(parts) - {"start", "end", "count", "stride"} or len(parts) != len(text.split()):
        return None
    try:
        numbers = {key: int(value, 0) for key, value in parts.items()}
    except ValueError:
        return None
    start, stride = numbers.get("start", 1), numbers.get("stride", 1)
    end = numbers["end"] if "end" in numbers else start + numbers.get("count", 0) * stride - 1
    if end < start:  # Ansible takes it for an error, but for a count of 0
        return None
    if stride < 1 or len(parts) == 0 or ("end" in numbers) == ("count" in numbers) or end - start > 1000:
        return None
    return [str(number) for number in range(start, end + 1, stride)]


def modules_of(tasks: list[Any]) -> tuple[str, ...]:
    """Return the module of each task, blocks left out."""
    return tuple(module_of(task) for task in flatten(list(tasks)) if "block" not in task)


def module_of(task: Mapping[str, Any]) -> str:
    """Return the module of a task that is no block."""
    action = _action_of(task)
    if action is not None:
        value = action.get("module") if isinstance(action, Mapping) else action
        return str(value).split()[0]
    return next((key for key in task if key not in KEYWORDS and not key.startswith("with_")), "unknown")
