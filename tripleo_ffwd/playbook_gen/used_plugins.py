"""The filters and tests that templates use, and which of them nobody knows; imports plugin_names and jinja2, no I/O."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import jinja2
from jinja2 import nodes

from tripleo_ffwd.playbook_gen.plugin_names import COLLECTION_FILTERS, FILTERS, FILTERS_THAT_ARE_TESTS, TESTS

_ENVIRONMENT = jinja2.Environment(autoescape=False, extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
# Filters that take the name of another plugin: which argument it is, and of what kind.
_NAMING = {
    "map": (0, "filter"),
    "select": (0, "test"),
    "reject": (0, "test"),
    "selectattr": (1, "test"),
    "rejectattr": (1, "test"),
}


@functools.lru_cache(maxsize=4096)
def check(template: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the plugins of a template that Ansible surely doesn't have, and those that only collections have.

    Each is named with its kind, such as ``filter frobnicate``. Names with dots are those of collections' plugins. What
    is no template to Jinja2, such as another language's braces, uses none.
    """
    unknown: dict[str, None] = {}
    elsewhere: dict[str, None] = {}
    for kind, name in _used(template):
        known = name in TESTS if kind == "test" else name in FILTERS or name in FILTERS_THAT_ARE_TESTS
        if known or "." in name:
            continue
        (elsewhere if kind == "filter" and name in COLLECTION_FILTERS else unknown)[f"{kind} {name}"] = None
    return tuple(unknown), tuple(elsewhere)


def _used(template: str) -> Iterator[tuple[str, str]]:
    try:
        tree = _ENVIRONMENT.parse(template)
    except (jinja2.TemplateSyntaxError, ValueError, RecursionError):
        return
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        if isinstance(node, nodes.Test):
            yield "test", node.name
        elif isinstance(node, nodes.Filter):
            yield "filter", node.name
            place, kind = _NAMING.get(node.name, (len(node.args), ""))
            named = node.args[place] if len(node.args) > place else None
            if isinstance(named, nodes.Const) and isinstance(named.value, str):
                yield kind, named.value
