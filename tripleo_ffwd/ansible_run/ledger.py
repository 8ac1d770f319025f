"""The ledger of a run: append-only JSON lines, one for each thing that began or ended; stdlib only.

Records carry `t` (UTC) and `event`: ``run_start``, ``stage_start``, ``task_start``, ``task_end``, ``stage_end``,
``run_end``. Those of tasks have `stage`, `task`, `task_id`, `host`; ``task_end`` has `status` (``ok``, ``changed``,
``failed``, ``ignored``, ``skipped``, ``unreachable``), `changed`, `seconds`, and `message` when it failed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run.rundir import now

LIMIT = 1 << 30
LONGEST_TEXT = 400
# These are written even when the ledger has grown to its limit.
ALWAYS = frozenset({"run_start", "stage_start", "stage_end", "run_end", "limit"})


class Ledger:
    """Writer of one ledger; a single process writes it.

    Args:
        path: the file, made with mode 0600.
        limit: bytes after which only stages and failures are still recorded.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size
        if self._size and not path.read_bytes().endswith(b"\n"):
            os.write(self._fd, b"\n")  # a former writer's torn line must not swallow our first one
        self._limit = limit
        self._limited = False

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; texts are cut to 400 characters.

        Raises:
            OSError: the record isn't there, or not whole.
        """
        if self._size > self._limit and not self._wanted(record):
            if self._limited:
                return
            self._limited = True
            record = {"event": "limit", "bytes": self._size}
        data = {"t": now(), **{key: _cut(value) for key, value in record.items()}}
        line = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        os.write(self._fd, line)  # one write a line: a crash can only tear the last one
        self._size += len(line)

    def sync(self) -> None:
        """Wait until all records are on the disk."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    @staticmethod
    def _wanted(record: Mapping[str, Any]) -> bool:
        return record.get("event") in ALWAYS or record.get("status") in ("failed", "unreachable")


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[:LONGEST_TEXT] + "…"
    return value


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records in order; a line that a crash tore is passed over, a missing ledger is empty."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record
