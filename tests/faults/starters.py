"""Rows in which a process that starts a run, or looks at one, is killed or stopped in the middle of that."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

from faults import kills, proof
from faults.lab import OPTIONS, Case
from faults.processes import kill

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.exceptions import RunActive

CHANGES = frozenset({"os.rename", "os.link", "os.remove", "os.mkdir", "subprocess.Popen"})


def starter(case: Case) -> None:
    """Whoever starts the run is killed at one of its changes to files; the next asking brings the run about."""
    killed_at(lambda: runs.start(case.work, case.spec(resume=True), **OPTIONS), case.random.randint(1, 16), _changes)
    had = case.counts()
    case.took(runs.start(case.work, case.spec(resume=True), **OPTIONS)[0], had)
    live = [status for status in runs.list_runs(case.work) if status.state == "live"]
    assert [status.run_id for status in live] == [case.run_dir.name]
    assert case.settled().succeeded
    proof.settled(case)


def _changes(event: str, args: tuple[object, ...]) -> bool:
    written = event == "open" and isinstance(args[2], int) and bool(args[2] & (os.O_WRONLY | os.O_RDWR))
    return written or event in CHANGES


def _looks(event: str, _args: tuple[object, ...]) -> bool:
    return event in ("open", "os.listdir")


def starter_frozen(case: Case) -> None:
    """Whoever starts the run is stopped at one of its changes to files: who comes next is told, in time, by whom."""
    child = killed_at(
        lambda: runs.start(case.work, case.spec(resume=True), **OPTIONS),
        case.random.randint(1, 16),
        _changes,
        signal.SIGSTOP,
    )
    had, begun = case.counts(), time.monotonic()
    try:
        answer = [runs.start(case.work, case.spec(resume=True), **{**OPTIONS, "wait": 5})[0]]
    except RunActive as error:
        assert f"process {child} " in str(error) and "is stopped" in str(error), error
        answer = []
    assert time.monotonic() - begun < 40
    kill(child)
    case.took(answer[0] if answer else runs.start(case.work, case.spec(resume=True), **OPTIONS)[0], had)
    assert case.settled().succeeded
    proof.settled(case)


def killed_at(
    function: Callable[[], object],
    moment: int,
    counts: Callable[[str, tuple[object, ...]], bool],
    number: int = signal.SIGKILL,
) -> int:
    """Call a function in a process that is killed, or stopped, before the event number `moment` of those that count."""
    child = os.fork()
    if child:
        os.waitpid(child, os.WUNTRACED)
        return child
    seen = 0

    def audit(event: str, args: tuple[object, ...]) -> None:
        nonlocal seen
        seen += counts(event, args)
        if seen == moment:
            os.kill(os.getpid(), number)

    sys.addaudithook(audit)
    try:
        function()
    finally:
        os._exit(0)  # what pytest would do on the way out is the parent's


def looker(case: Case) -> None:
    """Whoever ends what a dead supervisor has left is killed in the middle of it."""
    case.start()
    case.wait_moment()
    kill(case.supervisor())
    killed_at(case.look, case.random.randint(1, 2000), _looks)
    kills.dead_or_done(case)
