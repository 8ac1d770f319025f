"""What a tree of playbooks may run on one host, read from its files: each task instance that release, step and role
don't rule out, in order. Shares no code with the generator, and takes the templates' tree and ours alike.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml
from ansible.playbook.block import Block
from ansible.playbook.task import Task
from jinja2 import nodes
from jinja2.nativetypes import NativeEnvironment

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEYWORDS = {*Task.fattributes, *Block.fattributes, "include", "static", "local_action", "action"}
_OLD_TESTS = re.compile(r"\s*\|\s*(succeeded|success|failed|changed|skipped)\b")
# What the generator adds that the templates don't have: gates, and what stands for skips that somebody sees.
_OURS = re.compile(
    r"The (step|release) is the stage's own|Every selected host has finished the stage"
    r"|Be skipped for the tasks that are left out|Register that they were skipped"
)
_UNKNOWN: Any = object()
_OPERATORS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "gt": operator.gt,
    "lteq": operator.le,
    "gteq": operator.ge,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}


_FILTERS: Mapping[str, Callable[[Any], Any]] = {
    "int": int,
    "bool": lambda value: str(value).lower() in ("yes", "on", "1", "true"),
}


@dataclasses.dataclass(frozen=True)
class Instance:
    """One task in one release and step, as the host would meet it."""

    release: str
    step: str
    name: str
    module: str
    body: str


def instances(root: Path, playbook: str, host: str, role: str) -> list[Instance]:
    """Return the task instances of a playbook on a host, in order."""
    return list(_Reader(root, host, role).plays(playbook))


def truth(condition: object, known: Mapping[str, Any]) -> bool | None:
    """Return whether a condition holds when only `known` is known; None when that isn't enough."""
    if isinstance(condition, list):
        return _all([truth(item, known) for item in condition])
    if not isinstance(condition, str):
        return None if condition is None else bool(condition)
    node = _parsed(condition)
    return None if node is None else _truth(node, known)


@functools.cache
def _parsed(condition: str) -> nodes.Node | None:
    try:
        output = jinja2.Environment().parse("{{ " + condition + " }}").body[0]
    except jinja2.TemplateSyntaxError:
        return None
    return output.nodes[0] if isinstance(output, nodes.Output) else None


@functools.cache
def _compiled(text: str) -> jinja2.Template | None:
    try:
        return NativeEnvironment(undefined=jinja2.StrictUndefined).from_string(text)
    except jinja2.TemplateError:
        return None  # filters that only Ansible has


def _all(found: list[bool | None]) -> bool | None:
    return False if False in found else None if None in found else True


def _truth(node: nodes.Node, known: Mapping[str, Any]) -> bool | None:
    if isinstance(node, nodes.Not):
        inner = _truth(node.node, known)
        return None if inner is None else not inner
    if isinstance(node, nodes.And):
        return _all([_truth(node.left, known), _truth(node.right, known)])
    if isinstance(node, nodes.Or):
        either = [_truth(node.left, known), _truth(node.right, known)]
        return True if True in either else None if None in either else False
    value = _value(node, known)
    return None if value is _UNKNOWN else bool(value)


def _value(node: nodes.Node, known: Mapping[str, Any]) -> Any:
    if isinstance(node, nodes.Const):
        return node.value
    if isinstance(node, nodes.Name):
        return known.get(node.name, _UNKNOWN)
    if isinstance(node, (nodes.List, nodes.Tuple)):
        items = [_value(item, known) for item in node.items]
        return _UNKNOWN if any(item is _UNKNOWN for item in items) else items
    if isinstance(node, nodes.Filter) and node.name in _FILTERS and node.node is not None and not node.args:
        inner = _value(node.node, known)
        return _UNKNOWN if inner is _UNKNOWN else _FILTERS[node.name](inner)
    if isinstance(node, nodes.Compare) and len(node.ops) == 1:
        left, right = _value(node.expr, known), _value(node.ops[0].expr, known)
        return _UNKNOWN if _UNKNOWN in (left, right) else _OPERATORS[node.ops[0].op](left, right)
    return _UNKNOWN


