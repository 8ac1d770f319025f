"""How large and deep outputs may be, and of which values: what goes beyond is refused before anything works on it.

Imports only exceptions; no I/O. The limits are far above what real overclouds have (six nodes: 0.6 MB, 12,000 values,
12 deep; 5000 nodes: some 20 MB) and far below what would hurt. A value that a YAML alias repeats counts each time, so
that a few lines which stand for billions of values are refused as quickly as they are read.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping

from tripleo_ffwd.exceptions import MalformedOutputs

# Characters of one text; bytes of all outputs together, as a file or in memory; values; lists and mappings in each
# other; bits of a whole number (Python itself refuses to write one of more than 4300 digits).
MAX_TEXT = 16 * 2**20
MAX_OUTPUTS = 64 * 2**20
MAX_VALUES = 1_000_000
MAX_DEPTH = 60
MAX_BITS = 1024
MAX_KEY = 1000
_REMEDY = "Look which template writes it, and whether these are the outputs of a stack"


class _Refused(Exception):
    """What is wrong; the path to it grows on the way up."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path: list[str] = []


def check(value: object, where: str = "") -> None:
    """Refuse a value that is too large or too deep, or that holds what no JSON or plain YAML has.

    Args:
        value: outputs, or what a YAML text of theirs came to.
        where: its place, for the message.

    Raises:
        MalformedOutputs: naming the place and what is wrong with it.
    """
    try:
        _Checker().check(value, 0)
    except _Refused as found:
        path = [*([where] if where else []), *reversed(found.path)]
        shown = ".".join(path[:8]).replace(".[", "[") + ("…" if len(path) > 8 else "")
        raise MalformedOutputs(found.what, where=shown, remedy=_REMEDY) from None


def check_size(size: int, where: str) -> None:
    """Refuse outputs of more than `MAX_OUTPUTS` bytes, before they are read.

    Raises:
        MalformedOutputs: they are larger.
    """
    if size > MAX_OUTPUTS:
        what = f"is {size // 2**20} MiB, and no stack's outputs are above {MAX_OUTPUTS // 2**20}"
        raise MalformedOutputs(what, where=where, remedy=_REMEDY)


def shown(value: object, width: int = 80) -> str:
    """Return a value for a message: on one line, and not longer than a message may be."""
    text = repr(value[: width + 1] if isinstance(value, str) else value)
    return text if len(text) <= width else f"{text[:width]}…"


def shown_text(text: object) -> str:
    """Return a message of somebody else's on one line, cut where it is long."""
    line = " ".join(str(text).split())
    return line if len(line) <= 200 else f"{line[:200]}…"


class _Checker:
    def __init__(self) -> None:
        self._values = 0
        self._size = 0

    def check(self, value: object, depth: int) -> None:
        self._values += 1
        if isinstance(value, str):
            self._text(value)
        elif isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101 - the one is much faster
            self._enter(depth)
            for key, item in value.items():
                _check_key(key)
                try:
                    self.check(item, depth + 1)
                except _Refused as found:
                    found.path.append(_shown_key(key))
                    raise
        elif isinstance(value, list):
            self._enter(depth)
            for index, item in enumerate(value):
                try:
                    self.check(item, depth + 1)
                except _Refused as found:
                    found.path.append(f"[{index}]")
                    raise
        else:
            _check_scalar(value)

    def _enter(self, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise _Refused(f"more than {MAX_DEPTH} lists and mappings stand in each other")
        if self._values > MAX_VALUES:
            raise _Refused(f"there are more than {MAX_VALUES} values, each that an alias repeats counted")

    def _text(self, text: str) -> None:
        self._size += len(text)
        if len(text) > MAX_TEXT:
            raise _Refused(f"is a text of {len(text) // 2**20} MiB, above {MAX_TEXT // 2**20}")
        if self._size > MAX_OUTPUTS:
            raise _Refused(f"all texts to here are above {MAX_OUTPUTS // 2**20} MiB")
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise _Refused("has half of a surrogate pair in it, which no UTF-8 file can hold") from None


def _check_key(key: object) -> None:
    if isinstance(key, str):
        if len(key) > MAX_KEY:
            raise _Refused(f"has a key of {len(key)} characters")
        return
    if not isinstance(key, int | float | bool | None):
        raise _Refused(f"has a key of type {type(key).__name__}")
    _check_scalar(key)


def _shown_key(key: object) -> str:
    return key if isinstance(key, str) and key.isprintable() and len(key) <= 80 else shown(key)


def _check_scalar(value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise _Refused(f"is {value}, which is no number")
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise _Refused(f"is a number of {value.bit_length()} bits")
    if not isinstance(value, str | int | float | bool | datetime.date | None):
        raise _Refused(f"is of type {type(value).__name__}, which is no text, number, list or mapping")
