"""What the commands share: the plan's name, errors as one line, and options that name the right ones."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import functools
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cliff import columns
from osc_lib import exceptions as osc_exceptions
from osc_lib.command import command

from tripleo_ffwd.cli.osc import plugin
from tripleo_ffwd.exceptions import FfwdError, InvalidInput

if TYPE_CHECKING:
    from tripleo_ffwd.mistral import Mistral

WORKBOOK = "ffwd_upgrade.v1"
DEFAULT_STACK = "overcloud"

# Options that other releases of TripleO, Ansible or our own workflows have, and ours in their place.
ELSEWHERE = {
    "--limit": "--nodes or --roles",
    "--limit-hosts": "--nodes or --roles",
    "--batch": "--batches",
    "--batch-size": "--batches size=COUNT",
    "--no-workflow": "nothing: the phases always run in Mistral",
    "--remote-user": "--ssh-user",
    "--private-key": "--ssh-key-file",
    "--check": "--dry-run",
    "--force": "--force-reason",
    "--inventory": "--static-inventory",
    "--environment": "--environment-file",
    "--execution-id": "--execution",
}


class FfwdCommand(command.Command):  # type: ignore[misc]
    """A command about a plan; `take_action` is wrapped so that our errors become one line and exit code 1."""

    @property
    def auth_required(self) -> bool:
        """Whether keystone is asked first: not when the endpoint of Mistral is all that was given."""
        return not plugin.without_keystone(self.app.client_manager)

    @property
    def mistral(self) -> Mistral:
        """The Mistral that is talked to."""
        found: Mistral = self.app.client_manager.tripleo_ffwd
        return found

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return a parser with the plan's name, that tells which option was meant."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--stack",
            metavar="<stack>",
            default=os.environ.get("OVERCLOUD_STACK_NAME") or DEFAULT_STACK,
            help="Name of the overcloud's stack, and of its plan (default: overcloud, Env: OVERCLOUD_STACK_NAME)",
        )
        parser.add_argument("--plan", metavar="<plan>", help="Name of the plan, where it is not the stack's")
        complain = parser.error
        parser.error = lambda message: complain(_with_hints(message, parser))  # type: ignore[method-assign]
        return parser

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "take_action" in cls.__dict__:
            cls.take_action = _told(cls.take_action)


def plan_of(args: argparse.Namespace) -> str:
    """Return the name of the plan that a command is about."""
    return str(args.plan or args.stack)


def names_in(text: str, option: str) -> list[str]:
    """Return the names of a comma-separated list.

    Raises:
        InvalidInput: it has no name.
    """
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise InvalidInput(f"{option} names nothing", remedy=f"Give one or more names: {option} one,two")
    return found


class Lines(columns.FormattableColumn):  # type: ignore[misc]
    """A value that is data for programs, and lines for people."""

    def __init__(self, value: Any, lines: Callable[[Any], Iterator[str]]) -> None:
        super().__init__(value)
        self._lines = lines

    def human_readable(self) -> str:
        """Return the lines."""
        return "\n".join(self._lines(self._value))

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)


@contextlib.contextmanager
def errors_told() -> Iterator[None]:
    """Turn our errors into those that OpenStackClient prints as a line."""
    try:
        yield
    except FfwdError as error:
        raise osc_exceptions.CommandError(str(error)) from error


def _told(action: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(action)
    def take_action(self: FfwdCommand, parsed_args: argparse.Namespace) -> Any:
        with errors_told():
            return action(self, parsed_args)

    return take_action


def _with_hints(message: str, parser: argparse.ArgumentParser) -> str:
    """Add to argparse's complaint which options were probably meant."""
    if not message.startswith("unrecognized arguments"):
        return message
    known = [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
    hints = []
    for wrong in re.findall(r"(?<!\S)--[\w-]+", message):
        close = difflib.get_close_matches(wrong, known, n=2, cutoff=0.7)
        meant = ELSEWHERE.get(wrong) if _all_known(ELSEWHERE.get(wrong, ""), known) else None
        meant = meant or " or ".join(close)
        hints.append(f"instead of {wrong} use {meant}" if meant else f"there is no {wrong}")
    if not hints:
        hints.append("it takes no names without an option before them: a list is one word, separated by commas")
    return f"{message} ({'; '.join(hints)})"


def _all_known(text: str, known: list[str]) -> bool:
    return all(name in known for name in re.findall(r"--[\w-]+", text))
