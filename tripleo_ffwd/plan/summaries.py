"""Summaries of what a plan's new version changes: JSON files beside the plan's records, and a sentence for people."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.files import write_json
from tripleo_ffwd.plan.lock import records_dir

KEEP = 20
_SECTIONS = {
    "templates": "template",
    "environments": "environment",
    "parameters": "parameter",
    "types": "resource type",
}
_MAX_REASON = 300


def save(work_dir: Path, plan: str, summary: Mapping[str, Any]) -> Path:
    """Store a summary, forget the oldest ones, and return its file.

    Args:
        work_dir: [ffwd] work_dir.
        plan: name of the plan.
        summary: with ``phase`` and ``version``, which name the file: the same again replaces it.
    """
    directory = records_dir(work_dir, plan) / "changes"
    path = directory / f"{summary['version']:06d}-{summary['phase']}.json"
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    write_json(path, {"plan": plan, "created": created, **summary})
    for old in sorted(directory.glob("[0-9]*.json"))[:-KEEP]:
        if old != path:
            old.unlink(missing_ok=True)
    return path


def counts(changes: Mapping[str, Any]) -> dict[str, int]:
    """Return how many templates, environments, parameters and types a comparison names."""
    found = {}
    for section in _SECTIONS:
        kinds = ("added", "removed", "changed")
        found[section] = sum(len(changes[section].get(kind) or ()) for kind in kinds)
    before, after = (set(changes["environments"].get(side) or ()) for side in ("before", "after"))
    found["environments"] += len(before ^ after)
    return found


def describe(version: int, numbers: Mapping[str, int], resources: Mapping[str, Any], *, reordered: bool) -> str:
    """Return one sentence: what a version changes in the plan, and what Heat says of the resources."""
    parts = [f"{numbers[name]} {word}{'' if numbers[name] == 1 else 's'}" for name, word in _SECTIONS.items()]
    told = f"version {version} changes {', '.join(parts)}"
    told += ", and the order of the environments" if reordered else ""
    if not resources["supported"]:
        return f"{told}; Heat can't tell what becomes of the resources: {resources['reason'][:_MAX_REASON]}"
    many = resources["counts"]
    told += "; Heat would " + ", ".join(
        f"{verb} {many[kind]}"
        for kind, verb in {"added": "add", "deleted": "delete", "replaced": "replace", "updated": "update"}.items()
    )
    nested = "" if resources["nested"] else ", not counting those of nested stacks, of which it can't tell"
    return f"{told} resources and leave {many['unchanged']} as they are{nested}"
