"""The report of a rehearsal as text; values in, text out."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

# What there are findings of, and what to say over them.
FINDINGS = {
    "undecided": "Conditions that the stand-ins could not decide (the tasks were left out)",
    "stops": "Tasks that would have stopped the upgrade, as the stand-ins answered (it went on)",
    "answers": "Tasks that the stand-ins' answers made fail (it went on)",
}
_WIDTH = 160
_MOST_HOSTS = 3


def duration(seconds: float) -> str:
    """Return a time for people: ``45 s``, ``12 min``, ``3 h 20 min``."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def text(report: Mapping[str, Any]) -> str:
    """Return the report as text."""
    stream = io.StringIO()
    console = Console(file=stream, width=_WIDTH, markup=False, highlight=False, emoji=False, soft_wrap=False)
    for playbook in report["playbooks"]:
        if playbook["stages"]:
            console.print(_playbook(playbook))
        if playbook["result"] != "finished":
            told = f"{playbook['phase']}  {playbook['playbook']}: {playbook['result']}: {playbook['message']}"
            console.print(told, soft_wrap=True)
    console.print(_totals(report))
    console.print()
    for line in (*summary(report), *_findings(report)):
        console.print(line, soft_wrap=True)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def summary(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the report says in short, a line each."""
    roles = (f"{role['role']} {role['rehearsed']} of {role['nodes']}" for role in report["roles"])
    yield f"stand-in nodes: {', '.join(roles)}"
    yield f"releases: {', '.join(report['releases']) or 'none'}"
    point = report["point_of_no_return"]
    if point:
        yield f"point of no return: {point['playbook']}: {point['stage']}: {point['why']}"
    went = sum(playbook["result"] == "finished" for playbook in report["playbooks"])
    yield f"gone through: {went} of {len(report['playbooks'])} playbooks, in {report['basis']['ansible_seconds']} s"
    what = "of them" if went < len(report["playbooks"]) else "on the nodes"
    yield f"estimated time {what}: {duration(report['estimated_seconds'])}, from {report['basis']['text']}"


def hosts_of(finding: Mapping[str, Any]) -> str:
    """Return the hosts of a finding, at most some of them."""
    hosts = finding["hosts"]
    more = f" and {len(hosts) - _MOST_HOSTS} more" if len(hosts) > _MOST_HOSTS else ""
    return f"{', '.join(hosts[:_MOST_HOSTS])}{more}"


def _playbook(playbook: Mapping[str, Any]) -> Table:
    table = Table(title=f"{playbook['phase']}  {playbook['playbook']}", title_justify="left")
    table.add_column("stage", overflow="fold")
    for name in ("nodes", "run", "skipped", "when", "estimate"):
        table.add_column(name, justify="right")
    for stage in playbook["stages"]:
        numbers = (str(stage[key]) for key in ("hosts", "run", "skipped", "conditions"))
        table.add_row(stage["id"], *numbers, duration(stage["estimated_seconds"]))
    table.add_section()
    total = (str(playbook["run"]), str(playbook["skipped"]), "", duration(playbook["estimated_seconds"]))
    table.add_row(playbook["result"], "", *total)
    return table


def _totals(report: Mapping[str, Any]) -> Table:
    table = Table("phase", "role", title="tasks on all nodes", title_justify="left")
    for name in ("run", "skipped"):
        table.add_column(name, justify="right")
    for total in report["totals"]:
        table.add_row(total["phase"], total["role"], str(total.get("run", 0)), str(total.get("skipped", 0)))
    return table


def missing(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is missing, a line each."""
    for lacking in report["missing_inputs"]:
        yield f"missing input: {lacking['playbook']}: {lacking['what']}"
    for module in report["missing_modules"]:
        first = module["tasks"][0]
        more = f" and {len(module['tasks']) - 1} more" if len(module["tasks"]) > 1 else ""
        yield f"not found by Ansible: {module['name']}: {first['stage']}: {first['task']}{more}"


def remedies(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what to do about what is missing, a line each."""
    if report["missing_inputs"]:
        yield "For the inputs: --stack NAME takes the servers' deployments from Heat, --config-download DIR from files"
    if report["missing_modules"]:
        yield (
            "For modules, roles and plugins: install them where Mistral's executor runs, and rehearse there; or name "
            "their directories: --module-path, --roles-path, --collections-path"
        )


def _findings(report: Mapping[str, Any]) -> Iterator[str]:
    yield from missing(report)
    yield from remedies(report)
    for name, heading in FINDINGS.items():
        if report[name]:
            yield ""
            yield f"{heading}:"
        for finding in report[name]:
            where = f"{finding['stage']}: {finding['task']} ({finding['module']}, {hosts_of(finding)})"
            yield f"  {where}: {finding['message']}"
