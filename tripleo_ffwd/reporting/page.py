"""A report as one HTML page that needs nothing beside itself: no script, no font, no picture, no network."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from tripleo_ffwd.reporting import charts

# So many failures are told in full at once; the others are opened one by one.
OPEN_FAILURES = 20


def render(report: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        report: as `assembling.build` returns it; every text of it is escaped.
    """
    page = _environment().get_template("report.html.j2")
    return page.render(
        report=report,
        bars=charts.gantt(report["runs"], report["made"]),
        timelines=[_timeline(one) for one in report["timelines"]],
        kinds=charts.KINDS.values(),
        failures=_alike(report["failures"]),
        open_failures=OPEN_FAILURES,
        groups=_groups(report["nodes"]),
        row=charts.ROW,
        column=charts.COLUMN,
        gaps=charts.gaps,
        strip=charts.STRIP,
    )


@functools.lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("tripleo_ffwd.reporting"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.filters.update(clock=clock, moment=moment, short=short)
    return found


def _timeline(one: Mapping[str, Any]) -> dict[str, Any]:
    stages: Sequence[Mapping[str, Any]] = one["stages"]
    rows = charts.alike(one["hosts"])
    seen = {letter for host in one["hosts"] for letter in host["cells"]}
    longest = max((stage["seconds"] for stage in stages), default=0.0)
    return {
        **one,
        "summary": charts.matrix(rows),
        # Where every row is a host already, there is no more to show.
        "full": charts.matrix([(h["host"], h["role"], h["cells"]) for h in one["hosts"]])
        if len(rows) < len(one["hosts"])
        else None,
        "strip": charts.strip([stage["seconds"] for stage in stages]),
        "longest": longest,
        "releases": charts.bands([stage["release"] or "-" for stage in stages]),
        "steps": charts.bands([f"{stage['release']} {stage['step']}".strip() for stage in stages]),
        "legend": [kind for letter, kind in charts.KINDS.items() if letter in seen],
    }


def _alike(failures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return failures of one task that say the same but for the host's name as one, told as the first host did."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in failures:
        output = str(one["output"] or one["message"])
        place = tuple(str(one[name]) for name in ("run_id", "stage", "task"))
        group = found.setdefault((*place, output.replace(one["host"], "")), {**one, "output": output, "hosts": []})
        group["hosts"].append(one["host"])
    return list(found.values())


def _groups(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the nodes that stand at the same place together."""
    keys = ("role", "phase", "state", "release", "step", "playbook", "stages_done", "stages_total", "left")
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        group = found.setdefault(repr([row[key] for key in keys]), {**{key: row[key] for key in keys}, "nodes": []})
        group["nodes"].append(row["node"])
    return list(found.values())


def clock(seconds: float | None) -> str:
    """Return a time span as people read it: ``0.4 s``, ``12 s``, ``3:05``, ``1:02:03``."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(text: str) -> str:
    """Return a time as ``2026-11-23 06:00:48``; a dash for none."""
    return str(text)[:19].replace("T", " ") if text else "-"


def short(playbook: str) -> str:
    """Return a playbook's name without what all of them end in."""
    return playbook.removesuffix(".yaml").removesuffix("_playbook")
