"""What has become of an upgrade: who has started its runs, what was done twice."""

from __future__ import annotations

import collections
import json
from pathlib import Path

from tripleo_ffwd.ansible_run import ledger, leftovers
from tripleo_ffwd.model import RunStatus


def begun(runs: tuple[RunStatus, ...]) -> tuple[RunStatus, ...]:
    """Return the runs without those whose starter died before it had a supervisor for them."""
    return tuple(run for run in runs if not run.message.startswith("never started"))


def executor_of(run: RunStatus) -> str:
    """Return the name of the executor that has started a run."""
    return str(json.loads((Path(run.run_dir) / "launch.json").read_text())["executor"])


def started_by(runs: tuple[RunStatus, ...]) -> dict[str, list[RunStatus]]:
    """Return the runs of each executor, in the order of their starts."""
    found: dict[str, list[RunStatus]] = {}
    for run in sorted(runs, key=lambda run: run.started_at):
        found.setdefault(executor_of(run), []).append(run)
    return found


def most_at_once(runs: list[RunStatus]) -> int:
    """Return how many of the runs were ever under way at the same time."""
    # An end in the same moment is before a beginning.
    moments = sorted([(run.started_at, 1) for run in runs] + [(run.finished_at, -1) for run in runs])
    most = count = 0
    for _, change in moments:
        count += change
        most = max(most, count)
    return most


def done_twice(runs: tuple[RunStatus, ...]) -> list[tuple[str, ...]]:
    """Return what was done more than once on a host: playbook, stage, task, host.

    Facts are gathered anew by each playbook, of the nodes of other batches too.
    """
    counted: collections.Counter[tuple[str, ...]] = collections.Counter()
    for run in runs:
        for record in ledger.read(Path(run.run_dir) / "ledger.jsonl"):
            if record.get("status") in ("ok", "changed", "failed") and not _asks(record["stage"]):
                counted[run.playbook, record["stage"], str(record["task_id"]), record["task"], record["host"]] += 1
    return [what for what, count in counted.items() if count > 1]


def _asks(stage: str) -> bool:
    return stage == leftovers.PLAY or "/facts/" in stage
