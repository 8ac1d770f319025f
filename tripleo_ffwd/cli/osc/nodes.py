"""The nodes of a plan: fetched in pieces that Mistral takes, and told in lines."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from osc_lib.command import command

from tripleo_ffwd.cli.osc import looking
from tripleo_ffwd.cli.osc.base import FfwdCommand, Lines, plan_of
from tripleo_ffwd.mistral import Mistral
from tripleo_ffwd.model import PHASES

# How many names a line has.
NAMES = 8
HEADINGS = ("Node", "Role", "Phase", "State", "Release", "Step", "Playbook", "Stages", "Next", "Left")

Row = Mapping[str, Any]


class ListNodes(FfwdCommand, command.Lister):  # type: ignore[misc]
    """Show for each node which phase, release and step it has finished, and what is left until converge."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return headings and rows."""
        plan = plan_of(parsed_args)
        looking.plan_status(self.mistral, plan)
        return HEADINGS, [_cells(row) for row in fetch(self.mistral, plan)]


def fetch(mistral: Mistral, plan: str) -> list[Row]:
    """Return where each node stands, as ``ffwd.list_nodes`` tells it.

    Raises:
        Unavailable: Mistral did not answer.
    """
    found: list[Row] = []
    while True:
        piece = mistral.ask("ffwd.list_nodes", {"plan": plan, "offset": len(found)})
        found += piece["nodes"]
        if not piece["nodes"] or len(found) >= piece["total"]:
            return found


def _cells(row: Row) -> tuple[Any, ...]:
    return (
        row["node"],
        row["role"],
        row["phase"],
        row["state"],
        row["release"],
        row["step"],
        _short(row["playbook"]),
        f"{row['stages_done']}/{row['stages_total']}" if row["stages_total"] else "",
        row["next"],
        Lines(row["left"], lambda left: iter([", ".join(left)])),
    )


def by_name(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Return the rows by node, for programs."""
    return {row["node"]: {key: value for key, value in row.items() if key != "node"} for row in rows}


def lines(nodes: Mapping[str, Row]) -> Iterator[str]:
    """Yield a line for all nodes that stand at the same place, what needs somebody first."""
    if not nodes:
        yield "no phase has begun on any node"
    groups: dict[str, list[str]] = {}
    for name, row in sorted(nodes.items(), key=lambda item: item[1]["state"] != "failed"):
        groups.setdefault(_place(row), []).append(name)
    for place, names in groups.items():
        yield f"{place}: {some(names)}"


def _place(row: Row) -> str:
    parts = [f"{row['phase']} {row['state']}"]
    if row["state"] == "finished":
        return ", ".join(filter(None, (*parts, row["release"])))
    if row["stages_total"]:
        parts.append(f"{_short(row['playbook'])} {row['stages_done']}/{row['stages_total']} stages")
    finished = " ".join(filter(None, (row["release"], row["step"])))
    if finished:
        parts.append(f"{finished} finished")
    if row["failed"]:
        parts.append(f"FAILED at '{row['failed']['task']}' in {row['failed']['stage']}")
    return ", ".join(parts)


def left(status: Mapping[str, Any], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what is left until converge has finished, each phase and playbook with its nodes where they are known."""
    found: list[dict[str, Any]] = [] if status["prepare"] == "finished" else [{"phase": "prepare", "nodes": []}]
    if not rows:
        return [*found, *({"phase": phase, "nodes": []} for phase in PHASES[1:])]
    behind: dict[str, list[str]] = {}
    for row in rows:
        for what in row["left"]:
            behind.setdefault(what, []).append(row["node"])
    order = sorted(behind, key=lambda what: PHASES.index(what.split()[0]))
    # Playbooks of a phase that are left for the very same nodes are one line.
    for what in order:
        phase, _, playbook = what.partition(" ")
        nodes = sorted(behind[what])
        if found and (found[-1]["phase"], found[-1]["nodes"]) == (phase, nodes) and playbook:
            found[-1]["playbooks"].append(playbook)
        else:
            found.append({"phase": phase, "nodes": nodes, **({"playbooks": [playbook]} if playbook else {})})
    return found


def left_lines(what: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each phase that is left."""
    if not what:
        yield "nothing: every node has finished converge"
    for one in what:
        playbooks = one.get("playbooks", [])
        phase = one["phase"] + (f" ({', '.join(playbooks)})" if playbooks else "")
        yield f"{phase}: {some(one['nodes'])}" if one["nodes"] else phase


def some(names: Sequence[str]) -> str:
    """Return how many names there are, and the first of them."""
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return f"{len(names)} nodes: {', '.join(names[:NAMES])}{more}" if len(names) > 1 else names[0]


def _short(playbook: str) -> str:
    return playbook.removesuffix(".yaml").removesuffix("_playbook")
