"""Messages that are to be posted, kept until they are: one small file for each execution that somebody listens to.

A file is held while its messages are posted, so their order is the one in which they were put in, whichever executor
posts them; and the last one is put in only once, whoever comes first: the workflow, or who watches it.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tripleo_ffwd.exceptions import Busy, FfwdError, InvalidInput
from tripleo_ffwd.files import make_private_dir, write_json
from tripleo_ffwd.plan import records

LOG = logging.getLogger(__name__)

# Seconds for which a box that nobody empties any more is kept, and for which another process may hold it.
KEPT = 86400
GUARD_SECONDS = 60
MOST_WAITING = 500
MOST_KEYS = 300


@dataclasses.dataclass(frozen=True)
class Box:
    """What is to be posted for an execution.

    Attributes:
        execution: id of the execution that is listened to.
        queue: name of the queue.
        plan: name of the plan; empty while it is not known.
        project: id of the project whose queue it is; empty without keystone.
        waiting: messages that are not posted yet, oldest first.
        sent: how many were posted.
        ended: whether the last message has been put in.
        error: why the newest try to post failed; empty when it did not.
        keys: what the newest messages are known by.
        told: what the watcher has told of, for itself.
        touched: when it was written last, in seconds since the epoch.
    """

    execution: str
    queue: str
    plan: str = ""
    project: str = ""
    waiting: tuple[Mapping[str, Any], ...] = ()
    sent: int = 0
    ended: bool = False
    error: str = ""
    keys: tuple[str, ...] = ()
    told: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    touched: float = 0.0


def read(work_dir: Path, execution: str) -> Box | None:
    """Return the box of an execution; None when there is none.

    Raises:
        InvalidInput: the file is damaged, or that can't be the id of an execution.
    """
    return records.read(_path(work_dir, execution), _of_record, "Remove it")


def boxes(work_dir: Path, plan: str = "") -> tuple[Box, ...]:
    """Return the boxes that hold messages, of a plan or of all; a damaged one is left out."""
    found = []
    for path in sorted(_directory(work_dir).glob("*.json")):
        try:
            box = read(work_dir, path.stem)
        except InvalidInput:
            continue
        if box is not None and box.waiting and plan in ("", box.plan):
            found.append(box)
    return tuple(found)


def put(
    work_dir: Path,
    execution: str,
    queue: str,
    message: Mapping[str, Any] | None,
    *,
    plan: str = "",
    project: str = "",
    last: bool = False,
    key: str = "",
    told: Mapping[str, Any] | None = None,
) -> bool:
    """Put a message in; return False when it or the last one has been put in before, and so nothing was.

    Args:
        work_dir: of [ffwd].
        execution: id of the execution that is listened to.
        queue: name of the queue.
        message: what is posted; None only notes what follows.
        plan: name of the plan, once it is known.
        project: id of the project whose queue it is; the first that is given holds.
        last: whether no other message comes after it.
        key: what the message is known by: it is put in once; empty for one that is always put in.
        told: what the watcher has told of with it; stays as it was when None.
    """
    with _held(work_dir, execution):
        box = read(work_dir, execution) or Box(execution, queue)
        if box.ended or key in box.keys:
            if told is not None and told != box.told:
                _write(work_dir, dataclasses.replace(box, told=told))
            return False
        waiting = box.waiting if message is None else (*box.waiting, message)
        if len(waiting) > MOST_WAITING and not last:
            return False
        known = box.told if told is None else told
        keys = (*box.keys, key)[-MOST_KEYS:] if key else box.keys
        box = dataclasses.replace(
            box, plan=plan or box.plan, project=box.project or project, waiting=waiting, keys=keys
        )
        _write(work_dir, dataclasses.replace(box, ended=last, told=known))
        return True


def empty(work_dir: Path, execution: str, post: Callable[[Box, Sequence[Mapping[str, Any]]], None]) -> Box:
    """Post what waits in the box of an execution, in order, and return the box as it is then.

    Args:
        work_dir, execution: which box.
        post: posts messages to the queue of a box; what it can't is said by an FfwdError.
    """
    with _held(work_dir, execution):
        box = read(work_dir, execution) or Box(execution, "")
        if not box.waiting:
            return box
        try:
            # One by one: of a post that was refused in the middle nobody could tell how far it came.
            for message in box.waiting:
                sent = _is_posted(box, message, post)
                box = dataclasses.replace(box, waiting=box.waiting[1:], sent=box.sent + sent, error="")
        except FfwdError as error:
            box = dataclasses.replace(box, error=str(error))
        _write(work_dir, box)
        return box


def _is_posted(box: Box, message: Mapping[str, Any], post: Callable[[Box, Sequence[Mapping[str, Any]]], None]) -> bool:
    """Post a message; return False for progress that is refused for good: the end must not wait behind it."""
    try:
        post(box, [message])
    except InvalidInput as error:
        if box.ended and len(box.waiting) == 1:
            raise
        LOG.warning("A message about execution %s is left out: %s", box.execution, error)
        return False
    return True


def prune(work_dir: Path, now: float | None = None) -> None:
    """Remove the boxes that nobody has touched for a day, with what they hold."""
    oldest = (time.time() if now is None else now) - KEPT
    for path in _directory(work_dir).glob("*.json"):
        try:
            if path.stat().st_mtime < oldest:
                path.unlink()
                path.with_suffix(".guard").unlink(missing_ok=True)
        except FileNotFoundError:
            continue


def _directory(work_dir: Path) -> Path:
    return work_dir / "messages"


def _path(work_dir: Path, execution: str) -> Path:
    if not re.fullmatch(r"[\w-]+", execution):
        raise InvalidInput(f"{execution!r} is no id of an execution")
    return _directory(work_dir) / f"{execution}.json"


@contextmanager
def _held(work_dir: Path, execution: str) -> Iterator[None]:
    path = _path(work_dir, execution)
    make_private_dir(path.parent)
    try:
        guard = FileLock(path.with_suffix(".guard"), mode=0o600, timeout=GUARD_SECONDS)
        taken = guard.acquire()
    except Timeout as error:
        raise Busy(f"The messages were in use for {GUARD_SECONDS} s", where=str(path), remedy="Try again") from error
    with taken:  # `with guard` would take it twice and give it back once
        yield


def _of_record(data: Mapping[str, Any]) -> Box:
    return Box(**{**data, "waiting": tuple(data["waiting"]), "keys": tuple(data["keys"])})


def _write(work_dir: Path, box: Box) -> None:
    record = dataclasses.asdict(dataclasses.replace(box, touched=time.time()))
    write_json(_path(work_dir, box.execution), {**record, "waiting": [dict(message) for message in box.waiting]})
