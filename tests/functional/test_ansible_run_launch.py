"""Launching supervisors: what a run survives, and what an operator is told when it can't be launched."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_lab import seal
from support import until

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.exceptions import LaunchFailed
from tripleo_ffwd.model import RunSpec, RunStatus

PLAYBOOK = "post_upgrade_steps_playbook.yaml"
STAGE = "-/post/Controller/all"
SERVE = """
import argparse, sys
from tripleo_ffwd.cli import supervisord
from tripleo_ffwd.exceptions import FfwdError
parser = argparse.ArgumentParser()
supervisord.add_parser(parser.add_subparsers())
args = parser.parse_args(["supervisord", "--work-dir", sys.argv[1]])
try:
    sys.exit(args.func(args))
except FfwdError as error:
    sys.exit(str(error))
"""
DAEMON = (sys.executable, "-c", SERVE)
STARTER = """
import json, os, sys, time
from pathlib import Path
from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.model import RunSpec
spec = RunSpec(**{**json.loads(sys.argv[3]), "targets": ()})
status, _ = runs.start(Path(sys.argv[1]), spec, launcher=sys.argv[2], heartbeat_interval=1, heartbeat_stale=5)
print(json.dumps(status.to_dict()), flush=True)
time.sleep(600)
"""


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    """A playbook that says that it runs and goes on when it is let: by a fifo."""
    tree = tmp_path / "tree"
    tree.mkdir()
    os.mkfifo(tmp_path / "go")
    task = {"name": "waits", "shell": f"touch {tmp_path}/runs; cat {tmp_path}/go; touch {tmp_path}/ran"}
    play = {"name": STAGE, "hosts": "Controller", "gather_facts": False, "tasks": [task]}
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tree / PLAYBOOK).write_text(yaml.safe_dump([play], sort_keys=False))
    (tree / "inventory.yaml").write_text(json.dumps({"Controller": {"hosts": {"ctl-0": host}}}))
    stage = {"id": STAGE, "playbook": PLAYBOOK, "hosts": ["ctl-0"], "tasks": 1}
    (tree / "manifest.json").write_text(json.dumps({"digest": "d", "stages": [stage]}))
    seal(tree)
    return RunSpec(plan="overcloud", phase="upgrade", playbook=PLAYBOOK, tree=str(tree), digest="d")


@pytest.fixture
def daemon(work: Path) -> Iterator[subprocess.Popen[str]]:
    process = start_daemon(work)
    yield process
    process.terminate()
    assert process.wait(20) == 0


def start_daemon(work: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [*DAEMON, str(work)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert "serving" in process.stderr.readline()
    return process


def start_elsewhere(work: Path, launcher: str, spec: RunSpec, *prefix: str) -> tuple[subprocess.Popen[str], RunStatus]:
    data = json.dumps({**dataclasses.asdict(spec)})
    starter = subprocess.Popen(
        [*prefix, sys.executable, "-c", STARTER, str(work), launcher, data],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert starter.stdout is not None
    return starter, runs.status(Path(json.loads(starter.stdout.readline())["run_dir"]))


def let_go_on(tmp_path: Path) -> None:
    until("the task to begin", (tmp_path / "runs").exists)
    (tmp_path / "go").write_text("now")


def finish(status: RunStatus) -> RunStatus:
    until("the end of the run", lambda: runs.status(Path(status.run_dir)).settled)
    return runs.status(Path(status.run_dir))


def unshare() -> tuple[str, ...]:
    prefix = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
    if shutil.which("unshare") is None or subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    return prefix


def test_run_survives_the_death_of_its_starters_pid_namespace(
    daemon: subprocess.Popen[str], work: Path, spec: RunSpec, tmp_path: Path
) -> None:
    starter, status = start_elsewhere(work, "supervisord", spec, *unshare())
    until("the task to begin", (tmp_path / "runs").exists)
    os.killpg(starter.pid, signal.SIGKILL)  # --kill-child: the namespace's first process dies, and all in it
    starter.wait()
    let_go_on(tmp_path)
    assert finish(status).result == "successful"
    assert (tmp_path / "ran").exists()


def test_detached_run_survives_the_death_of_its_starters_process_group(
    work: Path, spec: RunSpec, tmp_path: Path
) -> None:
    starter, status = start_elsewhere(work, "detach", spec)
    until("the task to begin", (tmp_path / "runs").exists)
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    let_go_on(tmp_path)
    assert finish(status).result == "successful"


def test_run_goes_on_when_the_daemon_stops_and_a_new_daemon_serves(work: Path, spec: RunSpec, tmp_path: Path) -> None:
    first = start_daemon(work)
    status, _ = runs.start(work, spec, launcher="supervisord", heartbeat_interval=1, heartbeat_stale=5)
    until("the task to begin", (tmp_path / "runs").exists)
    first.terminate()
    assert first.wait(20) == 0
    assert not (work / "supervisord.sock").exists()
    assert runs.status(Path(status.run_dir)).state == "live"
    second = start_daemon(work)
    os.kill(second.pid, signal.SIGKILL)  # leaves its socket behind
    second.wait()
    third = start_daemon(work)
    let_go_on(tmp_path)
    assert finish(status).result == "successful"
    third.terminate()
    assert third.wait(20) == 0


def test_second_daemon_refuses(daemon: subprocess.Popen[str], work: Path) -> None:
    second = subprocess.run([*DAEMON, str(work)], capture_output=True, text=True)
    assert second.returncode == 1
    assert "another tripleo-ffwd supervisord" in second.stderr


def test_daemon_starts_nothing_outside_its_work_dir(
    daemon: subprocess.Popen[str], work: Path, spec: RunSpec, tmp_path: Path
) -> None:
    assert (work / "supervisord.sock").stat().st_mode & 0o777 == 0o600
    other = tmp_path / "elsewhere" / "runs" / "x"
    other.mkdir(parents=True)
    (other / "launch.json").write_text("{}")
    for request in (
        json.dumps({"run_dir": str(other)}),
        json.dumps({"run_dir": f"{work}/runs/../../x"}),
        "nonsense",
        "[]",
    ):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(work / "supervisord.sock"))
            client.sendall(request.encode() + b"\n")
            assert json.loads(client.recv(4096))["ok"] is False


def test_work_dir_with_a_long_path_is_served(tmp_path: Path, spec: RunSpec) -> None:
    work = tmp_path / ("a-long-name-" * 12)
    daemon = start_daemon(work)
    status, _ = runs.start(work, spec, launcher="supervisord", heartbeat_interval=1, heartbeat_stale=5)
    assert runs.cancel(Path(status.run_dir), now=True, wait=20).result == "cancelled"
    daemon.terminate()
    assert daemon.wait(20) == 0


def test_systemd_that_is_not_there_is_told_with_the_alternatives(
    work: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchFailed, match="systemd-run is not installed") as caught:
        runs.start(work, spec, launcher="systemd", heartbeat_interval=1, heartbeat_stale=5)
    assert "supervisord" in str(caught.value) and "detach" in str(caught.value)
    assert [status.state for status in runs.list_runs(work)] == ["interrupted"]
