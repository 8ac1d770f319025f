"""The report of a check: a JSON file, kept for good, so that it can be told afterwards what was found and waived.

A plan's checks are in ``work_dir/records/PLAN/checks/ID/``, where ids sort by time; ``report.json`` in each is::

    {"format": 1, "id": ID, "plan": NAME, "phase": NAME,
     "execution": ID,               id of the root execution; empty when it is not known
     "made_at": "2026-11-23T12:00:00+00:00", "seconds": 4.2,
     "stopped": false,              whether a phase was stopped by it
     "nodes": [NAME, …],            those that were looked at
     "not_asked": [NAME, …],        those that could not be
     "counts": {"inhibitors": 0, "error": 0, "warning": 2, "info": 1,     of those that stand
                "waived": 1},
     "findings": [{"key", "severity", "inhibitor", "what", "where", "remedy"}, …],   inhibitors first
     "waived": [{…the same…, "reason", "until"}, …],
     "not_made": [{"key", "where", "why"}, …]}                                        checks that could not be made

Everything else in that directory is of use only while the check is under way. Imports files and exceptions.
"""

from __future__ import annotations

import contextlib
import datetime
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import NotFound
from tripleo_ffwd.files import make_private_dir, read_json, write_json
from tripleo_ffwd.preflight.findings import SEVERITIES, Finding
from tripleo_ffwd.preflight.waivers import Waived

FORMAT = 1
REPORT = "report.json"
# How many checks of a plan keep their directories; reports that name something waived are kept for good.
KEPT = 50
# What a message names.
NAMED = 10


def make(
    identity: dict[str, Any], findings: Sequence[Finding], waived: Sequence[Waived], *, stopped: bool
) -> dict[str, Any]:
    """Return a report.

    Args:
        identity: ``id``, ``plan``, ``phase``, ``execution``, ``nodes``, ``not_asked`` and ``seconds``.
        findings: those that stand, sorted.
        waived: those that do not count.
        stopped: whether a phase is stopped.
    """
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES}
    every = [*findings, *(one.finding for one in waived)]
    return {
        "format": FORMAT,
        **identity,
        "made_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "stopped": stopped,
        "counts": {
            "inhibitors": sum(finding.inhibitor for finding in findings),
            **counts,
            "waived": len(waived),
        },
        "findings": [finding.to_dict() for finding in findings],
        "waived": [one.to_dict() for one in waived],
        "not_made": [
            {"key": finding.key, "where": finding.where, "why": finding.what} for finding in every if not finding.made
        ],
    }


def checks_dir(records: Path) -> Path:
    """Return the directory of a plan's checks, in that of its records."""
    return records / "checks"


def write(directory: Path, report: dict[str, Any]) -> Path:
    """Write the report of a check; old checks of the plan are removed.

    Raises:
        WriteRefused: it can't be written.
    """
    path = make_private_dir(directory) / REPORT
    write_json(path, report)
    for old in _ids(directory.parent)[:-KEPT]:
        kept = read(directory.parent, old) if (directory.parent / old / REPORT).exists() else {}
        if not kept.get("waived"):
            shutil.rmtree(directory.parent / old, ignore_errors=True)
    return path


def read(checks: Path, identity: str) -> dict[str, Any]:
    """Return a report.

    Args:
        checks: the directory of the plan's checks.
        identity: id of the check; empty for the newest that has a report.

    Raises:
        NotFound: there is none.
    """
    wanted = [identity] if identity else list(reversed(_ids(checks)))
    for name in wanted:
        with contextlib.suppress(ValueError, OSError):
            found = read_json(checks / Path(name).name / REPORT)
            if isinstance(found, dict):
                return found
    what = f"There is no report of check {identity}" if identity else "The plan has not been checked yet"
    raise NotFound(what, where=str(checks), remedy="Run ffwd_upgrade.v1.check")


def read_all(records: Path) -> list[dict[str, Any]]:
    """Return all reports of a plan, oldest first; those that can't be read are left out.

    Args:
        records: the directory of the plan's records.
    """
    found = []
    for name in _ids(checks_dir(records)):
        with contextlib.suppress(NotFound):
            found.append(read(checks_dir(records), name))
    return found


def summary(report: dict[str, Any]) -> str:
    """Return what a report says, in one sentence."""
    counts = report["counts"]
    parts = [
        f"{counts[name]} {name}{'s' if counts[name] != 1 else ''}" for name in ("error", "warning") if counts[name]
    ]
    waived = f", {counts['waived']} waived" if counts["waived"] else ""
    found = f"{' and '.join(parts) or 'nothing to mend'}{waived}"
    left = len(report.get("not_asked", ()))
    return f"{len(report['nodes'])} nodes looked at{f', {left} not looked at' if left else ''}: {found}"


def told(report: dict[str, Any]) -> str:
    """Return the inhibitors of a report, by what they say, each with its nodes and remedy."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for finding in report["findings"]:
        if finding["inhibitor"]:
            groups.setdefault((finding["key"], finding["what"], finding["remedy"]), []).append(finding["where"])
    lines = []
    for (key, what, remedy), places in list(groups.items())[:NAMED]:
        named = [place for place in places if place]
        more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
        where = f" on {', '.join(named[:NAMED])}{more}" if named else ""
        lines.append(f"{key}{where}: {what}" + (f" ({remedy})" if remedy else ""))
    left = len(groups) - len(lines)
    return "; ".join([*lines, *([f"and {left} more"] if left > 0 else [])])


def _ids(checks: Path) -> list[str]:
    if not checks.is_dir():
        return []
    return sorted(path.name for path in checks.iterdir() if path.is_dir() and not path.name.startswith("."))
