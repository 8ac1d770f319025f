"""Ending a run: a thread of the supervisor that watches for a reason to, and ends what is left, and proves it.

A run is ended in one of three ways: where the next stage begins (a pause), where the next task begins (a cancel: what
is under way ends by itself, within a bound), or at once, everything killed. The watch itself uses no file of the run:
it must not be held up when the file system is.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Sequence

from tripleo_ffwd.ansible_run import process_tree
from tripleo_ffwd.ansible_run.heart import Heart
from tripleo_ffwd.ansible_run.inside.recording import AT_STAGE, AT_TASK
from tripleo_ffwd.ansible_run.machine import stat_process
from tripleo_ffwd.ansible_run.process_tree import Process
from tripleo_ffwd.ansible_run.requests import Request, Requests, Where
from tripleo_ffwd.ansible_run.rundir import RunDir, write_json

LOG = logging.getLogger("tripleo_ffwd.supervisor")

PAUSE = 0.5
# How long ansible-playbook may take to end by itself before everything is killed.
GRACE = 3.0
# Once ansible-playbook is dead, what it left may hold its output open, and with it the supervisor waiting.
LINGER = 1.0
# How often orphans are looked for.
NOTE_SECONDS = 2.0


_IN_WORDS = {Where.STAGE: AT_STAGE, Where.TASK: AT_TASK}


class Control:
    """Watches one run.

    Args:
        run: its directory, where requests to end it appear as files.
        heart: its heartbeat.
        timeout: seconds after which the run is ended.
        grace: seconds for which a cancel waits for the tasks under way.
        lease: seconds without a heartbeat after which the run is ended.
    """

    def __init__(self, run: RunDir, heart: Heart, *, timeout: float, grace: float, lease: float) -> None:
        self._run = run
        self._grace = grace
        self._patience = 0.0
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._heart = heart
        self._lease = lease
        self._requests = Requests(run, heart.check_home, self._wake)
        self._root: Process | None = None
        self._died: float | None = None
        self._adopted: list[tuple[int, int]] = []
        self._helpers: tuple[Process, ...] = ()
        self._next_note = 0.0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="control", daemon=True)
        self._asked = Request(Where.NOWHERE)
        self._request = Request(Where.NOWHERE)

    def own(self, pid: int) -> None:
        """Watch ansible-playbook; its end is for `PlaybookRun` to collect, not for us."""
        stat = stat_process(pid)
        self._root = Process(pid, stat.started) if stat else None

    def help_with(self, processes: Sequence[Process]) -> None:
        """Record processes that help Ansible and carry no mark that others can see, before they do anything."""
        self._helpers = tuple(processes)
        self._note_adopted(now=True)

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
        self._requests.start()
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        self._requests.stop()

    def _wake(self) -> None:
        """Look soon."""
        self._news.set()

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self._news.wait(PAUSE)
            self._news.clear()
            try:
                with self._lock:
                    self._look()
            except OSError:
                LOG.exception("the watch over the run stumbled; it goes on")

    def _look(self) -> None:
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
            self._requests.put(self._run.stop, None)
        elif wanted.where is not Where.HERE:
            self._requests.put(self._run.stop, {"at": _IN_WORDS[wanted.where]})
        self._request = wanted
        if wanted.where is Where.HERE:
            self._end()

    def _note_adopted(self, *, now: bool = False) -> None:
        """Record the orphans that came to us: should we be killed, nothing else tells that they are the run's."""
        if time.monotonic() < self._next_note and not now:
            return
        self._next_note = time.monotonic() + NOTE_SECONDS
        found = {*process_tree.own_children(), *self._helpers} - {self._root}
        adopted = sorted((one.pid, one.started) for one in found if one is not None)
        if adopted != self._adopted:
            self._adopted = adopted
            told = {"processes": adopted}
            if now:
                write_json(self._run.adopted, told, durable=False)
            else:
                self._requests.put(self._run.adopted, told)

    def _wanted(self) -> Request:
        """Return the strongest request that there is."""
        if self._asked.where:
            return self._asked
        seen = self._requests.asked
        if seen.where is Where.HERE:
            return seen
        if time.monotonic() > self._deadline:
            return Request(Where.HERE, "timeout", f"the run took longer than {self._timeout:g} s and was ended")
        if self._heart.age > self._lease:
            text = f"no heartbeat could be written for {self._lease:g} s; the run was ended"
            return Request(Where.HERE, "failed", text)
        return seen

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
            pids = ", ".join(str(process.pid) for process in left)
            self._heart.message = f"waiting for the end of processes that can't be killed: {pids}"
            self._heart.hurry()
            time.sleep(1)
