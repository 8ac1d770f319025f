"""The files that environments and templates refer to: found in their texts as Heat's client finds them, and renamed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote, unquote

import yaml

from tripleo_ffwd.plan.places import NotReadable, compose
from tripleo_ffwd.plan.shapes import NO_FILES

# Where the templates' package puts them: TripleO's client takes them from there unless it is told of another place.
DEFAULT_PLACE = Path("/usr/share/openstack-tripleo-heat-templates")
_FILES = (".yaml", ".template")


def renamed(
    data: bytes, name: str, references: Iterable[yaml.ScalarNode], find: Callable[[yaml.ScalarNode], str]
) -> bytes:
    """Return a file's text with its references leading to the plan's own files; all else is kept byte for byte.

    Args:
        data: the text.
        name: of the file in the plan.
        references: nodes of the text.
        find: the name in the plan of the file that a reference means; empty to leave the reference alone.
    """
    changes = {}
    for node in references:
        target = find(node)
        if not target:
            continue
        wanted = quote(posixpath.relpath(target, posixpath.dirname(name)))
        if posixpath.normpath(node.value) != wanted:
            changes[node.start_mark.index] = (node.end_mark.index, wanted)
    text = data.decode("utf-8")
    for start, (end, wanted) in sorted(changes.items(), reverse=True):
        properties = re.match(r"(?:[&!]\S*\s+)*", text[start:end])
        kept = properties.group() if properties else ""
        text = f'{text[:start]}{kept}"{wanted}"{text[end:]}'
    return text.encode()


def make_relative(root: Path, names: Sequence[str], source: Path | None) -> None:
    """Let the templates' own files name each other by where they are in the plan, wherever the templates were.

    Absolute names below their directory, and below `DEFAULT_PLACE`, are meant; those of files that the plan has not
    stay as they are.

    Args:
        root: directory of the plan's files.
        names: of the templates' files in it.
        source: directory that the templates came from; None when they did not come from a directory.
    """
    places = [place for place in (source, DEFAULT_PLACE) if place is not None]
    prefixes = [f"{place}/".encode() for place in places]

    def find(node: yaml.ScalarNode) -> str:
        target = PurePath(posixpath.normpath(unquote(node.value.removeprefix("file://"))))
        inside = (target.relative_to(place).as_posix() for place in places if target.is_relative_to(place))
        return next((found for found in inside if (root / found).is_file()), "")

    for name in names:
        data = (root / name).read_bytes() if name.endswith(_FILES) and ".j2." not in name else b""
        if any(prefix in data for prefix in prefixes):
            adapted = renamed(data, name, [*_registry_of(data), *template_references(data)], find)
            if adapted != data:
                (root / name).write_bytes(adapted)


def _registry_of(data: bytes) -> Iterator[yaml.ScalarNode]:
    try:
        yield from registry_references(compose(data))
    except NotReadable:
        return


def registry_references(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """Yield the file names in an environment's resource_registry, as Heat's client finds them."""
    for key, registry in _items(node):
        if key.value == "resource_registry":
            yield from _mapped_files(registry)
            for section, resources in _items(registry):
                if section.value == "resources":
                    for _, types in _items(resources):
                        yield from _mapped_files(types)


def _mapped_files(mapping: yaml.Node) -> Iterator[yaml.ScalarNode]:
    for key, value in _items(mapping):
        if not isinstance(value, yaml.ScalarNode) or value.tag.endswith(":null") or key.value in NO_FILES:
            continue
        if "::" not in value.value:
            yield value


def template_references(data: bytes) -> Iterator[yaml.ScalarNode]:
    """Yield the file names in a Heat template; nothing for any other file."""
    try:
        node = compose(data)
    except NotReadable:
        return
    if any(key.value == "heat_template_version" for key, _ in _items(node)):
        yield from _nested_references(node)


def _nested_references(node: Any) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _nested_references(item)
    for key, value in _items(node):
        if not isinstance(value, yaml.ScalarNode):
            yield from _nested_references(value)
        elif key.value == "get_file" or (key.value == "type" and value.value.endswith((".yaml", ".template"))):
            yield value


def _items(node: Any) -> list[tuple[yaml.Node, yaml.Node]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []
