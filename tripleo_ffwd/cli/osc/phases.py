"""The commands that start a phase, by the names and with the options of TripleO's Queens client."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from tripleo_ffwd.cli.osc import ansible_options, asking, deploy_options, waiting
from tripleo_ffwd.cli.osc.base import FfwdCommand, names_in, plan_of
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import PHASE_PLAYBOOKS

YES = "Begin without the question"
# The tags that TripleO's upgrade playbooks may be run without.
SKIP_TAGS = ("validation", "pre-upgrade")


class Prepare(FfwdCommand):
    """Update the plan with the new templates, and the stack: nothing runs on the nodes.

    The first of the four phases of a fast forward upgrade: prepare, run, upgrade, converge.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--yes", action="store_true", help=YES)
        deploy_options.add_options(
            parser, deploy_options.CEPH_ANSIBLE, *_nothing_over_ssh("nothing runs on the nodes in this phase")
        )
        _add_plan_options(parser)
        waiting.add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Start the phase and wait for its end."""
        more = _nothing_over_ssh("nothing runs on the nodes in this phase")
        deploy_options.check(parsed_args, deploy_options.CEPH_ANSIBLE, *more)
        arguments = {**_common(parsed_args), **_of_plan(parsed_args)}
        if not asking.confirmed(parsed_args.yes):
            return waiting.FAILED
        return waiting.start_and_wait(self.mistral, "prepare", arguments, parsed_args)


class Run(FfwdCommand):
    """Run the fast forward upgrade playbook on all nodes.

    Services are stopped everywhere, and the bootstrap nodes taken through the releases between. The second of the four
    phases: prepare, run, upgrade, converge.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--yes", action="store_true", help=YES)
        ansible_options.add_static_inventory(parser)
        ansible_options.add_ssh_user(parser, "--ssh-user")
        ansible_options.add_skip_tags(parser)
        ansible_options.add_options(parser)
        waiting.add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Start the phase and wait for its end."""
        ansible_options.check_static_inventory(parsed_args.static_inventory)
        arguments = {
            **_common(parsed_args),
            **ansible_options.arguments(parsed_args, self.app.options.verbose_level),
        }
        if not asking.confirmed(parsed_args.yes):
            return waiting.FAILED
        return waiting.start_and_wait(self.mistral, "run", arguments, parsed_args)


class Upgrade(FfwdCommand):
    """Upgrade the nodes of some roles, or some nodes, all in parallel.

    Three playbooks, each an ansible-playbook of its own: upgrade steps, deploy steps, post-upgrade steps. The third of
    the four phases: prepare, run, upgrade, converge.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        selection = parser.add_mutually_exclusive_group(required=True)
        selection.add_argument(
            "--nodes", metavar="<node>[,<node>…]", help="Names of nodes; of a control-plane role all of them are needed"
        )
        selection.add_argument("--roles", metavar="<role>[,<role>…]", help="Names of roles, all nodes of each")
        parser.add_argument(
            "--playbook",
            metavar="<playbook>",
            default="all",
            help=f"all (default), or one of {', '.join(PHASE_PLAYBOOKS['upgrade'])}",
        )
        parser.add_argument(
            "--skip-tags",
            metavar="<tag>[,<tag>]",
            default="",
            help=f"Tags that are left out: {' and '.join(SKIP_TAGS)} are supported",
        )
        parser.add_argument(
            "--batches",
            metavar="<key=value>[,<key=value>…]",
            default="",
            help="Upgrade nodes of other than control-plane roles in batches, e.g. size=10,canary=1; keys are those "
            "of the workflow's input batches, also as JSON",
        )
        parser.add_argument("--yes", action="store_true", help=f"{YES}, which only a terminal is asked")
        ansible_options.add_static_inventory(parser)
        ansible_options.add_ssh_user(parser, "--ssh-user")
        ansible_options.add_options(parser)
        waiting.add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Start the phase and wait for its end."""
        ansible_options.check_static_inventory(parsed_args.static_inventory)
        arguments = {
            **_common(parsed_args),
            **ansible_options.arguments(parsed_args, self.app.options.verbose_level),
            **_selection(parsed_args),
        }
        # TripleO's client never asks here: what has worked without a terminal goes on to.
        if sys.stdin.isatty() and not asking.confirmed(parsed_args.yes):
            return waiting.FAILED
        return waiting.start_and_wait(self.mistral, "upgrade", arguments, parsed_args)


class Converge(FfwdCommand):
    """Update plan and stack, and run the deploy steps on all nodes: the overcloud is as the templates say.

    The last of the four phases: prepare, run, upgrade, converge.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--yes", action="store_true", help=YES)
        deploy_options.add_options(parser)
        ansible_options.add_ssh_user(parser, "--overcloud-ssh-user", "--ssh-user")
        parser.add_argument(
            "--overcloud-ssh-key",
            metavar="<file>",
            help="The same as --ssh-key-file: a path on Mistral's executor",
        )
        ansible_options.add_skip_tags(parser)
        ansible_options.add_options(parser)
        waiting.add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Start the phase and wait for its end."""
        deploy_options.check(parsed_args)
        parsed_args.ssh_key_file = parsed_args.ssh_key_file or parsed_args.overcloud_ssh_key
        arguments = {
            **_common(parsed_args),
            **_of_plan(parsed_args),
            **ansible_options.arguments(parsed_args, self.app.options.verbose_level),
        }
        if not asking.confirmed(parsed_args.yes):
            return waiting.FAILED
        return waiting.start_and_wait(self.mistral, "converge", arguments, parsed_args)


def _nothing_over_ssh(why: str) -> tuple[deploy_options.Without, ...]:
    names = (("--overcloud-ssh-user", "<user>"), ("--overcloud-ssh-key", "<file>"))
    return tuple(deploy_options.Without((name,), takes, why) for name, takes in names)


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    ansible_options.add_dry_run(parser, "Make and compare the plan's new version, and update no stack")
    ansible_options.add_force_reason(parser)


def _common(args: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {"plan": plan_of(args), "poll_interval": args.poll_interval}
    if args.dry_run:
        found["dry_run"] = True
    if args.force_reason:
        found["force_reason"] = args.force_reason
    return found


def _of_plan(args: argparse.Namespace) -> dict[str, Any]:
    found = deploy_options.arguments(args)
    if args.plan:
        found["stack"] = args.stack
    if args.without_update_plan_only:
        found["dry_run"] = True
    return found


def _selection(args: argparse.Namespace) -> dict[str, Any]:
    """Return the part of the input that says what is upgraded, by which playbook.

    Raises:
        InvalidInput: a name that the command knows to be wrong.
    """
    known = ("all", *PHASE_PLAYBOOKS["upgrade"])
    if args.playbook not in known:
        raise InvalidInput(f"--playbook {args.playbook} is not one of upgrade", remedy=f"Use one of {', '.join(known)}")
    tags = [tag.strip() for tag in args.skip_tags.split(",") if tag.strip()]
    for tag in tags:
        if tag not in SKIP_TAGS:
            raise InvalidInput(f"--skip-tags {tag} is not supported", remedy=f"Supported are {', '.join(SKIP_TAGS)}")
    found: dict[str, Any] = {"playbook": args.playbook}
    if args.batches:
        found["batches"] = ansible_options.settings("--batches", args.batches)
    if tags:
        found["skip_tags"] = ",".join(tags)
    if args.roles is not None:
        found["roles"] = names_in(args.roles, "--roles")
    else:
        found["nodes"] = names_in(args.nodes, "--nodes")
    return found
