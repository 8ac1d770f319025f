"""Names that are a slip of the pen from others; stdlib only."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Names that differ in digits name different things (Compute1Count, Compute2Count); short ones are near to too many.
_DIGITS = re.compile(r"\d+")
_SHORT = 8
_LONG = 12


def find_misspelled(name: str, known: Iterable[str]) -> str:
    """Return the known name that `name` is most likely meant to be, or ``""`` when it looks like one of its own.

    It is when only case, ``_`` and ``-`` differ; when one letter does in a name of 8 letters or more, or two in one of
    12 or more, where two neighbours in each other's place count as one. Digits must be the same.
    """
    folded, digits = _fold(name), _DIGITS.findall(name)
    allowed = 0 if len(folded) < _SHORT else 1 if len(folded) < _LONG else 2
    best, best_distance = "", allowed + 1
    for other in sorted(known):
        if abs(len(other) - len(name)) > allowed + 2 or _DIGITS.findall(other) != digits:
            continue
        found = distance(folded, _fold(other), best_distance)
        if found < best_distance:
            best, best_distance = other, found
    return best


def distance(left: str, right: str, limit: int) -> int:
    """Return how many letters to add, drop, change or swap make one of the other; `limit` when as many or more."""
    if abs(len(left) - len(right)) >= limit:
        return limit
    before: list[int] = []
    row = list(range(len(right) + 1))
    for place, letter in enumerate(left, 1):
        older, before, row = before, row, [place]
        for column, other in enumerate(right, 1):
            cost = min(row[-1] + 1, before[column] + 1, before[column - 1] + (letter != other))
            if place > 1 and column > 1 and (letter, left[place - 2]) == (right[column - 2], other):
                cost = min(cost, older[column - 2] + 1)
            row.append(cost)
        if min(row) >= limit:
            return limit
    return min(row[-1], limit)


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
