"""A rehearsal: the generated playbooks on stand-in nodes, by durable runs, phase by phase; nothing outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.ansible_run.machine import stat_process
from tripleo_ffwd.ansible_run.tree import load
from tripleo_ffwd.embedded import rehearsal_report, rehearsal_tree
from tripleo_ffwd.embedded.rehearsal_options import Options
from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.model import PHASE_PLAYBOOKS, RunSpec, RunStatus
from tripleo_ffwd.playbook_gen import writing
from tripleo_ffwd.playbook_gen.tree import PlaybookTree

PLAN = "rehearsal"
POLL = 0.2
END_SECONDS = 30
_LAUNCH = {"launcher": "detach", "heartbeat_interval": 1, "heartbeat_stale": 120}


Told = Callable[[str, str, RunStatus], None]


def rehearse(tree: PlaybookTree, work: Path, options: Options, told: Told) -> dict[str, Any]:
    """Go through the playbooks of all phases in order; return the report, see `rehearsal_report.report`.

    Args:
        tree: as it was generated, with `missing_modules` looked for.
        work: an empty directory of its own; playbooks, runs and records stay there.
        options: what is asked for.
        told: called with phase, playbook and status whenever something may have changed.

    Raises:
        FfwdError: a run can't be made or started. Nothing is left running then, nor after an interrupt.
    """
    records = work / "records"
    records.mkdir(mode=0o700)
    me = stat_process(os.getpid())
    owner = (os.getpid(), me.started if me else 0)
    hosts = rehearsal_tree.hosts_by_role(tree)
    missing = tree.manifest["missing_modules"] or ()
    done: list[rehearsal_report.Done] = []
    with _ended_with_us(work):
        for number, (phase, playbook) in enumerate(program(tree, options.phase)):
            record = records / f"{number}-{phase}.jsonl"
            ready = rehearsal_tree.rehearsed(tree, record, owner, missing)
            directory = work / "playbooks" / str(number)
            writing.write_tree(ready, directory)
            spec = _spec(directory, ready, (phase, playbook), options, _targets(hosts, options.hosts_per_role))
            done.append(_go_through(work, spec, record, told))
    return rehearsal_report.report(tree, hosts, done, options)


def program(tree: PlaybookTree, phase: str | None) -> list[tuple[str, str]]:
    """Return (phase, playbook) in the order in which phases run them, of the playbooks that the tree has."""
    phases = [name for name in PHASE_PLAYBOOKS if phase in (None, name)]
    there = {stage["playbook"] for stage in tree.manifest["stages"]}
    return [(name, playbook) for name in phases for playbook in PHASE_PLAYBOOKS[name] if playbook in there]


def _spec(
    directory: Path, tree: PlaybookTree, what: tuple[str, str], options: Options, targets: tuple[str, ...]
) -> RunSpec:
    library, roles, collections = options.paths
    return RunSpec(
        plan=PLAN,
        phase=what[0],
        playbook=what[1],
        tree=str(directory),
        digest=tree.manifest["digest"],
        targets=targets,
        forks=options.forks,
        timeout=options.timeout,
        ansible_library=library,
        ansible_roles_path=roles,
        ansible_collections_path=collections,
    )


def _targets(hosts: Mapping[str, tuple[str, ...]], most: int) -> tuple[str, ...]:
    return tuple(sorted({host for names in hosts.values() for host in names[:most]})) if most else ()


def _go_through(work: Path, spec: RunSpec, record: Path, told: Told) -> rehearsal_report.Done:
    began = time.monotonic()
    if spec.playbook in load(Path(spec.tree)).missing:
        why = "inputs are missing; take the servers' deployments from --stack or --config-download"
        return rehearsal_report.Done(spec.phase, spec.playbook, None, Path(), record, 0.0, why)
    status, _ = runs.start(work, spec, **_LAUNCH)  # type: ignore[arg-type]
    told(spec.phase, spec.playbook, status)
    while not status.settled:
        time.sleep(POLL)
        status = runs.status(Path(status.run_dir))
        told(spec.phase, spec.playbook, status)
    run_dir = Path(status.run_dir)
    return rehearsal_report.Done(spec.phase, spec.playbook, status, run_dir, record, time.monotonic() - began, "")


@contextlib.contextmanager
def _ended_with_us(work: Path) -> Iterator[None]:
    """End every run of a work directory at the end, whatever ends it: a signal too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _end(work)


def _end(work: Path) -> None:
    """Cancel what is live, and see to it that nothing of it is alive.

    Raises:
        FfwdError: something is.
    """
    for status in runs.list_runs(work):
        run_dir = Path(status.run_dir)
        if not status.settled:
            runs.cancel(run_dir, now=True, wait=END_SECONDS)
        alive = runs.leftovers(run_dir)
        if alive:
            raise FfwdError(f"processes of the rehearsal are still alive: {alive}", where=str(run_dir))
