"""The expected end stands in the status of a live run, and in no other."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.ansible_run.machine import stat_process, this_machine
from tripleo_ffwd.ansible_run.rundir import RunDir, write_json
from tripleo_ffwd.cli.main import main

END = "2026-11-23T12:00:00Z"


def made(tmp_path: Path, **status: object) -> RunDir:
    """A run whose supervisor is this very process."""
    run = RunDir(tmp_path / "runs" / "20260101T000000-a")
    run.path.mkdir(parents=True)
    me = stat_process(os.getpid())
    assert me is not None
    write_json(run.claim, {**dataclasses.asdict(this_machine()), "pid": me.pid, "started": me.started, "claimed": 0})
    write_json(run.spec, {"plan": "overcloud", "phase": "run", "playbook": "p.yaml", "tree": "/t", "digest": "d"})
    write_json(run.status, {"state": "live", "eta": END, "heartbeat": time.time(), **status})
    return run


def test_a_live_run_has_one(tmp_path: Path, capsys) -> None:
    run = made(tmp_path)
    assert runs.status(run.path).eta == END
    assert main(["run", "show", run.run_id, "--work-dir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "expected end" in shown and END in shown
    assert main(["run", "list", "--work-dir", str(tmp_path)]) == 0
    assert END in capsys.readouterr().out


def test_a_run_that_is_not_live_has_none(tmp_path: Path) -> None:
    run = made(tmp_path)
    claim = {"host": "elsewhere", "boot_id": "x", "pid_ns": "y", "pid": 1, "started": 1, "claimed": 0}
    write_json(run.claim, claim)
    write_json(run.status, {"state": "live", "eta": END, "heartbeat": time.time() - 1000})
    assert (runs.status(run.path).state, runs.status(run.path).eta) == ("unknown", None)
