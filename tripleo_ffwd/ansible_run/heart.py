"""The heartbeat of a run: a thread that replaces status.json again and again; the supervisor's lease on the run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from tripleo_ffwd.ansible_run import rundir
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.model import RunSpec, RunStatus

LOG = logging.getLogger("tripleo_ffwd.supervisor")

# How often at most the status is replaced, however much happens.
SHORTEST_PAUSE = 0.2
FINAL_ATTEMPTS_SECONDS = 120


class Heart:
    """Publishes where the run stands.

    Args:
        run: the run's directory.
        spec: what is run.
        interval: seconds between two heartbeats.
    """

    def __init__(self, run: RunDir, spec: RunSpec, *, interval: float) -> None:
        self._run = run
        self._interval = interval
        self._base = RunStatus(
            run_id=run.run_id,
            run_dir=str(run.path),
            plan=spec.plan,
            phase=spec.phase,
            playbook=spec.playbook,
            state="live",
            owner=spec.owner,
            started_at=rundir.now(),
        )
        self._progress: Callable[[], dict[str, Any]] = dict
        self._news = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._last = time.monotonic()
        self._home = self._identity()
        self.message = "Ansible is starting"

    def check_home(self) -> None:
        """Raise OSError when the run's directory is gone, or another one of its name.

        Ansible makes directories anew that it misses: what is written there would be taken for the run's.
        """
        if self._identity() != self._home:
            raise OSError(f"the run's directory {self._run.path} is not the one that it was")

    def _identity(self) -> tuple[int, int]:
        found = self._run.path.stat()
        return found.st_dev, found.st_ino

    @property
    def age(self) -> float:
        """Seconds since the last heartbeat that was written."""
        return time.monotonic() - self._last

    def follow(self, progress: Callable[[], dict[str, Any]]) -> None:
        """Take progress from now on from `progress`, a function that other threads may call."""
        self._progress = progress
        self.message = ""
        self._news.set()

    def hurry(self) -> None:
        """Publish soon: something that people wait for has happened."""
        self._news.set()

    def start(self) -> None:
        """Write the first heartbeat (OSError when that fails) and go on in a thread."""
        self._publish()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; no status is written any more but the final one."""
        self._stopped.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat(self) -> None:
        while not self._stopped.is_set():
            self._news.wait(self._interval)
            self._news.clear()
            if self._stopped.is_set():
                return
            try:
                self._publish()
            except OSError as error:
                LOG.error("the heartbeat can't be written: %s", error)
            self._stopped.wait(min(SHORTEST_PAUSE, self._interval))

    def _data(self, **changes: Any) -> dict[str, Any]:
        status = RunStatus(**{**vars(self._base), "message": self.message, **self._progress(), **changes})
        return {**status.to_dict(), "heartbeat": time.time()}

    def _publish(self) -> None:
        self.check_home()
        rundir.write_json(self._run.status, self._data(), durable=False)
        self._last = time.monotonic()

    def publish_final(self, result: str, message: str) -> None:
        """Write the final status, durably; tries for two minutes when the disk doesn't take it.

        Raises:
            OSError: it could not be written. The run then shows as interrupted, once this process has ended.
        """
        data = self._data(state="finished", result=result, message=message, finished_at=rundir.now(), eta=None)
        deadline = time.monotonic() + FINAL_ATTEMPTS_SECONDS
        while True:
            self.check_home()
            try:
                rundir.write_json(self._run.status, data)
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                LOG.exception("the final status can't be written; trying again")
                time.sleep(1)
