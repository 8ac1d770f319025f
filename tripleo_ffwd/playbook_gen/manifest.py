"""What a tree is made of, as manifest.json has it; imports only stdlib, no I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

MANIFEST = "manifest.json"
# Raised when the same outputs give other files: the digest is of the files and of it.
VERSION = "1"


def digest_of(files: tuple[tuple[str, str], ...]) -> tuple[str, tuple[dict[str, str], ...]]:
    """Return the digest of files, given as (path, text), and the hash of each."""
    hashes = tuple({"path": path, "sha256": hashlib.sha256(text.encode()).hexdigest()} for path, text in files)
    body = json.dumps([VERSION, hashes], sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest(), hashes


def dump(manifest: Mapping[str, Any]) -> str:
    """Return the text of manifest.json."""
    return json.dumps(dict(manifest), indent=1, ensure_ascii=False) + "\n"
