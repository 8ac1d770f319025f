"""How a phase is found and looked at: by its execution, or by the name of the plan alone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.cli.osc.base import WORKBOOK
from tripleo_ffwd.cli.osc.snapshot import TERMINAL, Run, Snapshot, now, seconds_between
from tripleo_ffwd.exceptions import InvalidInput, NotFound
from tripleo_ffwd.mistral import Mistral
from tripleo_ffwd.model import PHASES

MAINTAIN = "maintain"
WORKFLOWS = tuple(f"{WORKBOOK}.{name}" for name in (*PHASES, MAINTAIN))


@dataclasses.dataclass(frozen=True)
class Watched:
    """What is watched: an execution of a phase, or without one (it was cancelled) the runs of the plan."""

    plan: str
    phase: str
    execution: str = ""
    begun: str = ""


def plan_status(mistral: Mistral, plan: str) -> dict[str, Any]:
    """Return what ``ffwd.get_plan_status`` says.

    Raises:
        NotFound: there is no such plan.
        Unavailable: Mistral did not answer.
    """
    found: dict[str, Any] = mistral.ask("ffwd.get_plan_status", {"plan": plan})
    return found


def arguments_of(execution: Any) -> dict[str, Any]:
    """Return the input of an execution."""
    return mapping(execution.input)


def phase_of(execution: Any) -> str:
    """Return the phase, or the job beside the phases, that an execution is of; empty when it is none of ours."""
    name = workflow_of(execution)
    return str(arguments_of(execution).get("job", "")) if name == MAINTAIN else name


def workflow_of(execution: Any) -> str:
    """Return the name of an execution's workflow within our workbook; empty when it is none of a phase or a job."""
    name = str(execution.workflow_name)
    return name.rpartition(".")[2] if name in WORKFLOWS else ""


def phase_execution(mistral: Mistral, identity: str) -> Any:
    """Return the execution of a phase: the one of that id, or what it has started, as those of TripleO's clients do.

    Raises:
        NotFound: Mistral has no such execution.
    """
    found = mistral.execution(identity)
    if workflow_of(found):
        return found
    below = (other for other in mistral.newest(WORKFLOWS) if getattr(other, "root_execution_id", None) == identity)
    return next(below, found)


def by_execution(mistral: Mistral, identity: str) -> Watched:
    """Return what an execution's id stands for.

    Raises:
        NotFound: Mistral has no such execution.
        InvalidInput: it is no phase's.
    """
    found = phase_execution(mistral, identity)
    phase = phase_of(found)
    if not phase:
        raise InvalidInput(
            f"Execution {identity} is one of {found.workflow_name}, not of a phase",
            remedy=f"Phases are executions of {', '.join(WORKFLOWS)}",
        )
    return Watched(str(arguments_of(found).get("plan", "")), phase, identity, str(found.created_at))


def by_plan(mistral: Mistral, plan: str) -> Watched | None:
    """Return what is under way on a plan; None when nothing is.

    Raises:
        NotFound: there is no such plan.
    """
    status = plan_status(mistral, plan)
    if status["execution"]:
        watched = Watched(plan, status["phase"], status["execution"], status["since"])
        try:
            if mistral.execution(watched.execution).state not in TERMINAL:
                return watched
        except NotFound:
            pass  # of another project, or removed: its run is all there is
    live = status["live"]
    if live:
        return Watched(plan, str(live[-1]["phase"]), begun=str(live[-1]["started_at"] or ""))
    return None


def last_execution(mistral: Mistral, plan: str) -> Any:
    """Return the newest execution of a phase of the plan; None when Mistral remembers none."""
    for execution in mistral.newest(WORKFLOWS):
        if arguments_of(execution).get("plan") == plan:
            return execution
    return None


def look(mistral: Mistral, watched: Watched) -> Snapshot:
    """Return where it stands now.

    Raises:
        NotFound: the execution is gone.
        Unavailable: Mistral did not answer.
    """
    base = Snapshot(watched.plan, watched.phase, watched.execution)
    time = now()
    if watched.execution:
        found = mistral.execution(watched.execution)
        ended = found.state in TERMINAL
        time = str(found.updated_at) if ended else time
        base = dataclasses.replace(base, state=found.state, output=mapping(found.output) if ended else {})
    runs = _runs(mistral, watched)
    return dataclasses.replace(
        base,
        runs=runs,
        activity="" if runs or base.ended else _activity(mistral, watched),
        elapsed=seconds_between(watched.begun, time),
    )


def _runs(mistral: Mistral, watched: Watched) -> tuple[Run, ...]:
    try:
        status = plan_status(mistral, watched.plan)
    except NotFound:  # before the first phase has made the plan
        return ()
    # Who holds the plan may have attached to a run that another execution had started.
    holds = watched.execution in ("", status["execution"])
    live = [run for run in status["live"] if run["phase"] == watched.phase]
    live = [run for run in live if holds or run["owner"] == watched.execution]
    last = status["last"]
    mine = [last] if last and watched.execution in ("", last["owner"]) else []
    return tuple(Run(run) for run in live or mine)


def _activity(mistral: Mistral, watched: Watched) -> str:
    if not watched.execution:
        return ""
    running = [name for name, state in mistral.task_states(watched.execution) if state not in TERMINAL]
    return running[-1].replace("_", " ") if running else ""


def mapping(text: Any) -> dict[str, Any]:
    """Return what Mistral hands out as JSON text; an empty one for what is none."""
    if isinstance(text, Mapping):
        return dict(text)
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
