"""The commands that show where a plan stands, and its runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from osc_lib.command import command

from tripleo_ffwd.cli.osc import looking, nodes
from tripleo_ffwd.cli.osc.base import FfwdCommand, Lines, plan_of
from tripleo_ffwd.cli.osc.progress import failure_lines, run_line
from tripleo_ffwd.cli.osc.snapshot import TERMINAL, Run

LIMIT = 100


class Status(FfwdCommand, command.ShowOne):  # type: ignore[misc]
    """Show where a plan stands: the phase under way, what each node has finished, and what is left."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Return names and values."""
        status = looking.plan_status(self.mistral, plan_of(parsed_args))
        last = looking.last_execution(self.mistral, status["plan"])
        rows = nodes.fetch(self.mistral, status["plan"])
        values = {
            "plan": status["plan"],
            "stack": status["stack"],
            "phase": Lines(_under_way(status, last), _under_way_lines),
            "prepare": status["prepare"] or "not started",
            "nodes": Lines(nodes.by_name(rows), nodes.lines),
            "left": Lines(nodes.left(status, rows), nodes.left_lines),
            "runs": status["runs"],
            "last_run": Lines(status["live"][-1:] or _listed(status["last"]), _run_lines),
            "forced": Lines(status["forced"], _forced_lines),
            "late": Lines([*status["notifications"], *status["messages"]], _late_lines),
            "warnings": Lines(status.get("warnings", []), iter),
        }
        return tuple(values), tuple(values.values())


class ListRuns(FfwdCommand, command.Lister):  # type: ignore[misc]
    """List the runs of playbooks, newest last."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--all-plans", action="store_true", help="Of all plans")
        parser.add_argument(
            "--limit", metavar="<count>", type=int, default=LIMIT, help="Only the newest (default: 100)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return headings and rows."""
        plan = "" if parsed_args.all_plans else plan_of(parsed_args)
        if plan:
            looking.plan_status(self.mistral, plan)
        found = self.mistral.ask("ffwd.list_runs", {"plan": plan, "limit": parsed_args.limit})
        headings = ("Run", "Plan", "Phase", "Playbook", "State", "Stages", "Failed", "Started", "Finished", "Execution")
        return headings, [_row(run) for run in found]


def _row(run: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        run["run_id"],
        run["plan"],
        run["phase"],
        run["playbook"],
        run["result"] or run["state"],
        f"{run['stages_done']}/{run['stages_total']}",
        run["failed_total"],
        str(run["started_at"] or "")[:19],
        str(run["finished_at"] or "")[:19],
        run["owner"],
    )


def _under_way(status: Mapping[str, Any], last: Any) -> dict[str, Any]:
    """Return which phase is under way, or which was the last one, and how it ended."""
    if status["execution"] and (last is None or last.id != status["execution"] or last.state not in TERMINAL):
        return {"name": status["phase"], "state": "RUNNING", "execution": status["execution"], "since": status["since"]}
    if last is None:
        return {}
    output = {"message": last.state_info} if last.state_info else {}
    return {
        "name": looking.phase_of(last),
        "state": last.state,
        "execution": last.id,
        "since": str(last.created_at),
        **output,
    }


def _under_way_lines(phase: Mapping[str, Any]) -> Iterator[str]:
    if not phase:
        yield "none yet"
        return
    yield f"{phase['name']}: {phase['state']} (execution {phase['execution']}, since {phase['since']} UTC)"
    if phase.get("message"):
        yield str(phase["message"])


def _listed(run: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return [run] if run else []


def _run_lines(runs: list[Mapping[str, Any]]) -> Iterator[str]:
    if not runs:
        yield "none yet"
    for data in runs:
        run = Run(data)
        yield f"{run.id}: {run.ending}, {run_line(run)}"
        if data.get("message"):
            yield str(data["message"])
        if run.failed:
            yield from failure_lines(run.failed[-1])


def _late_lines(late: list[Mapping[str, Any]]) -> Iterator[str]:
    for one in late:
        to = f"queue {one['queue']} (execution {one['execution']})" if "queue" in one else str(one["receiver"])
        since = f" since {one['since']} UTC" if one.get("since") else ""
        lost = f", {one['lost']} dropped" if one.get("lost") else ""
        yield f"{to}: {one['waiting']} messages wait{since}{lost}{': ' + one['error'] if one['error'] else ''}"


def _forced_lines(forced: list[Mapping[str, Any]]) -> Iterator[str]:
    for one in forced:
        yield f"{one.get('phase')} at {one.get('time')} UTC: {one.get('reason')}"
