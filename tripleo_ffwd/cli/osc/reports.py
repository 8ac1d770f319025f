"""The commands that fetch what Mistral's executor has written: the report of a plan, the preview of a phase."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from osc_lib.command import command

from tripleo_ffwd.cli import preview_html
from tripleo_ffwd.cli.osc import looking, waiting
from tripleo_ffwd.cli.osc.base import FfwdCommand, Lines, plan_of
from tripleo_ffwd.cli.preview_rows import marked
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.files import write_atomic
from tripleo_ffwd.mistral import Mistral
from tripleo_ffwd.model import PHASE_PLAYBOOKS
from tripleo_ffwd.reporting import documents

# A report reads ledgers of megabytes, a preview asks Heat for the deployments of all servers.
REPORT_SECONDS = 600
PREVIEW_SECONDS = 1800
STDOUT = "-"
# Phases that have playbooks.
PHASES = tuple(phase for phase, playbooks in PHASE_PLAYBOOKS.items() if playbooks)
HEADINGS = ("Playbook", "Stage", "Release", "Step", "Role", "Nodes", "Tasks", "Conditions", "Mark")


class Report(FfwdCommand):
    """Write what was done for a plan as a page or as JSON: nodes and stages, times, failures, what was forced."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--format", choices=("html", "json"), default="html", help="Default: html")
        parser.add_argument(
            "--output",
            metavar="<file>",
            help="File to write, mode 0600 (default: ffwd-report-PLAN.html or .json here; - for stdout)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Have it written, and fetch it."""
        plan, form = plan_of(parsed_args), parsed_args.format
        arguments = {"plan": plan, "format": form}
        found = waiting.run_to_end(self.mistral, "report", arguments, REPORT_SECONDS)["document"]
        text = _fetched(self.mistral, plan, found)
        if parsed_args.output == STDOUT:
            sys.stdout.write(f"{text}\n")
            return 0
        file = Path(parsed_args.output or f"ffwd-report-{plan}.{form}").expanduser().absolute()
        write_atomic(file, text.encode())
        print(f"{file}, and on Mistral's executor {found['path']}")
        return 0


class Preview(FfwdCommand, command.Lister):  # type: ignore[misc]
    """Show the stages that a phase would have, from the outputs that the stack has now; nothing is changed."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--phase", choices=PHASES, default=PHASES[0], help=f"Default: {PHASES[0]}")
        parser.add_argument("--html", metavar="<file>", help="Also write a page for people to this file")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return headings and rows."""
        manifest = preview(self.mistral, plan_of(parsed_args), parsed_args.phase)
        if parsed_args.html:
            file = Path(parsed_args.html).expanduser().absolute()
            write_atomic(file, preview_html.page(manifest).encode())
            print(f"The page is {file}.", file=sys.stderr)
        for missing in manifest["missing_inputs"]:
            print(f"missing: {missing['playbook']}: {missing['what']}", file=sys.stderr)
        return HEADINGS, [_row(stage) for stage in marked(manifest)]


def preview(mistral: Mistral, plan: str, phase: str) -> Mapping[str, Any]:
    """Return the manifest of the playbooks that a phase would have.

    Raises:
        PhaseFailed: the stack's outputs could not be read, or no playbooks be made of them; the message says why.
        Unavailable: Mistral did not answer.
    """
    output = waiting.run_to_end(mistral, "preview", {"plan": plan, "phase": phase}, PREVIEW_SECONDS)
    found = looking.mapping(_fetched(mistral, plan, output["document"]))
    if "stages" not in found:
        raise InvalidInput("What was fetched is no preview", where=output["document"]["name"], remedy="Ask again")
    return found


def _fetched(mistral: Mistral, plan: str, document: dict[str, Any]) -> str:
    def ask(number: int) -> str:
        found = mistral.ask("ffwd.read_document", {"plan": plan, "name": document["name"], "number": number})
        return str(found)

    return documents.fetch(document, ask)


def _row(stage: Mapping[str, Any]) -> tuple[Any, ...]:
    point = stage["point_of_no_return"]
    marks = [f"release {stage['release']} begins"] if stage["release_begins"] else []
    marks += [f"POINT OF NO RETURN: {point['why']}"] if point else []
    return (
        stage["playbook"],
        stage["id"],
        stage["release"] or "",
        "" if stage["step"] is None else stage["step"],
        stage["role"],
        Lines(list(stage["hosts"]), _count),
        stage["tasks"],
        Lines(list(stage["residual"]), _count),
        "; ".join(marks),
    )


def _count(values: list[Any]) -> Iterator[str]:
    yield str(len(values))
