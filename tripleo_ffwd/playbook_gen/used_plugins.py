"""The plugins that templates and keywords use: which nobody knows, which ansible-core does not have; no I/O.

Imports conditions, plugin_names and jinja2.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import nodes

from tripleo_ffwd.playbook_gen import conditions
from tripleo_ffwd.playbook_gen.plugin_names import (
    COLLECTION_FILTERS,
    FILTERS,
    FILTERS_THAT_ARE_TESTS,
    KEYWORDS,
    LOOKUPS,
    TESTS,
)

_ENVIRONMENT = jinja2.Environment(autoescape=False, extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
# Filters that take the name of another plugin: which argument it is, and of what kind.
_NAMING = {
    "map": (0, "filter"),
    "select": (0, "test"),
    "reject": (0, "test"),
    "selectattr": (1, "test"),
    "rejectattr": (1, "test"),
}
_LOOKING_UP = ("lookup", "query", "q")
_MAY_USE = re.compile(r"\||\b(?:is|filter)\b|\b(?:lookup|query|q)\s*\(")
# Keywords whose texts are expressions.
_BARE = ("when", "failed_when", "changed_when", "until")
_CORE_COLLECTIONS = ("ansible.builtin.", "ansible.legacy.")
_CORE = {"filter": FILTERS | FILTERS_THAT_ARE_TESTS, "test": TESTS, "lookup": LOOKUPS}


def check(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the plugins of a template or an expression that Ansible surely doesn't have, and those of collections.

    Each is named with its kind, such as ``filter frobnicate``. Names with dots are those of collections' plugins. What
    is no template to Jinja2, such as another language's braces, uses none.
    """
    unknown: dict[str, None] = {}
    elsewhere: dict[str, None] = {}
    for kind, name in _used(text):
        if kind == "lookup":
            continue
        known = name in TESTS if kind == "test" else name in FILTERS or name in FILTERS_THAT_ARE_TESTS
        if known or "." in name:
            continue
        (elsewhere if kind == "filter" and name in COLLECTION_FILTERS else unknown)[f"{kind} {name}"] = None
    return tuple(unknown), tuple(elsewhere)


def beyond_core(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the plugins that a task or play uses and ansible-core doesn't have, each as (keyword, plugin).

    A plugin is named with its kind, such as ``strategy tripleo_free`` or ``filter ipaddr``; the keyword is where.
    """
    found: list[tuple[str, str]] = []
    for key, value in body.items():
        if key in KEYWORDS and isinstance(value, str):
            kind, known = KEYWORDS[key]
            if _short(value) not in known:
                found.append((key, f"{kind} {value}"))
        elif key == "around":
            found += [(key, plugin) for item in value if isinstance(item, dict) for _, plugin in beyond_core(item)]
            continue
        elif key.startswith("with_") and _short(key.removeprefix("with_")) not in LOOKUPS:
            found.append((key, f"lookup {key.removeprefix('with_')}"))
        elif key.endswith("assert") and _short(key) == "assert" and isinstance(value, dict):
            found += [(key, plugin) for plugin in _in_value(value.get("that"), bare=True)]
        found += [(key, plugin) for plugin in _in_value(value, bare=key in _BARE)]
    return found


def _in_value(value: Any, *, bare: bool = False) -> Iterable[str]:
    if isinstance(value, str):
        return _in_text(value, bare)
    if isinstance(value, dict):
        return [plugin for item in value.values() for plugin in _in_value(item)]
    if isinstance(value, list):
        return [plugin for item in value for plugin in _in_value(item, bare=bare)]
    return ()


@functools.lru_cache(maxsize=16384)
def _in_text(text: str, bare: bool) -> tuple[str, ...]:
    """Return the plugins of a template that ansible-core doesn't have; a bare one is an expression without braces."""
    if not (bare or "{{" in text or "{%" in text):
        return ()
    return tuple(dict.fromkeys(f"{kind} {name}" for kind, name in _used(text) if _short(name) not in _CORE[kind]))


def _short(name: str) -> str:
    """Return a name without the collections that stand for ansible-core."""
    return name.rpartition(".")[2] if name.startswith(_CORE_COLLECTIONS) else name


@functools.lru_cache(maxsize=16384)
def _used(text: str) -> tuple[tuple[str, str], ...]:
    """Return the plugins of a template, or of an expression without braces, as (kind, name)."""
    if not _MAY_USE.search(text):
        return ()
    try:
        if "{{" in text or "{%" in text:
            return tuple(_in_tree(_ENVIRONMENT.parse(text)))
        expression = conditions.parse(text)
        tree = nodes.Output([expression]) if expression is not None else _ENVIRONMENT.parse(f"{{{{ {text} }}}}")
        return tuple(_in_tree(tree))
    except (jinja2.TemplateSyntaxError, ValueError, RecursionError):
        return ()


def _in_tree(tree: nodes.Node) -> Iterator[tuple[str, str]]:
    for node in tree.find_all((nodes.Filter, nodes.Test, nodes.Call)):
        if isinstance(node, nodes.Test):
            yield "test", node.name
        elif isinstance(node, nodes.Call):
            named = node.args[0] if node.args else None
            if isinstance(node.node, nodes.Name) and node.node.name in _LOOKING_UP and isinstance(named, nodes.Const):
                yield "lookup", str(named.value)
        elif isinstance(node, nodes.Filter):
            yield "filter", node.name
            place, kind = _NAMING.get(node.name, (len(node.args), ""))
            named = node.args[place] if len(node.args) > place else None
            if isinstance(named, nodes.Const) and isinstance(named.value, str):
                yield kind, named.value
