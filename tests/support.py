"""What tests of several folders share."""

from __future__ import annotations

import json
import lzma
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml


def until(what: str, probe: Callable[[], Any], timeout: float = 120, pause: float = 0.1) -> Any:
    """Wait until `probe` gives something true and return it."""
    deadline = time.monotonic() + timeout
    while not (found := probe()):
        assert time.monotonic() < deadline, f"waited {timeout} s in vain for: {what}"
        time.sleep(pause)
    return found


def processes_naming(text: str) -> list[psutil.Process]:
    """Return the processes, but this one, that have `text` in their command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            said = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if process.pid != psutil.Process().pid and any(text in value for value in said):
            found.append(process)
    return found


def queens_outputs() -> dict[str, Any]:
    """Return the outputs of a real Queens overcloud, fresh for each caller; see tests/data/README.rst."""
    text = lzma.decompress((Path(__file__).parent / "data" / "queens_outputs.json.xz").read_bytes())
    outputs: dict[str, Any] = json.loads(text)
    return outputs


def yaml_text(value: Any) -> str:
    """Return a value as YAML."""
    text: str = yaml.safe_dump(value, sort_keys=False)
    return text
