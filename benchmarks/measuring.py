"""What a child process costs, and tables; imports stdlib only."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a process and its children took.

    Attributes:
        cpu: seconds of CPU, user and system, with all children that were waited for.
        wall: seconds on the clock.
        peak: MB of memory of the largest process.
        code: exit code.
        output: what it wrote on stdout and stderr.
    """

    cpu: float
    wall: float
    peak: float
    code: int
    output: str


def run(command: Sequence[str], output: Path, environment: Mapping[str, str], directory: Path | None = None) -> Cost:
    """Run a command to its end and return what it cost; its output goes through a file."""
    began = time.monotonic()
    with output.open("wb") as stream:
        process = subprocess.Popen(
            list(command), env=dict(environment), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=directory
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(
        cpu=usage.ru_utime + usage.ru_stime,
        wall=time.monotonic() - began,
        peak=usage.ru_maxrss / 1024,
        code=process.returncode,
        output=output.read_text(encoding="utf-8", errors="replace"),
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as text with columns of even width; the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [text.rjust(width) for text, width in zip(row, widths, strict=True)]
        return "  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip()

    return "\n".join([line(head), "  ".join("-" * width for width in widths), *(line(row) for row in rows)])
