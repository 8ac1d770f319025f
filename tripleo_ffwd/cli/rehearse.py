"""`tripleo-ffwd rehearse`: the operator's own upgrade on stand-in nodes, all phases in order, and what it shows."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run.command import require_ansible
from tripleo_ffwd.cli import generate
from tripleo_ffwd.embedded import rehearsal, rehearsal_html, rehearsal_report, rehearsal_text
from tripleo_ffwd.embedded.rehearsal_options import Options
from tripleo_ffwd.exceptions import InvalidInput, WriteRefused
from tripleo_ffwd.model import RunStatus

PROGRESS_SECONDS = 5
INCOMPLETE = 2
REPORTS = {"json": "report.json", "table": "report.txt", "html": "report.html"}


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "rehearse",
        help="go through all phases on stand-in nodes, without touching the overcloud",
        description="Go through the playbooks of the phases in order on as many stand-in nodes as the overcloud has. "
        "Ansible runs them as it would; in the place of every module stands one that says that all went well. No node "
        "and no service is reached. Ends with a report: order, counts, estimated time, what is missing and what could "
        "not be decided. Exit code 0: all of it was gone through; 2: something is missing, see the report; 1: error.",
    )
    generate.add_options(parser, phases_only=True)
    parser.add_argument("--format", choices=tuple(REPORTS), default="table", help="of the report; default: table")
    parser.add_argument(
        "--output-dir",
        type=Path,
        metavar="DIR",
        help="new or empty directory for the report in all formats, the playbooks, Ansible's logs and the records; "
        "default: nothing is left",
    )
    parser.add_argument(
        "--hosts-per-role", type=_positive(int), default=0, metavar="N", help="only the first N nodes of each role"
    )
    parser.add_argument("--forks", type=_positive(int), default=25, metavar="N", help="nodes at once; default: 25")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--seconds-per-task",
        type=_positive(float),
        metavar="S",
        help=f"what a task takes on a node, for the estimate; default: {rehearsal_report.ASSUMED_SECONDS:g}",
    )
    pace.add_argument(
        "--measured",
        type=Path,
        metavar="WORK_DIR",
        help="take what tasks took in the runs of this [ffwd] work_dir, such as that of a test overcloud",
    )
    parser.set_defaults(func=run)


def _positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = kind(text)
        if not 0 < value < 1_000_000:
            raise ValueError(text)
        return value

    parse.__name__ = "positive number"
    return parse


def run(args: argparse.Namespace) -> int:
    """Rehearse and print the report."""
    require_ansible()
    if args.output_dir is not None:
        _check_output(args.output_dir)
    measured = rehearsal_report.measure(args.measured) if args.measured else {}
    tree = generate.compile_from(args)
    options = Options(
        phase=args.phase,
        hosts_per_role=args.hosts_per_role,
        forks=args.forks,
        seconds_per_task=args.seconds_per_task,
        measured=measured,
        paths=_paths(args),
    )
    if not rehearsal.program(tree, args.phase):
        raise InvalidInput("the outputs have no playbook of a phase", where=str(args.outputs))
    with _work(args.output_dir) as work:
        found = rehearsal.rehearse(tree, work, options, _Progress())
        texts = {"json": json.dumps(found, indent=1, ensure_ascii=False) + "\n", "table": rehearsal_text.text(found)}
        texts["html"] = rehearsal_html.page(found)
        if args.output_dir is not None:
            for kind, name in REPORTS.items():
                _write(work / name, texts[kind])
    print(texts[args.format], end="", flush=True)
    if args.output_dir is not None:
        print(f"The page for a browser is {args.output_dir / REPORTS['html']}.", file=sys.stderr)
    return 0 if found["complete"] else INCOMPLETE


def _paths(args: argparse.Namespace) -> tuple[str, str, str]:
    found = generate.plugin_paths_of(args)
    library, roles = found.get("ANSIBLE_LIBRARY", ""), found.get("ANSIBLE_ROLES_PATH", "")
    return library, roles, found.get("ANSIBLE_COLLECTIONS_PATH", "")


def _check_output(directory: Path) -> None:
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise WriteRefused("is not a directory", where=str(directory), remedy="Name a new or an empty directory")
    if directory.exists() and any(directory.iterdir()):
        raise WriteRefused("is not empty", where=str(directory), remedy="Name a new or an empty directory")


@contextlib.contextmanager
def _work(directory: Path | None) -> Iterator[Path]:
    """Return the directory to work in: the one that was named, or one that is gone afterwards."""
    if directory is not None:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise WriteRefused(f"can't be made: {error.strerror}", where=str(directory)) from error
        yield directory.absolute()
        return
    made = Path(tempfile.mkdtemp(prefix="tripleo-ffwd-rehearsal-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


class _Progress:
    """Says on stderr where a rehearsal stands: one line that changes on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last = 0.0
        self._shown = ""
        self._terminal = sys.stderr.isatty()

    def __call__(self, phase: str, playbook: str, status: RunStatus) -> None:
        """Take a status in."""
        now = time.monotonic()
        over = status.settled
        if not over and (now - self._last < (0.5 if self._terminal else PROGRESS_SECONDS) or not status.stage):
            return
        self._last = now
        stage = status.result if over else status.stage
        done = f"{status.stages_done}/{status.stages_total} stages"
        line = f"{phase}  {playbook}  {done}  {stage}  {now - self._began:.0f} s"
        if line == self._shown:
            return
        self._shown = line
        if self._terminal:
            width = os.get_terminal_size(sys.stderr.fileno()).columns
            print(f"\r\x1b[K{line[: width - 1]}", end="\n" if over else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)
