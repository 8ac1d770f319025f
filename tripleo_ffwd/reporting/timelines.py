"""One timeline for each playbook of a phase, of all the runs that it took. Pure: values in, values out."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tripleo_ffwd.ansible_run.history import AHEAD, CUT, EARLIER, ELSEWHERE, FAILED, UNREACHABLE

# A host has done it, after it had failed there, or had been cut off.
AGAIN = "r"
_BAD = (FAILED, UNREACHABLE, CUT)
_NOTHING_SAID = (AHEAD, EARLIER, ELSEWHERE)


def build(runs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return a timeline for each phase and playbook.

    Args:
        runs: of each, what it was made of and how it ended (with ``run_id``, ``phase``, ``playbook``), and what it has
            done, as `history.of_run` has it; oldest first.

    Returns:
        ``{phase, playbook, runs, stages, hosts}`` each. Of a stage ``{id, release, step, role, where, begin, seconds,
        tasks, changed, hosts, failed, slowest}``: ``begin`` is UTC, ``seconds`` those of all runs together; of a host
        ``{host, role, cells}``: a letter for each stage.
    """
    groups: dict[tuple[str, str], list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for run, past in runs:
        groups.setdefault((run["phase"], run["playbook"]), []).append((run, past))
    return [_timeline(phase, playbook, members) for (phase, playbook), members in groups.items()]


def _timeline(
    phase: str, playbook: str, members: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> dict[str, Any]:
    pasts = [past for _, past in members]
    names = list(dict.fromkeys(stage["id"] for past in reversed(pasts) for stage in past["stages"]))
    cells = _merged(pasts, names)
    roles = _roles(pasts, names)
    hosts = [{"host": host, "role": roles.get(host, ""), "cells": cells[host]} for host in cells]
    order = list(dict.fromkeys(roles.values()))
    hosts.sort(key=lambda row: (order.index(row["role"]) if row["role"] in order else len(order), natural(row["host"])))
    return {
        "phase": phase,
        "playbook": playbook,
        "runs": [run["run_id"] for run, _ in members],
        "stages": [_stage(name, pasts, [row["cells"][number] for row in hosts]) for number, name in enumerate(names)],
        "hosts": hosts,
    }


def _merged(pasts: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, str]:
    """Return for each host what the runs together have done: the newest that says anything counts."""
    found: dict[str, list[str]] = {}
    at = {name: number for number, name in enumerate(names)}
    for past in pasts:
        numbers = [at[stage["id"]] for stage in past["stages"]]
        for host, cells in past["hosts"].items():
            row = found.setdefault(host, [ELSEWHERE] * len(names))
            for number, letter in zip(numbers, cells, strict=True):
                row[number] = _later(row[number], letter)
    return {host: "".join(row) for host, row in found.items()}


def _later(known: str, letter: str) -> str:
    if letter in _NOTHING_SAID:
        return letter if known == ELSEWHERE or (known == AHEAD and letter == EARLIER) else known
    if letter not in _BAD and (known in _BAD or known == AGAIN):
        return AGAIN
    return letter


def _roles(pasts: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, str]:
    """Return the role of each host: that of the first stage of a role which is for it."""
    found: dict[str, str] = {}
    for name in names:
        role = _part(name, 2)
        if role in ("", "all", "overcloud", "undercloud"):
            continue
        for past in pasts:
            number = next((n for n, stage in enumerate(past["stages"]) if stage["id"] == name), None)
            for host, cells in past["hosts"].items() if number is not None else ():
                if cells[number] != ELSEWHERE:
                    found.setdefault(host, role)
    return found


def _stage(name: str, pasts: Sequence[Mapping[str, Any]], column: Sequence[str]) -> dict[str, Any]:
    found = [(past, stage) for past in pasts for stage in past["stages"] if stage["id"] == name]
    begun = [moment(past["began"], stage["begin"]) for past, stage in found if stage["begin"] is not None]
    slowest = max((stage["slowest"] for _, stage in found), key=lambda one: float(one["seconds"]))
    return {
        "id": name,
        "release": _part(name, 0).replace("-", ""),
        "step": _part(name, 1),
        "role": _part(name, 2),
        "where": _part(name, 3),
        "begin": min(filter(None, begun), default=""),
        "seconds": round(sum(stage["seconds"] or 0.0 for _, stage in found), 3),
        "tasks": max(stage["tasks"] for _, stage in found),
        "changed": sum(stage["changed"] for _, stage in found),
        "hosts": sum(letter not in (ELSEWHERE, AHEAD) for letter in column),
        "failed": sum(letter in _BAD for letter in column),
        "slowest": dict(slowest),
    }


def _part(name: str, number: int) -> str:
    parts = name.split("/")
    return parts[number] if len(parts) == 4 else name if number == 1 else ""


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which ``compute-9`` comes before ``compute-10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def moment(began: str, seconds: float) -> str:
    """Return the time so many seconds after another one, UTC; empty when that is none."""
    try:
        found = datetime.datetime.fromisoformat(began) + datetime.timedelta(seconds=seconds)
    except ValueError:
        return ""
    return found.isoformat(timespec="milliseconds")
