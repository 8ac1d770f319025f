"""Processes that tests signal, or start at the same time."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from ansible_lab import is_running
from support import until


def soon(what: str, probe: Callable[[], Any], timeout: float = 60) -> Any:
    """Wait until `probe` gives something true and return it; looks so often that little happens meanwhile."""
    deadline = time.monotonic() + timeout
    while not (found := probe()):
        assert time.monotonic() < deadline, f"waited {timeout} s in vain for: {what}"
        time.sleep(0.003)
    return found


def kill(*pids: int, number: int = signal.SIGKILL) -> None:
    """Signal processes, and wait for their end when the signal is one that nobody outlives."""
    for pid in pids:
        if pid > 1:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
    if number == signal.SIGKILL:
        until(f"the end of {pids}", lambda: not [pid for pid in pids if pid > 1 and is_running(pid)], 20)


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """Call each function in a process of its own, all at the same time; return what they return, or the error."""
    gate_reader, gate_writer = os.pipe()
    children = []
    for function in functions:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(gate_writer)
            os.read(gate_reader, 1)  # until the gate is closed
            _answer(writer, function)
        os.close(writer)
        children.append((child, reader))
    os.close(gate_reader)
    os.close(gate_writer)
    answers = []
    for child, reader in children:
        with os.fdopen(reader) as stream:
            answers.append(json.load(stream))
        os.waitpid(child, 0)
    return answers


def _answer(writer: int, function: Callable[[], Any]) -> None:
    try:
        said: Any = function()
    except Exception as error:  # noqa: BLE001 - the other process judges it
        said = {"error": type(error).__name__, "message": str(error)}
        traceback.print_exc(file=sys.stderr)
    os.write(writer, json.dumps(said).encode())
    # What pytest would do on the way out is the parent's.
    os._exit(0)
