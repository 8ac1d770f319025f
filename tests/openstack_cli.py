"""`openstack` as a person uses it: on a terminal, in a pipe, and quickly many times."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pexpect

# What a process of `openstack` does, without its two seconds of imports: each command is a process, forked from one
# that has imported all.
_PRELOADED = """
import contextlib, importlib.metadata, json, os, sys
from openstackclient import shell
found = importlib.metadata.entry_points()
for entry in [one for group in found.groups if group.startswith("openstack.") for one in found.select(group=group)]:
    with contextlib.suppress(Exception):
        entry.load()
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        for number, path in enumerate(job["files"]):
            os.dup2(os.open(path, os.O_RDONLY if not number else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.environ.update(job["environment"])
        sys.argv[:] = ["openstack", *job["arguments"]]
        try:
            code = shell.main(job["arguments"])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        sys.stdout.flush()
        os._exit(code or 0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
# What other plugins that happen to be installed say at their import is not about us.
_OTHERS = re.compile(r"^(Could not load |WARNING: Failed to import plugin ).*\n", re.MULTILINE)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _hears_ctrl_c() -> None:
    """Be a command that somebody sits before: what starts the tests may ignore SIGINT, which is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclasses.dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


class Openstack:
    """The client on a machine that knows no more than `environment`."""

    def __init__(self, scratch: Path, environment: Mapping[str, str]) -> None:
        self._scratch = scratch
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OVERCLOUD_"))}
        home = {"HOME": str(scratch), "TERM": "xterm-256color", "COLUMNS": "200"}
        self.environment = {**kept, **home, **environment}
        self.executable = str(Path(sys.executable).parent / "openstack")
        self._server: subprocess.Popen[str] | None = None

    def close(self) -> None:
        if self._server is not None:
            self._server.communicate(timeout=20)
            self._server = None

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        """Run a command that reads `stdin`, and neither sees nor writes to a terminal."""
        files = [self._scratch / name for name in ("stdin", "stdout", "stderr")]
        files[0].write_text(stdin)
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-c", _PRELOADED],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self.environment,
                text=True,
            )
        assert self._server.stdin and self._server.stdout
        job = {"arguments": arguments, "environment": environment, "files": [str(path) for path in files]}
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return Done(code, files[1].read_text(), _OTHERS.sub("", files[2].read_text()))

    def piped(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the executable with a pipe for its output and errors; the caller ends it."""
        return subprocess.Popen(
            [self.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            text=True,
            preexec_fn=_hears_ctrl_c,
        )

    def terminal(self, *arguments: str) -> Terminal:
        """Start the executable on a terminal of its own."""
        return Terminal(self.executable, list(arguments), self.environment)


class Terminal:
    """A command on a pseudo-terminal, and somebody who reads and types."""

    def __init__(self, executable: str, arguments: list[str], environment: dict[str, str]) -> None:
        self._child = pexpect.spawn(
            executable,
            arguments,
            env=environment,
            encoding="utf-8",
            timeout=120,
            dimensions=(40, 160),
            preexec_fn=_hears_ctrl_c,
        )
        self._seen = ""

    @property
    def seen(self) -> str:
        """All that stood on the terminal, one thing after the other, without colours."""
        return ESCAPES.sub("", self._seen).replace("\r\n", "\n")

    def sees(self, text: str) -> None:
        """Wait until there is something new that has the text."""
        try:
            self._child.expect_exact(text)
        finally:
            self._seen += (self._child.before or "") if isinstance(self._child.before, str) else ""
        self._seen += text

    def types(self, text: str) -> None:
        self._child.sendline(text)

    def interrupts(self) -> None:
        """Press Ctrl-C."""
        self._child.sendintr()

    def ends(self, seconds: float = 120) -> int:
        """Wait for the end; return the exit code."""
        self._child.expect(pexpect.EOF, timeout=seconds)
        self._seen += self._child.before or ""
        self._child.close()
        assert self._child.exitstatus is not None, f"ended by signal {self._child.signalstatus}"
        return int(self._child.exitstatus)

    def close(self) -> None:
        self._child.close(force=True)
