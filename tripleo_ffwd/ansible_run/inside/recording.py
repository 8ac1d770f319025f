"""What a callback plugin tells becomes records; a run is stopped here, between two tasks, when it is asked to be.

A record is written before what it tells can happen: a task that may have run on some node always stands in the ledger.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run.inside import words
from tripleo_ffwd.ansible_run.ledger import Ledger
from tripleo_ffwd.ansible_run.machine import is_alive

# Exit code of an ansible-playbook that stopped because it was asked to, or because it could not keep its records.
STOPPED = 75
STOP = "stop.json"
ASKED = "it was asked to"
WORKERS_PAUSE = 0.05
AT_STAGE, AT_TASK = "stage", "task"
# Of these ends the ledger says why.
TOLD = frozenset({"failed", "rescued", "ignored", "unreachable"})


class Recorder:
    """Records one playbook.

    Args:
        ledger: where to.
        run_dir: where requests to stop appear.
        stages: names of the plays that are stages; a run that is to stop at a stage stops where one of them begins.
        supervisor: pid and start of the process that must live; Ansible's parent may be another, a wrapper.
        mask: takes secrets out of a text.
        gates: how names of plays between stages begin, and the names of their task and of the last play. They come with
            the run: what is loaded here is copied for every task on a host.
    """

    def __init__(
        self,
        ledger: Ledger,
        run_dir: Path,
        stages: frozenset[str],
        supervisor: tuple[int, int],
        mask: Callable[[str], str],
        gates: Sequence[str],
    ) -> None:
        self._gate_play, self._gate_task, self._end_play = gates
        self._ledger = ledger
        self._stop = run_dir / STOP
        self._stages = stages
        self._supervisor = supervisor
        self._mask = mask
        self._numbers: dict[str, int] = {}
        self._count = 0
        self._under_way: dict[str, str] = {}
        self._play = ""
        self._broken = ""

    def begin(self, version: str) -> None:
        """Record that Ansible has begun."""
        self._ledger.append({"event": "ansible_start", "version": version, "pid": os.getpid()})

    def begin_play(self, name: str) -> None:
        """Record a play, which says that the play before it has ended; may stop the run."""
        for host, uuid in self._under_way.items():
            self.give_up(f"Ansible has lost task {self._numbers.get(uuid, 0)} on {host}")
        self.stop_if_broken()
        begins = name in self._stages and name != self._play  # not the next batch of a play with `serial`
        self._play = name
        self._numbers.clear()
        self._announce({"event": "play_start", "play": name})
        self._look(begins, name.startswith(self._gate_play) or name == self._end_play)

    def begin_task(self, uuid: str, name: str) -> None:
        """Record that a task is about to begin on some hosts of the play; may stop the run before it does."""
        self.stop_if_broken()
        if uuid not in self._numbers:
            self._count += 1
            self._numbers[uuid] = self._count
            self._announce({"event": "task", "number": self._count, "task": self._mask(name)})
        self._look(False, self._play.startswith(self._gate_play) or name == self._gate_task)

    def start(self, uuid: str, host: str) -> None:
        """Record that a task begins on a host."""
        if host in self._under_way:
            # Ansible passes over a task in silence when it can't start a process for it.
            self.give_up(f"Ansible has lost task {self._numbers.get(self._under_way[host], 0)} on {host}")
        self._under_way[host] = uuid
        try:
            self._ledger.append_start(self._numbers.get(uuid, 0), host)
        except OSError as error:
            self._cannot(error)

    def end(self, uuid: str, host: str, status: str, result: Mapping[str, Any]) -> None:
        """Record how a task has ended on a host."""
        if self._under_way.get(host) == uuid:
            del self._under_way[host]
        message = words.describe(result, self._mask) if status in TOLD else ""
        try:
            self._ledger.append_end(self._numbers.get(uuid, 0), host, status, message)
        except OSError as error:
            self._cannot(error)

    def tell(self, event: str, **fields: Any) -> None:
        """Record something rare."""
        masked = {name: self._mask(value) if isinstance(value, str) else value for name, value in fields.items()}
        try:
            self._ledger.append({"event": event, **masked})
        except OSError as error:
            self._cannot(error)

    def finish(self, failures: Mapping[str, int], dark: Mapping[str, int]) -> None:
        """Record Ansible's statistics: its last word."""
        self._announce({"event": "stats", "failures": dict(failures), "dark": dict(dark)})

    def _announce(self, record: Mapping[str, Any]) -> None:
        try:
            self._ledger.append(record)
            self._ledger.sync()
        except OSError as error:
            self._cannot(error)

    def _cannot(self, error: OSError) -> None:
        # Nobody may be left in the middle of a task: what can't be written ends the run before the next one.
        self.give_up(f"the ledger can't be written: {error.strerror or error}")

    def give_up(self, why: str) -> None:
        """Have the run stop before anything else begins: something is wrong with its records."""
        self._broken = self._broken or why

    def stop_if_broken(self) -> None:
        """Stop when something is wrong with the records; what Ansible goes on to must not be recorded as if it were."""
        if self._broken:
            # On Ansible's own output too: it may be the ledger that can't be written.
            print(f"[ERROR]: stopped before the next task: {self._broken}", file=sys.stderr, flush=True)
            self._halt(self._broken)

    def _halt(self, why: str) -> None:
        self.tell("stopped", why=why)
        # With the free strategy tasks are under way where another begins; Ansible would kill them. How they end is told
        # to nobody any more, so that they count as under way.
        while self._under_way and multiprocessing.active_children():
            time.sleep(WORKERS_PAUSE)
        raise SystemExit(STOPPED)

    def _look(self, stage: bool, gate: bool) -> None:
        """Stop when there is a reason to; a gate is let through: it is quick, and says whether a stage is finished."""
        self.stop_if_broken()
        why = "" if gate else self._why(stage)
        if why:
            self._halt(why)

    def _why(self, stage: bool) -> str:
        if is_alive(*self._supervisor) is False:
            return "its supervisor died"
        try:
            asked = json.loads(self._stop.read_text(encoding="utf-8"))
            return "" if asked.get("at") == AT_STAGE and not stage else ASKED
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, AttributeError) as error:
            # Somebody asked for something.
            return f"what it was asked to can't be read: {type(error).__name__}"
