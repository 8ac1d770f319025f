"""The options by which findings of checks are waived, and what becomes of them in a workflow's input."""

from __future__ import annotations

import argparse
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--waive`` and ``--until``."""
    parser.add_argument(
        "--waive",
        metavar="<key>=<reason>",
        action="append",
        default=[],
        help="Let the findings of a check stop nothing, and record why; can be given more than once. Needs --until",
    )
    parser.add_argument("--until", metavar="<YYYY-MM-DD>", default="", help="The last day of what is waived")


def add_no_checks(parser: argparse.ArgumentParser) -> None:
    """Add ``--no-checks``, for commands that start a phase."""
    parser.add_argument(
        "--no-checks",
        action="store_true",
        help="Begin without a look at undercloud and nodes; `ffwd-upgrade check` has it by itself",
    )


def arguments(args: argparse.Namespace) -> dict[str, Any]:
    """Return the part of the input that says what is waived, and whether checks are made.

    Raises:
        InvalidInput: a waiver has no reason, or no day.
    """
    found: dict[str, Any] = {}
    waived = []
    for text in args.waive:
        key, _, reason = (part.strip() for part in text.partition("="))
        if not key or not reason:
            raise InvalidInput(f"--waive {text} has no reason", remedy="Give --waive KEY=REASON --until YYYY-MM-DD")
        waived.append({"key": key, "reason": reason, "until": args.until})
    if bool(waived) != bool(args.until):
        raise InvalidInput("--waive and --until go together", remedy="Give --waive KEY=REASON --until YYYY-MM-DD")
    if waived:
        found["waivers"] = waived
    if getattr(args, "no_checks", False):
        found["checks"] = False
    return found
