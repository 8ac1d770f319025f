"""Small JSON files about plans, read so that a damaged one is named, with what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.files import read_json

T = TypeVar("T")

LOCK_REMEDY = "See that no phase of the plan is under way, and no run of it (`tripleo-ffwd run list`), then remove it"
# What a value of another shape raises in whoever takes it apart.
WRONG = (ValueError, KeyError, TypeError, AttributeError)


def read(path: Path, make: Callable[[Any], T], remedy: str) -> T | None:
    """Return what `make` makes of the value in a file; None when there is no such file.

    Raises:
        InvalidInput: the file is no JSON, or not of the shape that `make` takes.
    """
    try:
        value = read_json(path)
        return None if value is None else make(value)
    except WRONG as error:
        raise damaged(str(path), remedy) from error


def parse(data: bytes, make: Callable[[Any], T], where: str, remedy: str) -> T:
    """Return what `make` makes of the value of a JSON text; raises as `read` does."""
    try:
        return make(json.loads(data))
    except WRONG as error:
        raise damaged(where, remedy) from error


def damaged(where: str, remedy: str) -> InvalidInput:
    """Return the error that says that a record is damaged."""
    return InvalidInput("It is damaged", where=where, remedy=remedy)


def mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object as it is; raises TypeError for any other value."""
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__} instead of an object")
    return value
