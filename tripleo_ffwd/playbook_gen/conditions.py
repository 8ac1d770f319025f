"""Jinja2 conditions over known values: parsed by Jinja2, folded, never guessed; imports jinja2 and plugin_names.

Everything here answers "known" only where each operand that Ansible would look at is known, read left to right, so that
an error which Ansible would run into is never hidden.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import jinja2
from jinja2 import nodes

from tripleo_ffwd.playbook_gen.plugin_names import FILTERS, TESTS


class _Unknown:
    """The value of an expression that only the run can tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()

_ENVIRONMENT = jinja2.Environment(autoescape=False)
# The longest range that is unrolled.
_LONGEST = 1000
_TRUE_WORDS = frozenset(("yes", "on", "1", "true"))


def _as_bool(value: Any) -> Any:
    """Ansible's filter `bool`; what versions take differently, such as None, is unknown."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.lower() in _TRUE_WORDS
    return value == 1 if isinstance(value, int) else UNKNOWN


def _as_int(value: Any) -> Any:
    return _ENVIRONMENT.filters["int"](value) if isinstance(value, str | int | float) else UNKNOWN


def _difference(value: Any, other: Any) -> Any:
    """Ansible's filter `difference`; a lone string is one element, as TripleO's own Ansible took it."""
    if not isinstance(value, list):
        return UNKNOWN
    others = [other] if isinstance(other, str) else other
    if not isinstance(others, list):
        return UNKNOWN
    try:
        return list(dict.fromkeys(item for item in value if item not in others))
    except TypeError:  # of what can't be compared by a hash
        return UNKNOWN


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "bool": _as_bool,
    "int": _as_int,
    "string": lambda value: str(value) if isinstance(value, str | int) else UNKNOWN,
    "lower": lambda value: value.lower() if isinstance(value, str) else UNKNOWN,
    "upper": lambda value: value.upper() if isinstance(value, str) else UNKNOWN,
    "last": lambda value: value[-1] if isinstance(value, list) and value else UNKNOWN,
    "first": lambda value: value[0] if isinstance(value, list) and value else UNKNOWN,
    "length": lambda value: len(value) if isinstance(value, str | list) else UNKNOWN,
    "list": lambda value: list(value) if isinstance(value, list | tuple | range) else UNKNOWN,
    "difference": _difference,
}
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}


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
def _is_loadable(expression: str) -> bool:
    """Return whether all filters and tests are known: one that is not fails, also where it is not looked at."""
    node = parse(expression)
    used = [] if node is None else [node, *node.find_all((nodes.Filter, nodes.Test))]
    return all(
        item.name in (FILTERS if isinstance(item, nodes.Filter) else TESTS)
        for item in used
        if isinstance(item, nodes.Filter | nodes.Test)
    )


def evaluate(expression: str, known: Mapping[str, Any]) -> Any:
    """Return the value of an expression, or UNKNOWN."""
    node = parse(expression) if _is_loadable(expression) else None
    value = UNKNOWN if node is None else _fold(node, known)
    return UNKNOWN if _is_odd(value) else value


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
    found: set[str] = set()
    for value in values:
        if not isinstance(value, str):
            continue
        node = parse(value)
        if node is None:
            found.update(re.findall(r"[A-Za-z_]\w*", value))
        else:
            found.update(name.name for name in node.find_all(nodes.Name))
            if isinstance(node, nodes.Name):
                found.add(node.name)
    return frozenset(found)


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


def _fold(node: nodes.Node, known: Mapping[str, Any]) -> Any:
    fold = _FOLDS.get(type(node))
    return UNKNOWN if fold is None else fold(node, known)


def _fold_and(node: nodes.And, known: Mapping[str, Any]) -> Any:
    left = _fold(node.left, known)
    return _fold(node.right, known) if left is not UNKNOWN and left else left


def _fold_or(node: nodes.Or, known: Mapping[str, Any]) -> Any:
    left = _fold(node.left, known)
    return left if left is UNKNOWN or left else _fold(node.right, known)


def _fold_not(node: nodes.Not, known: Mapping[str, Any]) -> Any:
    value = _fold(node.node, known)
    return UNKNOWN if value is UNKNOWN else not value


def _fold_compare(node: nodes.Compare, known: Mapping[str, Any]) -> Any:
    left = _fold(node.expr, known)
    for operand in node.ops:
        right = _fold(operand.expr, known)
        if left is UNKNOWN or right is UNKNOWN:
            return UNKNOWN
        try:
            holds = _COMPARE[operand.op](left, right)
        except TypeError:  # Ansible fails here at run time: so it must, at run time
            return UNKNOWN
        if not holds:
            return False
        left = right
    return True


def _fold_filter(node: nodes.Filter, known: Mapping[str, Any]) -> Any:
    function = _FILTERS.get(node.name)
    if function is None or node.node is None or node.kwargs or node.dyn_args or node.dyn_kwargs:
        return UNKNOWN
    if len(node.args) != (1 if node.name == "difference" else 0):
        return UNKNOWN
    values = [_fold(item, known) for item in (node.node, *node.args)]
    return UNKNOWN if any(value is UNKNOWN for value in values) else function(*values)


def _fold_test(node: nodes.Test, known: Mapping[str, Any]) -> Any:
    if node.name not in ("defined", "undefined") or not isinstance(node.node, nodes.Name):
        return UNKNOWN
    return node.name == "defined" if node.node.name in known else UNKNOWN


def _fold_list(node: nodes.List | nodes.Tuple, known: Mapping[str, Any]) -> Any:
    values = [_fold(item, known) for item in node.items]
    if any(value is UNKNOWN for value in values):
        return UNKNOWN
    return tuple(values) if isinstance(node, nodes.Tuple) else values


def _fold_getitem(node: nodes.Getitem, known: Mapping[str, Any]) -> Any:
    value = _fold(node.node, known)
    if isinstance(value, Mapping) and isinstance(node.arg, nodes.Const):
        return value.get(node.arg.value, UNKNOWN) if isinstance(node.arg.value, str) else UNKNOWN
    if not isinstance(value, list):
        return UNKNOWN
    if isinstance(node.arg, nodes.Slice):
        parts = [
            None if part is None else _fold(part, known) for part in (node.arg.start, node.arg.stop, node.arg.step)
        ]
        plain = all(part is None or isinstance(part, int) for part in parts) and parts[2] != 0
        return value[slice(*parts)] if plain else UNKNOWN
    index = _fold(node.arg, known)
    return value[index] if isinstance(index, int) and -len(value) <= index < len(value) else UNKNOWN


def _fold_getattr(node: nodes.Getattr, known: Mapping[str, Any]) -> Any:
    value = _fold(node.node, known)
    # Jinja2 looks for an attribute first: a key named as one of dict's methods is not what it finds.
    plain = isinstance(value, Mapping) and not hasattr(dict, node.attr)
    return value.get(node.attr, UNKNOWN) if plain else UNKNOWN


def _fold_call(node: nodes.Call, known: Mapping[str, Any]) -> Any:
    if not isinstance(node.node, nodes.Name) or node.node.name != "range" or "range" in known:
        return UNKNOWN
    values = [_fold(item, known) for item in node.args]
    plain = all(isinstance(value, int) and abs(value) <= _LONGEST for value in values)
    if not plain or not 1 <= len(values) <= 3 or values[2:] == [0] or node.kwargs or node.dyn_args or node.dyn_kwargs:
        return UNKNOWN
    return range(*values)


def _fold_neg(node: nodes.Neg, known: Mapping[str, Any]) -> Any:
    value = _fold(node.node, known)
    return -value if isinstance(value, int) else UNKNOWN


_FOLDS: Mapping[type[nodes.Node], Callable[[Any, Mapping[str, Any]], Any]] = {
    nodes.Const: lambda node, known: node.value,
    nodes.Name: lambda node, known: known.get(node.name, UNKNOWN),
    nodes.And: _fold_and,
    nodes.Or: _fold_or,
    nodes.Not: _fold_not,
    nodes.Compare: _fold_compare,
    nodes.Filter: _fold_filter,
    nodes.Test: _fold_test,
    nodes.List: _fold_list,
    nodes.Tuple: _fold_list,
    nodes.Getitem: _fold_getitem,
    nodes.Getattr: _fold_getattr,
    nodes.Call: _fold_call,
    nodes.Neg: _fold_neg,
}
