"""Many commands at once, each with its time: started, fed, read and ended by one thread, so that none outlives it.

The kernel ends a command when the thread that started it does: hence one thread, and no pool of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

PR_SET_PDEATHSIG = 1
MOST_BYTES = 1 << 16
TICK = 0.2
LAST_WORDS = 1.0
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(frozen=True)
class Job:
    """A command.

    Attributes:
        name: what its answer is known by.
        command: its words.
        script: what it reads.
        seconds: after which it is ended.
        environment: what it has more than all others.
    """

    name: str
    command: tuple[str, ...]
    script: str = ""
    seconds: float = 20.0
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Answer:
    """How a command has ended.

    Attributes:
        code: exit code; None when it was ended because its time was over, or could not be started.
        out, err: what it has printed, at most 64 KiB of each.
        began, ended: seconds since the epoch.
        over: its time was over.
    """

    code: int | None
    out: str = ""
    err: str = ""
    began: float = 0.0
    ended: float = 0.0
    over: bool = False


class _Running:
    def __init__(self, job: Job, environment: Mapping[str, str]) -> None:
        self.job = job
        self.began = time.time()
        self._deadline = time.monotonic() + job.seconds
        self.read = {"out": bytearray(), "err": bytearray()}
        # When it has ended, and what it has left behind holds its output open.
        self.last_words = 0.0
        with os.fdopen(os.memfd_create("script"), "wb") as script:
            script.write(job.script.encode())
            script.seek(0)
            self.process = subprocess.Popen(
                job.command,
                stdin=script,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**environment, **job.environment},
                cwd="/",
                start_new_session=True,
                preexec_fn=_end_with_us,
            )

    @property
    def streams(self) -> tuple[tuple[str, IO[bytes]], ...]:
        assert self.process.stdout and self.process.stderr
        return (("out", self.process.stdout), ("err", self.process.stderr))

    def over(self, until: float) -> bool:
        return time.monotonic() > min(self._deadline, until)

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()

    def answer(self, *, over: bool) -> Answer:
        code = self.process.wait()
        for _, stream in self.streams:
            stream.close()
        out, err = (bytes(self.read[name]).decode("utf-8", "replace") for name in ("out", "err"))
        return Answer(None if over else code, out, err, self.began, time.time(), over)


def _end_with_us() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def ask_all(
    jobs: Sequence[Job], parallel: int, environment: Mapping[str, str], until: float = float("inf")
) -> Iterator[tuple[Job, Answer]]:
    """Run commands, so many at once, and yield each with its answer when it has ended; nothing of any is left then.

    Args:
        jobs: what to run.
        parallel: how many at once.
        environment: of all of them.
        until: when the time of all is over, on the monotonic clock; those that have not begun then never do.
    """
    waiting = list(reversed(jobs))
    running: set[_Running] = set()
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and time.monotonic() > until:
                    yield waiting.pop(), Answer(None, over=True)
                while waiting and len(running) < max(parallel, 1):
                    job = waiting.pop()
                    try:
                        started = _Running(job, environment)
                    except OSError as error:
                        yield job, Answer(None, err=f"{job.command[0]} can't be started: {error.strerror}")
                        continue
                    running.add(started)
                    for name, stream in started.streams:
                        os.set_blocking(stream.fileno(), False)
                        selector.register(stream, selectors.EVENT_READ, (started, name))
                _read(selector)
                for one in [one for one in running if _has_ended(one, selector) or one.over(until)]:
                    over = one.process.poll() is None
                    one.end()
                    _forget(one, selector)
                    running.discard(one)
                    yield one.job, one.answer(over=over)
        finally:
            for one in running:
                one.end()
                one.process.wait()


def _read(selector: selectors.BaseSelector) -> None:
    for key, _ in selector.select(TICK):
        one, name = key.data
        data = os.read(key.fd, MOST_BYTES)
        if not data:
            selector.unregister(key.fileobj)
        room = MOST_BYTES - len(one.read[name])
        one.read[name] += data[: max(room, 0)]


def _has_ended(one: _Running, selector: selectors.BaseSelector) -> bool:
    """Tell whether the process has ended and said all: what it has left behind may hold its output open for ever."""
    if one.process.poll() is None:
        return False
    open_streams = [stream for _, stream in one.streams if stream in selector.get_map()]
    one.last_words = one.last_words or time.monotonic() + LAST_WORDS
    return not open_streams or time.monotonic() > one.last_words


def _forget(one: _Running, selector: selectors.BaseSelector) -> None:
    for _, stream in one.streams:
        if stream in selector.get_map():
            selector.unregister(stream)