class _Reader:
    def __init__(self, root: Path, host: str, role: str) -> None:
        self._root = root
        self._groups = {host, role, "overcloud", "all"}
        self._facts: dict[str, Any] = {"tripleo_role_name": role, "role_name": role}
        self._files: dict[Path, Any] = {}

    def plays(self, playbook: str, imported: Mapping[str, Any] | None = None) -> Iterator[Instance]:
        for play in self._load(self._root / playbook):
            known = {**(imported or {}), **(play.get("vars") or {})}
            if "import_playbook" in play:
                yield from self.plays(play["import_playbook"], known)
                continue
            hosts = play["hosts"] if isinstance(play["hosts"], str) else ":".join(play["hosts"])
            patterns = set(str(self._render(hosts, known)).split(":"))
            if not self._groups & patterns or str(play.get("name")).startswith("gate "):
                continue
            for role in play.get("roles") or []:
                yield self._instance({"name": "", "role": role}, known)
            for section in ("pre_tasks", "tasks", "post_tasks"):
                yield from self._tasks(play.get(section) or [], known, self._root)

    def _load(self, path: Path) -> list[Any]:
        if path not in self._files:
            self._files[path] = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or []
        found: list[Any] = self._files[path]
        return found

    def _tasks(self, tasks: list[Any], known: Mapping[str, Any], folder: Path, sure: bool = True) -> Iterator[Instance]:
        """Yield instances; `sure`: nothing above these tasks may skip them."""
        for task in tasks:
            if task is None or "gather_facts" in task or _OURS.fullmatch(str(task.get("name"))):
                continue
            path = self._included(task, folder, {**known, **(task.get("vars") or {})})
            # Variables of an include are how ours says release and step; those of other tasks are for run time.
            inner = {**known, **(task.get("vars") or {})} if path is not None else dict(known)
            for item in [inner] if path is None else self._items(task, inner):
                runs = truth(task["when"], {**self._facts, **item}) if "when" in task else True
                if runs is False:
                    continue
                if path is not None:
                    yield from self._tasks(self._load(path), item, path.parent, sure and bool(runs))
                elif "block" in task:
                    for section in ("block", "rescue", "always"):
                        certain = sure and bool(runs) and section == "block"
                        yield from self._tasks(task.get(section) or [], item, folder, certain)
                else:
                    self._follow(task, item, sure and bool(runs))
                    yield self._instance(task, item)

    def _included(self, task: Mapping[str, Any], folder: Path, known: Mapping[str, Any]) -> Path | None:
        for key in ("include", "include_tasks", "import_tasks"):
            found = task.get(key, task.get(f"ansible.builtin.{key}"))
            name = self._render(found.get("file") if isinstance(found, dict) else found, known)
            if isinstance(name, str):
                paths = [path for path in (folder / name, self._root / name) if path.is_file()]
                return paths[0] if paths else None
        return None

    def _items(self, task: Mapping[str, Any], known: Mapping[str, Any]) -> list[dict[str, Any]]:
        name = (task.get("loop_control") or {}).get("loop_var", "item")
        if "with_sequence" in task:
            said = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", task["with_sequence"])}
            start = said.get("start", 1)
            end = said.get("end", start + said.get("count", 0) - 1)
            return [{**known, name: str(number)} for number in range(start, end + 1)]
        loop = task.get("with_items", task.get("loop"))
        if loop is None:
            return [dict(known)]
        found = self._render(loop, known)
        return [{**known, name: item} for item in found] if isinstance(found, list) else [dict(known)]

    def _render(self, value: Any, known: Mapping[str, Any]) -> Any:
        if not isinstance(value, str) or "{" not in value:
            return value
        template = _compiled(value)
        values = {key: value for key, value in {**self._facts, **known}.items() if value is not _UNKNOWN}
        try:
            found = template.render(values) if template else _UNKNOWN
            return _UNKNOWN if isinstance(found, jinja2.Undefined) else found
        except jinja2.TemplateError:
            return _UNKNOWN

    def _follow(self, task: Mapping[str, Any], known: Mapping[str, Any], sure: bool) -> None:
        """Note what is known of the facts that a task sets; a fact that it may have set is no longer known."""
        facts = task.get("set_fact")
        if isinstance(facts, str):
            facts = dict.fromkeys(re.findall(r"(\w+)=", facts), _UNKNOWN)
        for name, value in (facts or {}).items():
            self._facts[name] = self._render(value, known) if sure and "loop" not in task else _UNKNOWN
        if "register" in task:
            self._facts[task["register"]] = _UNKNOWN

    def _instance(self, task: Mapping[str, Any], known: Mapping[str, Any]) -> Instance:
        values = {**self._facts, **known}
        release, step = (str(values.get(key, "-")) for key in ("release", "step"))
        modules = [key for key in task if key not in _KEYWORDS and not key.startswith("with_")]
        module = modules[0] if modules else next(iter(set(task) & {"include", "action", "local_action"}), "")
        arguments = task.get(module)
        if isinstance(arguments, dict) and module in ("action", "local_action"):
            module, arguments = arguments["module"], {key: arguments[key] for key in arguments if key != "module"}
        if isinstance(arguments, dict) and module in ("command", "shell"):
            arguments = {key: value for key, value in arguments.items() if key != "warn"}
        if module == "set_fact" and isinstance(arguments, dict):
            arguments = {
                key: self._facts[key] if self._facts[key] is not _UNKNOWN else value for key, value in arguments.items()
            }
        loop = [task[key] for key in task if key == "loop" or key.startswith("with_")]
        more = {key: value for key, value in (task.get("args") or {}).items() if key != "warn"}
        body = json.dumps([arguments, loop, more], sort_keys=True, default=str)
        body = _OLD_TESTS.sub(r" is \1", body)
        for name, value in (("release", release), ("step", step)):
            body = re.sub(rf"{{{{\s*{name}\s*}}}}", value, body)
        return Instance(release, step, str(task.get("name") or ""), module.rpartition(".")[2], body)
