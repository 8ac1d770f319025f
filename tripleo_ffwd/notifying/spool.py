"""Messages that are still to be sent: one small file each, in a directory for each receiver; the oldest goes first."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.files import make_private_dir, read_json, write_json
from tripleo_ffwd.plan.lock import records_dir

DIRECTORY = "notices"
# Of one receiver; more than that are not kept.
MOST = 500
# What a receiver has missed, and why; beside its messages.
STATE = "state.json"


@dataclasses.dataclass(frozen=True)
class Late:
    """What a receiver has not got yet.

    Attributes:
        receiver: ``queue``, ``webhook`` or ``command``.
        waiting: how many messages are still to be sent.
        since: when the oldest of them was written, UTC; empty when there is none.
        lost: how many were dropped, too old or too many.
        error: why the last try failed; empty when it did not.
    """

    receiver: str
    waiting: int
    since: str
    lost: int
    error: str


class Box:
    """The messages for one receiver of a plan.

    Args:
        work_dir, plan: where.
        receiver: its kind.
    """

    def __init__(self, work_dir: Path, plan: str, receiver: str) -> None:
        self.receiver = receiver
        self.path = records_dir(work_dir, plan) / DIRECTORY / receiver

    def put(self, message: Mapping[str, Any], *, dispensable: bool) -> bool:
        """Keep a message; False when it can't be, or there is no room for one that nobody will miss."""
        try:
            waiting = self.waiting()
            if len(waiting) >= MOST:
                self.note(lost=1)
                if dispensable:
                    return False
                waiting[0].unlink(missing_ok=True)
            make_private_dir(self.path)
            write_json(self.path / f"{time.time_ns():020}-{secrets.token_hex(3)}.msg", message)
        except (FfwdError, OSError):
            return False
        return True

    def waiting(self) -> list[Path]:
        """Return the files of what is still to be sent, oldest first."""
        return sorted(self.path.glob("*.msg"))

    def note(self, *, error: str | None = None, lost: int = 0) -> None:
        """Note why a try failed (an empty text when it did not), and how many messages were dropped."""
        known = self.state()
        changed = {"error": known["error"] if error is None else error, "lost": known["lost"] + lost}
        if changed != known:
            with contextlib.suppress(FfwdError, OSError):
                write_json(self.path / STATE, changed)

    def state(self) -> dict[str, Any]:
        """Return what is noted: ``{error, lost}``."""
        found = None
        with contextlib.suppress(OSError, ValueError):
            found = read_json(self.path / STATE)
        known = found if isinstance(found, dict) else {}
        return {"error": str(known.get("error", "")), "lost": int(known.get("lost", 0))}

    def late(self) -> Late | None:
        """Return what the receiver has not got; None when it has got all."""
        waiting, state = self.waiting(), self.state()
        if not (waiting and state["error"]) and not state["lost"]:
            return None
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(written(waiting[0]))) if waiting else ""
        return Late(self.receiver, len(waiting), since, state["lost"], state["error"])


def written(path: Path) -> float:
    """Return when a message was written, in seconds since the epoch; 0 when its name does not tell."""
    digits = path.name.partition("-")[0]
    return int(digits) / 1e9 if digits.isdigit() else 0.0


def boxes(work_dir: Path, plan: str) -> list[Box]:
    """Return the boxes that a plan has, whether or not they are empty."""
    root = records_dir(work_dir, plan) / DIRECTORY
    found = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return [Box(work_dir, plan, name) for name in found]


def late(work_dir: Path, plan: str) -> list[Late]:
    """Return what receivers have not got; empty when all is well."""
    return [found for box in boxes(work_dir, plan) if (found := box.late()) is not None]
