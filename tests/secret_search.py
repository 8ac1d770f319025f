"""Looking for secrets in files, databases and processes, however they are written there; nothing of ours is used."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote


def forms(secret: str) -> set[bytes]:
    """A secret as it may be written; what is the same in all base64 texts with it inside among them."""
    texts = {secret, json.dumps(secret)[1:-1], quote(secret), quote(secret, safe="")}
    if "\n" in secret:
        # The first lines of a private key are the same in others, and its last one is short.
        texts |= set(secret.splitlines()[3:5])
    data = secret.encode()
    encoded = {base64.b64encode(bytes(before) + data)[4:-4] for before in range(3)}
    return {text.encode() for text in texts} | encoded


def said_by_processes() -> dict[str, bytes]:
    """What every process but this one says of itself to everybody, and to its own user."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                found[entry.name] = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
    return found


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and ".sqlite" not in path.name
    }


def rows(database: Path) -> Iterator[tuple[str, bytes]]:
    """Every value in a database, with its table's name."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    if isinstance(value, str | bytes):
                        yield f"{database.name} {table}", value.encode() if isinstance(value, str) else value


def found_in(texts: Iterator[tuple[str, bytes]], secrets: dict[str, str]) -> dict[str, set[str]]:
    """Where each secret stands."""
    wanted = {name: forms(secret) for name, secret in secrets.items()}
    found: dict[str, set[str]] = {name: set() for name in secrets}
    for where, text in texts:
        for name, needles in wanted.items():
            if any(needle in text for needle in needles):
                found[name].add(where)
    return found
