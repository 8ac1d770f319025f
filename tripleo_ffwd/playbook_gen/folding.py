"""Syntax trees of Jinja2's expressions to their values, as far as those can be known; imports jinja2 only.

Everything here answers "known" only where each operand that Ansible would look at is known, read left to right, so that
an error which Ansible would run into is never hidden.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

import jinja2
from jinja2 import nodes


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


def fold(node: nodes.Node, known: Mapping[str, Any]) -> Any:
    """Return the value of an expression, or UNKNOWN."""
    function = _FOLDS.get(type(node))
    return UNKNOWN if function is None else function(node, known)


def _fold_and(node: nodes.And, known: Mapping[str, Any]) -> Any:
    left = fold(node.left, known)
    return fold(node.right, known) if left is not UNKNOWN and left else left


def _fold_or(node: nodes.Or, known: Mapping[str, Any]) -> Any:
    left = fold(node.left, known)
    return left if left is UNKNOWN or left else fold(node.right, known)


def _fold_not(node: nodes.Not, known: Mapping[str, Any]) -> Any:
    value = fold(node.node, known)
    return UNKNOWN if value is UNKNOWN else not value


def _fold_compare(node: nodes.Compare, known: Mapping[str, Any]) -> Any:
    left = fold(node.expr, known)
    for operand in node.ops:
        right = fold(operand.expr, known)
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
    values = [fold(item, known) for item in (node.node, *node.args)]
    return UNKNOWN if any(value is UNKNOWN for value in values) else function(*values)


def _fold_test(node: nodes.Test, known: Mapping[str, Any]) -> Any:
    if node.name not in ("defined", "undefined") or not isinstance(node.node, nodes.Name):
        return UNKNOWN
    return node.name == "defined" if node.node.name in known else UNKNOWN


def _fold_list(node: nodes.List | nodes.Tuple, known: Mapping[str, Any]) -> Any:
    values = [fold(item, known) for item in node.items]
    if any(value is UNKNOWN for value in values):
        return UNKNOWN
    return tuple(values) if isinstance(node, nodes.Tuple) else values


def _fold_getitem(node: nodes.Getitem, known: Mapping[str, Any]) -> Any:
    value = fold(node.node, known)
    if isinstance(value, Mapping) and isinstance(node.arg, nodes.Const):
        return value.get(node.arg.value, UNKNOWN) if isinstance(node.arg.value, str) else UNKNOWN
    if not isinstance(value, list):
        return UNKNOWN
    if isinstance(node.arg, nodes.Slice):
        parts = [None if part is None else fold(part, known) for part in (node.arg.start, node.arg.stop, node.arg.step)]
        plain = all(part is None or isinstance(part, int) for part in parts) and parts[2] != 0
        return value[slice(*parts)] if plain else UNKNOWN
    index = fold(node.arg, known)
    return value[index] if isinstance(index, int) and -len(value) <= index < len(value) else UNKNOWN


def _fold_getattr(node: nodes.Getattr, known: Mapping[str, Any]) -> Any:
    value = fold(node.node, known)
    # Jinja2 looks for an attribute first: a key named as one of dict's methods is not what it finds.
    plain = isinstance(value, Mapping) and not hasattr(dict, node.attr)
    return value.get(node.attr, UNKNOWN) if plain else UNKNOWN


def _fold_call(node: nodes.Call, known: Mapping[str, Any]) -> Any:
    if not isinstance(node.node, nodes.Name) or node.node.name != "range" or "range" in known:
        return UNKNOWN
    values = [fold(item, known) for item in node.args]
    plain = all(isinstance(value, int) and abs(value) <= _LONGEST for value in values)
    if not plain or not 1 <= len(values) <= 3 or values[2:] == [0] or node.kwargs or node.dyn_args or node.dyn_kwargs:
        return UNKNOWN
    return range(*values)


def _fold_neg(node: nodes.Neg, known: Mapping[str, Any]) -> Any:
    value = fold(node.node, known)
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
