"""Threads that send what is kept: one for each receiver of a plan, while there is anything to send.

They die with the process, and the files stay: who looks at the plan next, or has something new to tell, starts them
anew. A lock keeps the threads of several executors from sending the same message.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from tripleo_ffwd.notifying.receivers import NotTaken, Send
from tripleo_ffwd.notifying.spool import Box, written

LOG = logging.getLogger(__name__)

# Seconds between two tries, and what they are multiplied with after each.
SHORTEST, LONGEST, GROWTH = 1.0, 60.0, 2.0

# Seconds that a thread waits for the one before it, which is at its end.
HANDOVER = 1.0

_threads: dict[Path, threading.Thread] = {}
# What sends for each receiver of a plan: the newest, whose token lives longest.
_senders: dict[Path, Send] = {}
_guard = threading.Lock()


def kick(work_dir: Path, plan: str, receivers: Mapping[str, Send], keep: float) -> None:
    """Begin to send what is kept for a plan, unless that is under way; returns at once.

    Args:
        work_dir, plan: whose messages.
        receivers: by kind; messages for others stay where they are.
        keep: seconds after which a message is dropped.
    """
    for name, send in receivers.items():
        box = Box(work_dir, plan, name)
        with _guard:
            _senders[box.path] = send
            known = _threads.get(box.path)
            if (known is not None and known.is_alive()) or not box.waiting():
                continue
            thread = threading.Thread(target=_work, args=(box, keep), name=f"notify {name}", daemon=True)
            _threads[box.path] = thread
            thread.start()


def _work(box: Box, keep: float) -> None:
    pause = SHORTEST
    try:
        with FileLock(box.path / "lock", timeout=HANDOVER, mode=0o600):
            while _goes_on(box):
                if deliver(box, _senders[box.path], keep):
                    pause = SHORTEST
                    continue
                time.sleep(pause)
                pause = min(pause * GROWTH, LONGEST)
    except Timeout:
        return  # another executor sends them
    except Exception:
        LOG.exception("messages of %s can't be sent", box.path)


def _goes_on(box: Box) -> bool:
    """Return whether there is more to send; else nobody counts on this thread any more."""
    with _guard:
        if box.waiting():
            return True
        if _threads.get(box.path) is threading.current_thread():
            del _threads[box.path]
        return False


def deliver(box: Box, send: Send, keep: float) -> bool:
    """Send what is kept, in order, up to the first message that is not taken; return whether all was sent."""
    for path in box.waiting():
        try:
            send(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            box.note(lost=1)  # it can't be read, and never will be
        except NotTaken as error:
            LOG.warning("%s did not take a message: %s", box.receiver, error)
            if not error.final and time.time() - written(path) <= keep:
                box.note(error=str(error))
                return False
            box.note(error=str(error), lost=1)
        else:
            box.note(error="")
        with contextlib.suppress(OSError):
            path.unlink()
    return True
