"""A condition without the parts that are decided, what is left word for word; imports conditions and jinja2's lexer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2 import nodes

from tripleo_ffwd.playbook_gen import conditions

_ENVIRONMENT = jinja2.Environment(autoescape=False)
_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")
_TRUTHY = re.compile(r"\((.*)\) is truthy", re.DOTALL)


def simplify(when: Any, known: Mapping[str, Any]) -> list[Any]:
    """Return the items of a `when` that are left to run time: none that is decided to hold, nor a part that is.

    ``a and b`` without what holds of it, ``a or b`` without what doesn't; an item that comes to false stays.
    """
    found = []
    for item in conditions.items(when):
        if conditions.decide_item(item, known) is not True:
            found.append(_item(item, known) if isinstance(item, str) else item)
    return found


def _item(text: str, known: Mapping[str, Any]) -> str:
    node = conditions.parse(text)
    wrapped = _TRUTHY.fullmatch(text) if isinstance(node, nodes.Test) and node.name == "truthy" else None
    if wrapped and conditions.parse(wrapped.group(1)) is not None:
        inner = _operands(wrapped.group(1), known)
        return text if inner == wrapped.group(1) else f"({inner}) is truthy"
    shorter = _operands(text, known)
    # What is left must be a boolean by itself: older versions looked a second time at a text in a lone variable.
    left = conditions.parse(shorter)
    return shorter if left is not None and conditions.is_boolean(left) else text


def _operands(text: str, known: Mapping[str, Any]) -> str:
    """Return a text whose outermost operator is `and` or `or` without the operands that don't matter."""
    node = conditions.parse(text)
    if not isinstance(node, nodes.And | nodes.Or):
        return text
    word, neutral = ("and", True) if isinstance(node, nodes.And) else ("or", False)
    parts = _split(text, word)
    # Only one that stands before all unknown ones, or that can't fail, is sure to be looked at and to say nothing:
    # a decided one looks at nothing unknown, so it can't fail.
    kept = [part for part in parts if conditions.evaluate(part, known) is not neutral]
    if not kept or len(kept) == len(parts) or any(conditions.parse(part) is None for part in parts):
        return text
    return f" {word} ".join(kept)


def _split(text: str, word: str) -> list[str]:
    """Return the operands between the `word`s that stand in no bracket."""
    parts, depth = [""], 0
    for _, kind, value in _ENVIRONMENT.lex("{{" + text + "}}"):
        if kind in ("variable_begin", "variable_end"):
            continue
        if kind == "operator":
            depth += (value in _OPEN) - (value in _CLOSE)
        if depth == 0 and kind == "name" and value == word:
            parts.append("")
        else:
            parts[-1] += value
    return [part.strip() for part in parts]
