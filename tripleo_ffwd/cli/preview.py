"""`tripleo-ffwd preview`: what a run would do, stage by stage, for people; touches nothing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tripleo_ffwd.cli import generate, preview_html
from tripleo_ffwd.cli.preview_rows import by_playbook, columns, columns_of, heading, marked, nodes_of

_WIDEST = 10_000


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "preview",
        help="show the stages of the phases, without writing anything",
        description="Show the stages that the generated playbooks would have; nothing is written. Stages go down, "
        "roles across; a number is a count of tasks, under `when` of the conditions that are left to run time. Marked "
        "are where a release begins and the point of no return: the first stage from which on only a restored backup "
        "brings the cloud back.",
    )
    generate.add_options(parser)
    parser.add_argument("--format", choices=("table", "json", "html"), default="table", help="default: table")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Compile in memory and print the stages."""
    manifest = generate.compile_from(args).manifest
    if args.format == "json":
        print(json.dumps(marked(manifest), indent=1, ensure_ascii=False))
    elif args.format == "html":
        print(preview_html.page(manifest))
    else:
        _print(manifest)
    return 0


def _print(manifest: Mapping[str, Any]) -> None:
    console = Console()
    point = manifest["point_of_no_return"]
    for playbook, stages in by_playbook(manifest).items():
        table = _table(manifest, playbook, stages)
        if not console.is_terminal:  # a pipe is as wide as it takes
            widest = Measurement.get(console, console.options.update(width=_WIDEST), table).maximum
            console = Console(width=max(widest, console.width))
        console.print(table)
        if point and point["playbook"] == playbook:
            names = ", ".join(dict.fromkeys(task["task"] for task in point["tasks"]))
            text = f"point of no return: {point['stage']}: {point['why']}{f': {names}' if names else ''}"
            console.print(Text(text, style="red"), soft_wrap=True)
    if not point:
        console.print("point of no return: none of these stages is one", markup=False)
    for missing in manifest["missing_inputs"]:
        console.print(f"missing: {missing['playbook']}: {missing['what']}", markup=False, soft_wrap=True)
    for line in generate.module_lines(manifest):
        console.print(f"module: {line}", markup=False, soft_wrap=True)


def _table(manifest: Mapping[str, Any], playbook: str, stages: list[Mapping[str, Any]]) -> Table:
    table = Table(title=playbook, title_justify="left")
    table.add_column("stage", overflow="fold")
    names = columns(manifest, stages)
    for name in names:
        nodes = nodes_of(manifest, name)
        table.add_column(f"{name}\n{nodes}" if nodes else name, justify="right", overflow="fold")
    table.add_column("when", justify="right")
    point = manifest["point_of_no_return"]
    release = None
    for index, stage in enumerate(stages):
        if stage["release"] != release and (stage["release"] or release):
            if index:
                table.add_section()
            table.add_row(Text(heading(stage), style="bold"))
        release = stage["release"]
        if point and (point["playbook"], point["stage"]) == (playbook, stage["id"]):
            table.add_row(Text("▼ POINT OF NO RETURN", style="bold red"))
        filled = columns_of(stage, names)
        cells = [str(stage["tasks"]) if name in filled else "" for name in names]
        table.add_row(stage["id"], *cells, str(len(stage["residual"])))
    return table
