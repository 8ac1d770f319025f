"""YAML files of a plan: parsed once, and where in them a key stands, looked up only when somebody must be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tripleo_ffwd.plan.rendering import load_yaml, yaml_problem


class NotReadable(Exception):
    """A file is no text or no YAML; the message says why, and never what is in it."""


def parse(data: bytes | str) -> Any:
    """Return the value of a YAML text.

    Raises:
        NotReadable: it is none.
    """
    try:
        return load_yaml(_decoded(data))
    except (yaml.YAMLError, ValueError) as error:
        told = yaml_problem(error) if isinstance(error, yaml.YAMLError) else "a value of a wrong form"
        raise NotReadable(f"The file is not YAML: {told}") from error


def compose(data: bytes | str) -> yaml.Node | None:
    """Return the YAML tree of a text with the places of its parts; None for an empty one.

    Raises:
        NotReadable: it is not YAML.
    """
    try:
        # The loader in C counts bytes where this one counts characters.
        node: yaml.Node | None = yaml.compose(_decoded(data), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise NotReadable(f"The file is not YAML: {yaml_problem(error)}") from error
    return node


def line_of(node: yaml.Node | None, path: Sequence[str | int]) -> int:
    """Return the line, from 1, of the key or item at `path`, or of the deepest part of it that is there."""
    line = node.start_mark.line if node is not None else 0
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        line, node = found
    return int(line) + 1


class Files:
    """The YAML files below a directory.

    Args:
        root: directory of the plan's files.
        given: what the operator calls a file, by its name in the plan; others are told by their name.
    """

    def __init__(self, root: Path, given: Mapping[str, str] | None = None) -> None:
        self.root = root
        self._given = given or {}
        self._texts: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._nodes: dict[str, yaml.Node | None] = {}

    def has(self, name: str) -> bool:
        """Return whether the plan has a file of this name; names that lead out of it are none of its own."""
        return not name.startswith(("..", "/")) and (self.root / name).is_file()

    def text(self, name: str) -> str:
        """Return a file's text.

        Raises:
            NotReadable: it is not UTF-8.
        """
        if name not in self._texts:
            self._texts[name] = _decoded((self.root / name).read_bytes())
        return self._texts[name]

    def load(self, name: str) -> Any:
        """Return a file's value; callers don't change it.

        Raises:
            NotReadable: it is not YAML.
        """
        if name not in self._values:
            self._values[name] = parse(self.text(name))
        return self._values[name]

    def told(self, name: str) -> str:
        """Return what an operator calls a file of the plan."""
        return self._given.get(name, name)

    def where(self, name: str, *path: str | int) -> str:
        """Return ``name, line N`` of the key or item at `path`, or of the deepest part of it that is there."""
        if name not in self._nodes:
            try:
                self._nodes[name] = compose(self.text(name))
            except NotReadable:
                self._nodes[name] = None
        told = f"{self.told(name)}, line {line_of(self._nodes[name], path)}"
        source = f"{name.removesuffix('.yaml')}.j2.yaml"
        return f"{told} (rendered from {source})" if self.has(source) else told


def _decoded(data: bytes | str) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotReadable(f"The file is not UTF-8: {error.reason} at byte {error.start}") from error


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line, node.value[step]
    if isinstance(node, yaml.MappingNode):
        # The last one counts when a key is there twice.
        for key, value in reversed(node.value):
            if key.value == str(step):
                return key.start_mark.line, value
    return None
