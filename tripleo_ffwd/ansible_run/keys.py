"""A private key that is no file of the operator's: checked, handed to the supervisor, and held by an agent of its own.

On its way from the executor to the supervisor the key is a file in the run's directory, which the supervisor reads and
removes at once. Then it is in the memory of an ssh-agent that ends with its supervisor, however that ends. Where
there is no ssh-agent, it is a file among Ansible's private ones, removed with them.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import process_tree
from tripleo_ffwd.ansible_run.command import clean_environment
from tripleo_ffwd.ansible_run.process_tree import Process
from tripleo_ffwd.ansible_run.rundir import RunDir, read_json
from tripleo_ffwd.exceptions import FfwdError, InvalidInput

LOG = logging.getLogger("tripleo_ffwd.supervisor")

SECONDS = 10.0
PAUSE = 0.02
# The agent forgets the key so many seconds after the run has had its time.
LONGER = 600
CANT_REACH = 2  # exit code of ssh-add
_KEY = re.compile(r"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----\n.+\n-----END ([A-Z]+ )*PRIVATE KEY-----\n", re.DOTALL)


def check(text: str, where: str) -> str:
    """Return a private key as OpenSSH reads it; line ends are mended.

    Args:
        text: the key.
        where: names its place in errors, which never quote it.

    Raises:
        InvalidInput: it is no private key, or is protected by a passphrase.
    """
    key = "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"
    if not _KEY.fullmatch(key):
        raise _refused(where, "it is no private key")
    # In memory, and a file all the same: ssh-keygen reads it twice.
    with os.fdopen(os.memfd_create("key"), "w+") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(key)
        file.flush()
        _ask("/dev/stdin", where, file.fileno())
    return key


def check_file(path: str) -> None:
    """Check the private key in a file as `check` does; one that is not there or open to others is not looked at.

    Raises:
        InvalidInput: as there.
    """
    if Path(path).is_file():
        _ask(path, f"ssh_key_file {path}", subprocess.DEVNULL)


def _ask(path: str, where: str, stdin: int) -> None:
    try:
        done = subprocess.run(
            ["ssh-keygen", "-y", "-P", "", "-f", path],
            stdin=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # nothing to check with: ssh will say what it makes of the key
    if done.returncode == 0 or "ermission" in done.stderr:
        return
    if "passphrase" in done.stderr:
        raise _refused(where, "the private key is protected by a passphrase, which nobody can type in for a run")
    raise _refused(where, "it is no private key that ssh reads")


def _refused(where: str, why: str) -> InvalidInput:
    return InvalidInput(why, where=where, remedy="Give a private key without a passphrase, as ssh-keygen writes it")


def handed(ssh_key: str, secrets: Sequence[str]) -> dict[str, Any]:
    """Return what a supervisor is handed; empty for nothing.

    Args:
        ssh_key: the private key, as `check` returns it.
        secrets: texts that no log may show.
    """
    return {"ssh_key": ssh_key, "secrets": [*secrets]} if ssh_key or secrets else {}


def take(run: RunDir) -> tuple[str, list[str]]:
    """Return the key and the secrets that were handed over, and remove them; empty ones when there are none.

    Raises:
        FfwdError: they can't be removed.
    """
    found = read_json(run.handed) or {}
    try:
        run.handed.unlink(missing_ok=True)
    except OSError as error:
        raise FfwdError(f"what was handed over can't be removed: {error.strerror}", where=str(run.handed)) from error
    return str(found.get("ssh_key", "")), [str(text) for text in found.get("secrets", ())]


class Holder:
    """Holds a key for the processes of a run.

    Args:
        run: the run's directory.
        socket: where the agent's socket is to be; a short path.
        watch: told of the agent's processes before they have the key.
    """

    def __init__(self, run: RunDir, socket: Path, watch: Callable[[Sequence[Process]], None]) -> None:
        self._run = run
        self._socket = socket
        self._watch = watch
        # Its standard input is what it lives by: it must not be collected.
        self._agent: subprocess.Popen[bytes] | None = None

    def hold(self, key: str, lifetime: int) -> Mapping[str, str]:
        """Return what Ansible's environment needs to reach the nodes with the key.

        Args:
            key: as `check` returns it.
            lifetime: seconds after which the agent may forget the key.

        Raises:
            OSError: there is no agent, and the key can't be written.
        """
        environment = {**clean_environment(self._run.run_id), "SSH_AUTH_SOCK": str(self._socket)}
        programs = [shutil.which(name, path=environment["PATH"]) for name in ("ssh-agent", "ssh-add")]
        if all(programs) and self._start(environment) and self._add(environment, key, lifetime + LONGER):
            return {"SSH_AUTH_SOCK": str(self._socket)}
        self._end()
        path = self._run.private / "ssh_key"
        LOG.warning("there is no ssh-agent for the key: it is in %s until the run ends", path)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(key)
        return {"ANSIBLE_PRIVATE_KEY_FILE": str(path)}

    def _start(self, environment: Mapping[str, str]) -> bool:
        """Start an agent as the child of a process that ends when our end of a pipe does, as it does with us.

        The agent itself shows nobody its environment, and so not the run's mark; that process does.
        """
        self._agent = subprocess.Popen(
            ["ssh-agent", "-a", str(self._socket), "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={**environment},
        )
        deadline = time.monotonic() + SECONDS
        while not (children := process_tree.children(self._agent.pid)) or not self._socket.exists():
            if self._agent.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(PAUSE)
        self._watch(children)
        return True

    def _add(self, environment: Mapping[str, str], key: str, lifetime: int) -> bool:
        command = ["ssh-add", "-q", "-t", str(lifetime), "-"]
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                done = subprocess.run(
                    command,
                    input=key.encode(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=SECONDS,
                    env={**environment},
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return False
            if done.returncode != CANT_REACH or time.monotonic() > deadline:
                return done.returncode == 0
            time.sleep(PAUSE)

    def _end(self) -> None:
        if self._agent is None:
            return
        for process in process_tree.children(self._agent.pid):
            process_tree.send(process, signal.SIGKILL)
        self._agent.kill()
        if self._agent.stdin is not None:
            self._agent.stdin.close()
        self._agent.wait()
