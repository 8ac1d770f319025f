"""Ending a run: a thread of the supervisor that watches for a reason to, ends all its processes, and proves it."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

from tripleo_ffwd.ansible_run import process_tree
from tripleo_ffwd.ansible_run.heart import Heart
from tripleo_ffwd.ansible_run.machine import stat_process
from tripleo_ffwd.ansible_run.process_tree import Process
from tripleo_ffwd.ansible_run.rundir import RunDir, read_json, write_json

LOG = logging.getLogger("tripleo_ffwd.supervisor")

PAUSE = 0.2
# How long ansible-playbook may take to end by itself before everything is killed.
GRACE = 3.0
# Once ansible-playbook is dead, what it left may keep its terminal open, and with it ansible-runner waiting.
LINGER = 1.0
# How often orphans are looked for: that reads all of /proc.
NOTE_SECONDS = 2.0


class Control:
    """Watches one run.

    Args:
        run: its directory, where requests to end it appear as files.
        timeout: seconds after which the run is ended.
    """

    def __init__(self, run: RunDir, *, timeout: float) -> None:
        self._run = run
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
        self._asked: tuple[str, str] | None = None
        self.reason: tuple[str, str] | None = None

    def lease(self, heart: Heart, *, seconds: float) -> None:
        """End the run when no heartbeat could be written for so many seconds."""
        self._heart = heart
        self._lease = seconds

    def request(self, result: str, message: str) -> None:
        """Ask for the end of the run; safe in a signal handler. The first request counts."""
        if self._asked is None:
            self._asked = (result, message)

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
        self._look_for_reason()
        if self._asked and self.reason is None:
            self.reason = self._asked
            LOG.info("ending the run: %s", self.reason[1])
            self._end()
        elif self.reason is not None:
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

    def _note_adopted(self) -> None:
        """Record the orphans that came to us: should we be killed, nothing else tells that they are the run's."""
        if time.monotonic() < self._next_note:
            return
        self._next_note = time.monotonic() + NOTE_SECONDS
        adopted = sorted((one.pid, one.started) for one in process_tree.children(os.getpid()) if one != self._root)
        if adopted != self._adopted:
            self._adopted = adopted
            write_json(self._run.adopted, {"processes": adopted}, durable=False)

    def _look_for_reason(self) -> None:
        if self._asked is not None:
            return
        if self._run.cancel.exists():
            asked = read_json(self._run.cancel) or {}
            self.request("cancelled", f"cancelled {asked.get('by', '')}".strip())
        elif self._run.fence.exists():
            self.request("cancelled", "an operator said that this machine is fenced; the run was ended")
        elif time.monotonic() > self._deadline:
            self.request("timeout", f"the run took longer than {self._timeout:g} s and was ended")
        elif self._heart is not None and self._heart.age > self._lease:
            self.request("failed", f"no heartbeat could be written for {self._lease:g} s; the run was ended")

    def _find_root(self) -> None:
        """Find ansible-playbook: the first child. Its end is ansible-runner's to collect, not ours."""
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
