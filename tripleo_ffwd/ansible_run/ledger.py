"""The ledger of a run: append-only JSON lines, written before and after what they tell; stdlib only.

What happens rarely is an object with `event` and `t` (UTC): ``run_start``, ``ansible_start``, ``play_start``, ``task``
(a task is about to begin, with its `number` and name), ``no_hosts``, ``notify``, ``inventory``, ``not_kept``,
``stopped``, ``stats``, ``limit``, ``run_end``. What happens on each host is an array, some 40 bytes for a task there:
``[seconds, number, host]`` when it begins, ``[seconds, number, host, status]`` when it ends, with a message as fifth
item when it failed. Seconds count from ``ansible_start``, by a clock that nobody sets. A host is ``[its number, name]``
the first time, its number from then on, and its name where something failed.

`read` gives arrays as objects too: ``task_start`` and ``task_end`` with `stage` (name of the play), `task`, `task_id`
and `host`; ``task_end`` has `status` (``ok``, ``changed``, ``failed``, ``rescued``, ``ignored``, ``skipped``,
``unreachable``), `changed`, `seconds`, and `message` when it failed. ``failed`` and ``unreachable`` mean that the host
is lost to the play.
"""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run.machine import now

Record = dict[str, Any]

LIMIT = 1 << 30
LONGEST_TEXT = 400
FAILED = frozenset({"failed", "unreachable"})


class Ledger:
    """Writer of one ledger. At any time one process writes it: the supervisor, between its two records Ansible.

    Args:
        path: the file, made with mode 0600.
        limit: bytes after which tasks on hosts are recorded only when they fail.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size
        # A torn line, a former writer's or our own, must not swallow the next one.
        self._torn = bool(self._size) and os.pread(self._fd, 1, self._size - 1) != b"\n"
        self._limit = limit
        self._limited = False
        self._began = time.monotonic()
        self._hosts: dict[str, bytes] = {}
        self._numbered = 0

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; texts are cut to 400 characters.

        Raises:
            OSError: the record isn't there, or not whole.
        """
        self._line({"t": now(), **{key: _cut(value) for key, value in record.items()}})

    def append_start(self, number: int, host: str) -> None:
        """Record that task `number` begins on a host; see `append`."""
        known = self._hosts.get(host)
        if self._size > self._limit and self._is_full():
            return
        # Ansible forks for every task on a host, and each page that is touched in between is copied: few steps, then.
        seconds = time.monotonic() - self._began
        self._write(b"[%.3f,%d,%b]\n" % (seconds, number, known or self._introduced(host)))
        if known is None:
            self._hosts[host] = b"%d" % self._numbered  # it stands there, whole

    def append_end(self, number: int, host: str, status: str, message: str = "") -> None:
        """Record that task `number` has ended on a host; see `append`."""
        known = self._hosts.get(host)
        if self._size > self._limit and self._is_full() and status not in FAILED:
            return
        seconds = time.monotonic() - self._began
        if known is None or message:
            told = [_cut(message)] if message else []
            self._line([round(seconds, 3), number, host, status, *told])
        else:
            self._write(b'[%.3f,%d,%b,"%b"]\n' % (seconds, number, known, status.encode()))

    def _introduced(self, host: str) -> bytes:
        """Return a host with the number that it will have; a number is never given twice."""
        self._numbered += 1
        return json.dumps([self._numbered, host], ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

    def sync(self) -> None:
        """Wait until all records are on the disk."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _is_full(self) -> bool:
        """Return whether it has reached its limit, which is recorded once."""
        if self._size > self._limit and not self._limited:
            self._limited = True
            self.append({"event": "limit", "bytes": self._size})
        return self._limited

    def _line(self, data: Any) -> None:
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        self._write(text.encode("utf-8", "replace") + b"\n")

    def _write(self, line: bytes) -> None:
        line = b"\n" + line if self._torn else line
        written = os.write(self._fd, line)  # one write a line: a crash can only tear the last one
        self._size += written
        self._torn = written != len(line)
        if self._torn:
            raise OSError(f"only {written} of {len(line)} bytes of a ledger's record could be written")


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[:LONGEST_TEXT] + "…"
    return value


class Reader:
    """Turns the lines of one ledger, given in order, into records."""

    def __init__(self) -> None:
        self._play = ""
        self._began: datetime.datetime | None = None
        self._tasks: dict[int, str] = {}
        self._starts: dict[tuple[int, str], float] = {}
        self._hosts: dict[int, str] = {}

    def record(self, line: bytes) -> Record | None:
        """Return the record of a line; None for one that a crash tore."""
        try:
            data = json.loads(line)
        except ValueError:
            return None
        try:
            if isinstance(data, dict):
                self._note(data)
                return data
            return self._of_host(*data) if isinstance(data, list) else None
        except (TypeError, ValueError, LookupError):
            return None

    def _note(self, data: Record) -> None:
        event = data.get("event")
        if event == "ansible_start":
            self._began = datetime.datetime.fromisoformat(str(data["t"]))
            self._tasks.clear()
            self._starts.clear()
            self._hosts.clear()
        elif event == "play_start":
            self._play = str(data.get("play", ""))
        elif event == "task":
            self._tasks[int(data["number"])] = str(data.get("task", ""))
            data["stage"] = self._play

    def _of_host(self, seconds: float, number: int, of: Any, status: str = "", message: str = "") -> Record:
        if isinstance(of, list):
            self._hosts[of[0]] = of[1]
            of = of[0]
        host: str = self._hosts[of] if isinstance(of, int) else of
        record: Record = {"t": seconds, "event": "task_end" if status else "task_start", "stage": self._play}
        record |= {"task": self._tasks.get(number, ""), "task_id": number, "host": host}
        if not status:
            self._starts[number, host] = seconds
            return record
        record |= {"status": status, "changed": status == "changed"}
        began = self._starts.pop((number, host), None)
        if began is not None:
            record["seconds"] = round(seconds - began, 3)
        return {**record, "message": message} if message else record

    def dated(self, record: Record) -> Record:
        """Return a record with its time as UTC in words."""
        if self._began is None or not isinstance(record["t"], (int, float)):
            return record
        moment = self._began + datetime.timedelta(seconds=record["t"])
        return {**record, "t": moment.isoformat(timespec="milliseconds")}


def read(path: Path) -> Iterator[Record]:
    """Yield the records in order; a line that a crash tore is passed over, a missing ledger is empty."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    reader = Reader()
    with file:
        for line in file:
            record = reader.record(line)
            if record is not None:
                yield reader.dated(record)
