"""Rows in which what has started a run ends: Mistral's process, or all of its control group."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import clouds
import yaml
from ansible_lab import is_running
from clouds import Cloud
from faults import proof
from faults.kills import dead_or_done
from faults.lab import LONG, OPTIONS, Case
from support import until

from tripleo_ffwd.ansible_run import runs, supervisord
from tripleo_ffwd.cli.register import workbooks
from tripleo_ffwd.embedded import undercloud
from tripleo_ffwd.embedded.site import open_site

# A phase without the parts that need a stack.
WORKBOOK = """
version: '2.0'
name: faults.v1
workflows:
  run:
    input: [spec, options]
    vars:
      owner: <% execution().id %>
    tasks:
      acquire_lock:
        workflow: ffwd_upgrade.v1._acquire_lock
        input:
          plan: <% $.spec.plan %>
          phase: <% $.spec.phase %>
          owner: <% $.owner %>
          inputs: {}
        on-success: [run_playbook]
      run_playbook:
        workflow: ffwd_upgrade.v1._run_playbook
        input:
          plan: <% $.spec.plan %>
          phase: <% $.spec.phase %>
          owner: <% $.owner %>
          playbook: <% $.spec.playbook %>
          tree: <% $.spec.tree %>
          digest: <% $.spec.digest %>
          targets: []
          options: <% $.options %>
"""
CONTROL_GROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")


def mistral(case: Case) -> None:
    """The run goes on without Mistral; started again, Mistral goes on to wait for it, and starts no second one."""
    cloud = _cloud(case)
    case.work = cloud.work_dir
    had = case.counts()
    spec = {name: getattr(case.spec(), name) for name in ("plan", "phase", "playbook", "tree", "digest")}
    execution = cloud.mistral.start("faults.v1.run", {"spec": spec, "options": _options()})

    def begun() -> object:
        found = cloud.mistral.execution(execution)
        assert found.state == "RUNNING", (found.state, found.output, cloud.tasks(execution))
        return runs.list_runs(case.work)

    (status,) = until("the run", begun, LONG)
    case.took(status, had)
    case.wait_moment()
    undercloud.kill(cloud.site, "mistral")
    status = case.look()
    assert status.state == "live" or status.succeeded, status
    assert status.succeeded or is_running(case.supervisor())
    if case.random.random() < 0.5:
        case.settled()  # and it ends with nobody to see it
    undercloud.start(cloud.site)
    ended = cloud.wait(execution, LONG)
    assert ended.state == "SUCCESS", ended
    assert len(runs.list_runs(case.work)) == 1
    assert case.settled().succeeded
    proof.settled(case)


def _cloud(case: Case) -> Cloud:
    """Return the lab's Mistral, which is started the first time."""
    if case.lab.cloud is None:
        site = open_site(case.lab.root / "cloud")
        site.nodes.mkdir(mode=0o700, exist_ok=True)
        # No node is there to need them.
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(site.ssh_key_file)], check=True)
        (site.nodes / "known_hosts").touch(mode=0o600)
        case.lab.cloud = clouds.opened(site)
        case.lab.cloud.mistral.put_workbook(WORKBOOK, exists=False)
    undercloud.start(case.lab.cloud.site)
    return case.lab.cloud


def _options() -> dict[str, object]:
    """Return the options that a phase hands to its playbooks, none of them given."""
    (book,) = (found for text in workbooks().values() if (found := yaml.safe_load(text))["name"] == "ffwd_upgrade.v1")
    flow = book["workflows"]["_run_playbook"]
    names = re.findall(r"\$\.options\.(\w+)", yaml.safe_dump(flow))
    given = {"resume": False, "dry_run": False, "force_reason": "", "poll_interval": 1}
    return {**dict.fromkeys(names), "ansible": {"become": False}, **given}


def obstacle() -> str:
    """Return why there can be no control group of a test's own, or an empty text."""
    return "" if _parent() else "no control group can be made by this user"


def _parent() -> Path | None:
    return next((Path(path) for path in CONTROL_GROUPS if _is_usable(Path(path))), None)


def _is_usable(path: Path) -> bool:
    return (path / "cgroup.procs").exists() and os.access(path, os.W_OK) and os.access(path / "cgroup.procs", os.W_OK)


@contextlib.contextmanager
def _group() -> Iterator[Path]:
    parent = _parent()
    assert parent is not None
    group = parent / f"ffwd-faults-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    try:
        yield group
    finally:
        _end(group)
        group.rmdir()


def _end(group: Path) -> None:
    """Kill all that is in a control group, as an init does that stops a service."""
    if (group / "cgroup.kill").exists():
        (group / "cgroup.kill").write_text("1")

    def empty() -> bool:
        pids = [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        return not pids

    until("the end of the control group", empty, 20)


def _start_in(group: Path, case: Case, launcher: str) -> None:
    """Start the run from within a control group, whose process then stays there, as Mistral's does."""
    had = case.counts()
    child = os.fork()
    if not child:
        try:
            (group / "cgroup.procs").write_text(str(os.getpid()))
            runs.start(case.work, case.spec(), **{**OPTIONS, "launcher": launcher})
            time.sleep(10 * LONG)
        finally:
            os._exit(1)
    try:
        (status,) = until("the run", lambda: runs.list_runs(case.work), LONG)
        case.took(status, had)
        case.wait_moment()
        _end(group)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, 9)
        os.waitpid(child, 0)


def control_group(case: Case) -> None:
    """A run that supervisord has started is none of Mistral's control group, and goes on."""
    case.work.mkdir(mode=0o700)
    daemon = subprocess.Popen(
        [sys.executable, "-m", "tripleo_ffwd.cli.main", "supervisord", "--work-dir", str(case.work)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until("supervisord", lambda: not supervisord.obstacle(case.work), LONG)
        with _group() as group:
            _start_in(group, case, "supervisord")
            assert case.look().state == "live" or case.status.succeeded, case.status
            assert case.settled().succeeded
            proof.settled(case)
    finally:
        daemon.terminate()
        daemon.wait(20)


def control_group_detached(case: Case) -> None:
    """A detached run ends with Mistral's control group, says so, and is gone on with."""
    with _group() as group:
        _start_in(group, case, "detach")
        dead_or_done(case)
