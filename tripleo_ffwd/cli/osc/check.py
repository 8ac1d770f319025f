"""The command that looks whether a phase can go well."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from osc_lib.command import command

from tripleo_ffwd.cli.osc import ansible_options, waiting, waiving
from tripleo_ffwd.cli.osc.base import FfwdCommand, names_in, plan_of
from tripleo_ffwd.model import PHASES

HEADINGS = ("Key", "Severity", "Inhibitor", "Where", "What", "Remedy", "Waived")
# The workflow ends by itself long before, at [ffwd] check_timeout.
PATIENCE = 3600.0


class Check(FfwdCommand, command.Lister):  # type: ignore[misc]
    """Look whether a phase can go well: undercloud, stack, and every node. Nothing is changed.

    Ends with 1 when an inhibitor stands: the phase would stop at it.
    """

    _stands = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--phase",
            choices=PHASES[1:],
            default=PHASES[1],
            help="The phase that is to begin (default: run)",
        )
        selection = parser.add_mutually_exclusive_group()
        selection.add_argument("--nodes", metavar="<node>[,<node>…]", help="Look at these nodes only")
        selection.add_argument("--roles", metavar="<role>[,<role>…]", help="Look at the nodes of these roles only")
        ansible_options.add_ssh_user(parser, "--ssh-user")
        ansible_options.add_ssh_key(parser)
        ansible_options.add_extra_vars(parser)
        ansible_options.add_ansible(parser)
        waiving.add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return headings and rows."""
        plan = plan_of(parsed_args)
        arguments: dict[str, Any] = {"plan": plan, "phase": parsed_args.phase, **waiving.arguments(parsed_args)}
        if parsed_args.plan:
            arguments["stack"] = parsed_args.stack
        reached = {name: getattr(parsed_args, name) for name in ("ssh_user", "ssh_key_file", "ssh_key_env")}
        reached["extra_vars"] = ansible_options.extra_vars(parsed_args.extra_vars)
        reached["extra_vars_file"] = parsed_args.extra_vars_file
        reached["ansible"] = ansible_options.settings("--ansible", parsed_args.ansible)
        arguments |= {name: value for name, value in reached.items() if value}
        for name in ("nodes", "roles"):
            if getattr(parsed_args, name) is not None:
                arguments[name] = names_in(getattr(parsed_args, name), f"--{name}")
        outcome = waiting.run_to_end(self.mistral, "check", arguments, PATIENCE)
        report = self.mistral.ask("ffwd.get_check_report", {"plan": plan, "check": outcome["check"]})
        self._stands = not outcome["passed"]
        print(outcome["message"], file=sys.stderr, flush=True)
        return HEADINGS, [_row(finding) for finding in (*report["findings"], *report["waived"])]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Show what was found; return the exit code."""
        code: int = super().run(parsed_args)
        return code or int(self._stands)


def _row(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    waived = f"until {finding['until']}: {finding['reason']}" if "until" in finding else ""
    names = ("key", "severity", "inhibitor", "where", "what", "remedy")
    return (*(finding[name] for name in names), waived)
