"""Waiting for the end of a phase: what a command does that has lost nothing when it is ended."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable
from typing import Any

from tripleo_ffwd.cli.osc import asking
from tripleo_ffwd.cli.osc.base import WORKBOOK
from tripleo_ffwd.cli.osc.looking import Watched, look, mapping
from tripleo_ffwd.cli.osc.progress import Progress
from tripleo_ffwd.cli.osc.snapshot import TERMINAL, Snapshot
from tripleo_ffwd.exceptions import FfwdError, Unavailable
from tripleo_ffwd.mistral import Mistral
from tripleo_ffwd.model import title

SUCCEEDED, FAILED, LEFT = 0, 1, 130
# How long a Mistral that does not answer is asked again (seconds), and the longest time between two looks.
PATIENCE = 900.0
LONGEST_PAUSE = 2.0


class PhaseFailed(FfwdError):
    """The phase that was waited for did not end in SUCCESS."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that starts a phase."""
    parser.add_argument(
        "--no-wait", action="store_true", help="Start the phase, print its execution, and don't wait for its end"
    )
    parser.add_argument(
        "--poll-interval",
        metavar="<seconds>",
        type=int,
        default=5,
        help="Seconds between two looks of the workflow at what it waits for (default: 5)",
    )


def start(mistral: Mistral, workflow: str, arguments: dict[str, Any]) -> Watched:
    """Start a phase.

    Raises:
        NotFound: the workbook is not registered.
        Unavailable: Mistral did not answer.
    """
    identity = mistral.start(f"{WORKBOOK}.{workflow}", arguments)
    begun = str(mistral.execution(identity).created_at)
    return Watched(str(arguments["plan"]), str(arguments.get("job") or workflow), identity, begun)


def start_and_wait(mistral: Mistral, workflow: str, arguments: dict[str, Any], args: argparse.Namespace) -> int:
    """Start a phase and wait for its end, unless that is not wanted; return the command's exit code.

    Raises:
        PhaseFailed: the phase ended badly.
    """
    watched = start(mistral, workflow, arguments)
    print(f"{title(watched.phase)} of plan {watched.plan}: execution {watched.execution}", flush=True)
    if args.no_wait:
        print(f"Watch it with `{asking.watch_command(watched)}`.")
        return SUCCEEDED
    return wait(mistral, watched)


def wait(mistral: Mistral, watched: Watched, *, pause: Callable[[float], None] = time.sleep) -> int:
    """Show a phase until it has ended; return the exit code.

    Raises:
        PhaseFailed: it ended badly.
        Unavailable: Mistral has not answered for `PATIENCE` seconds.
    """
    wanted = ""
    while True:
        try:
            with Progress(sys.stdout) as progress:
                snapshot = _follow(mistral, watched, progress, pause)
            break
        except KeyboardInterrupt:
            wanted = asking.what_now(watched, asked=wanted)
        if wanted == asking.LEAVE:
            print(f"It goes on. Watch it with `{asking.watch_command(watched)}`.", flush=True)
            return LEFT
        _tell_mistral(mistral, watched, wanted)
    if not snapshot.succeeded:
        raise PhaseFailed(snapshot.message)
    print(snapshot.message)
    return SUCCEEDED


def _follow(mistral: Mistral, watched: Watched, progress: Progress, pause: Callable[[float], None]) -> Snapshot:
    snapshot = Snapshot(watched.plan, watched.phase, watched.execution)
    silent_since = 0.0
    interval = 0.5
    while True:
        try:
            snapshot = look(mistral, watched)
            silent_since = 0.0
        except Unavailable as error:
            # The phase goes on without us, and Mistral may be restarted under it.
            silent_since = silent_since or time.monotonic()
            if time.monotonic() - silent_since > PATIENCE:
                raise Unavailable(
                    error.what, where=error.where, remedy=f"Later: `{asking.watch_command(watched)}`"
                ) from error
            snapshot = dataclasses.replace(snapshot, trouble=f"{error.what}; trying again")
        progress.show(snapshot)
        if snapshot.ended and not snapshot.trouble:
            return snapshot
        pause(interval)
        interval = min(interval * 1.2, LONGEST_PAUSE)


def _tell_mistral(mistral: Mistral, watched: Watched, wanted: str) -> None:
    """Start the workflow that pauses or cancels; what it says is printed."""
    arguments: dict[str, Any] = {"plan": watched.plan}
    if wanted == asking.CUT_OFF:
        arguments["now"] = True
    workflow = "pause" if wanted == asking.PAUSE else "cancel"
    try:
        print(run_to_end(mistral, workflow, arguments)["message"], flush=True)
    except FfwdError as error:
        print(error, file=sys.stderr, flush=True)


def run_to_end(mistral: Mistral, workflow: str, arguments: dict[str, Any], timeout: float = 120) -> dict[str, Any]:
    """Run one of the short workflows, `pause` or `cancel`, and return its output.

    Raises:
        PhaseFailed: it ended badly, or not in `timeout` seconds.
        Unavailable: Mistral did not answer.
    """
    identity = mistral.start(f"{WORKBOOK}.{workflow}", arguments)
    deadline = time.monotonic() + timeout
    while (found := mistral.execution(identity)).state not in TERMINAL:
        if time.monotonic() > deadline:
            raise PhaseFailed(f"{workflow} has not ended after {timeout:.0f} s", where=f"execution {identity}")
        time.sleep(0.3)
    output = mapping(found.output)
    if found.state != "SUCCESS":
        raise PhaseFailed(str(output.get("message") or found.state_info), where=f"execution {identity}")
    return output
