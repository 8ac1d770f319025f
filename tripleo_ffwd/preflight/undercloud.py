"""Findings about the undercloud: stack, outputs, plan, work directory, launcher, what the playbooks need.

What Heat, the plan's records and the launchers say comes as values; of files only the work directory is looked at.
"""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tripleo_ffwd.exceptions import FfwdError, NotFound, Unavailable
from tripleo_ffwd.model import PHASE_PLAYBOOKS, RunStatus
from tripleo_ffwd.preflight.findings import ERROR, WARNING, Finding, not_made, of_error
from tripleo_ffwd.stack import StackStatus

MEGABYTE = 1 << 20


def stack(found: StackStatus | FfwdError, phase: str) -> tuple[Finding, ...]:
    """Return what is wrong with the stack: it must be there, complete, and left alone by Heat.

    Args:
        found: what Heat says, or why it doesn't.
        phase: converge updates the stack itself, which is what mends a failed one.
    """
    if isinstance(found, Unavailable):
        unknown = not_made("stack-status", "Heat does not answer")
        return (of_error("services", found), unknown)
    if isinstance(found, FfwdError):
        return (of_error("stack-status" if isinstance(found, NotFound) else "services", found),)
    state = f"{found.action}_{found.status}"
    if found.in_progress:
        return (Finding("stack-status", ERROR, f"Heat works on it: {state}", found.name, "Wait for its end"),)
    if found.complete:
        return ()
    reason = f": {found.reason}" if found.reason else ""
    remedy = "Mend what has failed and update the stack: prepare does"
    severity = WARNING if phase == "converge" else ERROR
    return (Finding("stack-status", severity, f"it is {state}{reason}", found.name, remedy),)


def outputs(told: Mapping[str, object] | str, phase: str) -> tuple[Finding, ...]:
    """Return what kept the outputs from being fetched, or the playbooks from being generated.

    Args:
        told: what the failed task says, as an action's error has it; empty for nothing.
        phase: converge makes them anew by its own update of the stack.
    """
    if not told:
        return ()
    severity = WARNING if phase == "converge" else ERROR
    if not isinstance(told, Mapping):
        return (Finding("outputs-complete", severity, str(told)),)
    kind, what, remedy = (str(told.get(name) or "") for name in ("error", "message", "remedy"))
    what = what.removesuffix(f". {remedy}") if remedy else what
    missing = told.get("missing_inputs")
    if isinstance(missing, list) and missing:
        return inputs(missing, "", remedy)
    if kind == "Unavailable":
        return (Finding("services", ERROR, what, remedy=remedy),)
    return (Finding("outputs-complete", severity, what, remedy=remedy),)


def inputs(
    missing: Iterable[Mapping[str, str]], phase: str, remedy: str = "", playbook: str = ""
) -> tuple[Finding, ...]:
    """Return the inputs that playbooks lack.

    Args:
        missing: ``{playbook, what}`` each, as the manifest has them.
        phase: its playbooks count; empty for all.
        remedy: what to do.
        playbook: the only one of the phase that is meant; empty for all of it.
    """
    wanted = (playbook,) if playbook else PHASE_PLAYBOOKS.get(phase, ())
    told = remedy or "Update the stack with TripleO's config-download environment, which makes the deployments"
    return tuple(
        Finding("inputs-missing", ERROR, f"it lacks {entry.get('what')}", str(entry.get("playbook") or ""), told)
        for entry in missing
        if not phase or entry.get("playbook") in wanted
    )


def modules(missing: Sequence[str] | None) -> tuple[Finding, ...]:
    """Return the modules, roles and plugins that Ansible doesn't find; None when it could not be asked."""
    if missing is None:
        return (not_made("modules-missing", "Ansible could not be asked", remedy="See that ansible-playbook runs"),)
    remedy = (
        "Install what is missing, and name its directories in [ffwd] ansible_library, ansible_roles_path and "
        "ansible_collections_path"
    )
    return tuple(Finding("modules-missing", ERROR, f"Ansible does not find {name}", remedy=remedy) for name in missing)


def lock(holder: tuple[str, str, str] | None, owner: str, runs: Iterable[RunStatus]) -> tuple[Finding, ...]:
    """Return who else works on the plan.

    Args:
        holder: execution, phase and since when (UTC) of who holds the plan; None for nobody.
        owner: the execution that asks, which may hold it.
        runs: the plan's runs.
    """
    found = []
    if holder is not None and holder[0] != owner:
        execution, phase, since = holder
        what = f"the plan is in phase {phase} since {since} UTC, by execution {execution}"
        remedy = "Wait for its end, or cancel it; one that has ended is taken over from by the next phase"
        found.append(Finding("plan-lock", ERROR, what, remedy=remedy))
    for run in runs:
        if not run.settled:
            what = f"run {run.run_id} of phase {run.phase} ({run.playbook}) is {run.state}"
            remedy = f"Wait for it, or end it with `tripleo-ffwd run cancel {run.run_id}`"
            found.append(Finding("plan-lock", ERROR, what, run.run_dir, remedy))
    return tuple(found)


def launcher(name: str, obstacle: str) -> tuple[Finding, ...]:
    """Return why runs can't be started; `obstacle` is empty when they can."""
    return (Finding("launcher", ERROR, obstacle, f"[ffwd] launcher {name}"),) if obstacle else ()


def work_dir(path: Path, least: int) -> tuple[Finding, ...]:
    """Return what is wrong with the work directory.

    Args:
        path: the [ffwd] work_dir.
        least: megabytes that must be free.
    """
    mend = f"Make it its user's alone: chown it and chmod 0700 {path}"
    try:
        status = path.stat()
        filesystem = os.statvfs(path)
    except OSError as error:
        return (Finding("work-dir-mode", ERROR, f"it can't be looked at: {error.strerror}", str(path), mend),)
    found = []
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        found.append(Finding("work-dir-mode", ERROR, "it can't be written by this user", str(path), mend))
    elif modes.S_IMODE(status.st_mode) & 0o077 or status.st_uid != os.geteuid():
        what = f"others may read it: its mode is {modes.S_IMODE(status.st_mode):04o}, its owner {status.st_uid}"
        found.append(Finding("work-dir-mode", WARNING, what, str(path), mend))
    free = filesystem.f_bavail * filesystem.f_frsize // MEGABYTE
    if free < least:
        what = f"{free} MB are free, and {least} MB are wanted"
        found.append(Finding("work-dir-space", ERROR, what, str(path), "Make room"))
    if filesystem.f_files and not filesystem.f_favail:
        found.append(Finding("work-dir-space", ERROR, "no more files can be made in it", str(path), "Make room"))
    return tuple(found)
