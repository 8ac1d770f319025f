"""`tripleo-ffwd preview`: what a run would do, stage by stage, for people; touches nothing."""

from __future__ import annotations

import argparse
import html
import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from tripleo_ffwd.cli import generate


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "preview",
        help="show the stages of the phases, without writing anything",
        description="Show the stages that the generated playbooks would have; nothing is written.",
    )
    generate.add_options(parser)
    parser.add_argument("--format", choices=("table", "json", "html"), default="table", help="default: table")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Compile in memory and print the stages."""
    manifest = generate.compile_from(args).manifest
    if args.format == "json":
        print(json.dumps(manifest["stages"], indent=1, ensure_ascii=False))
    elif args.format == "html":
        print(_html(manifest))
    else:
        _table(manifest)
    return 0


def _table(manifest: Mapping[str, Any]) -> None:
    console = Console()
    for playbook, stages in _by_playbook(manifest).items():
        table = Table(title=playbook, title_justify="left")
        for name in ("stage", "hosts"):
            table.add_column(name, overflow="fold")
        for name in ("tasks", "conditions"):
            table.add_column(name, justify="right")
        for index, stage in enumerate(stages):
            following = stages[index + 1] if index + 1 < len(stages) else stage
            table.add_row(
                stage["id"],
                _hosts(stage),
                str(stage["tasks"]),
                str(len(stage["residual"])),
                end_section=following["release"] != stage["release"],
            )
        console.print(table)
    for missing in manifest["missing_inputs"]:
        console.print(f"missing: {missing['playbook']}: {missing['what']}", markup=False)


def _by_playbook(manifest: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for stage in manifest["stages"]:
        found.setdefault(stage["playbook"], []).append(stage)
    return found


def _hosts(stage: Mapping[str, Any]) -> str:
    count = len(stage["hosts"])
    return f"one of {count}" if stage["id"].endswith("/bootstrap") else str(count)


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Fast forward upgrade</title><style>
body {{ font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; color: #222; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .25em .6em; border-bottom: 1px solid #ddd; vertical-align: top; }}
td.n {{ text-align: right; }} tr.release td {{ background: #eef; font-weight: bold; }}
summary {{ cursor: pointer; }} code {{ font-size: 90%; }}
</style></head><body>
<h1>Fast forward upgrade{releases}</h1>
<p>Roles: {roles}. Task order: {order}. Digest: <code>{digest}</code></p>
{body}
</body></html>"""


def _html(manifest: Mapping[str, Any]) -> str:
    parts = []
    for playbook, stages in _by_playbook(manifest).items():
        parts.append(f"<h2>{html.escape(playbook)}</h2><table>")
        parts.append("<tr><th>stage</th><th>hosts</th><th>tasks</th><th>conditions left to run time</th></tr>")
        release = None
        for stage in stages:
            if stage["release"] != release:
                release = stage["release"]
                parts.append(f'<tr class="release"><td colspan="4">{html.escape(release or "all releases")}</td></tr>')
            parts.append(_html_row(stage))
        parts.append("</table>")
    missing = [
        f"<li>{html.escape(item['playbook'])}: {html.escape(item['what'])}" for item in manifest["missing_inputs"]
    ]
    if missing:
        parts.append(f"<h2>Missing inputs</h2><ul>{''.join(missing)}</ul>")
    return _PAGE.format(
        releases=html.escape(": " + " → ".join(manifest["releases"]) if manifest["releases"] else ""),
        roles=html.escape(", ".join(manifest["roles"])),
        order=html.escape(manifest["task_order"]),
        digest=html.escape(manifest["digest"]),
        body="\n".join(parts),
    )


def _html_row(stage: Mapping[str, Any]) -> str:
    items = "".join(f"<li><code>{html.escape(item)}</code>" for item in stage["residual"])
    count = len(stage["residual"])
    residual = f"<details><summary>{count}</summary><ul>{items}</ul></details>" if count else "0"
    hosts = html.escape(", ".join(stage["hosts"]))
    return (
        f"<tr><td>{html.escape(stage['id'])}</td><td title='{hosts}'>{_hosts(stage)}</td>"
        f"<td class='n'>{stage['tasks']}</td><td>{residual}</td></tr>"
    )
