"""Mistral's executors as processes of their own: what each was asked to do, and their sudden ends."""

from __future__ import annotations

import configparser
import contextlib
import dataclasses
import functools
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from support import until

from tripleo_ffwd.embedded import processes
from tripleo_ffwd.embedded.processes import Process
from tripleo_ffwd.embedded.site import Site

START_TIMEOUT = 120
_ASKED = re.compile(r"Received RPC request 'run_action'\[action=(\w+), action_ex_id=([\w-]+)")
_ANSWERED = re.compile(r"Sending action result to engine \[action=\w+, action_ex_id=([\w-]+)\]")

Sections = Mapping[str, Mapping[str, object]]


@dataclasses.dataclass(frozen=True)
class Asked:
    """An action that an executor was sent."""

    action: str
    execution: str
    answered: bool


@dataclasses.dataclass(frozen=True)
class Executor:
    """A `mistral-server --server executor` with its children, in a process group of its own."""

    name: str
    log: Path
    process: Process

    def asked(self, action: str = "") -> list[Asked]:
        """Return the actions that it has begun, in order; those of one class when `action` names it."""
        said = self.log.read_text(errors="replace")
        answered = set(_ANSWERED.findall(said))
        return [
            Asked(name, execution, execution in answered)
            for name, execution in _ASKED.findall(said)
            if action in ("", name)
        ]

    def freeze(self) -> None:
        """Stop it where it stands, as a machine that hangs."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Undo `freeze`."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it by SIGKILL, frozen or not; supervisors of runs are in sessions of their own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        until(f"the end of executor {self.name}", lambda: not processes.is_alive(self.process))


def configure(directory: Path, sections: Sections) -> None:
    """Add to what the Mistral that reads `directory` is configured with."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    parser = configparser.RawConfigParser(default_section="")
    parser.read_dict({name: {key: str(value) for key, value in found.items()} for name, found in sections.items()})
    with (directory / "more.conf").open("w") as stream:
        parser.write(stream)


def start_executor(site: Site, name: str, sections: Sections) -> Executor:
    """Start an executor with what the site's Mistral is configured with, and `sections`; see `wait_up`."""
    directory = site.root / "executors" / name
    configure(directory, sections)
    log = directory / "executor.log"
    log.unlink(missing_ok=True)
    command = [str(Path(sys.executable).parent / "mistral-server"), "--server", "executor"]
    read = ["--config-file", str(site.mistral / "mistral.conf"), "--config-dir", str(directory)]
    return Executor(name, log, processes.spawn([*command, *read], log))


def wait_up(executors: Sequence[Executor]) -> None:
    """Return when all of them take actions."""
    for executor in executors:
        until(f"executor {executor.name} to be there", functools.partial(_is_up, executor), START_TIMEOUT)


def _is_up(executor: Executor) -> bool:
    said = executor.log.read_text(errors="replace")
    assert processes.is_alive(executor.process), f"executor {executor.name} has ended: {said[-2000:]}"
    return "Executor server started" in said
