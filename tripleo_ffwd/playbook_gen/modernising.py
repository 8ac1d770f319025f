"""Old Ansible idioms to equal ones that ansible-core 2.16 and later take; what can't be rewritten surely is reported.

Imports conditions, checking, used_plugins, tasks, bounds, tree and jinja2's lexer; never looks at release, step or
role.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2 import nodes

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen import bounds, conditions, used_plugins
from tripleo_ffwd.playbook_gen.checking import CONDITIONAL_KEYS, actions_of
from tripleo_ffwd.playbook_gen.tasks import BLOCK_KEYS
from tripleo_ffwd.playbook_gen.tree import Note

# Filters that Ansible had for what are tests since 2.9.
_TESTS = {
    "succeeded": "succeeded",
    "success": "succeeded",
    "failed": "failed",
    "changed": "changed",
    "change": "changed",
    "skipped": "skipped",
    "skip": "skipped",
    "exists": "exists",
    "is_dir": "directory",
    "is_file": "file",
    "is_link": "link",
    "is_abs": "is_abs",
    "is_mount": "mount",
}
_TESTS_OF_ARGUMENTS = {
    "search": "search",
    "match": "match",
    "regex": "regex",
    "version_compare": "version",
    "issubset": "subset",
    "issuperset": "superset",
}
_MAY_BE_OLD = re.compile(rf"\|\s*(?:{'|'.join((*_TESTS, *_TESTS_OF_ARGUMENTS))})\b")
_ENVIRONMENT = jinja2.Environment(autoescape=False, keep_trailing_newline=True)
_WARN = re.compile(r"(?:^|(?<=\s))warn=(?:yes|no|true|false|on|off|0|1)(?:\s+|$)", re.IGNORECASE)


class Moderniser:
    """Rewrites the tasks of one file and collects what it did.

    Args:
        file: the file's path in the tree, for the notes.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._task = ""
        self.notes: list[Note] = []

    def tasks(self, tasks: list[Any], where: str = "") -> list[Any]:
        """Return the tasks rewritten; the ones given stay as they are."""
        return [self.task(task, f"{where}[{index}]") for index, task in enumerate(tasks)]

    def task(self, task: Mapping[str, Any], place: str) -> dict[str, Any]:
        """Return one task or block rewritten."""
        name = str(task.get("name") or place)
        result: dict[str, Any] = {}
        for key, value in task.items():
            self._task = name
            if key == "when" and value is None:
                continue  # as if it were not there, in any version
            if key in BLOCK_KEYS and isinstance(value, list):
                result[key] = self.tasks(value, f"{place}.{key}")
            elif key in CONDITIONAL_KEYS:
                result[key] = self._condition(value, key)
            else:
                result[key] = self._templates(value)
        self._task = name
        self._drop_warn(result)
        self._drop_register(result)
        if "block" not in task and not actions_of(task):
            self._note("left as it is: it has no action, so that Ansible can't load the file that it stands in")
        return self._named_action(result)

    def _note(self, what: str) -> None:
        self.notes.append(Note(self._file, self._task, what))

    def _condition(self, value: Any, key: str) -> Any:
        if isinstance(value, list):
            return [self._condition(item, key) for item in value]
        if not isinstance(value, str) or not value.strip():
            return value
        text = self._tests("{{", value, "}}")
        self._check_plugins(text, key, value)
        node = conditions.parse(text)
        if node is None:
            whole = re.fullmatch(r"\s*\{\{(.*)\}\}\s*", text, re.DOTALL)
            inner = conditions.parse(whole.group(1)) if whole else None
            if whole and inner is not None and conditions.is_boolean(inner):
                text = whole.group(1).strip()
            elif "{{" in text or "{%" in text:
                self._note(f"left as it is: {key} has a template inside: {value}")
            else:
                self._note(f"left as it is: {key} is no expression of Jinja2: {value}")
        elif not conditions.is_boolean(node):
            text = _as_truth(text, node)
        if text != value:
            self._note(f"{key}: {value} → {text}")
        return text

    def _templates(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._templates(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._templates(item) for item in value]
        if not isinstance(value, str) or ("{{" not in value and "{%" not in value):
            return value
        text = self._tests("", value, "")
        if "|" in value or " is " in value:
            self._check_plugins(text, "template", value)
        if text != value:
            self._note(f"template: {value} → {text}")
        return text

    def _check_plugins(self, text: str, key: str, value: str) -> None:
        """Refuse filters and tests that no Ansible has; say which come from collections."""
        unknown, elsewhere = used_plugins.check(text)
        if unknown:
            raise UnsupportedConstruct(
                f"{key} uses the {unknown[0]}, which is none of Ansible's: {bounds.shown_text(value)}",
                where=f"{self._file}, task {bounds.shown_text(self._task)}",
                remedy="Correct its name, or give that of its collection in full",
            )
        for plugin in elsewhere:
            self._note(f"left as it is: {key} needs the {plugin} of a collection: {value}")

    def _tests(self, before: str, text: str, after: str) -> str:
        """Return `text` with ``x|changed`` as ``x is changed``; `before` and `after` make a template of it."""
        if not _MAY_BE_OLD.search(text):
            return text
        if before and "{{" in text:
            before = after = ""
        try:
            tokens = [(kind, value) for _, kind, value in _ENVIRONMENT.lex(before + text + after)]
        except jinja2.TemplateSyntaxError:
            return text
        if "".join(value for _, value in tokens) != before + text + after:
            return text  # the lexer lost something: better left as it is
        parts: list[str] = []
        index = 0
        while index < len(tokens):
            end, name = _old_test(tokens, index)
            if name:
                while parts and not parts[-1].strip():
                    parts.pop()
                parts.append(f" is {name}")
            else:
                parts.append(tokens[index][1])
            index = end if name else index + 1
        result = "".join(parts)
        return result[len(before) : len(result) - len(after)]

    def _named_action(self, task: dict[str, Any]) -> dict[str, Any]:
        """Return a task whose `action` or `local_action` is a mapping with the module as its key instead."""
        for key in ("action", "local_action"):
            found = task.get(key)
            module = found.get("module") if isinstance(found, Mapping) else None
            if not isinstance(module, str) or "{{" in module or module in task:
                continue
            if key == "local_action" and "delegate_to" in task:
                continue
            arguments = {name: value for name, value in dict(task[key]).items() if name != "module"} or None
            here = {"delegate_to": "localhost"} if key == "local_action" else {}
            self._note(f"{key}: a mapping → {module}{' on localhost' if here else ''}")
            rest = {name: value for name, value in task.items() if name != key}
            head = {"name": rest.pop("name")} if "name" in rest else {}
            return {**head, module: arguments, **here, **rest}
        return task

    def _drop_register(self, task: dict[str, Any]) -> None:
        """Leave out what older versions registered under a name that no expression can have; newer ones refuse it."""
        name = task.get("register")
        if isinstance(name, str) and "{{" not in name and not (name.isidentifier() and name.isascii()):
            del task["register"]
            what = f"register: {bounds.shown_text(name)} is no name of a variable, and is left out: nothing reads it"
            self._note(what)

    def _drop_warn(self, task: dict[str, Any]) -> None:
        if "warn" in task and ("command" in task or "shell" in task):
            del task["warn"]
            self._note("warn dropped")
        for module in ("command", "shell", "args"):
            arguments = task.get(module)
            if isinstance(arguments, dict) and "warn" in arguments:
                task[module] = {key: value for key, value in arguments.items() if key != "warn"}
                self._note(f"{module}: warn dropped")
                if module == "args" and not task[module]:
                    del task[module]
            elif (
                isinstance(arguments, str)
                and module != "args"
                and "warn=" in arguments.lower()
                and _WARN.search(arguments)
            ):
                task[module] = _WARN.sub("", arguments).rstrip(" ")
                self._note(f"{module}: warn dropped")


def _old_test(tokens: list[tuple[str, str]], index: int) -> tuple[int, str]:
    """Return the index behind ``| name`` and the test that it is now, when a filter that became one stands there."""
    if tokens[index] != ("operator", "|"):
        return index, ""
    after = index + 1
    while after < len(tokens) and tokens[after][0] == "whitespace":
        after += 1
    kind, name = tokens[after] if after < len(tokens) else ("", "")
    called = after + 1 < len(tokens) and tokens[after + 1] == ("operator", "(")
    test = (_TESTS_OF_ARGUMENTS if called else _TESTS).get(name) if kind == "name" else None
    behind = [token for token in tokens[after + 1 :] if token[0] != "whitespace"][:1]
    if test and not called and behind and behind[0][0] == "name" and behind[0][1] not in ("and", "or", "else"):
        return index, ""  # Jinja2 would take that word for an argument of the test
    return (after + 1, test) if test else (index, "")


def _as_truth(text: str, node: nodes.Expr) -> str:
    """Return an expression whose value is the truth that older versions saw in `text`."""
    text = text.strip()
    if isinstance(node, nodes.Name):
        # A lone variable that held a text was evaluated a second time: 'False' was false.
        return f"({text} | bool) if {text} is string else ({text} is truthy)"
    return f"({text}) is truthy"
