"""What a supervisor says of its run's end: the estimate, with the times that earlier runs have kept; starts nothing."""

from __future__ import annotations

import datetime
import time
from collections.abc import Collection, Mapping
from typing import Any

from tripleo_ffwd.ansible_run import rundir
from tripleo_ffwd.ansible_run.estimate import Estimate, known_times
from tripleo_ffwd.ansible_run.ledger import Record
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.tree import Tree
from tripleo_ffwd.model import RunSpec

# So many earlier runs are looked at.
MOST_RUNS = 20


class Outlook:
    """Tells when one run will probably end.

    Args:
        run: its directory; those beside it are of earlier runs.
        spec: what is run.
        tree: the playbooks.
    """

    def __init__(self, run: RunDir, spec: RunSpec, tree: Tree) -> None:
        self._run = run
        stages = tree.required(spec)
        known = known_times(_earlier(run, spec), frozenset(stage.id for stage in stages))
        self._estimate = Estimate(stages, tree.done_before(spec), spec.forks, known)
        self._heard = time.monotonic()

    def feed(self, record: Record) -> None:
        """Take a record of the ledger in."""
        self._heard = time.monotonic()
        self._estimate.feed(record)

    @property
    def eta(self) -> str | None:
        """The moment of the end, in UTC as RFC 3339 has it; None while nothing can be said."""
        left = self._estimate.left(time.monotonic() - self._heard)
        if left is None:
            return None
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=left)
        return end.isoformat(timespec="seconds").replace("+00:00", "Z")

    def keep(self, unfinished: Collection[str], stages: Collection[str]) -> None:
        """Keep how long finished stages have taken, for later runs; OSError when it can't be."""
        times = self._estimate.times([name for name in stages if name not in unfinished])
        rundir.write_json(self._run.times, {"stages": times}, durable=False)


def _earlier(run: RunDir, spec: RunSpec) -> list[Mapping[str, Any]]:
    """Return what the newest runs of the same playbook have kept, newest first, whatever their nodes were."""
    found: list[Mapping[str, Any]] = []
    for path in sorted(run.path.parent.glob(f"*/{run.times.name}"), reverse=True)[: MOST_RUNS * 5]:
        other = rundir.load_spec(RunDir(path.parent))
        if other is None or not _is_alike(spec, other) or path.parent.name == run.run_id:
            continue
        found.append(rundir.read_json(path) or {})
        if len(found) == MOST_RUNS:
            break
    return found


def _is_alike(spec: RunSpec, other: RunSpec) -> bool:
    names = ("plan", "phase", "playbook", "check", "tags", "skip_tags")
    return all(getattr(spec, name) == getattr(other, name) for name in names)
