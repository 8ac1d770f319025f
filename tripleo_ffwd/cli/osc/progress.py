"""A phase while it is under way: a live view on a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tripleo_ffwd.cli.osc.snapshot import Run, Snapshot, clock

# How many tasks under way are shown.
TASKS = 8
# Without news, a line that says so comes this often (seconds).
QUIET = 60.0
RUN_COLUMNS = ("playbook", "release", "step", "role", "hosts", "stages", "left")


class Progress:
    """Shows one snapshot after the other; use it in a ``with`` statement.

    Args:
        stream: where to; a terminal gets the live view.
    """

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._told: tuple[str, ...] = ()
        self._told_at = 0.0
        self._failures: set[str] = set()
        self._trouble = ""

    def __enter__(self) -> Progress:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, markup=False)

    def show(self, snapshot: Snapshot) -> None:
        """Show what is new in `snapshot`."""
        for task in snapshot.failures:
            self._show_failure(task)
        if self._live is not None:
            self._live.update(view(snapshot), refresh=True)
            return
        if snapshot.trouble != self._trouble:
            self._trouble = snapshot.trouble
            self.say(f"{clock(snapshot.elapsed):>7}  {snapshot.trouble or 'Mistral answers again'}")
        for line in self._news(snapshot):
            self.say(f"{clock(snapshot.elapsed):>7}  {line}")

    def _news(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Return the lines to print: when a stage or a step of the workflow began, or after a time without a word."""
        if snapshot.trouble or snapshot.ended:
            return ()
        where = tuple(f"{run.id} {run.stage}" for run in snapshot.runs) or (snapshot.activity,)
        if where == self._told and snapshot.elapsed - self._told_at < QUIET:
            return ()
        self._told, self._told_at = where, snapshot.elapsed
        return tuple(run_line(run) for run in snapshot.runs) or tuple([snapshot.activity] if snapshot.activity else [])

    def _show_failure(self, task: Mapping[str, Any]) -> None:
        text = "\n".join(failure_lines(task))
        if text not in self._failures:
            self._failures.add(text)
            self._console.print(text, style="red", markup=False)


def run_line(run: Run) -> str:
    """Return where a run stands, in one line."""
    release, step, role, hosts = run.parts
    stage = " ".join(part for part in (release, step, role, hosts) if part and part != "-") or run.stage or "begins"
    left = f"  left {run.left}" if run.left else ""
    return f"{run.playbook}  {stage}  hosts {run.hosts}  stages {run.stages}{left}"


def failure_lines(task: Mapping[str, Any]) -> list[str]:
    """Return all that is known of a failed task."""
    lines = [f"FAILED  {task.get('host')}  {task.get('stage')}  {task.get('task')}"]
    lines += [f"        {line}" for line in str(task.get("message") or "").splitlines()]
    if task.get("log"):
        lines.append(f"        log: {task['log']}")
    return lines


def view(snapshot: Snapshot) -> RenderableType:
    """Return the live view of a snapshot."""
    head = Text.assemble(
        (snapshot.phase or "?", "bold cyan"),
        f" of plan {snapshot.plan}   elapsed {clock(snapshot.elapsed)}",
        (f"   execution {snapshot.execution}" if snapshot.execution else "", "dim"),
    )
    parts: list[RenderableType] = [head]
    if snapshot.runs:
        parts.append(_runs_table(snapshot))
        parts += [_tasks_table(run) for run in snapshot.runs if run.running]
        if snapshot.failures:
            parts.append(Text("\n".join(["last failure:", *failure_lines(snapshot.failures[-1])]), style="red"))
    elif snapshot.activity:
        parts.append(Text(f"  {snapshot.activity}"))
    if snapshot.trouble:
        parts.append(Text(f"  {snapshot.trouble}", style="yellow"))
    parts.append(Text("  Ctrl-C: leave it running, pause or cancel it", style="dim"))
    return Group(*parts)


def _runs_table(snapshot: Snapshot) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2))
    for heading in RUN_COLUMNS:
        table.add_column(heading, no_wrap=heading != "playbook")
    for run in snapshot.runs:
        release, step, role, hosts = run.parts
        who = f"{role} {hosts}" if hosts == "bootstrap" else role
        cells = (run.playbook, release, step, who or run.stage, run.hosts, run.stages, run.left)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _tasks_table(run: Run) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for task in run.running[:TASKS]:
        table.add_row(Text(str(task.get("host")), style="cyan"), Text(str(task.get("task"))))
    more = int(run.data.get("running_total") or len(run.running)) - TASKS
    if more > 0:
        table.add_row(Text(f"and {more} more", style="dim"), "")
    return table
