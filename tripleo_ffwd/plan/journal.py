"""What was done for a plan and by whom: phases that began and ended, playbooks that were generated, from which outputs.

It is written for people: nothing is decided by it. So what can't be written is left out, and a torn line passed over.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import WriteRefused
from tripleo_ffwd.files import make_private_dir
from tripleo_ffwd.plan.lock import records_dir

FILE = "journal.jsonl"
BEGIN, END, GENERATE = "begin", "end", "generate"
LONGEST = 4000


def note(work_dir: Path, plan: str, event: str, **fields: Any) -> bool:
    """Add an event, with the time (UTC); return False for one that is noted already. What can't be written is left out.

    Args:
        work_dir, plan: where.
        event: one of those above.
        fields: JSON values without secrets; texts are cut to 4000 characters.
    """
    told = {name: value[:LONGEST] if isinstance(value, str) else value for name, value in fields.items()}
    if any(told.items() <= known.items() for known in read(work_dir, plan) if known["event"] == event):
        return False  # Mistral sends an action again when its answer was lost
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    line = json.dumps({"t": now, "event": event, **told}, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    with contextlib.suppress(OSError, WriteRefused):
        path = records_dir(work_dir, plan) / FILE
        make_private_dir(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
    return True


def read(work_dir: Path, plan: str) -> list[dict[str, Any]]:
    """Return the events of a plan, oldest first; none when there is no journal, or it can't be read."""
    try:
        text = (records_dir(work_dir, plan) / FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return list(_events(text))


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and {"t", "event"} <= set(found):
            yield found
