"""How a phase's end is told: results of failed tasks, whatever their shape, as one small structure. Pure."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.model import JOB_PLAYBOOKS, title

MAX_MESSAGE = 4000
MOST_NAMED = 10


class WaitFailed(FfwdError):
    """A run or a stack update ended badly, or did not end in time; its details carry the failed tasks."""


def success(
    plan: str, phase: str, targets: Sequence[str], *, dry_run: bool, summary: str = "", tags: str = ""
) -> dict[str, Any]:
    """Return the outcome of a phase that succeeded.

    Args:
        plan, phase, targets: which phase of what.
        dry_run: nothing was changed.
        summary: what the phase changes in plan and stack; a dry run that has one has ended there. Of upgrade: its
            batches.
        tags: what the playbooks were limited to.
    """
    named = title(phase)
    if dry_run and summary and phase != "upgrade":
        what = f"Dry run of {named[0].lower()}{named[1:]} of plan {plan}"
        return _outcome("SUCCESS", f"{what}: nothing was changed. {summary}", {})
    where = f" on {len(targets)} node{'' if len(targets) == 1 else 's'}" if targets else ""
    how = "has been tried in check mode" if dry_run else "has finished"
    if tags and not dry_run:
        recorded = "" if phase in JOB_PLAYBOOKS else ", and is not recorded as finished,"
        how = f"has run what is tagged {tags}{recorded}"
    told = f"{named} of plan {plan} {how}{where}."
    return _outcome("SUCCESS", f"{told} {summary}" if summary else told, {})


def failure(plan: str, phase: str, error: Any, *, also: str = "") -> dict[str, Any]:
    """Return the outcome of a phase whose task ended with `error`.

    Args:
        error: the result of the failed task: an action's error dictionary, a sub-workflow's output, or text (what
            Mistral says of a timeout or of an exception).
        also: a second thing that went wrong on the way out.
    """
    told_by = details(error)
    message = str(told_by.get("message") or told_by.get("result") or error)[:MAX_MESSAGE]
    if told_by.get("paused"):
        return _outcome("PAUSED", f"{title(phase)} of plan {plan} is {message}. Start it with resume to go on", told_by)
    told = f"{title(phase)} of plan {plan} failed: {message}"
    return _outcome("FAILED", f"{told}. {also}" if also else told, told_by)


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
    found = {key: status[key] for key in ("run_id", "run_dir", "failed", "failures") if key in status}
    if status.get("result") == "paused":
        found["paused"] = True
    raise WaitFailed(
        told,
        remedy=str(status.get("remedy") or ""),
        **found,
    )


def stopped_rollout(bad: Sequence[Any], lost: Sequence[Any], waves_left: int) -> WaitFailed:
    """Return the error that ends an upgrade in batches.

    Args:
        bad: what the batches returned that did not end well: ``{batch, error}`` each, or what Mistral says instead.
        lost: the nodes that were left behind so far, as `plan.rollouts` has them.
        waves_left: how many waves were not begun.
    """
    known = [result if isinstance(result, Mapping) else {"error": result} for result in bad]
    errors = [(str(result.get("batch") or "a batch"), details(result.get("error"))) for result in known]
    paused = all(error.get("paused") for _, error in errors)
    told = "; ".join(
        f"batch {name}: {error.get('message') or error.get('result') or result.get('error')}"
        for (name, error), result in zip(errors, known, strict=True)
    )
    failed = [*_failed(lost), *(task for _, error in errors for task in error.get("failed") or ())]
    unique = list({(task["host"], task["playbook"], task["task"]): task for task in failed}.values())
    message = f"{'paused in ' if paused else ''}{told}"
    more = f"{waves_left} more wave{'s' if waves_left > 1 else ''} of batches not begun" if waves_left else ""
    last = errors[-1][1]
    error = WaitFailed(
        "; ".join(filter(None, (message, more, _named(lost)))),
        run_id=last.get("run_id", ""),
        run_dir=last.get("run_dir", ""),
        failed=unique,
    )
    if paused:
        error.details["paused"] = True
    return error


def left_behind(lost: Sequence[Any]) -> WaitFailed:
    """Return the error of an upgrade in batches that came to its end without some of its nodes."""
    return WaitFailed(
        f"every batch has been run; {_named(lost)}",
        remedy="Mend them, then upgrade them with nodes, without resume",
        failed=_failed(lost),
    )


def _failed(lost: Sequence[Any]) -> list[dict[str, str]]:
    names = ("playbook", "stage", "host", "task", "message", "log")
    return [{name: getattr(node, name) for name in names} for node in lost]


def _named(lost: Sequence[Any]) -> str:
    if not lost:
        return ""
    named = ", ".join(f"{node.host} ({node.batch}: '{node.task}' in {node.stage})" for node in lost[:MOST_NAMED])
    more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
    return f"left behind: {named}{more}"


def _outcome(status: str, message: str, told_by: Mapping[str, Any]) -> dict[str, Any]:
    failed = told_by.get("failed") or []
    keys = ("playbook", "stage", "host", "task", "log")
    return {
        "status": status,
        "message": message,
        "run_id": told_by.get("run_id", ""),
        "run_dir": told_by.get("run_dir", ""),
        "failed": [{key: task.get(key, "") for key in keys} for task in failed if isinstance(task, Mapping)],
    }


def details(error: Any) -> Mapping[str, Any]:
    """Return what a failed task says, whatever shape Mistral gave it; empty when it says nothing that can be read."""
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
