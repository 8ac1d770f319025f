"""What the operator is asked: whether to begin at all, and what to do after a Ctrl-C."""

from __future__ import annotations

import sys
from typing import TextIO

from tripleo_ffwd.cli.osc.looking import Watched

LEAVE, PAUSE, CANCEL, CUT_OFF = "leave", "pause", "cancel", "cut off"

# The words of the Queens client, by which scripts and people know the question.
WARNING = (
    "\nWarning! The TripleO Fast Forward Upgrade workflow is a critical operation against the deployed environment.\n"
    "Once and if you decide to use ffwd-upgrade in production, ensure you are adequately prepared with valid backup of "
    "your current deployment state.\n"
)
QUESTION = (
    "Proceed with the fast forward upgrade? Type 'yes' to continue and anything else to cancel.\n"
    "Consider using the --yes parameter if you wish to skip this warning in future. "
)


def confirmed(yes: bool) -> bool:
    """Show the warning and return whether the operator wants to begin; without anybody to answer, no."""
    print(WARNING)
    if yes:
        print("Continuing fast forward upgrade", flush=True)
        return True
    answer = _answer(QUESTION)
    if answer == "yes":
        return True
    if answer is None:
        print()
    print("Cancelling fast forward upgrade", flush=True)
    return False


def what_now(watched: Watched, *, asked: str = "", terminal: TextIO | None = None) -> str:
    """Return what is to become of a phase after Ctrl-C: `LEAVE`, `PAUSE`, `CANCEL` or `CUT_OFF`.

    Args:
        watched: the phase.
        asked: what was wanted the last time: after a cancel, the tasks under way can be cut off.
        terminal: where the answer comes from; without a terminal the phase is left running.
    """
    stream = sys.stdin if terminal is None else terminal
    if not stream.isatty():
        return LEAVE
    choices = {"l": LEAVE, "p": PAUSE, "c": CANCEL}
    text = "[l]eave it running, [p]ause it where its next stage begins, or [c]ancel it"
    if asked in (CANCEL, CUT_OFF):
        choices, text = {"l": LEAVE, "n": CUT_OFF}, "[l]eave it ending, or cut off the tasks under way [n]ow"
    question = f"\nPhase {watched.phase} of plan {watched.plan} is under way: {text}? "
    while True:
        answer = _answer(question)
        if answer is None:
            return LEAVE
        if answer[:1].lower() in choices:
            return choices[answer[:1].lower()]
        print(f"One of {', '.join(choices)}, please. Another Ctrl-C leaves it running.")


def watch_command(watched: Watched) -> str:
    """Return the command that shows the phase again."""
    if watched.execution:
        return f"openstack overcloud ffwd-upgrade watch --execution {watched.execution}"
    return f"openstack overcloud ffwd-upgrade watch --stack {watched.plan}"


def _answer(question: str) -> str | None:
    """Return the line that is typed; None for Ctrl-C, Ctrl-D, or when there is nobody."""
    try:
        return input(question).strip()
    except (EOFError, KeyboardInterrupt):
        return None
