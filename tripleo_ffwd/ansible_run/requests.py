"""What is asked of a run by files in its directory, and what its supervisor leaves there: by a thread of its own.

A file server that is dead holds up whoever asks it for anything. The watch over a run must not be held up: it is what
ends the run then. So it takes from here what was last seen, and leaves here what is to be written.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run.rundir import RunDir, read_json, write_json

LOG = logging.getLogger("tripleo_ffwd.supervisor")

PAUSE = 0.5


class Where(enum.IntEnum):
    """Where a run is to end; what comes later is later in effect, and is outdone by what comes before it."""

    NOWHERE = 0
    STAGE = 1
    TASK = 2
    HERE = 3


@dataclasses.dataclass(frozen=True)
class Request:
    """A reason to end a run: where, and the result and message that it then has."""

    where: Where
    result: str = ""
    message: str = ""


class Requests:
    """Looks for requests to end a run, and writes small files for others.

    Args:
        run: its directory.
        check_home: raises OSError when that is gone: nothing may then be written to another one of its name.
        told: called when something else is asked than before.

    Attributes:
        asked: the strongest request that was seen.
    """

    def __init__(self, run: RunDir, check_home: Callable[[], None], told: Callable[[], None]) -> None:
        self._run = run
        self._check_home = check_home
        self._told = told
        self._wanted: dict[Path, Mapping[str, Any] | None] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._work, name="requests", daemon=True)
        self.asked = Request(Where.NOWHERE)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more; a thread that is held up is left to itself."""
        self._stopped.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(1)

    def put(self, path: Path, data: Mapping[str, Any] | None) -> None:
        """Have a file replaced, or removed with None, soon; it is tried until it is done, or something newer is put."""
        with self._lock:
            self._wanted[path] = data
        self._news.set()

    def _work(self) -> None:
        while not self._stopped.is_set():
            self._news.wait(PAUSE)
            self._news.clear()
            try:
                self._write()
                asked = self._look()
            except OSError:
                LOG.exception("the run's directory can't be used; it is tried again")
                self._stopped.wait(PAUSE)
                continue
            if asked != self.asked:
                self.asked = asked
                self._told()

    def _write(self) -> None:
        for path, data in list(self._wanted.items()):
            if self._stopped.is_set():
                return
            self._check_home()
            if data is None:
                path.unlink(missing_ok=True)
            else:
                write_json(path, data, durable=False)
            with self._lock:
                if self._wanted.get(path) is data:
                    del self._wanted[path]

    def _look(self) -> Request:
        """Return the strongest request that there is."""
        if self._run.fence.exists():
            return Request(Where.HERE, "cancelled", "an operator said that this machine is fenced; the run was ended")
        if self._run.cancel.exists():
            asked = read_json(self._run.cancel) or {}
            where = Where.HERE if asked.get("now", True) else Where.TASK
            return Request(where, "cancelled", f"cancelled {asked.get('by', '')}".strip())
        if self._run.pause.exists():
            asked = read_json(self._run.pause) or {}
            return Request(Where.STAGE, "paused", f"paused {asked.get('by', '')}".strip())
        return Request(Where.NOWHERE)
