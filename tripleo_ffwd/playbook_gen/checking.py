"""Shapes of plays and tasks: what Ansible itself could not take is refused by its place, before anything is compiled.

Imports tasks, conditions, bounds; no I/O. What only a run can find wrong (an argument of a module, a template) is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

from tripleo_ffwd.exceptions import MalformedOutputs, UnsupportedConstruct
from tripleo_ffwd.playbook_gen import bounds, conditions
from tripleo_ffwd.playbook_gen.tasks import BLOCK_KEYS, KEYWORDS, include_of, module_of

CONDITIONAL_KEYS = ("when", "failed_when", "changed_when", "until")
PLAYBOOK_IMPORTS = ("import_playbook", "ansible.builtin.import_playbook", "ansible.legacy.import_playbook")
_MAX_CONDITION = 20_000
_MAX_OPERATORS = 300
# fmt: off
_BLOCK_KEYWORDS = frozenset(
    (
        "any_errors_fatal", "become", "become_exe", "become_flags", "become_method", "become_user", "check_mode",
        "collections", "connection", "debugger", "delegate_facts", "delegate_to", "diff", "environment",
        "ignore_errors", "ignore_unreachable", "module_defaults", "name", "no_log", "notify", "port", "remote_user",
        "run_once", "tags", "throttle", "timeout", "vars", "when", *BLOCK_KEYS
    )
)
_PLAY_KEYWORDS = (_BLOCK_KEYWORDS - {"when", "delegate_to", "delegate_facts", "notify", *BLOCK_KEYS}) | frozenset(
    (
        "fact_path", "force_handlers", "gather_facts", "gather_subset", "gather_timeout", "handlers", "hosts",
        "max_fail_percentage", "order", "post_tasks", "pre_tasks", "roles", "serial", "strategy", "tasks", "user",
        "validate_argspec", "vars_files", "vars_prompt"
    )
)
# fmt: on
_DROPPED = frozenset(("warn", "static"))  # older versions took them beside the module


def check_tasks(value: Any, where: str) -> None:
    """Refuse what is no list of tasks.

    Raises:
        MalformedOutputs: naming the task by its place and the keyword that is wrong.
        UnsupportedConstruct: an include that leads out of the tree, or a condition that is too long to work on.
    """
    if not isinstance(value, list):
        raise MalformedOutputs(f"is a {type(value).__name__}, not a list of tasks", where=where)
    for index, task in enumerate(value):
        _check_task(task, f"{where}[{index}]")


def check_play(play: Any, where: str) -> None:
    """Refuse what is no play; its tasks are not looked at.

    Raises:
        MalformedOutputs: naming the keyword that is wrong.
    """
    if not isinstance(play, dict) or "hosts" not in play:
        raise MalformedOutputs("is not a play with hosts", where=where)
    _known_keys(play, _PLAY_KEYWORDS, "play", where)
    hosts = play["hosts"]
    if not isinstance(hosts, str | list) or not all(isinstance(item, str) for item in hosts):
        raise MalformedOutputs(f"is {bounds.shown(hosts)}, not the text of a host pattern", where=f"{where}.hosts")
    _check_common(play, where)
    for key, kinds, what in _PLAY_TYPES:
        if play.get(key) is not None and not isinstance(play[key], kinds):
            raise _wrong(play[key], what, f"{where}.{key}")
    roles = play.get("roles") or []
    if not all(isinstance(item, str | dict) for item in roles):
        raise MalformedOutputs("is not a list of roles", where=f"{where}.roles")


def check_import(play: Mapping[str, Any], where: str) -> None:
    """Refuse an import of a playbook whose variables or tags have a wrong type.

    Raises:
        MalformedOutputs: naming the keyword.
    """
    _check_common(play, where)


def check_include(name: str, where: str) -> None:
    """Refuse the name of a file that leads out of the tree, or is none.

    Raises:
        UnsupportedConstruct: it has ``..`` or a control character in it.
    """
    if ".." in name.split("/") or not name.isprintable() or len(name) > bounds.MAX_KEY:
        raise UnsupportedConstruct(
            f"the file {bounds.shown(name)} leads out of the tree, or is no name of a file",
            where=where,
            remedy="Name a file of the tree, by its path from the top or from the file that includes it",
        )


def actions_of(task: Mapping[str, Any]) -> list[str]:
    """Return the keys of a task that name what it does; Ansible takes one and no more.

    None at all is not refused: released templates have such a task, in a step of theirs that can't run.
    """
    found = [key for key in task if key not in KEYWORDS and not key.startswith("with_") and key not in _DROPPED]
    return found + [key for key in _ACTIONS if key in task]


def _check_task(task: Any, where: str) -> None:
    if not isinstance(task, dict) or not all(isinstance(key, str) for key in task):
        raise MalformedOutputs("is not a task", where=where)
    _check_common(task, where)
    for key in CONDITIONAL_KEYS:
        _check_conditions(task.get(key), f"{where}.{key}")
    if any(key in task for key in BLOCK_KEYS):
        _check_block(task, where)
        return
    actions = actions_of(task)
    if len(actions) > 1:
        what = f"has more than one action: {bounds.shown_text(', '.join(actions))}"
        raise MalformedOutputs(f"{what}, so that Ansible can't load it", where=where)
    for action in actions:
        _check_action(task, action, where)
    for key, holds, what in _TASK_TYPES:
        if task.get(key) is not None and not holds(task[key]):
            raise _wrong(task[key], what, f"{where}.{key}")
    loops = [key for key in task if key == "loop" or key.startswith("with_")]
    if len(loops) > 1:
        raise MalformedOutputs(f"has more than one loop: {bounds.shown_text(', '.join(loops))}", where=where)
    _check_loop_control(task.get("loop_control"), f"{where}.loop_control")


def _check_block(task: Mapping[str, Any], where: str) -> None:
    _known_keys(task, _BLOCK_KEYWORDS, "block", where)
    if "block" not in task:
        raise MalformedOutputs("has rescue or always and no block", where=where)
    for key in BLOCK_KEYS:
        if key in task:
            check_tasks(task[key], f"{where}.{key}")


def _check_action(task: Mapping[str, Any], action: str, where: str) -> None:
    value = task[action]
    if action in _ACTIONS:
        named = value.get("module") if isinstance(value, dict) else value
        if not isinstance(named, str) or not named.split():
            raise _wrong(value, "the name of a module with its arguments", f"{where}.{action}")
    elif not isinstance(value, str | dict | None):
        raise _wrong(value, "a text or a mapping of arguments", f"{where}.{action}")
    if module_of(task) in PLAYBOOK_IMPORTS:
        name = f" {bounds.shown(task['name'])}" if task.get("name") else ""
        raise MalformedOutputs(
            f"the task{name} imports a playbook, which only stands among plays, so that Ansible can't load it",
            where=f"{where}.{action}",
            remedy="Import it in the list of plays, or include a file of tasks",
        )
    include = include_of(task)
    if include is not None:
        if not include[1] and not task.get("args"):
            raise MalformedOutputs("names no file", where=f"{where}.{action}")
        check_include(include[1], f"{where}.{action}")


def _check_common(item: Mapping[str, Any], where: str) -> None:
    """Check what plays, blocks and tasks share."""
    variables = item.get("vars")
    if variables is not None and not isinstance(variables, dict):
        raise _wrong(variables, "a mapping of variables", f"{where}.vars")
    for name in variables or {}:
        if not isinstance(name, str):
            raise MalformedOutputs(f"{bounds.shown(name)} is no name of a variable", where=f"{where}.vars")
    if "tags" in item:
        tags = item["tags"]
        listed = tags if isinstance(tags, list) else [tags]
        if not all(isinstance(tag, str) or (isinstance(tag, int) and isinstance(tags, list)) for tag in listed):
            raise _wrong(tags, "a text or a list of texts", f"{where}.tags")
    if isinstance(item.get("name"), list | dict):
        raise _wrong(item["name"], "a text", f"{where}.name")


def _check_conditions(value: Any, where: str) -> None:
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str | bool | None):
            raise _wrong(item, "a condition: a text, a boolean or a list of them", where)
        if isinstance(item, str) and _is_huge(item):
            raise UnsupportedConstruct(
                f"is a condition of {len(item)} characters, too long or too deep to work on",
                where=where,
                remedy="Split it into items of a list, which are ANDed",
            )


def _is_huge(text: str) -> bool:
    if len(text) > _MAX_CONDITION:
        return True
    if len(text) < _MAX_OPERATORS:
        return False  # each operator takes a character
    try:
        node = conditions.parse(text)
    except ValueError:  # a number that Python doesn't read
        return True
    todo: list[tuple[nodes.Node, int]] = [(node, 1)] if node is not None else []
    while todo:
        found, depth = todo.pop()
        if depth > _MAX_OPERATORS:
            return True
        todo.extend((child, depth + 1) for child in found.iter_child_nodes())
    return False


def _check_loop_control(control: Any, where: str) -> None:
    if control is None:
        return
    if not isinstance(control, dict):
        raise _wrong(control, "a mapping", where)
    for key in ("loop_var", "index_var"):
        name = control.get(key)
        if name is not None and not (isinstance(name, str) and (name.isidentifier() or "{{" in name)):
            raise _wrong(name, "the name of a variable", f"{where}.{key}")


def _known_keys(item: Mapping[str, Any], known: frozenset[str], what: str, where: str) -> None:
    for key in item:
        if key not in known:
            raise MalformedOutputs(
                f"{bounds.shown(key)} is no keyword of a {what}, so that Ansible can't load it", where=where
            )


def _wrong(value: Any, what: str, where: str) -> MalformedOutputs:
    return MalformedOutputs(f"is {bounds.shown(value)}, not {what}", where=where)


_ACTIONS = ("action", "local_action")
_PLAY_TYPES: tuple[tuple[str, Any, str], ...] = (
    ("roles", list, "a list of roles"),
    ("serial", str | int | list, "a number, a text or a list of them"),
    ("gather_facts", str | bool, "a boolean"),
    ("vars_files", str | list, "the name of a file or a list of them"),
    ("strategy", str, "the name of a strategy"),
    ("any_errors_fatal", str | bool, "a boolean"),
)
_TASK_TYPES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("register", lambda value: isinstance(value, str) and bool(value), "the name of a variable"),
    ("args", lambda value: isinstance(value, str | dict), "a mapping"),
    ("loop", lambda value: isinstance(value, str | list), "a list, or the text of a template"),
    ("notify", lambda value: isinstance(value, str | list), "the name of a handler or a list of them"),
    ("environment", lambda value: isinstance(value, str | list | dict), "a mapping"),
)
