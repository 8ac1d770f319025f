"""The real, unmodified client of a release, as an operator runs it."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

# One command takes seven seconds of a quiet machine before it asks for anything, and the upgrade of a role minutes.
TIMEOUT = 900


@dataclasses.dataclass(frozen=True)
class Done:
    """A command that has ended: its exit code, what it said, how long it took."""

    code: int
    said: str
    seconds: float


@dataclasses.dataclass
class Running:
    """A command that is under way."""

    process: subprocess.Popen[str]
    output: Path
    begun: float

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self.output.read_text(errors="replace")

    def ends(self, timeout: float = TIMEOUT) -> Done:
        """Wait for its end; one that hangs is killed, and fails the test."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the client hung for {timeout} s:\n{self.said}") from None
        return Done(code, self.said, time.monotonic() - self.begun)


@dataclasses.dataclass(frozen=True)
class Client:
    """An installed client.

    Attributes:
        environment: directory of its virtual environment.
        environ: OS_* of the operator.
        home: where it writes its files.
    """

    environment: Path
    environ: Mapping[str, str]
    home: Path

    @property
    def record(self) -> Path:
        """The RECORD of the wheel that it was installed from."""
        (found,) = self.environment.glob("lib/python*/site-packages/python_tripleoclient-*.dist-info/RECORD")
        return found

    @property
    def version(self) -> str:
        """Such as 12.3.1."""
        return self.record.parent.name.removesuffix(".dist-info").split("-")[1]

    @property
    def release(self) -> str:
        """``queens`` or ``train``; ``queens-2`` for that of Queens on Python 2, whose time it is from."""
        if not self.version.startswith("9."):
            return "train"
        return "queens-2" if "python2." in self.record.as_posix() else "queens"

    def changed(self) -> list[str]:
        """Return the files that are not what the wheel brought."""
        found = []
        with self.record.open(newline="") as stream:
            for name, digest, _size in csv.reader(stream):
                if not digest or not name.startswith("tripleoclient/"):
                    continue
                kind, wanted = digest.split("=", 1)
                data = (self.record.parent.parent / name).read_bytes()
                made = base64.urlsafe_b64encode(hashlib.new(kind, data).digest()).decode().rstrip("=")
                found += [name] if made != wanted else []
        return found

    def start(self, *arguments: str) -> Running:
        """Start a command of `openstack`."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        output = self.home / f"output-{time.monotonic_ns()}"
        inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        environment = {**inherited, **self.environ, "HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        with output.open("w") as stream:
            process = subprocess.Popen(
                [self.environment / "bin" / "openstack", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
                cwd=self.home,
            )
        return Running(process, output, time.monotonic())

    def __call__(self, *arguments: str) -> Done:
        """Run a command of `openstack` to its end."""
        return self.start(*arguments).ends()
