"""The last update of its stack that a plan has sent: recorded before it is sent, so that it is never forgotten."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.files import write_json
from tripleo_ffwd.plan import records
from tripleo_ffwd.plan.lock import records_dir

_NAME = "stack_update.json"
_PROGRESS = "stack_progress.json"
# Heat is asked for the progress of an update for one second in so many.
_SHARE = 20


@dataclasses.dataclass(frozen=True)
class SentUpdate:
    """An update that was sent, or was about to be.

    Attributes:
        tag: the tag that it leaves on the stack.
        stack: name of the stack.
        version, previous: numbers of the plan's version that it sends, and of the current one before; 0 for none.
        execution: id of the root execution.
        deadline: seconds since the epoch after which its end is not waited for.
        updated_at: when it began, in Heat's words; empty when that is not known.
        cancelled: why it was cancelled; empty when it was not.
    """

    tag: str
    stack: str
    version: int
    previous: int
    execution: str
    deadline: int
    updated_at: str = ""
    cancelled: str = ""


def read(work_dir: Path, plan: str) -> SentUpdate | None:
    """Return the plan's last update of its stack, or None."""
    remedy = "See that Heat updates no stack of the plan, then remove it"
    return records.read(records_dir(work_dir, plan) / _NAME, lambda data: SentUpdate(**data), remedy)


def write(work_dir: Path, plan: str, sent: SentUpdate) -> None:
    """Record an update."""
    write_json(records_dir(work_dir, plan) / _NAME, dataclasses.asdict(sent))


def read_progress(work_dir: Path, plan: str, marker: str) -> Mapping[str, Any] | None:
    """Return the progress of the update that was stored last, while it is too early to ask Heat for it again."""
    data = records.read(records_dir(work_dir, plan) / _PROGRESS, records.mapping, "Remove it")
    if not data or data["marker"] != marker or not data["asked"] <= time.time() < data["until"]:
        return None
    found: Mapping[str, Any] = data["progress"]
    return found


def write_progress(work_dir: Path, plan: str, marker: str, progress: Mapping[str, Any], cost: float) -> None:
    """Store the progress of the update that `marker` names; `cost`: how many seconds Heat took to tell it."""
    now = time.time()
    data = {"marker": marker, "asked": now, "until": now + _SHARE * cost, "progress": progress}
    write_json(records_dir(work_dir, plan) / _PROGRESS, data)
