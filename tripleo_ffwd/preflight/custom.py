"""The operator's own checks: what lies in a directory is run, and what it says becomes findings ``custom:NAME``.

An executable prints one finding or a list of them as JSON, ``{"what": …, "severity": …, "inhibitor": …, "where": …,
"remedy": …}``, of which only ``what`` must be there; nothing, or ``[]``, is "all well". A playbook is run against the
phase's inventory; each task that fails on a host is a finding. Whatever else happens is a finding, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.preflight.asking import Answer, Job
from tripleo_ffwd.preflight.findings import CUSTOM, ERROR, SEVERITIES, WARNING, Finding, not_made

PLUGINS = Path(__file__).parent / "inside"
SUFFIXES = (".yaml", ".yml")
MOST = 100
_FIELDS = {"what": str, "severity": str, "inhibitor": bool, "where": str, "remedy": str, "key": str}


def jobs(
    directory: str, seconds: float, told: Mapping[str, str], playbook: Sequence[str]
) -> tuple[list[Job], list[Finding]]:
    """Return what is to be run, and what can't be.

    Args:
        directory: of the checks; empty for none.
        seconds: that each may take.
        told: environment of every check.
        playbook: ansible-playbook and its options, before the name of the playbook.
    """
    if not directory:
        return [], []
    try:
        entries = sorted(path for path in Path(directory).iterdir() if not path.name.startswith("."))
    except OSError as error:
        remedy = "Mend [ffwd] checks_dir, which every executor must see"
        return [], [not_made(f"{CUSTOM}*", f"the directory can't be read: {error.strerror}", directory, remedy)]
    wanted: list[Job] = []
    findings = []
    for path in entries:
        name = f"{CUSTOM}{path.stem}"
        if path.suffix in SUFFIXES and path.is_file():
            wanted.append(Job(name, (*playbook, str(path)), seconds=seconds, environment=told))
        elif path.is_file() and os.access(path, os.X_OK):
            wanted.append(Job(name, (str(path),), seconds=seconds, environment=told))
        elif path.is_file():
            why = "it is neither executable nor a playbook (*.yaml)"
            findings.append(not_made(name, why, str(path), "Make it executable or take it away"))
    return wanted, findings


def is_playbook(job: Job) -> bool:
    """Tell whether a job is that of a playbook."""
    return job.command[-1].endswith(SUFFIXES)


def of_executable(job: Job, answer: Answer) -> list[Finding]:
    """Return what an executable has said."""
    path = job.command[-1]
    if answer.over:
        return [not_made(job.name, f"it did not end within {job.seconds:g} s", path)]
    if answer.code != 0:
        told = " ".join((answer.err or answer.out).split())[-200:]
        how = f"it ended with {answer.code}" if answer.code is not None else "it could not be started"
        return [not_made(job.name, ": ".join(filter(None, (how, told))), path)]
    if not answer.out.strip():
        return []
    try:
        said = json.loads(answer.out)
    except ValueError as error:
        return [not_made(job.name, f"what it prints is no JSON: {error}", path)]
    each = said if isinstance(said, list) else [said]
    found = [_finding(job.name, one, path) for one in each[:MOST]]
    if len(each) > MOST:
        found.append(Finding(job.name, WARNING, f"and {len(each) - MOST} more findings", path))
    return found


def _finding(key: str, said: Any, path: str) -> Finding:
    if not isinstance(said, dict):
        return not_made(key, f"a finding is no object: {str(said)[:100]}", path)
    for name, value in said.items():
        if name not in _FIELDS:
            return not_made(key, f"a finding has an unknown {name!r}; it has {', '.join(_FIELDS)}", path)
        if not isinstance(value, _FIELDS[name]):
            return not_made(key, f"{name} of a finding is {value!r}", path)
    severity = said.get("severity", WARNING)
    if not said.get("what") or severity not in SEVERITIES:
        why = f"a severity is one of {', '.join(SEVERITIES)}, not {severity!r}" if said.get("what") else "no what"
        return not_made(key, f"a finding can't be understood: {why}", path)
    what, where, remedy = (" ".join(str(said.get(name, "")).split())[:300] for name in ("what", "where", "remedy"))
    return Finding(key, severity, what, where, remedy, inhibitor=bool(said.get("inhibitor", False)))


def of_playbook(job: Job, answer: Answer, failures: Path) -> list[Finding]:
    """Return which tasks of a playbook have failed; `failures` is what the callback plugin has written."""
    path = job.command[-1]
    if answer.over:
        return [not_made(job.name, f"it did not end within {job.seconds:g} s", path)]
    found = []
    try:
        lines = failures.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines[:MOST]:
        try:
            said = json.loads(line)
            what = f"{said['task']}: {' '.join(str(said['message']).split())}"
            found.append(Finding(job.name, ERROR, what, said["host"], f"See what {path} looks for"))
        except (ValueError, KeyError, TypeError):
            found.append(not_made(job.name, "what has failed can't be read", path))
    if answer.code != 0 and not found:
        told = " ".join((answer.err or answer.out).split())[-200:]
        found.append(not_made(job.name, f"ansible-playbook ended with {answer.code}: {told}", path))
    return found
