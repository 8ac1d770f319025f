"""One node as its tools see it: its state, the site's shared state, its journal and its faults.

Started at every call of a tool, so it imports only what is quick to import: no argparse, dataclasses, typing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path


class ToolError(Exception):
    """A tool can't do what it was asked to: a message for stderr and an exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class Usage(ToolError):
    """A tool was called in a way that it does not know."""

    def __init__(self, message: str) -> None:
        super().__init__(f"usage: {message}", 2)


def read_json(path: Path) -> dict:  # type: ignore[type-arg]
    """Return the object in a JSON file."""
    data: dict = json.loads(path.read_text(encoding="utf-8"))  # type: ignore[type-arg]
    return data


def write_json(path: Path, data: object) -> None:
    """Write a JSON file whole or not at all; the caller holds the lock that keeps other writers away."""
    partial = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        json.dump(data, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[dict]:  # type: ignore[type-arg]
    """Give the object in a JSON file to change; it is written back when it was changed, also after a ToolError."""
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        data = read_json(path)
        before = json.dumps(data, sort_keys=True)
        try:
            yield data
        finally:
            if json.dumps(data, sort_keys=True) != before:
                write_json(path, data)
    finally:
        os.close(handle)


class Node:
    """The node that a tool runs on.

    Attributes:
        root: the node's root directory, its user's home.
        name: the node's name.
        shared: the directory with what belongs to the site: nodes.json, database.json, cluster.json.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.shared = root.parent.parent

    @property
    def state_file(self) -> Path:
        """File of the node's own state."""
        return self.root / "state" / "node.json"

    @property
    def database_file(self) -> Path:
        """File of the site's database: schemas and history."""
        return self.shared / "database.json"

    @property
    def cluster_file(self) -> Path:
        """File of the site's cluster: members and resources."""
        return self.shared / "cluster.json"

    @property
    def fault_file(self) -> Path:
        """File of the faults that are set for the node."""
        return self.root.parent / "fault.json"

    def controllers(self) -> list[str]:
        """Return the names of the site's controllers; the first is the bootstrap node."""
        nodes = read_json(self.shared / "nodes.json")["nodes"]
        return [node["name"] for node in nodes if node["role"] == "Controller"]

    def state_of(self, name: str) -> dict:  # type: ignore[type-arg]
        """Return the state of another node of the site."""
        return read_json(self.shared / name / "root" / "state" / "node.json")

    def cluster(self) -> dict:  # type: ignore[type-arg]
        """Return members and resources of the cluster."""
        return read_json(self.cluster_file)

    def faults(self) -> dict[str, str]:
        """Return the faults that are set, kind to argument."""
        try:
            return read_json(self.fault_file)
        except FileNotFoundError:
            return {}

    def record(self, tool: str, arguments: list[str], code: int) -> None:
        """Append the call to the journal: one write, so that calls at the same time don't mix."""
        entry = {"time": round(time.time(), 3), "tool": tool, "argv": arguments, "rc": code}
        handle = os.open(self.root / "journal.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, json.dumps(entry).encode() + b"\n")
        finally:
            os.close(handle)


def take_options(arguments: list[str], flags: str = "", values: str = "") -> tuple[dict[str, str], list[str]]:
    """Part options from words, wherever they stand.

    Args:
        arguments: what was typed.
        flags: options without a value, parted by blanks.
        values: options with a value, as the next word or after ``=``.

    Raises:
        Usage: an option is in neither list, or its value is missing.
    """
    options: dict[str, str] = {}
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            words.append(word)
        elif name in values.split():
            options[name] = value if equals else next(rest, "")
            if not options[name]:
                raise Usage(f"option {name} needs a value")
        elif name in flags.split():
            options[name] = value
        else:
            raise Usage(f"unknown option {word}; known: {flags} {values}")
    return options, words
