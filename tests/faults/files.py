"""Rows in which the run's files, its disk, its clock or the way to look at it are at fault."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ansible_lab import is_running
from faults import proof
from faults.kills import dead_or_done, failed_or_done
from faults.lab import STALE, Case
from faults.processes import kill
from support import until

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.exceptions import FfwdError, InvalidInput

ROOT = Path(__file__).parents[2]
LOOK = """
import json, sys
from pathlib import Path
from tripleo_ffwd.ansible_run import runs
print(json.dumps(runs.status(Path(sys.argv[1]), heartbeat_stale=float(sys.argv[2])).to_dict()))
"""
OTHER_NAMESPACE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc")


def _replace(path: Path, **changes: Any) -> None:
    temp = path.with_name(f".{path.name}.changed")
    temp.touch(mode=0o600)
    temp.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    temp.replace(path)


def moved_away(case: Case) -> None:
    """The run's directory is gone, and the lease with it: the supervisor ends its tree."""
    case.start()
    case.wait_moment()
    pid, away = case.supervisor(), case.work / "away"
    case.run_dir.rename(away)
    until("the end of the supervisor", lambda: not is_running(pid), 40)
    assert proof.marked(case.run_dir.name) == []
    # Ansible makes its directory for temporary files anew when it is gone; nothing of ours may then be written there.
    stray = [path.name for path in case.run_dir.rglob("*") if not path.is_dir()]
    assert stray == [], f"written where the run's directory was: {stray}"
    shutil.rmtree(case.run_dir, ignore_errors=True)
    away.rename(case.run_dir)
    dead_or_done(case)


def ledger_full(case: Case) -> None:
    """ansible-playbook can't write one byte more into its ledger: it ends before the next task."""
    case.start()
    case.wait_moment()
    pid = case.ansible()
    if pid:
        size = (case.run_dir / "ledger.jsonl").stat().st_size
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    status = case.settled(60)
    assert (status.state, status.result) in (("finished", "failed"), ("finished", "successful")), status
    # Where a stage begins it is the room for its variables that can't be had first.
    assert status.succeeded or "ledger" in status.message or "no room in" in status.message, status
    proof.settled(case, torn=True)


def other_namespace(case: Case) -> None:
    """Who looks from another pid namespace sees a live run while its heart beats, then unknown, and touches nothing."""
    case.start()
    case.wait_moment()
    assert _look_from_elsewhere(case)["state"] in ("live", "finished")
    assert case.look().state in ("live", "finished")
    left = case.family()
    kill(case.supervisor())
    seen = until("silence", lambda: _silent(_look_from_elsewhere(case)), 40)
    assert seen["state"] == "unknown" or seen["succeeded"], seen
    if seen["state"] == "unknown":
        alive = {process.pid for process in left if process.is_running()}
        assert alive <= {process.pid for process in case.family()}, "somebody was killed from another namespace"
        refused = _start_elsewhere(case)
        assert "RunActive" in refused, refused
    dead_or_done(case)


def _silent(seen: dict[str, Any]) -> dict[str, Any] | None:
    return seen if seen["state"] != "live" else None


def _python(*words: str) -> str:
    done = subprocess.run(
        [*OTHER_NAMESPACE, sys.executable, "-c", *words], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _look_from_elsewhere(case: Case) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_python(LOOK, str(case.run_dir), str(STALE)))
    return found


START = """
import json, sys
from pathlib import Path
from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.model import RunSpec
spec = RunSpec(**{**json.loads(sys.argv[2]), "targets": ()})
try:
    print(runs.start(Path(sys.argv[1]), spec, launcher="detach", heartbeat_interval=1, heartbeat_stale=12))
except FfwdError as error:
    print(type(error).__name__, error)
"""


def _start_elsewhere(case: Case) -> str:
    return _python(START, str(case.work), json.dumps(vars(case.spec(resume=True)), default=dict))


def clock_jumps(case: Case) -> None:
    """The last heartbeat is of tomorrow, or of last year: on its own machine a run is live while its process is."""
    case.start()
    case.wait_moment()
    pid = case.supervisor()
    kill(pid, number=signal.SIGSTOP)
    if case.look().state == "live":
        _replace(case.run_dir / "status.json", heartbeat=time.time() + case.random.choice([-4e7, -9e4, 9e4, 4e7]))
        assert case.look().state == "live"
    if case.random.random() < 0.5:
        kill(pid)
        dead_or_done(case)
        return
    kill(pid, number=signal.SIGCONT)
    assert case.settled().succeeded
    proof.settled(case)


def torn_stop(case: Case) -> None:
    """Where Ansible is to stop can't be read: it stops before its next task."""
    case.start()
    case.wait_moment()
    stop = case.run_dir / "stop.json"
    stop.touch(mode=0o600)
    stop.write_text('{"at": "st')
    failed_or_done(case, "stopped")


def torn_cancel(case: Case) -> None:
    """A request to end the run can't be read: the run is ended at once."""
    case.start()
    case.wait_moment()
    cancel = case.run_dir / "cancel.json"
    cancel.touch(mode=0o600)
    cancel.write_text('{"by"')
    status = case.settled(15)
    assert (status.state, status.result) in (("finished", "cancelled"), ("finished", "successful")), status
    proof.settled(case)


def torn_ledger(case: Case) -> None:
    """A power cut has taken a part of the ledger's last line."""
    case.start()
    case.wait_moment()
    kill(case.ansible(), case.supervisor(), *(process.pid for process in case.family()))
    ledger = case.run_dir / "ledger.jsonl"
    data = ledger.read_bytes()
    last = data.rstrip(b"\n").rpartition(b"\n")[2]
    if (case.run_dir / "status.json").read_text().find('"finished"') < 0:
        os.truncate(ledger, len(data) - case.random.randint(1, len(last)))
    status = case.look()
    assert (status.state, status.result) in (("interrupted", ""), ("finished", "successful")), status
    proof.settled(case, torn=True)


def torn_variables(case: Case) -> None:
    """A part of the kept variables is lost: going on is refused by the name of the stage, or it is not needed."""
    case.start()
    case.wait_moment()
    kill(case.supervisor())
    dead_or_done(case)
    path = case.run_dir / "variables.bin"
    if not path.exists() or not path.stat().st_size:
        return
    whole = path.with_name("variables.whole")
    shutil.copy(path, whole)
    os.truncate(path, case.random.randint(0, path.stat().st_size - 1))
    try:
        case.resume()
    except InvalidInput as error:
        assert "variables" in str(error), error
        whole.replace(path)
        return
    # What was torn off belongs to a stage that had ended only just: its successor had not been announced.
    whole.unlink()
    assert case.settled().succeeded
    proof.settled(case)


def damaged_status(case: Case) -> None:
    """status.json is garbage while the supervisor is stopped, and stays so when it is killed."""
    case.start()
    case.wait_moment()
    pid = case.supervisor()
    kill(pid, number=signal.SIGSTOP)
    (case.run_dir / "status.json").write_bytes(case.random.choice([b"", b"{", b"[]", b'{"state": 7}', b"\xff"]))
    assert case.look().state in ("live", "unknown")
    kill(pid)
    status = case.look()
    assert status.state == "interrupted", status
    proof.settled(case)


def unwritable(case: Case) -> None:
    """Starting where nothing can be written is one clear error, and leaves nothing behind."""
    case.work.mkdir()
    (case.work / "runs").write_text("in the way")
    try:
        case.start()
    except FfwdError as error:
        assert "runs" in str(error), error
    else:
        raise AssertionError("a run was started in a file")
    (case.work / "runs").unlink()
    assert runs.list_runs(case.work) == ()
