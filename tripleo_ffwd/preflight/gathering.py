"""What goes into a check and what comes out of it: the request for the look at the nodes, and the report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tripleo_ffwd.ansible_run.tree import Tree
from tripleo_ffwd.exceptions import ConfigurationError
from tripleo_ffwd.preflight import backup, judging, launching, reports
from tripleo_ffwd.preflight.findings import ERROR, Finding
from tripleo_ffwd.preflight.waivers import Waived

# Bytes of the operator's script for repositories.
LONGEST_SCRIPT = 65536
SHORT = 300


class Options(Protocol):
    """The values of [ffwd] that are about checks."""

    python_interpreter: str
    checks_dir: str
    check_disk_free: int
    check_clock_skew: int
    check_repositories: str
    check_backup_file: str
    check_backup_command: str
    check_backup_age: int
    check_parallel: int
    check_node_timeout: int
    check_timeout: int


def request(
    conf: Options,
    plan: str,
    phase: str,
    tree: Tree | None,
    targets: Sequence[str],
    reached: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """Return what the process is asked for, see `process`.

    Args:
        conf: the values of [ffwd].
        plan, phase: what is checked.
        tree: the phase's playbooks; None when there are none.
        targets: names of the nodes; empty for all.
        reached: what the nodes have reached, ``{node: {phase: state}}``.

    Raises:
        ConfigurationError: the script for repositories can't be read.
    """
    limits = judging.Limits(
        phase=phase,
        ansible="",
        disk=conf.check_disk_free,
        skew=conf.check_clock_skew,
        seconds=conf.check_node_timeout,
        begun=frozenset(node for node, phases in reached.items() if phases.get(phase)),
    )
    return {
        "plan": plan,
        "phase": phase,
        "tree": str(tree.path) if tree else "",
        "targets": list(targets),
        "rolling": sorted(tree.rolling) if tree else [],
        "limits": limits.to_dict(),
        "seconds": conf.check_timeout,
        "node_seconds": conf.check_node_timeout,
        "parallel": conf.check_parallel,
        # Ansible's word for "look for one".
        "python": "" if conf.python_interpreter.startswith("auto") else conf.python_interpreter,
        "releases": list(tree.releases) if tree else [],
        "repositories": _repositories(conf.check_repositories),
        "guests": phase == "upgrade",
        "custom": {"directory": conf.checks_dir, "seconds": conf.check_timeout},
        "backup": {"command": conf.check_backup_command, "hours": conf.check_backup_age},
    }


def backup_of_file(conf: Options) -> list[Finding]:
    """Return what the file of the last backup says; a command is left to the process."""
    if conf.check_backup_file:
        return backup.of_file(conf.check_backup_file, conf.check_backup_age, time.time())
    return [] if conf.check_backup_command else [backup.unnamed()]


def _repositories(named: str) -> str:
    if not named.startswith("/") or len(named.split()) > 1 or not Path(named).is_file():
        return named
    try:
        text = Path(named).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The script can't be read: {error}", where=f"[ffwd] check_repositories {named}", remedy="Mend its mode"
        ) from error
    if len(text) > LONGEST_SCRIPT:
        raise ConfigurationError(
            f"The script is longer than {LONGEST_SCRIPT} bytes", where=f"[ffwd] check_repositories {named}"
        )
    return text


def collected(directory: Path, asked: Mapping[str, Any]) -> list[Finding]:
    """Return all that was found: by the action that began the check, and by the look at the nodes.

    Args:
        directory: of the check.
        asked: the request, as it lies there.
    """
    if not asked:
        what = "what was to be looked at can't be read"
        return [Finding("nodes-not-checked", ERROR, what, str(directory), "Check again", made=False)]
    found = [Finding(**one) for one in asked["findings"]]
    if not asked["look"]:
        return found
    if not asked["repositories"]:
        found.append(judging.repositories_unnamed())
    looked = launching.result(directory)
    if not looked:
        why = str(launching.status(directory)["message"])
        found.append(Finding("nodes-not-checked", ERROR, why, remedy="Check again", made=False))
    return [*found, *(Finding(**one) for one in looked.get("findings", ()))]


def report(
    directory: Path, asked: Mapping[str, Any], standing: Sequence[Finding], waived: Sequence[Waived], *, stopped: bool
) -> dict[str, Any]:
    """Return the report of a check."""
    looked = launching.result(directory)
    identity = {
        "id": directory.name,
        "plan": asked.get("plan", ""),
        "phase": asked.get("phase", ""),
        "execution": asked.get("owner", ""),
        "nodes": looked.get("nodes", []),
        "not_asked": looked.get("not_asked", []),
        "seconds": round(time.time() - float(asked.get("created", time.time())), 1),
    }
    return reports.make(identity, standing, waived, stopped=stopped)


def first_inhibitors(made: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the first inhibitors of a report, short enough for a workflow."""
    names = ("key", "where", "what", "remedy")
    found = [finding for finding in made["findings"] if finding["inhibitor"]]
    return [{name: finding[name][:SHORT] for name in names} for finding in found[: reports.NAMED]]


def notes(made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a plan's record keeps of what was waived: one note a key."""
    keys = list(dict.fromkeys(one["key"] for one in made["waived"]))
    found = []
    for key in keys:
        those = [one for one in made["waived"] if one["key"] == key]
        note = {"phase": made["phase"], "execution": made["execution"], "key": key}
        where = sorted({one["where"] for one in those if one["where"]})
        found.append({**note, "reason": those[0]["reason"], "until": those[0]["until"], "where": where})
    return found
