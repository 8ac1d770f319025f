"""The age of the last backup: that of a file which the operator's backup touches, or what a command of theirs says."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from tripleo_ffwd.preflight.asking import Answer
from tripleo_ffwd.preflight.findings import INFO, WARNING, Finding, not_made

KEY = "backup-age"
REMEDY = "Make a backup of the undercloud and of the control plane's databases"


def unnamed() -> Finding:
    """Return the finding that nobody has named a backup."""
    remedy = "Name a file or a command in [ffwd] check_backup_file or check_backup_command"
    return Finding(KEY, INFO, "nobody has named what tells of the last backup", remedy=remedy)


def of_file(path: str, hours: int, now: float) -> list[Finding]:
    """Return what the time of a file says.

    Args:
        path: of the file, which was touched when the backup was made.
        hours: that it may be old.
        now: seconds since the epoch.
    """
    try:
        return _aged(Path(path).stat().st_mtime, hours, now, path)
    except FileNotFoundError:
        return [Finding(KEY, WARNING, "there is no sign of a backup", path, REMEDY)]
    except OSError as error:
        return [not_made(KEY, f"the file can't be looked at: {error.strerror}", path)]


def of_command(answer: Answer, name: str, hours: int, now: float) -> list[Finding]:
    """Return what a command says, whose last line is the time of the backup: seconds since the epoch, or ISO 8601."""
    lines = answer.out.strip().splitlines()
    if answer.over or answer.code != 0 or not lines:
        why = "it did not end in time" if answer.over else f"it ended with {answer.code}"
        told = " ".join(answer.err.split())[-200:]
        return [not_made(KEY, "; ".join(filter(None, (why, told))), name, "Run it by hand as Mistral's user")]
    text = lines[-1].strip()
    try:
        made = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else _of_iso(text)
    except ValueError:
        return [not_made(KEY, f"its last line is no time: {text[:100]!r}", name)]
    return _aged(made, hours, now, name)


def _of_iso(text: str) -> float:
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp()


def _aged(made: float, hours: int, now: float, where: str) -> list[Finding]:
    age = (now - made) / 3600
    if age < -1:
        return [Finding(KEY, WARNING, "the last backup is of the future", where, "Look at the clocks")]
    if age <= hours:
        return []
    return [Finding(KEY, WARNING, f"the last backup is {age:.0f} hours old, and may be {hours}", where, REMEDY)]
