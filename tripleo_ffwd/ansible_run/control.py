"""Ending a run: a thread of the supervisor that watches for a reason to, and ends what is left, and proves it.

A run is ended in one of three ways: where the next stage begins (a pause), where the next task begins (a cancel: what
is under way ends by itself, within a bound), or at once, everything killed.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
import os
import signal
import threading
import time

from tripleo_ffwd.ansible_run import process_tree
from tripleo_ffwd.ansible_run.heart import Heart
from tripleo_ffwd.ansible_run.inside.recording import AT_STAGE, AT_TASK
from tripleo_ffwd.ansible_run.machine import stat_process
from tripleo_ffwd.ansible_run.process_tree import Process
from tripleo_ffwd.ansible_run.rundir import RunDir, read_json, write_json

LOG = logging.getLogger("tripleo_ffwd.supervisor")

PAUSE = 0.2
# How long ansible-playbook may take to end by itself before everything is killed.
GRACE = 3.0
# Once ansible-playbook is dead, what it left may hold its output open, and with it the supervisor waiting.
LINGER = 1.0
# How often orphans are looked for: that reads all of /proc.
NOTE_SECONDS = 2.0


class Where(enum.IntEnum):
    """Where a run is to end; what comes later is later in effect, and is outdone by what comes before it."""

    NOWHERE = 0
    STAGE = 1
    TASK = 2
    HERE = 3


_IN_WORDS = {Where.STAGE: AT_STAGE, Where.TASK: AT_TASK}


@dataclasses.dataclass(frozen=True)
class Request:
    """A reason to end a run: where, and the result and message that it then has."""

    where: Where
    result: str = ""
    message: str = ""


class Control:
    """Watches one run.

    Args:
        run: its directory, where requests to end it appear as files.
        timeout: seconds after which the run is ended.
        grace: seconds for which a cancel waits for the tasks under way.
    """

    def __init__(self, run: RunDir, *, timeout: float, grace: float) -> None:
        self._run = run
        self._grace = grace
        self._patience = 0.0
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._heart: Heart | None = None
        self._lease = 0.0
        self._root: Process | None = None
        self._died: float | None = None
        self._adopted: list[tuple[int, int]] = []
        self._next_note = 0.0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="control", daemon=True)
        self._asked = Request(Where.NOWHERE)
        self._request = Request(Where.NOWHERE)

    def lease(self, heart: Heart, *, seconds: float) -> None:
        """End the run when no heartbeat could be written for so many seconds."""
        self._heart = heart
        self._lease = seconds

    def request(self, result: str, message: str) -> None:
        """Ask for the end of the run at once; safe in a signal handler. The first request counts."""
        if self._asked.where is Where.NOWHERE:
            self._asked = Request(Where.HERE, result, message)

    @property
    def reason(self) -> tuple[str, str] | None:
        """Result and message of the request that the run follows, None without one."""
        return (self._request.result, self._request.message) if self._request.where else None

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(PAUSE):
            try:
                with self._lock:
                    self._look()
            except OSError:
                LOG.exception("the watch over the run stumbled; it goes on")

    def _look(self) -> None:
        self._find_root()
        self._follow(self._wanted())
        if self._request.where is Where.HERE:
            self._kill()  # what was started while all else was being killed
        if self._root is None:
            return
        process_tree.reap(spare=self._root.pid)
        self._note_adopted()
        if not self._is_dead(self._root):
            return
        self._died = self._died or time.monotonic()
        if time.monotonic() - self._died > LINGER:
            self._kill()

    def _follow(self, wanted: Request) -> None:
        """Do as is asked: a stronger request takes the place of a weaker one, and a pause can be taken back."""
        now = self._request
        if wanted.where is Where.TASK:
            # From the asking on, also when a full disk keeps it from Ansible.
            self._patience = self._patience or time.monotonic() + self._grace
            if time.monotonic() > self._patience:
                cut = f"{wanted.message}; what was under way had not ended after {self._grace:g} s and was cut off"
                wanted = Request(Where.HERE, wanted.result, cut)
        if wanted.where is now.where or (wanted.where < now.where and now.where is not Where.STAGE):
            return
        LOG.info("to end: %s: %s", wanted.where.name.lower(), wanted.message)
        if wanted.where is Where.NOWHERE:
            self._run.stop.unlink(missing_ok=True)
        elif wanted.where is not Where.HERE:
            write_json(self._run.stop, {"at": _IN_WORDS[wanted.where]}, durable=False)
        self._request = wanted
        if wanted.where is Where.HERE:
            self._end()

    def _note_adopted(self) -> None:
        """Record the orphans that came to us: should we be killed, nothing else tells that they are the run's."""
        if time.monotonic() < self._next_note:
            return
        self._next_note = time.monotonic() + NOTE_SECONDS
        adopted = sorted((one.pid, one.started) for one in process_tree.children(os.getpid()) if one != self._root)
        if adopted != self._adopted:
            self._adopted = adopted
            write_json(self._run.adopted, {"processes": adopted}, durable=False)

    def _wanted(self) -> Request:
        """Return the strongest request that there is."""
        if self._asked.where:
            return self._asked
        if self._run.fence.exists():
            return Request(Where.HERE, "cancelled", "an operator said that this machine is fenced; the run was ended")
        if time.monotonic() > self._deadline:
            return Request(Where.HERE, "timeout", f"the run took longer than {self._timeout:g} s and was ended")
        if self._heart is not None and self._heart.age > self._lease:
            text = f"no heartbeat could be written for {self._lease:g} s; the run was ended"
            return Request(Where.HERE, "failed", text)
        if self._run.cancel.exists():
            asked = read_json(self._run.cancel) or {}
            where = Where.HERE if asked.get("now", True) else Where.TASK
            return Request(where, "cancelled", f"cancelled {asked.get('by', '')}".strip())
        if self._run.pause.exists():
            asked = read_json(self._run.pause) or {}
            return Request(Where.STAGE, "paused", f"paused {asked.get('by', '')}".strip())
        return Request(Where.NOWHERE)

    def _find_root(self) -> None:
        """Find ansible-playbook: the first child. Its end is for `PlaybookRun` to collect, not for us."""
        if self._root is not None:
            return
        children = process_tree.children(os.getpid())
        if children:
            self._root = min(children, key=lambda process: (process.started, process.pid))

    @staticmethod
    def _is_dead(process: Process) -> bool:
        stat = stat_process(process.pid)
        return stat is None or stat.dead or stat.started != process.started

    def _end(self) -> None:
        if self._root is not None:
            process_tree.send(self._root, signal.SIGTERM)
            deadline = time.monotonic() + GRACE
            while time.monotonic() < deadline and not self._is_dead(self._root):
                time.sleep(0.05)
        self._kill()

    def _kill(self) -> tuple[Process, ...]:
        left = process_tree.end_all(self._run.run_id, supervisor=os.getpid())
        if left:
            LOG.error("still alive after SIGKILL: %s", ", ".join(str(process.pid) for process in left))
        return left

    def prove_ended(self) -> None:
        """Kill what is left of the run; return only when scans find nothing. What is stuck is told in the status."""
        while True:
            with self._lock:
                left = self._kill()
            if not left:
                return
            if self._heart is not None:
                pids = ", ".join(str(process.pid) for process in left)
                self._heart.message = f"waiting for the end of processes that can't be killed: {pids}"
                self._heart.hurry()
            time.sleep(1)
