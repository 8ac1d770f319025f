"""What a child process prints: taken in some lines at a time, and appended to a file; knows nothing of runs.

Ansible writes line by line, so that its log shows what happens when it happens. Not each line shall wake a supervisor:
what comes within a moment is taken in together.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

# So much a pipe is to hold, sixteen times the usual; after a read of more than BUSY bytes the next one comes at once.
PIPE_BYTES = 1 << 20
BUSY = 1 << 15
PAUSE = 0.2


def widen(descriptor: int) -> None:
    """Have a pipe hold more, where the system grants that: its writer must not be held up."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def gathered(output: BufferedIOBase, ended: threading.Event) -> Iterator[list[bytes]]:
    """Yield the lines of an output, with their ends, as they come, some at a time.

    Args:
        output: read to its end.
        ended: set when its writer has ended, so that nothing is to be waited for.
    """
    torn: list[bytes] = []
    while data := output.read1(PIPE_BYTES):
        *lines, rest = data.split(b"\n")
        if lines:
            yield [line + b"\n" for line in (b"".join([*torn, lines[0]]), *lines[1:])]
            torn = []
        torn.append(rest)
        if len(data) < BUSY:
            ended.wait(PAUSE)
    if any(torn):
        yield [b"".join(torn)]


class Log:
    """Appends to a file, which is made with mode 0600 when there is something to append.

    What the disk doesn't take is lost: whoever prints must not be held up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def append(self, text: str) -> None:
        """Add a text."""
        if not text:
            return
        with contextlib.suppress(OSError):
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(self._descriptor, text.encode("utf-8", "replace"))

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
