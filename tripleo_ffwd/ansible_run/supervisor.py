"""The process that owns one run: ``python -m tripleo_ffwd.ansible_run.supervisor RUN_DIR``.

It claims the run directory, beats a heartbeat, runs Ansible and follows its ledger, ends the run when it is asked to,
out of time or out of its lease, and leaves only when nothing of the run is alive. Its last act is to write the result:
a run is finished when its processes are.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from tripleo_ffwd.ansible_run import command, keys, process_tree, rundir
from tripleo_ffwd.ansible_run.control import Control
from tripleo_ffwd.ansible_run.heart import Heart
from tripleo_ffwd.ansible_run.ledger import Ledger
from tripleo_ffwd.ansible_run.logs import AsideHandler
from tripleo_ffwd.ansible_run.machine import stat_process, this_machine
from tripleo_ffwd.ansible_run.playbook import PlaybookRun
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.tree import load, verify
from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.model import RunSpec

LOG = logging.getLogger("tripleo_ffwd.supervisor")

PR_SET_CHILD_SUBREAPER = 36
CLAIMED_ALREADY = 3
CANCEL_GRACE = 300


def become_supervisor(run: RunDir) -> None:
    """Make this process fit for its part: session, environment, log, and the subreaper of all it will start.

    Raises:
        RuntimeError: /proc is not that of our pid namespace, so that nothing could ever be proven.
    """
    if os.getsid(0) != os.getpid() and os.getpgid(0) != os.getpid():
        os.setsid()
    os.umask(0o077)
    os.chdir("/")
    clean = command.clean_environment(run.run_id)
    os.environ.clear()
    os.environ.update(clean)
    log = os.open(run.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.close(null)
    logging.basicConfig(handlers=[AsideHandler(sys.stderr)], level=logging.INFO, force=True)
    if Path("/proc/self").readlink().name != str(os.getpid()):
        raise RuntimeError("/proc shows another pid namespace than the supervisor's")
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def claim(run: RunDir) -> bool:
    """Take the run over; False when another supervisor has it, or it was given up."""
    me = stat_process(os.getpid())
    if me is None:
        raise RuntimeError("the supervisor does not see itself in /proc")
    owner = {**dataclasses.asdict(this_machine()), "pid": me.pid, "started": me.started}
    return rundir.write_once(run.claim, {**owner, "run_id": run.run_id, "claimed": time.time(), "uid": os.getuid()})


def supervise(run: RunDir) -> None:
    """Carry a claimed run through to its final status."""
    spec = rundir.load_spec(run)
    launch = rundir.read_json(run.launch) or {}
    if spec is None:
        raise RuntimeError("spec.json can't be read")
    heart = Heart(run, spec, interval=float(launch.get("heartbeat_interval", 2)))
    control = Control(
        run,
        heart,
        timeout=spec.timeout,
        grace=float(launch.get("cancel_grace", CANCEL_GRACE)),
        lease=float(launch.get("heartbeat_stale", 60)) / 2,
    )

    def ask_to_end(_number: int, _frame: FrameType | None) -> None:
        control.request("cancelled", "the supervisor was told to end by a signal")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    heart.start()
    control.start()
    try:
        result, message = run_ansible(run, spec, heart, control)
    except (Exception, SystemExit) as error:
        LOG.exception("the run failed")
        text = str(error) if isinstance(error, FfwdError) else f"{type(error).__name__}: {error}"
        result, message = control.reason or ("failed", text)
    if result == "successful":
        run.forget_variables(spec.chain)
    finish(run, heart, control, result, message)


def run_ansible(run: RunDir, spec: RunSpec, heart: Heart, control: Control) -> tuple[str, str]:
    """Run the playbook and end what it leaves behind; return result and message."""
    ssh_key, secrets = keys.take(run)
    tree = load(Path(spec.tree))
    verify(tree)
    playbook = PlaybookRun(run, spec, tree, heart, ssh_key=ssh_key, secrets=secrets)
    record(run, {"event": "run_start", "run_id": run.run_id, "playbook": spec.playbook, "resumes": spec.resumes})
    try:
        code = playbook.execute(control)
    finally:
        control.prove_ended()
    result, message = playbook.judge(code, control.reason)
    message = "; ".join(filter(None, (message, playbook.cut_off)))
    with contextlib.suppress(OSError):
        heart.check_home()
        record(run, {"event": "run_end", "status": result, "message": message})
    return result, message


def record(run: RunDir, what: Mapping[str, Any]) -> None:
    """Add one record to the ledger, while no Ansible of the run writes it; durably."""
    ledger = Ledger(run.ledger)
    try:
        ledger.append(what)
        ledger.sync()
    finally:
        ledger.close()


def finish(run: RunDir, heart: Heart, control: Control, result: str, message: str) -> None:
    """Prove that nothing of the run is alive, then write the final status; the one place that ends a run."""
    control.prove_ended()
    control.stop()
    heart.stop()
    run.clean()
    LOG.info("finished: %s: %s", result, message)
    heart.publish_final(result, message)


def daemonise() -> None:
    """Leave the caller: its parent gets init (or the nearest subreaper), its session is a new one."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)


def main(argv: list[str]) -> int:
    """Run the supervisor; return its exit code."""
    detach = "--detach" in argv
    paths = [word for word in argv if not word.startswith("--")]
    if len(paths) != 1:
        print("usage: python -m tripleo_ffwd.ansible_run.supervisor [--detach] RUN_DIR", file=sys.stderr)
        return 2
    run = RunDir(Path(paths[0]).resolve())
    if detach:
        daemonise()
    become_supervisor(run)
    try:
        if not claim(run):
            LOG.error("the run is claimed by another supervisor, or was given up; nothing is done")
            return CLAIMED_ALREADY
        LOG.info("supervisor %d has taken over run %s", os.getpid(), run.run_id)
        supervise(run)
    except (Exception, SystemExit):
        LOG.exception("the supervisor failed")
        process_tree.end_all(run.run_id, supervisor=os.getpid())
        return 1
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    os._exit(code)  # at once: the final status says that nothing of the run is alive
