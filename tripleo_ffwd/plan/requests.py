"""What somebody has asked of a phase that is under way: to pause or to end; a record beside the phases'.

Runs are asked by themselves. This is for the playbooks that the phase has still to start: it holds for one execution,
so that it needs no taking back when another one begins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.files import write_json
from tripleo_ffwd.plan import records
from tripleo_ffwd.plan.lock import guarded, records_dir

FILE = "asked.json"
PAUSED, CANCELLED = "paused", "cancelled"


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked of an execution: ``paused`` or ``cancelled``."""

    execution: str
    result: str


def ask(work_dir: Path, plan: str, execution: str, result: str) -> None:
    """Record what is asked of the execution that holds a plan; a pause does not take back a cancel."""
    with guarded(work_dir, plan):
        if result == CANCELLED or asked(work_dir, plan, execution) != CANCELLED:
            write_json(records_dir(work_dir, plan) / FILE, dataclasses.asdict(Request(execution, result)))


def withdraw(work_dir: Path, plan: str, execution: str) -> None:
    """Take back that an execution is to pause."""
    with guarded(work_dir, plan):
        if asked(work_dir, plan, execution) == PAUSED:
            (records_dir(work_dir, plan) / FILE).unlink(missing_ok=True)


def asked(work_dir: Path, plan: str, execution: str) -> str:
    """Return what is asked of an execution; empty for nothing.

    Raises:
        InvalidInput: the record is damaged.
    """
    found = records.read(records_dir(work_dir, plan) / FILE, _of_record, "Remove it")
    return found.result if found is not None and found.execution == execution else ""


def _of_record(data: Mapping[str, Any]) -> Request:
    return Request(data["execution"], data["result"])
