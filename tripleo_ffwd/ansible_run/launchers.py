"""How the supervisor of a run is started so that it outlives its starter; one function a launcher, no fallbacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tripleo_ffwd.ansible_run import supervisord
from tripleo_ffwd.ansible_run.command import clean_environment
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.exceptions import ConfigurationError, LaunchFailed

SYSTEMD_SECONDS = 20
ALTERNATIVES = (
    "Set [ffwd] launcher to supervisord and start `tripleo-ffwd supervisord` outside Mistral's container, or to "
    "detach, where a run may end with Mistral's control group"
)


def supervisor_command(run: RunDir) -> list[str]:
    """Return the command line of a run's supervisor."""
    return [sys.executable, "-m", "tripleo_ffwd.ansible_run.supervisor", str(run.path)]


def systemd_command(run: RunDir, *, uid: int) -> list[str]:
    """Return the command line that makes the supervisor a transient unit.

    A unit has a control group of its own: what happens to Mistral's doesn't touch it. KillMode=mixed: at a stop the
    supervisor is told and ends its run; whatever outlives it is killed by systemd.
    """
    environment = clean_environment(run.run_id)
    return [
        "systemd-run",
        "--system" if uid == 0 else "--user",
        f"--unit=tripleo-ffwd-{run.run_id}",
        f"--description=tripleo-ffwd run {run.run_id}",
        "--collect",
        "--quiet",
        "--property=Type=exec",
        "--property=KillMode=mixed",
        "--property=TimeoutStopSec=60",
        "--property=UMask=0077",
        *(f"--setenv={name}={value}" for name, value in sorted(environment.items())),
        "--",
        *supervisor_command(run),
    ]


def launch_systemd(run: RunDir, work_dir: Path) -> None:
    """Start the supervisor as a transient unit of the system manager (root) or the user's."""
    if shutil.which("systemd-run") is None:
        raise LaunchFailed("systemd-run is not installed", where=run.run_id, remedy=ALTERNATIVES)
    environment = {**os.environ}
    if os.getuid() != 0:
        environment.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    try:
        done = subprocess.run(
            systemd_command(run, uid=os.getuid()),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=SYSTEMD_SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LaunchFailed("systemd does not answer", where=run.run_id, remedy=ALTERNATIVES) from error
    if done.returncode != 0:
        text = " ".join(done.stderr.split()) or f"systemd-run ended with {done.returncode}"
        raise LaunchFailed(f"systemd can't start the supervisor: {text}", where=run.run_id, remedy=ALTERNATIVES)


def launch_supervisord(run: RunDir, work_dir: Path) -> None:
    """Have ``tripleo-ffwd supervisord`` start the supervisor."""
    supervisord.ask(work_dir, run)


def launch_detach(run: RunDir, work_dir: Path) -> None:
    """Start the supervisor as a daemon: a session of its own, but still Mistral's control group and container."""
    log = os.open(run.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        done = subprocess.run(
            [*supervisor_command(run), "--detach"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=clean_environment(run.run_id),
            start_new_session=True,
            check=False,
        )
    finally:
        os.close(log)
    if done.returncode != 0:
        raise LaunchFailed(f"the supervisor ended with {done.returncode} at once", where=str(run.supervisor_log))


LAUNCHERS: Mapping[str, Callable[[RunDir, Path], None]] = {
    "systemd": launch_systemd,
    "supervisord": launch_supervisord,
    "detach": launch_detach,
}


def launch(launcher: str, run: RunDir, work_dir: Path) -> None:
    """Start the supervisor of a run.

    Args:
        launcher: ``systemd``, ``supervisord`` or ``detach``.
        run: the run's directory.
        work_dir: the [ffwd] work_dir.

    Raises:
        ConfigurationError: there is no such launcher.
        LaunchFailed: it could not be started that way; no other way is tried.
    """
    if launcher not in LAUNCHERS:
        raise ConfigurationError(
            f"there is no launcher {launcher}", where="[ffwd] launcher", remedy=f"Use one of {', '.join(LAUNCHERS)}"
        )
    LAUNCHERS[launcher](run, work_dir)


def obstacle(launcher: str, work_dir: Path) -> str:
    """Return why runs can't be started by a launcher on this machine, or an empty text; starts nothing."""
    if launcher not in LAUNCHERS:
        return f"there is no launcher {launcher}; use one of {', '.join(LAUNCHERS)}"
    if launcher == "supervisord":
        return supervisord.obstacle(work_dir)
    if launcher == "systemd":
        if shutil.which("systemd-run") is None:
            return f"systemd-run is not installed. {ALTERNATIVES}"
        scope = "--system" if os.getuid() == 0 else "--user"
        try:
            done = subprocess.run(
                ["systemctl", scope, "is-system-running"],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=SYSTEMD_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"systemd does not answer: {error}. {ALTERNATIVES}"
        state = done.stdout.strip() or "unreachable"
        if state not in ("running", "degraded", "starting"):
            return f"systemd is {state} here. {ALTERNATIVES}"
    return ""
