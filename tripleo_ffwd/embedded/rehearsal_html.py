"""The report of a rehearsal as one HTML page that needs nothing beside itself; values in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from tripleo_ffwd.embedded.rehearsal_text import FINDINGS, duration, hosts_of, missing, remedies, summary

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Rehearsal of a fast forward upgrade</title>
<style>
:root {{ color-scheme: light dark; --paper: #fff; --ink: #1c2024; --line: #d8dde3; --band: #eef2f7; --stop: #b3131b; }}
@media (prefers-color-scheme: dark) {{ :root {{ --paper: #14171a; --ink: #e6e9ec; --line: #343b43; --band: #222a33;
  --stop: #ff8d8d; }} }}
body {{ margin: 0 auto; max-width: 75rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.7rem; }} h2 {{ font-size: 1.25rem; margin-top: 2rem; overflow-wrap: anywhere; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: right; padding: .25rem .7rem; border-top: 1px solid var(--line); vertical-align: top; }}
th:first-child, td:first-child, .words td {{ text-align: left; overflow-wrap: anywhere; font-weight: normal; }}
thead th {{ background: var(--band); font-weight: 600 !important; }}
.bad {{ color: var(--stop); }}
@media print {{ tr {{ break-inside: avoid; }} }}
</style>
</head>
<body>
<h1>Rehearsal of a fast forward upgrade</h1>
{body}
</body>
</html>
"""
_HEAD = ("stage", "nodes", "run", "skipped", "when", "estimate")


def page(report: Mapping[str, Any]) -> str:
    """Return the page; every text of the report is escaped."""
    parts = [f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in summary(report))}</ul>"]
    parts += [_missing(report)]
    parts += [_playbook(playbook) for playbook in report["playbooks"]]
    totals = [(f"{one['phase']}: {one['role']}", one.get("run", 0), one.get("skipped", 0)) for one in report["totals"]]
    parts.append("<h2>Tasks on all nodes</h2>" + _table(("phase and role", "run", "skipped"), totals))
    for name, heading in FINDINGS.items():
        if report[name]:
            rows = [(f"{one['stage']}: {one['task']}", hosts_of(one), one["message"]) for one in report[name]]
            parts.append(f"<h2>{heading}</h2>" + _table(("task", "nodes", "why"), rows, "words"))
    return _PAGE.format(body="\n".join(part for part in parts if part))


def _missing(report: Mapping[str, Any]) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in missing(report))
    told = "".join(f"<p>{escape(line)}.</p>" for line in remedies(report))
    return f"<h2>Missing</h2><ul class=bad>{lines}</ul>{told}" if lines else ""


def _playbook(playbook: Mapping[str, Any]) -> str:
    rows = [
        (one["id"], one["hosts"], one["run"], one["skipped"], one["conditions"], duration(one["estimated_seconds"]))
        for one in playbook["stages"]
    ]
    rows.append(("all", "", playbook["run"], playbook["skipped"], "", duration(playbook["estimated_seconds"])))
    told = f"{playbook['result']}{': ' if playbook['message'] else ''}{playbook['message']}"
    bad = "" if playbook["result"] == "finished" else " class=bad"
    return f"<h2>{escape(playbook['phase'])}: {escape(playbook['playbook'])}</h2><p{bad}>{escape(told)}</p>" + _table(
        _HEAD, rows
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]], style: str = "") -> str:
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="{style}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )
