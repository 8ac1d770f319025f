"""The commands about a phase under way: watch, pause, resume, cancel."""

from __future__ import annotations

import argparse
from typing import Any

from tripleo_ffwd.cli.osc import looking, waiting
from tripleo_ffwd.cli.osc.base import FfwdCommand, plan_of
from tripleo_ffwd.cli.osc.snapshot import TERMINAL
from tripleo_ffwd.exceptions import Busy, InvalidInput, NotFound
from tripleo_ffwd.model import JOB_PLAYBOOKS, title

# Phases that can be gone on with; what the others do is done again from the start.
RESUMABLE = ("run", "upgrade", "converge", *JOB_PLAYBOOKS)


class Watch(FfwdCommand):
    """Show a phase until it has ended, whoever started it, from wherever.

    Ctrl-C asks whether to leave it running, pause or cancel it.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--execution", metavar="<id>", help="Execution of the phase (default: what is under way on the plan)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Find the phase and wait for its end."""
        if parsed_args.execution:
            return waiting.wait(self.mistral, looking.by_execution(self.mistral, parsed_args.execution))
        plan = plan_of(parsed_args)
        watched = looking.by_plan(self.mistral, plan)
        if watched is not None:
            return waiting.wait(self.mistral, watched)
        print(f"Nothing is under way on plan {plan}.")
        last = looking.last_execution(self.mistral, plan)
        if last is None:
            return waiting.SUCCEEDED
        print(f"The last phase, {looking.phase_of(last)}, was execution {last.id} of {last.created_at} UTC:")
        return waiting.wait(self.mistral, looking.by_execution(self.mistral, last.id))


class Pause(FfwdCommand):
    """Have the runs of a plan end where their next stage begins: nothing is left running, and resume goes on there."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--undo", action="store_true", help="Take back a pause that is still to come")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Ask for the pause; its end is watched by `watch`."""
        plan, under_way = _known(self, parsed_args)
        output = waiting.run_to_end(self.mistral, "pause", {"plan": plan, "undo": parsed_args.undo})
        print(output["message"])
        return waiting.SUCCEEDED if output["paused"] or under_way else waiting.FAILED


class Cancel(FfwdCommand):
    """Cancel what a phase has under way: its runs, and the update of its stack.

    Tasks under way have some time to end; nothing is rolled back.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--now", action="store_true", help="Cut off the tasks under way; also after a first cancel")
        parser.add_argument(
            "--force-reason",
            metavar="<reason>",
            default="",
            help="Why an update of the stack is to be stopped that the plan has not sent; is recorded",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Ask for the end; it is watched by `watch`."""
        plan, under_way = _known(self, parsed_args)
        arguments: dict[str, Any] = {"plan": plan, "now": parsed_args.now}
        if parsed_args.force_reason:
            arguments["force_reason"] = parsed_args.force_reason
        if parsed_args.plan:
            arguments["stack"] = parsed_args.stack
        output = waiting.run_to_end(self.mistral, "cancel", arguments)
        print(output["message"])
        anything = output["cancelled"] or output["stack_cancelled"] or under_way
        return waiting.SUCCEEDED if anything else waiting.FAILED


class Resume(FfwdCommand):
    """Start the last phase of a plan again, with the same input, where it stopped."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--execution", metavar="<id>", help="Execution to go on with (default: the plan's last one)"
        )
        parser.add_argument("--no-wait", action="store_true", help="Don't wait for the end")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Find the execution, start its workflow again with `resume`, and wait."""
        plan = plan_of(parsed_args)
        last = self._to_go_on_with(plan, parsed_args.execution)
        phase = looking.phase_of(last)
        _check_can_go_on(last, phase, plan)
        arguments = {**looking.arguments_of(last), "resume": True}
        return waiting.start_and_wait(self.mistral, looking.workflow_of(last), arguments, parsed_args)

    def _to_go_on_with(self, plan: str, execution: str) -> Any:
        """Return the execution that is named, or the last that came to run anything: not one that was refused."""
        run = looking.plan_status(self.mistral, plan)["last"]
        if not execution and run is None:
            raise NotFound(f"No playbook of plan {plan} has been run", remedy="Start the phase")
        try:
            return looking.phase_execution(self.mistral, execution or run["owner"])
        except NotFound as error:
            raise NotFound(error.what, where=error.where, remedy="Start the phase itself, with --resume") from error


def _known(command: FfwdCommand, args: argparse.Namespace) -> tuple[str, bool]:
    """Return the plan's name and whether a phase holds it; raises NotFound when there is no such plan."""
    plan = plan_of(args)
    return plan, bool(looking.plan_status(command.mistral, plan)["execution"])


def _check_can_go_on(last: Any, phase: str, plan: str) -> None:
    if last.state not in TERMINAL:
        raise Busy(
            f"{title(phase)} of plan {plan} is under way",
            where=f"execution {last.id}",
            remedy="See `openstack overcloud ffwd-upgrade watch`",
        )
    if last.state == "SUCCESS":
        beside = "Name the execution of the phase with --execution, if one is to be gone on with"
        raise InvalidInput(
            f"{title(phase)} of plan {plan} has finished",
            remedy=beside if phase in JOB_PLAYBOOKS else "Go on with the next phase",
        )
    if phase not in RESUMABLE:
        raise InvalidInput(
            f"The last execution was of {phase or last.workflow_name}, which is not gone on with but begun anew",
            remedy="Start the phase again",
        )
