"""Jinja2 conditions over known values: parsed by Jinja2, folded, never guessed; imports folding and plugin_names."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jinja2
from jinja2 import nodes

from tripleo_ffwd.playbook_gen.folding import UNKNOWN as UNKNOWN
from tripleo_ffwd.playbook_gen.folding import fold
from tripleo_ffwd.playbook_gen.plugin_names import FILTERS, TESTS

_ENVIRONMENT = jinja2.Environment(autoescape=False)
# How many values of one expression are kept.
_MOST_VALUES = 1000


@functools.lru_cache(maxsize=4096)  # the same few conditions come back for every release, step and role
def parse(expression: str) -> nodes.Expr | None:
    """Return the syntax tree of one expression; None when it is not one (a template inside, bad syntax)."""
    if any(mark in expression for mark in ("{{", "}}", "{%", "%}", "{#")):
        return None
    try:
        body = _ENVIRONMENT.parse("{{ " + expression + " }}").body
    except (jinja2.TemplateSyntaxError, RecursionError):
        return None
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    node = body[0].nodes[0]
    return None if isinstance(node, nodes.TemplateData) else node


@functools.lru_cache(maxsize=4096)
def names_of(expression: str) -> frozenset[str]:
    """Return the variables that an expression looks at; what can't be parsed gives every word in it."""
    node = parse(expression)
    if node is None:
        return frozenset(re.findall(r"[A-Za-z_]\w*", expression))
    found = {name.name for name in node.find_all(nodes.Name)}
    return frozenset(found | {node.name} if isinstance(node, nodes.Name) else found)


@dataclasses.dataclass(frozen=True)
class _Expression:
    """An expression that can be evaluated: the variables in it, and the values that it came to, by theirs."""

    node: nodes.Expr
    names: tuple[str, ...]
    values: dict[str, Any] = dataclasses.field(default_factory=dict)


@functools.lru_cache(maxsize=4096)
def _expression(text: str) -> _Expression | None:
    """Return an expression whose filters and tests are all known: any other fails, even where it is not reached."""
    node = parse(text)
    used = [] if node is None else [node, *node.find_all((nodes.Filter, nodes.Test))]
    loadable = all(
        item.name in (FILTERS if isinstance(item, nodes.Filter) else TESTS)
        for item in used
        if isinstance(item, nodes.Filter | nodes.Test)
    )
    return _Expression(node, tuple(names_of(text))) if node is not None and loadable else None


def evaluate(expression: str, known: Mapping[str, Any]) -> Any:
    """Return the value of an expression, or UNKNOWN."""
    found = _expression(expression)
    if found is None:
        return UNKNOWN
    # Steps, releases and roles come back for task after task: 98 of 100 evaluations are repeated ones.
    nothing = known.keys().isdisjoint(found.names)
    given = "" if nothing else repr([known.get(name, UNKNOWN) for name in found.names])
    try:
        return found.values[given]
    except KeyError:
        if len(found.values) >= _MOST_VALUES:
            found.values.clear()
    value = fold(found.node, known)
    found.values[given] = value = UNKNOWN if _is_odd(value) else value
    return value


def _is_odd(value: Any) -> bool:
    """Return whether a value is, or holds, one that Ansible stores as another or refuses to store."""
    if isinstance(value, list):
        return any(_is_odd(item) for item in value)
    return isinstance(value, tuple | range)


def _depends_on_version(value: Any) -> bool:
    """Return whether versions store a template's value with different types: 2.16 takes a number for its text."""
    if isinstance(value, str):
        return value in ("True", "False", "None") or value.lstrip()[:1] in ("[", "{")
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def evaluate_template(value: Any, known: Mapping[str, Any]) -> Any:
    """Return what a literal or a value that is one whole ``{{ template }}`` comes to, or UNKNOWN."""
    if isinstance(value, list):
        values = [evaluate_template(item, known) for item in value]
        return UNKNOWN if any(item is UNKNOWN for item in values) else values
    if isinstance(value, Mapping):
        items = {key: evaluate_template(item, known) for key, item in value.items()}
        plain = all(isinstance(key, str) and "{{" not in key for key in items)
        return items if plain and not any(item is UNKNOWN for item in items.values()) else UNKNOWN
    if isinstance(value, str):
        match = re.fullmatch(r"\{\{(.*)\}\}", value, re.DOTALL)  # with a blank beside it, it is a text
        if match:
            found = evaluate(match.group(1), known)
            return UNKNOWN if _depends_on_version(found) else found
        return UNKNOWN if "{{" in value or "{%" in value else value
    return value if value is None or isinstance(value, bool | int | float) else UNKNOWN


def render(text: str, known: Mapping[str, Any]) -> str | None:
    """Return a text with its ``{{ expressions }}`` in their values; None when one of them is not known."""
    parts = re.split(r"\{\{(.*?)\}\}", text, flags=re.DOTALL)
    values = [evaluate(part, known) if index % 2 else part for index, part in enumerate(parts)]
    plain = all(isinstance(value, str | int) and not isinstance(value, bool) for value in values)
    return "".join(str(value) for value in values) if plain and "{%" not in text else None


def items(when: Any) -> list[Any]:
    """Return the items of a `when`, which are ANDed in order; none for a `when` that is not there."""
    if when is None or when == "":
        return []
    return list(when) if isinstance(when, list) else [when]


def decide_item(item: Any, known: Mapping[str, Any]) -> bool | None:
    """Return whether an item holds; None when only the run can tell (also for results that are no booleans)."""
    if isinstance(item, bool):
        return item
    value = evaluate(item, known) if isinstance(item, str) else UNKNOWN
    return value if isinstance(value, bool) else None


def decide(when: Any, known: Mapping[str, Any]) -> bool | None:
    """Return whether a whole `when` holds; None unless every item up to the first false one is decided."""
    for item in items(when):
        verdict = decide_item(item, known)
        if verdict is not True:
            return verdict
    return True


def residual(when: Any, known: Mapping[str, Any]) -> list[Any]:
    """Return the items that are left to run time, in order: all but those that are decided to hold."""
    return [item for item in items(when) if decide_item(item, known) is not True]


def names(values: Iterable[Any]) -> frozenset[str]:
    """Return the variables that conditions look at; what can't be parsed gives every word in it."""
    return frozenset().union(*(names_of(value) for value in values if isinstance(value, str)))


def is_boolean(node: nodes.Expr) -> bool:
    """Return whether an expression can only come to true or false, whatever its variables hold."""
    if isinstance(node, nodes.Compare | nodes.Not | nodes.Test):
        return True
    if isinstance(node, nodes.And | nodes.Or):
        return is_boolean(node.left) and is_boolean(node.right)
    if isinstance(node, nodes.Const):
        return isinstance(node.value, bool)
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Getattr) and node.node.attr == "stat":
        return node.attr in ("exists", "isdir", "isreg", "islnk")  # what the module stat returns
    return isinstance(node, nodes.Filter) and node.name == "bool"
