"""A check under way: its directory, its process, and where that stands.

The process is no run: it changes nothing, so it may end with Mistral, and is begun anew then. It ends by itself when
its time is over. What it needs lies in its directory, and its result appears there whole or not at all.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import command, keys, rundir
from tripleo_ffwd.ansible_run.machine import Machine, is_alive, this_machine
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.exceptions import LaunchFailed, WriteRefused
from tripleo_ffwd.files import make_private_dir
from tripleo_ffwd.model import RunSpec

REQUEST, RESULT, CLAIM, LOG = "request.json", "result.json", "supervisor.json", "supervisor.log"
# Seconds after its time in which the process ends what is left and writes its result.
GRACE = 15
START_SECONDS = 20


def begin(checks: Path, request: Mapping[str, Any], spec: RunSpec, ssh_key: str = "", *, look: bool) -> Path:
    """Make the directory of a check, and begin to look at the nodes.

    Args:
        checks: the directory of the plan's checks.
        request: JSON values: what is looked at, see `process`.
        spec: how a run would reach the nodes.
        ssh_key: private key that is no file of the operator's; empty for none.
        look: False to look at no nodes: there is nothing to wait for then.

    Raises:
        WriteRefused: the directory can't be made.
        LaunchFailed: the process can't be started.
    """
    directory = _make(checks, request, spec, ssh_key)
    if look:
        try:
            _start(directory)
        except LaunchFailed:
            tidy(directory, (LOG,))
            raise
    return directory


def _start(directory: Path) -> None:
    log = os.open(directory / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tripleo_ffwd.preflight.process", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=command.clean_environment(directory.name),
            start_new_session=True,
            timeout=START_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LaunchFailed(f"the look at the nodes can't be started: {error}", where=str(directory)) from error
    finally:
        os.close(log)
    if done.returncode != 0:
        raise LaunchFailed(f"the look at the nodes ended with {done.returncode} at once", where=str(directory / LOG))


def _make(checks: Path, request: Mapping[str, Any], spec: RunSpec, ssh_key: str) -> Path:
    make_private_dir(checks)
    temp: Path | None = None
    try:
        temp = Path(tempfile.mkdtemp(prefix=".new-", dir=checks))
        rundir.write_json(temp / REQUEST, {**request, "created": time.time()})
        rundir.write_json(temp / "spec.json", dataclasses.asdict(dataclasses.replace(spec, extra_vars={})))
        for name, private in (("extra_vars.json", dict(spec.extra_vars)), ("handed.json", keys.handed(ssh_key, ()))):
            if private:
                rundir.write_json(temp / name, private)
        final = checks / rundir.new_run_id()
        temp.rename(final)
    except OSError as error:
        if temp is not None:
            shutil.rmtree(temp, ignore_errors=True)
        raise WriteRefused(
            f"the check's directory can't be made: {error.strerror}",
            where=str(checks),
            remedy="Make room or mend modes",
        ) from error
    return final


def status(directory: Path) -> dict[str, Any]:
    """Return where a check stands: ``{settled, succeeded, message}`` and maybe ``died``; never raises for its files.

    It is settled when it has a result, when its process has died, and when its time is over.
    """
    if (directory / RESULT).exists():
        return {"settled": True, "succeeded": True, "message": "every node has been looked at"}
    request = rundir.read_json(directory / REQUEST)
    if request is None:
        return {"settled": True, "succeeded": False, "message": "what was to be looked at can't be read"}
    if not request.get("look", True):
        return {"settled": True, "succeeded": True, "message": "no node is looked at"}
    if time.time() > request["created"] + request["seconds"] + GRACE + START_SECONDS:
        return {"settled": True, "succeeded": False, "message": "the look at the nodes has not ended in time"}
    claim = rundir.read_json(directory / CLAIM)
    if claim is None:
        return {"settled": False, "succeeded": False, "message": "the look at the nodes begins"}
    machine = Machine(claim["host"], claim["boot_id"], claim["pid_ns"])
    dead = machine.same(this_machine()) and is_alive(claim["pid"], claim["started"]) is False
    # It may have written its result between our two looks.
    if dead and not (directory / RESULT).exists():
        return {"settled": True, "succeeded": False, "died": True, "message": "the look at the nodes has died"}
    return {"settled": False, "succeeded": False, "message": "the nodes are being looked at"}


def result(directory: Path) -> dict[str, Any]:
    """Return what the process has written, ``{findings, nodes, not_asked, seconds}``; an empty mapping for nothing."""
    return rundir.read_json(directory / RESULT) or {}


def request_of(directory: Path) -> dict[str, Any]:
    """Return what is looked at; an empty mapping when that can't be read."""
    return rundir.read_json(directory / REQUEST) or {}


def discard(directory: Path) -> None:
    """Remove a check that has not come to its end, with all that is private of it."""
    RunDir(directory).clean()
    shutil.rmtree(directory, ignore_errors=True)


def tidy(directory: Path, kept: Sequence[str]) -> None:
    """Remove what is of no use any more: all but the files in `kept`."""
    RunDir(directory).clean()
    for path in directory.iterdir():
        if path.name not in kept and path.is_file():
            path.unlink(missing_ok=True)
