"""Where each node of a plan stands: what it has finished, and what is left until converge. Pure: values in, values out.

The phase record says which phases a node has begun and finished. How far it has come within one is what the newest run
of that phase says that was for the node: a run that goes on with another one counts what that had done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tripleo_ffwd.ansible_run.reached import HostReach, Reached
from tripleo_ffwd.model import PHASE_PLAYBOOKS, PHASES
from tripleo_ffwd.plan.phases import FINISHED, PhaseRecord
from tripleo_ffwd.reporting.timelines import natural

# States of a node in the phase that it has come to.
RUNNING, FAILED, WAITING = "running", "failed", "waiting"
NODE_PHASES = PHASES[1:]


def of_this_journey(record: PhaseRecord, reached: Iterable[Reached]) -> list[Reached]:
    """Return what has been reached since the prepare that the record begins with."""
    return [one for one in reached if (one.status.started_at or one.status.finished_at) >= record.journey]


def rows(record: PhaseRecord, reached: Sequence[Reached]) -> list[dict[str, Any]]:
    """Return where each node stands, sorted by role and name.

    Args:
        record: what the plan's phases have reached.
        reached: how far the hosts of its runs have come, oldest run first.

    Returns:
        For each node ``{node, role, phases, phase, state, release, step, playbook, stage, next, stages_done,
        stages_total, failed, run_id, batch, left}``: ``phase`` is the one that it has come to, and ``state`` is
        ``finished``, ``running``, ``failed`` (it was lost itself), ``waiting`` (for the next playbook, or for a run),
        or how the run ended that stopped it: ``stopped`` (by another node's failure), ``cancelled``, ``paused``,
        ``timeout``, ``interrupted``. ``release``, ``step`` and ``stage`` are the last ones that it has finished there.
    """
    newest = _newest(reached)
    found = [_row(record, node, newest) for node in record.nodes]
    return sorted(found, key=lambda row: (row["role"], natural(row["node"])))


def _newest(reached: Iterable[Reached]) -> dict[tuple[str, str], Reached]:
    """Return the newest run for each node and phase."""
    found: dict[tuple[str, str], Reached] = {}
    for one in reached:
        for host in one.hosts:
            found[host, one.status.phase] = one
    return found


def _row(record: PhaseRecord, node: str, newest: Mapping[tuple[str, str], Reached]) -> dict[str, Any]:
    phases = {phase: record.state(node, phase) for phase in PHASES if record.state(node, phase)}
    phase = next((name for name in reversed(NODE_PHASES) if name in phases), "")
    run = newest.get((node, phase))
    reach = run.hosts[node] if run else HostReach()
    role = next(
        (one.hosts[node].role for (host, _), one in newest.items() if host == node and one.hosts[node].role), ""
    )
    return {
        "node": node,
        "role": role,
        "phases": phases,
        "phase": phase,
        "state": _state(phases.get(phase, ""), run, reach),
        "release": _release(phase, run, reach),
        "step": reach.stage.split("/")[1] if "/" in reach.stage else "",
        "playbook": run.status.playbook if run else "",
        "stage": reach.stage,
        "next": "" if phases.get(phase) == FINISHED else reach.following,
        "stages_done": reach.done,
        "stages_total": reach.total,
        "failed": {"stage": reach.failed_stage, "task": reach.failed_task} if reach.failed_stage else None,
        "run_id": run.status.run_id if run else "",
        "batch": run.batch if run else "",
        "left": _left(record, node),
    }


def _state(recorded: str, run: Reached | None, reach: HostReach) -> str:
    if recorded == FINISHED or not recorded:
        return recorded
    if run is None or run.status.succeeded:
        return WAITING
    if reach.failed_stage:
        return FAILED
    if not run.status.settled:
        return RUNNING if run.status.state == "live" else run.status.state
    ended = run.status.result or run.status.state
    return "stopped" if ended == "failed" else ended


def _release(phase: str, run: Reached | None, reach: HostReach) -> str:
    """Return the release that a node has come to; only the stages of phase run name one, the others are of the last."""
    if run is None or phase == "run":
        return reach.release
    return run.releases[-1] if run.releases and reach.stage else ""


def _left(record: PhaseRecord, node: str) -> list[str]:
    """Return the phases that are left, those of several playbooks with the playbook."""
    found = []
    for phase in NODE_PHASES:
        playbooks = PHASE_PLAYBOOKS[phase]
        if record.state(node, phase) == FINISHED:
            continue
        done = record.playbooks.get(node, ()) if phase == "upgrade" else ()
        left = [short(playbook) for playbook in playbooks if playbook not in done]
        found += [f"{phase} {name}" for name in left] if len(playbooks) > 1 else [phase]
    return found


def short(playbook: str) -> str:
    """Return a playbook's name without what all of them end in."""
    return playbook.removesuffix(".yaml").removesuffix("_playbook")
