"""Documents that are too large for Mistral: kept below a plan's records, and handed out in pieces that it takes."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput, NotFound
from tripleo_ffwd.files import write_atomic
from tripleo_ffwd.plan.lock import records_dir

DIRECTORY = "documents"
# Of the compressed document; in base64 a third of what Mistral takes.
PIECE = 1 << 18
# So many of a kind are kept.
KEPT = 5
MOST_PIECES = 1000

_NAME = re.compile(r"([a-z]+)-\d{8}T\d{12}\.(html|json)")


def save(work_dir: Path, plan: str, kind: str, suffix: str, text: str) -> dict[str, Any]:
    """Keep a document; the oldest ones of its kind are removed.

    Args:
        work_dir, plan: where.
        kind: what it is, such as ``report``.
        suffix: ``html`` or ``json``.
        text: the document.

    Returns:
        ``{name, path, bytes, sha256, pieces}``: what `piece` needs, and what the whole must be.

    Raises:
        WriteRefused: it can't be written.
    """
    directory = records_dir(work_dir, plan) / DIRECTORY
    name = f"{kind}-{datetime.now(timezone.utc):%Y%m%dT%H%M%S%f}.{suffix}"
    data = text.encode()
    write_atomic(directory / name, data)
    of_kind = sorted(path for path in directory.iterdir() if path.name.startswith(f"{kind}-"))
    for old in of_kind[:-KEPT]:
        with contextlib.suppress(OSError):
            old.unlink()
    return {
        "name": name,
        "path": str(directory / name),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "pieces": len(_pieces(data)),
    }


def piece(work_dir: Path, plan: str, name: str, number: int) -> str:
    """Return piece `number` (from 0) of a document as base64.

    Raises:
        InvalidInput: that is no name of a document.
        NotFound: there is no such document, or no such piece of it.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name[:80]!r} is no name of a document")
    path = records_dir(work_dir, plan) / DIRECTORY / name
    try:
        found = _pieces(path.read_bytes())
    except OSError as error:
        raise NotFound(
            f"There is no document {name} of plan {plan}", where=str(path), remedy="Have it made again"
        ) from error
    if not 0 <= number < len(found):
        raise NotFound(f"Document {name} has {len(found)} pieces, and no number {number}", where=str(path))
    return base64.b64encode(found[number]).decode()


def fetch(document: dict[str, Any], ask: Callable[[int], str]) -> str:
    """Return a document whose pieces are asked for one by one.

    Args:
        document: as `save` returned it.
        ask: gives a piece by its number.

    Raises:
        InvalidInput: what came is not what was written.
    """
    count = int(document["pieces"])
    packed = b"".join(base64.b64decode(ask(number)) for number in range(min(count, MOST_PIECES)))
    try:
        data = gzip.decompress(packed)
    except (OSError, EOFError) as error:
        raise InvalidInput("What was fetched is damaged", where=document["name"], remedy="Ask again") from error
    if hashlib.sha256(data).hexdigest() != document["sha256"]:
        raise InvalidInput("What was fetched is not what was written", where=document["name"], remedy="Ask again")
    return data.decode()


def _pieces(data: bytes) -> list[bytes]:
    packed = gzip.compress(data, mtime=0)
    return [packed[at : at + PIECE] for at in range(0, len(packed), PIECE)]
