"""Where things stand in the pictures of a report: rectangles as paths of SVG. Pure: numbers and letters, no colours.

A path for each kind of cell in a row, neighbours joined: 300 hosts by 120 stages stay below a megabyte.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tripleo_ffwd.ansible_run.history import (
    AHEAD,
    CHANGED,
    CUT,
    EARLIER,
    ELSEWHERE,
    FAILED,
    IGNORED,
    NOTHING,
    OK,
    SKIPPED,
    UNREACHABLE,
)
from tripleo_ffwd.reporting.timelines import AGAIN

# Kinds of cells, what needs somebody first: how they are called, and in words.
KINDS: Mapping[str, tuple[str, str]] = {
    FAILED: ("failed", "failed"),
    UNREACHABLE: ("unreachable", "unreachable"),
    CUT: ("cut", "cut off: may have run"),
    AGAIN: ("again", "done at a later try"),
    IGNORED: ("ignored", "done, a failure was ignored"),
    CHANGED: ("changed", "done, changed"),
    OK: ("ok", "done"),
    SKIPPED: ("skipped", "all tasks skipped"),
    NOTHING: ("nothing", "nothing to do"),
    EARLIER: ("earlier", "done by an earlier run"),
    AHEAD: ("ahead", "not come to"),
}
# Those that fill the whole height of a row, so that they are seen without colours too.
_TALL = (FAILED, UNREACHABLE, CUT)
_ALIKE = {CHANGED: OK, SKIPPED: OK, NOTHING: OK, EARLIER: OK}
_RANK = {letter: rank for rank, letter in enumerate(KINDS)}
ROW, COLUMN, STRIP = 14, 8, 34
MOST_NAMES = 6


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Hosts by stages.

    Attributes:
        labels: of the rows: ``(name, names of the hosts that it stands for)``.
        paths: by kind of cell, what is drawn.
        width, height: in units of the picture; a row is 14 high, a column 8 wide.
    """

    labels: tuple[tuple[str, str], ...]
    paths: Mapping[str, str]
    width: int
    height: int


def matrix(rows: Sequence[tuple[str, str, str]]) -> Matrix:
    """Return the picture of some rows: name, names of its hosts, a letter for each stage."""
    columns = max((len(cells) for _, _, cells in rows), default=0)
    drawn: dict[str, list[str]] = {}
    for number, (_, _, cells) in enumerate(rows):
        for kind, path in _row(cells, number * ROW):
            drawn.setdefault(kind, []).append(path)
    labels = tuple((name, hosts) for name, hosts, _ in rows)
    return Matrix(labels, {kind: "".join(paths) for kind, paths in drawn.items()}, columns * COLUMN, len(rows) * ROW)


def _row(cells: str, top: int) -> Iterator[tuple[str, str]]:
    at = 0
    for letter, members in itertools.groupby(cells):
        size = len(list(members))
        if letter != ELSEWHERE and letter in KINDS:
            inset = 1 if letter in _TALL else 3
            height = ROW - 2 * inset
            path = f"M{at * COLUMN} {top + inset}h{size * COLUMN}v{height}h-{size * COLUMN}z"
            yield KINDS[letter][0], path
        at += size


def alike(hosts: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return one row for all hosts of a role to which the same has happened, what has failed first in each role."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for host in hosts:
        shape = "".join(_ALIKE.get(letter, letter) for letter in host["cells"])
        groups.setdefault((host["role"], shape), []).append(host)
    order = list(dict.fromkeys(role for role, _ in groups))
    ranked = sorted(groups.items(), key=lambda item: (order.index(item[0][0]), _worst(item[0][1])))
    return [_joined(role, members) for (role, _), members in ranked]


def _worst(cells: str) -> int:
    return min((_RANK.get(letter, len(_RANK)) for letter in cells), default=len(_RANK))


def _joined(role: str, members: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    names = [str(host["host"]) for host in members]
    cells = "".join(
        min(column, key=lambda letter: _RANK.get(letter, len(_RANK)))
        for column in zip(*(host["cells"] for host in members), strict=True)
    )
    if len(names) == 1:
        return names[0], role, cells
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{len(names)} {role or 'host'}", f"{', '.join(names[:MOST_NAMES])}{more}", cells


def gaps(columns: int, height: int) -> str:
    """Return the lines between columns."""
    return "".join(f"M{number * COLUMN} 0v{height}" for number in range(1, columns))


def strip(seconds: Sequence[float]) -> str:
    """Return bars that tell how long each stage took: the area grows with the time, a second is still seen."""
    longest = max(seconds, default=0.0) or 1.0
    found = []
    for number, value in enumerate(seconds):
        height = round(math.sqrt(value / longest) * STRIP, 1) if value else 0
        if height:
            width = COLUMN - 1
            found.append(f"M{number * COLUMN} {STRIP}h{width}v-{max(height, 1)}h-{width}z")
    return "".join(found)


def bands(names: Sequence[str]) -> list[tuple[str, float, float]]:
    """Return neighbours of one name as ``(name, begin, width)``, in percent of the whole."""
    found, at = [], 0
    for name, members in itertools.groupby(names):
        size = len(list(members))
        found.append((name, round(100 * at / len(names), 3), round(100 * size / len(names), 3)))
        at += size
    return found


def gantt(runs: Sequence[Mapping[str, Any]], now: str) -> list[dict[str, Any]]:
    """Return for each run that has begun where its bar is, in percent of the time from the first to the last.

    Args:
        runs: with ``started`` and ``finished``, UTC; one that has not ended lasts until `now`.
        now: the time of the report.
    """
    spans = [(run, _seconds(run["started"]), _seconds(run["finished"]) or _seconds(now)) for run in runs]
    known = [(run, begin, end) for run, begin, end in spans if begin is not None and end is not None]
    if not known:
        return []
    first, last = min(begin for _, begin, _ in known), max(end for _, _, end in known)
    whole = max(last - first, 1.0)
    return [
        {
            "run": run,
            "begin": round(100 * (begin - first) / whole, 3),
            "width": round(max(100 * (end - begin) / whole, 0.4), 3),
        }
        for run, begin, end in known
    ]


def _seconds(text: str) -> float | None:
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
