"""`tripleo-ffwd run list|show|pause|cancel|fence|prune`: the runs of this machine's work_dir, without Mistral."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tripleo_ffwd.ansible_run import pruning, runs
from tripleo_ffwd.ansible_run.rundir import RUNS
from tripleo_ffwd.cli.supervisord import add_work_dir, work_dir
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.plan.phases import read_record

COLOURS = {"live": "cyan", "unknown": "yellow", "paused": "yellow", "interrupted": "red", "successful": "green"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("run", help="look at the runs of playbooks, end them, say that a machine is off")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    listing = _add(verbs, "list", "the runs, newest last", list_runs)
    listing.add_argument("--plan", help="only those of this plan")
    for name, text, func in (
        ("show", "where a run stands", show),
        ("pause", "end a run where its next stage begins; resume goes on there", pause),
        ("cancel", "start no more tasks, let those under way end, and end the run", cancel),
        ("fence", "record that a run's machine is off and stays off", fence),
    ):
        _add(verbs, name, text, func).add_argument("run_id", metavar="RUN_ID", help="as `run list` shows it")
    old = _add(verbs, "prune", "remove runs of former journeys that nothing needs any more", prune)
    old.add_argument("--plan", default="", help="only those of this plan")
    old.add_argument(
        "--older-than", type=_days, default=30.0, metavar="DAYS", help="how many days ago they have ended (30)"
    )
    old.add_argument("--dry-run", action="store_true", help="remove nothing, say what would be")
    verbs.choices["cancel"].add_argument("--now", action="store_true", help="kill the tasks under way at once")
    verbs.choices["pause"].add_argument("--undo", action="store_true", help="take back a pause that is still to come")
    verbs.choices["pause"].add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="how long to wait for it (0)"
    )
    verbs.choices["cancel"].add_argument(
        "--wait", type=float, default=30.0, metavar="SECONDS", help="how long to wait for its end (30)"
    )
    verbs.choices["fence"].add_argument("--host", required=True, help="the run's machine, as `run show` names it")
    verbs.choices["fence"].add_argument("--reason", required=True, help="how it is known to be off; is recorded")


def _add(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    func: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text)
    add_work_dir(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(func=func)
    return parser


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days < 36500:
        raise ValueError(text)
    return days


def list_runs(args: argparse.Namespace) -> int:
    """Print the runs."""
    found = runs.list_runs(work_dir(args), args.plan)
    if args.json:
        print(json.dumps([status.to_dict() for status in found], indent=2))
        return 0
    if not found:
        print(f"no runs in {work_dir(args) / RUNS}")
        return 0
    table = Table("run", "plan", "phase", "playbook", "state", "stages", "failed", "started", "expected end", box=None)
    for status in found:
        table.add_row(*_row(status))
    _console().print(table)
    return 0


def _row(status: RunStatus) -> Sequence[str]:
    return (
        status.run_id,
        status.plan,
        status.phase,
        status.playbook,
        _state(status),
        f"{status.stages_done}/{status.stages_total}",
        str(status.failed_total),
        status.started_at[:19],
        status.eta or "",
    )


def _state(status: RunStatus) -> str:
    text = status.result or status.state
    return f"[{COLOURS.get(text, 'red')}]{text}[/]"


def _console() -> Console:
    console = Console()
    # A pipe has no width: whoever cuts the output into columns wants whole words.
    return console if console.is_terminal else Console(width=240)


def show(args: argparse.Namespace) -> int:
    """Print one run; exit code 1 when it failed or can't be told."""
    return _print(runs.status(_run_dir(args)), args)


def pause(args: argparse.Namespace) -> int:
    """Ask one run to end at its next stage, or take that back."""
    status = runs.unpause(_run_dir(args)) if args.undo else runs.pause(_run_dir(args), wait=args.wait)
    _print(status, args)
    return 0


def cancel(args: argparse.Namespace) -> int:
    """End one run; exit code 1 when it has not settled in time."""
    status = runs.cancel(_run_dir(args), now=args.now, wait=args.wait)
    _print(status, args)
    if not status.settled and not args.json:
        print("It ends when the tasks under way have; `tripleo-ffwd run cancel --now` cuts them off.")
    return 0 if status.settled else 1


def fence(args: argparse.Namespace) -> int:
    """Record that the machine of a run is off."""
    _print(runs.fence(_run_dir(args), args.host, args.reason), args)
    return 0


def prune(args: argparse.Namespace) -> int:
    """Remove the runs that nothing needs any more, and name them."""
    where = work_dir(args)
    found = pruning.prune(
        where,
        lambda plan: read_record(where, plan).journey,
        plan=args.plan,
        days=args.older_than,
        dry_run=args.dry_run,
    )
    if args.json:
        print(json.dumps([status.to_dict() for status in found], indent=2))
        return 0
    for status in found:
        print(f"{status.run_id}  {status.plan} {status.phase} {status.playbook}: {status.result or status.state}")
    print(f"{len(found)} runs {'would be' if args.dry_run else 'were'} removed from {where / RUNS}")
    return 0


def _run_dir(args: argparse.Namespace) -> Path:
    name: str = args.run_id
    if Path(name).name != name or name.startswith("."):
        raise InvalidInput(f"{name} is no run id", remedy="See `tripleo-ffwd run list`")
    return work_dir(args) / RUNS / name


def _print(status: RunStatus, args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps(status.to_dict(), indent=2))
    else:
        _describe(status)
    return 0 if status.state == "live" or status.result == "successful" else 1


def _describe(status: RunStatus) -> None:
    table = Table(box=None, show_header=False)
    beat = "" if status.heartbeat_age is None or status.settled else f"{status.heartbeat_age:.0f} s ago"
    for name, value in (
        ("run", status.run_id),
        ("plan", status.plan),
        ("phase", f"{status.phase} {status.playbook}"),
        ("state", _state(status)),
        ("message", status.message),
        ("stage", status.stage),
        ("stages", f"{status.stages_done} of {status.stages_total}"),
        ("hosts", f"{status.hosts_done} of {status.hosts_total}"),
        ("started", status.started_at),
        ("finished", status.finished_at),
        ("expected end", status.eta or ""),
        ("sign of life", beat),
        ("directory", status.run_dir),
    ):
        if value:
            table.add_row(f"[bold]{name}[/]", value)
    console = _console()
    console.print(table)
    if status.running:
        running = Table("host", "stage", "under way" if not status.settled else "cut off, may have run", box=None)
        for one in status.running:
            running.add_row(one.host, one.stage, one.task)
        console.print(running)
    if status.failed:
        failed = Table("host", "stage", "task", "message", box=None)
        for task in status.failed:
            failed.add_row(task.host, task.stage, task.task, task.message)
        console.print(failed)
        console.print(f"{status.failed_total} failed; see {status.failed[0].log}")
