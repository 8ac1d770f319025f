"""What a callback plugin tells becomes records; a run is stopped here, between two tasks, when it is asked to be.

A record is written before what it tells can happen: a task that may have run on some node always stands in the ledger.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run.inside import words
from tripleo_ffwd.ansible_run.ledger import Ledger

# Exit code of an ansible-playbook that stopped because it was asked to, or because it could not keep its records.
STOPPED = 75
STOP = "stop.json"
AT_STAGE, AT_TASK = "stage", "task"


class Recorder:
    """Records one playbook.

    Args:
        ledger: where to.
        run_dir: where requests to stop appear.
        stages: names of the plays that are stages; a run that is to stop at a stage stops where one of them begins.
        supervisor: pid of the parent that must live.
        mask: takes secrets out of a text.
    """

    def __init__(
        self, ledger: Ledger, run_dir: Path, stages: frozenset[str], supervisor: int, mask: Callable[[str], str]
    ) -> None:
        self._ledger = ledger
        self._stop = run_dir / STOP
        self._stages = stages
        self._supervisor = supervisor
        self._mask = mask
        self._numbers: dict[str, int] = {}
        self._count = 0
        self._play = ""
        self._broken = ""

    def begin(self, version: str) -> None:
        """Record that Ansible has begun."""
        self._ledger.append({"event": "ansible_start", "version": version, "pid": os.getpid()})

    def begin_play(self, name: str) -> None:
        """Record a play; may stop the run."""
        begins = name in self._stages and name != self._play  # not the next batch of a play with `serial`
        self._play = name
        self._numbers.clear()
        self._announce({"event": "play_start", "play": name})
        self._look(begins)

    def begin_task(self, uuid: str, name: str) -> None:
        """Record that a task is about to begin on some hosts of the play; may stop the run before it does."""
        if uuid not in self._numbers:
            self._count += 1
            self._numbers[uuid] = self._count
            self._announce({"event": "task", "number": self._count, "task": self._mask(name)})
        self._look(False)

    def start(self, uuid: str, host: str) -> None:
        """Record that a task begins on a host."""
        self._try(lambda: self._ledger.append_start(self._numbers.get(uuid, 0), host))

    def end(self, uuid: str, host: str, status: str, result: Mapping[str, Any]) -> None:
        """Record how a task has ended on a host."""
        told = status in ("failed", "ignored", "unreachable")
        message = self._mask(words.describe(result)) if told else ""
        self._try(lambda: self._ledger.append_end(self._numbers.get(uuid, 0), host, status, message))

    def tell(self, event: str, **fields: Any) -> None:
        """Record something rare."""
        self._try(lambda: self._ledger.append({"event": event, **fields}))

    def finish(self, failures: Mapping[str, int], dark: Mapping[str, int]) -> None:
        """Record Ansible's statistics: its last word."""
        self._announce({"event": "stats", "failures": dict(failures), "dark": dict(dark)})

    def _try(self, write: Callable[[], None]) -> None:
        # Nobody may be left in the middle of a task: what can't be written ends the run before the next one.
        try:
            write()
        except OSError as error:
            self._broken = self._broken or f"the ledger can't be written: {error.strerror or error}"

    def _announce(self, record: Mapping[str, Any]) -> None:
        def write() -> None:
            self._ledger.append(record)
            self._ledger.sync()

        self._try(write)

    def _look(self, stage: bool) -> None:
        """Stop when there is a reason to; only where nothing is under way on any host."""
        why = self._broken or self._why(stage)
        if why:
            self.tell("stopped", why=why)
            raise SystemExit(STOPPED)

    def _why(self, stage: bool) -> str:
        if os.getppid() != self._supervisor:
            return "its supervisor died"
        if not self._stop.exists():
            return ""
        try:
            asked = json.loads(self._stop.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            asked = {}
        return "" if asked.get("at") == AT_STAGE and not stage else "it was asked to"
