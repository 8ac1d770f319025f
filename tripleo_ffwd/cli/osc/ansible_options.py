"""The options of phases that run Ansible, and what becomes of them in the workflow's input."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.cli.osc import waiving
from tripleo_ffwd.exceptions import InvalidInput, NotFound

# The one that Ansible's verbosity begins above: `openstack -v` is 2.
QUIET = 1
MOST_VERBOSE = 4


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that are ours; those of TripleO are each command's own."""
    add_ssh_key(parser)
    parser.add_argument(
        "--tags",
        metavar="<tag>[,<tag>…]",
        help="Run only what has one of these tags; the phase is then not recorded as finished",
    )
    parser.add_argument(
        "--resume", action="store_true", help="Go on where the last run of the same playbook and nodes stopped"
    )
    add_extra_vars(parser)
    parser.add_argument(
        "--run-timeout",
        metavar="<seconds>",
        type=int,
        help="Time after which the run of a playbook is ended (default: [ffwd] run_timeout)",
    )
    parser.add_argument(
        "--forks", metavar="<count>", type=int, help="How many nodes Ansible works on at once (default: [ffwd] forks)"
    )
    add_ansible(parser)
    waiving.add_options(parser)
    waiving.add_no_checks(parser)
    add_dry_run(parser, "Run Ansible in check mode; change and record nothing")
    add_force_reason(parser)


def add_ssh_key(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the private key is."""
    parser.add_argument(
        "--ssh-key-file",
        metavar="<file>",
        help="Private key for the nodes, a path on Mistral's executor (default: [ffwd] ssh_key_file there)",
    )
    parser.add_argument(
        "--ssh-key-env",
        metavar="<name>",
        help="Mistral environment with the private key, in place of a file (default: [ffwd] ssh_key_env there)",
    )


def add_extra_vars(parser: argparse.ArgumentParser) -> None:
    """Add the options for variables."""
    parser.add_argument(
        "--extra-vars",
        metavar="<key=value or JSON>",
        action="append",
        default=[],
        help="Variables for Ansible; can be given more than once. Mistral keeps them: put secrets into a file",
    )
    parser.add_argument(
        "--extra-vars-file",
        metavar="<file>",
        help="File of variables for Ansible, a path on Mistral's executor",
    )


def add_ansible(parser: argparse.ArgumentParser) -> None:
    """Add ``--ansible``."""
    parser.add_argument(
        "--ansible",
        metavar="<key=value>[,<key=value>…]",
        default="",
        help="What is rarely needed of Ansible, by the names of the options in [ffwd] without ansible_, or as JSON",
    )


def add_dry_run(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--dry-run``."""
    parser.add_argument("--dry-run", action="store_true", help=text)


def add_force_reason(parser: argparse.ArgumentParser) -> None:
    """Add ``--force-reason``."""
    parser.add_argument(
        "--force-reason",
        metavar="<reason>",
        default="",
        help="Why the phase is started although it is out of turn; is recorded",
    )


def add_skip_tags(parser: argparse.ArgumentParser) -> None:
    """Add ``--skip-tags``, where TripleO's own command has none."""
    parser.add_argument(
        "--skip-tags", metavar="<tag>[,<tag>…]", default="", help="Leave out what has one of these tags"
    )


def add_ssh_user(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the option for the user on the nodes, under the names that the command has for it."""
    parser.add_argument(
        *names,
        dest="ssh_user",
        metavar="<user>",
        help="User on the nodes (default: [ffwd] ssh_user of Mistral's executor)",
    )


def add_static_inventory(parser: argparse.ArgumentParser) -> None:
    """Add ``--static-inventory``, which is understood and not used."""
    parser.add_argument(
        "--static-inventory",
        metavar="<file>",
        help="Accepted and not used: the inventory is made from the stack's outputs, with --ssh-user",
    )


def check_static_inventory(path: str | None) -> None:
    """Say that an inventory is not used.

    Raises:
        NotFound: there is no such file.
    """
    if path is None:
        return
    if not Path(path).is_file():
        raise NotFound(
            "There is no such inventory", where=path, remedy="Leave --static-inventory out: it is not needed"
        )
    print(
        f"{path} is not used: the inventory is made from the stack's outputs, and has all of its nodes.",
        file=sys.stderr,
        flush=True,
    )


def arguments(args: argparse.Namespace, verbose_level: int) -> dict[str, Any]:
    """Return the input of the workflow that these options stand for; what was not given is left to the workflow.

    Raises:
        InvalidInput: ``--extra-vars`` is neither ``key=value`` nor a JSON object; ``--waive`` has no reason or day.
    """
    found: dict[str, Any] = {
        "ssh_user": args.ssh_user,
        "ssh_key_file": args.ssh_key_file,
        "ssh_key_env": args.ssh_key_env,
        "tags": args.tags,
        "skip_tags": args.skip_tags,
        "ansible": settings("--ansible", args.ansible),
        "extra_vars": extra_vars(args.extra_vars),
        "extra_vars_file": args.extra_vars_file,
        "run_timeout": args.run_timeout,
        "forks": args.forks,
        "resume": args.resume,
        "verbosity": min(max(verbose_level - QUIET, 0), MOST_VERBOSE),
    }
    given = {name: value for name, value in found.items() if value not in (None, {}, False, 0, "")}
    return {**given, **waiving.arguments(args)}


def extra_vars(texts: Sequence[str]) -> dict[str, Any]:
    """Return the variables of all texts, later ones first.

    Raises:
        InvalidInput: a text is neither ``key=value`` nor a JSON object; the text is not shown.
    """
    found: dict[str, Any] = {}
    for number, text in enumerate(texts, 1):
        if text.lstrip().startswith("{"):
            found.update(_object(text, number))
        elif "=" in text and not text.startswith(("@", "=")):
            name, _, value = text.partition("=")
            found[name.strip()] = value
        else:
            raise InvalidInput(
                f"--extra-vars number {number} is neither key=value nor a JSON object",
                remedy="A file of variables is given by --extra-vars-file, as a path on Mistral's executor",
            )
    return found


def settings(option: str, text: str) -> dict[str, Any]:
    """Return what ``key=value,key=value`` or a JSON object says; numbers, true and false are what they look like.

    Raises:
        InvalidInput: it is neither.
    """
    if text.lstrip().startswith("{"):
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise InvalidInput(f"{option} is no JSON: {error}") from error
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise InvalidInput(f"{option} {text} is neither key=value nor a JSON object")
    return {name.strip(): _value(value.strip()) for name, _, value in pairs}


def _value(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, bool | int | float) else text


def _object(text: str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"--extra-vars number {number} is no JSON: {error}") from error
    return dict(found)
