"""How a phase's end is told: results of failed tasks, whatever their shape, as one small structure. Pure."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from tripleo_ffwd.exceptions import FfwdError

MAX_MESSAGE = 4000


class WaitFailed(FfwdError):
    """A run or a stack update ended badly, or did not end in time; its details carry the failed tasks."""


def success(plan: str, phase: str, targets: Sequence[str], *, dry_run: bool, summary: str = "") -> dict[str, Any]:
    """Return the outcome of a phase that succeeded.

    Args:
        plan, phase, targets: which phase of what.
        dry_run: nothing was changed.
        summary: what the phase changes in plan and stack. A dry run that has one has ended there.
    """
    if dry_run and summary:
        return _outcome("SUCCESS", f"Dry run of phase {phase} of plan {plan}: nothing was changed. {summary}", {})
    where = f" on {len(targets)} nodes" if targets else ""
    how = "has been tried in check mode" if dry_run else "has finished"
    told = f"Phase {phase} of plan {plan} {how}{where}."
    return _outcome("SUCCESS", f"{told} {summary}" if summary else told, {})


def failure(plan: str, phase: str, error: Any, *, also: str = "") -> dict[str, Any]:
    """Return the outcome of a phase whose task ended with `error`.

    Args:
        error: the result of the failed task: an action's error dictionary, a sub-workflow's output, or text (what
            Mistral says of a timeout or of an exception).
        also: a second thing that went wrong on the way out.
    """
    details = _details(error)
    message = str(details.get("message") or details.get("result") or error)[:MAX_MESSAGE]
    if details.get("paused"):
        return _outcome("PAUSED", f"Phase {phase} of plan {plan} is {message}. Start it with resume to go on", details)
    told = f"Phase {phase} of plan {plan} failed: {message}"
    return _outcome("FAILED", f"{told}. {also}" if also else told, details)


def check(status: Any) -> Any:
    """Return the status of a stack or a run when it is a success.

    Raises:
        WaitFailed: it failed, was cancelled or interrupted, or the wait ended before it did.
    """
    if not isinstance(status, Mapping):
        raise WaitFailed(
            f"The last poll gave no status: {status}", remedy="Look at the executor's log, then run the phase again"
        )
    if status.get("succeeded"):
        return status
    failed = [] if status.get("settled") else ["the wait ended before it did"]
    told = "; ".join([str(status.get("message") or "no message"), *failed])
    details = {key: status[key] for key in ("run_id", "run_dir", "failed", "failures") if key in status}
    if status.get("result") == "paused":
        details["paused"] = True
    raise WaitFailed(
        told,
        remedy=str(status.get("remedy") or ""),
        **details,
    )


def _outcome(status: str, message: str, details: Mapping[str, Any]) -> dict[str, Any]:
    failed = details.get("failed") or []
    keys = ("playbook", "stage", "host", "task", "log")
    return {
        "status": status,
        "message": message,
        "run_id": details.get("run_id", ""),
        "run_dir": details.get("run_dir", ""),
        "failed": [{key: task.get(key, "") for key in keys} for task in failed if isinstance(task, Mapping)],
    }


def _details(error: Any) -> Mapping[str, Any]:
    if isinstance(error, Mapping):
        # A sub-workflow hands on what its own failed task said.
        inner = error.get("error")
        return inner if isinstance(inner, Mapping) else error
    if isinstance(error, str) and error.startswith("{"):
        try:
            parsed = ast.literal_eval(error)
        except (ValueError, SyntaxError):
            return {}
        return parsed if isinstance(parsed, Mapping) else {}
    return {}
