"""The daemon that starts supervisors outside Mistral's container, and how it is asked: one JSON line each way."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from tripleo_ffwd.ansible_run.command import clean_environment
from tripleo_ffwd.ansible_run.rundir import RUNS, RunDir
from tripleo_ffwd.exceptions import Busy, LaunchFailed, WriteRefused

LOG = logging.getLogger("tripleo_ffwd.supervisord")

SOCKET = "supervisord.sock"
ANSWER_SECONDS = 10
REAP_SECONDS = 1.0
LONGEST_REQUEST = 65536
START_IT = "Start it outside Mistral's container: tripleo-ffwd supervisord --work-dir {}"


@contextlib.contextmanager
def _address(work_dir: Path) -> Iterator[str]:
    """Yield a short path of the socket: its own may be longer than the 108 bytes that an address holds."""
    fd = os.open(work_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{SOCKET}"
    finally:
        os.close(fd)


def ask(work_dir: Path, run: RunDir) -> None:
    """Have the daemon of `work_dir` start the supervisor of a run.

    Raises:
        LaunchFailed: there is no daemon, or it refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX) as client, _address(work_dir) as address:
            client.settimeout(ANSWER_SECONDS)
            client.connect(address)
            client.sendall(json.dumps({"run_dir": str(run.path)}).encode() + b"\n")
            line = _read_line(client)
        answer = json.loads(line)
    except (OSError, ValueError) as error:
        raise LaunchFailed(
            f"tripleo-ffwd supervisord does not answer: {error}",
            where=str(work_dir / SOCKET),
            remedy=START_IT.format(work_dir),
        ) from error
    if not answer.get("ok"):
        raise LaunchFailed(
            f"tripleo-ffwd supervisord refused: {answer.get('error', 'no reason given')}",
            where=str(work_dir / SOCKET),
            remedy="Check that it runs with the same work_dir",
        )


def obstacle(work_dir: Path) -> str:
    """Return why the daemon of `work_dir` can't be asked, or an empty text."""
    try:
        with socket.socket(socket.AF_UNIX) as client, _address(work_dir) as address:
            client.settimeout(ANSWER_SECONDS)
            client.connect(address)
    except OSError as error:
        return f"tripleo-ffwd supervisord does not answer: {error}. {START_IT.format(work_dir)}"
    return ""


def _read_line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < LONGEST_REQUEST:
        chunk = connection.recv(4096)
        if not chunk:
            break
        data += chunk
    return data


class Supervisord:
    """The daemon of one work_dir. When it ends, the runs go on.

    Args:
        work_dir: the [ffwd] work_dir, made when it is not there.
    """

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir.resolve()
        self._children: list[subprocess.Popen[bytes]] = []
        self._stopping = False

    def serve(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            Busy: another daemon serves this work_dir.
            WriteRefused: work_dir can't be written.
        """
        try:
            self._work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(self._work_dir / "supervisord.lock", timeout=0, mode=0o600)
            lock.acquire()
        except Timeout as error:
            raise Busy(
                "another tripleo-ffwd supervisord serves this work_dir",
                where=str(self._work_dir),
                remedy="Use that one",
            ) from error
        except OSError as error:
            raise WriteRefused(f"work_dir can't be used: {error.strerror}", where=str(self._work_dir)) from error
        with lock, socket.socket(socket.AF_UNIX) as server, _address(self._work_dir) as address:
            path = self._work_dir / SOCKET
            path.unlink(missing_ok=True)  # of a daemon that was killed: we hold the lock
            mask = os.umask(0o177)
            try:
                server.bind(address)
            finally:
                os.umask(mask)
            server.listen(64)
            try:
                self._loop(server)
            finally:
                path.unlink(missing_ok=True)

    def _loop(self, server: socket.socket) -> None:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stopping = True

        wake_read, wake_write = socket.socketpair()
        with wake_read, wake_write, selectors.DefaultSelector() as selector:
            for end in (wake_read, wake_write, server):
                end.setblocking(False)
            signal.set_wakeup_fd(wake_write.fileno())
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, stop)
            selector.register(server, selectors.EVENT_READ)
            selector.register(wake_read, selectors.EVENT_READ)
            LOG.info("serving %s", self._work_dir)
            while not self._stopping:
                for key, _ in selector.select(REAP_SECONDS):
                    if key.fileobj is server:
                        self._answer(server)
                self._children = [child for child in self._children if child.poll() is None]
            signal.set_wakeup_fd(-1)
        LOG.info("stopped; %d runs go on", len(self._children))

    def _answer(self, server: socket.socket) -> None:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(ANSWER_SECONDS)
            try:
                answer = self._handle(connection)
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except OSError as error:
                LOG.warning("a request was lost: %s", error)

    def _handle(self, connection: socket.socket) -> dict[str, Any]:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", credentials)
        if uid not in (0, os.getuid()):
            return {"ok": False, "error": f"user {uid} may not start runs here"}
        try:
            run = RunDir(Path(json.loads(_read_line(connection))["run_dir"]).resolve())
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": "the request is not understood"}
        if run.path.parent != self._work_dir / RUNS or not run.launch.exists():
            return {"ok": False, "error": f"{run.path} is no run of {self._work_dir}"}
        return self._start(run)

    def _start(self, run: RunDir) -> dict[str, Any]:
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", "tripleo_ffwd.ansible_run.supervisor", str(run.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=clean_environment(run.run_id),
                start_new_session=True,
            )
        except OSError as error:
            return {"ok": False, "error": f"the supervisor can't be started: {error}"}
        self._children.append(child)
        LOG.info("run %s: supervisor %d", run.run_id, child.pid)
        return {"ok": True, "pid": child.pid}
