"""What must be true of a run that has settled, whatever has happened: by the files of its hosts, not by its word."""

from __future__ import annotations

import collections
import json
import stat
from pathlib import Path

import psutil
from ansible_lab import is_running, records
from faults.lab import STALE, Case, in_flight
from faults.playbook import BOOTSTRAP, HOSTS, STAGES
from support import until

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.ansible_run.process_tree import MARK
from tripleo_ffwd.model import RunStatus

ORDER = {stage.id: number for number, stage in enumerate(STAGES)}


def settled(case: Case, *, torn: bool = False) -> None:
    """Check a run that has settled.

    Args:
        case: its newest run has settled, `case.status` is its status.
        torn: its ledger may lack its last records, or which lines are its own can't be told: both aren't compared.
    """
    status = case.status
    assert status is not None and status.settled, status
    nothing_alive(case)
    again = runs.status(case.run_dir, heartbeat_stale=STALE)
    assert (again.state, again.result, again.message) == (status.state, status.result, status.message), (again, status)
    _stages_told_are_finished(case, status)
    if not torn:
        _ledger_tells_all(case, status)
        _left_out_had_finished(case)
    _nothing_private_left(case)
    case.done = status.stages_done


def nothing_alive(case: Case) -> None:
    """Check that no process of the newest run lives: neither by the product's own proof, nor by ours."""
    assert runs.leftovers(case.run_dir) == ()
    assert not is_running(case.supervisor())
    assert marked(case.run_dir.name) == []
    assert masters(case) == []
    assert not case.sockets or not Path(case.sockets).exists()


def marked(run_id: str) -> list[psutil.Process]:
    """Return the living processes that carry a run's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == run_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def masters(case: Case) -> list[psutil.Process]:
    """Return the ssh processes that keep connections: they overwrite their environment, with the mark in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if case.sockets and case.sockets in " ".join(process.cmdline()) and "[mux]" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _stages_told_are_finished(case: Case, status: RunStatus) -> None:
    """A stage that is told to be done is done on all its hosts; none has begun behind the first that isn't done."""
    for stage in STAGES[: status.stages_done]:
        for host in stage.hosts:
            tasks = [line.task for line in case.lines(host) if line.stage == stage.id]
            assert tuple(tasks[len(tasks) - len(stage.tasks[host]) :]) == stage.tasks[host], (stage.id, host, tasks)
    begun = {line.stage for line in case.all_lines()}
    early = [stage.id for stage in STAGES[status.stages_done + 1 :] if stage.id in begun]
    assert not early, f"{early} began, and only {status.stages_done} stages are told to be finished"


def _ledger_tells_all(case: Case, status: RunStatus) -> None:
    """Each line was announced in the ledger and each success has left its line; what may have run is named."""
    left: collections.Counter[tuple[str, str, str]] = collections.Counter()
    for host in HOSTS:
        left.update((line.stage, line.task, line.host) for line in case.lines(host)[case.had[host] :])
    sure: collections.Counter[tuple[str, str, str]] = collections.Counter()
    maybe: collections.Counter[tuple[str, str, str]] = collections.Counter()
    noting = {(stage.id, task, host) for stage in STAGES for host in stage.hosts for task in stage.tasks[host]}
    for record in records(status, event="task_end"):
        key = (record["stage"], record["task"], record["host"])
        if key in noting:
            (sure if record["status"] in ("ok", "changed") else maybe)[key] += 1
    flying = {(one.stage, one.task, one.host) for one in in_flight(status)}
    named = {(one.stage, one.task, one.host) for one in status.running}
    assert named == flying, f"named as cut off: {named}, by the ledger: {flying}"
    for key in {*left, *sure}:
        low, high = sure[key], sure[key] + maybe[key] + (key in flying)
        assert low <= left[key] <= high, f"{key} has run {left[key]} times; the ledger knows of {low} to {high}"
    before = {stage.id for stage in STAGES[: case.had_done]}
    repeated = [key for key in left if key[0] in before]
    assert not repeated, f"{repeated} ran again, and the stage had finished before this run"


def _left_out_had_finished(case: Case) -> None:
    """Hosts that are left out of the stage that a run begins with had done all of it, and do none of it again."""
    spec = json.loads((case.run_dir / "spec.json").read_text())
    for stage in STAGES:
        for host in spec["first_hosts"] if stage.id == spec["first_stage"] else ():
            before, after = case.lines(host)[: case.had[host]], case.lines(host)[case.had[host] :]
            done = [line.task for line in before if line.stage == stage.id]
            tasks = stage.tasks.get(host, ())
            assert tuple(done[len(done) - len(tasks) :]) == tasks, f"{host}, left out of {stage.id}, has done {done}"
            assert stage.id not in {line.stage for line in after}, f"{host} has done {stage.id} again"


def _nothing_private_left(case: Case) -> None:
    """Ansible's private files, which hold a key, and temporary ones are gone; the others are for their owner alone."""
    names = {path.name for path in case.run_dir.iterdir()}
    assert not names & {"ansible", "extra_vars.json", "sockets.json"}, names
    for path in case.run_dir.iterdir():
        if not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def whole(case: Case) -> None:
    """Check the hosts once a run has gone to the end."""
    for host in HOSTS:
        lines = case.lines(host)
        numbers = [ORDER[line.stage] for line in lines]
        assert numbers == sorted(numbers), f"{host}: stages out of order: {lines}"
        for stage in STAGES:
            if host in stage.hosts:
                _whole_stage(host, [line.task for line in lines if line.stage == stage.id], stage.tasks[host])
        assert len({line.nonce for line in lines}) == len(lines)
    _values(case)
    if case.lab.site is not None:
        until("the end of what runs on the nodes", lambda: not case.lab.on_nodes(), 20)


def _whole_stage(host: str, done: list[str], tasks: tuple[str, ...]) -> None:
    """Every beginning of a stage has done its first tasks in order, the last one has done all."""
    parts: list[list[str]] = []
    for task in done:
        if task == tasks[0]:
            parts.append([])
        assert parts, f"{host}: {done}"
        parts[-1].append(task)
    assert all(tuple(part) == tasks[: len(part)] for part in parts), f"{host}: {done}"
    assert not tasks or tuple(parts[-1]) == tasks, f"{host}: {done}"


def _values(case: Case) -> None:
    """Registered variables and facts of early stages came out right in late ones, each as its stage last left it."""

    def nonce(host: str, stage: int) -> str:
        return [line.nonce for line in case.lines(host) if ORDER[line.stage] == stage][-1]

    migrated = nonce(BOOTSTRAP, 2)
    for host in HOSTS:
        said = f"{nonce(host, 0)},43,{migrated}"
        wanted = {"start services": f"1,{said}", "end": said}
        for line in case.lines(host):
            assert line.value == wanted.get(line.task, ""), line
