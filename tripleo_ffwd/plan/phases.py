"""Which phase each node has finished, and whose turn it is: the plan's phase record.

The rules (design, invariant 3), node by node::

    prepare   no node has finished run or started upgrade, unless all have finished converge (a new journey begins)
    run       prepare is finished; no node has finished run already, or gone further
    upgrade   the node has finished run and not started converge; a playbook of it, the ones before
    converge  every node has finished upgrade

What is run beside the phases (`model.JOB_PLAYBOOKS`) reaches nothing that is recorded, but has its turn too::

    update, external_update   no phase has begun, or all nodes have finished converge since: in between, the stack's
                              outputs are of another release than the nodes
    external_upgrade          the node has finished run; one that has been added since counts as the others do
"""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import OutOfTurn
from tripleo_ffwd.files import write_json
from tripleo_ffwd.model import JOB_PLAYBOOKS, PHASE_PLAYBOOKS, title
from tripleo_ffwd.plan import records
from tripleo_ffwd.plan.lock import guarded, records_dir

STARTED, FINISHED = "started", "finished"

_LOST = "Put it back from a backup. Without it no phase has been: each next one has to be forced, with a reason"
REMEDY = "The order is prepare, run, upgrade on every node, converge. To go against it, give force_reason"


@dataclasses.dataclass(frozen=True)
class PhaseRecord:
    """What a plan's phases have reached.

    Attributes:
        stack: name of the plan's stack; empty for the plan's own name.
        prepare: ``""``, ``started`` or ``finished``: prepare is about the plan as a whole.
        nodes: ``{node: {phase: state}}`` for run, upgrade and converge.
        playbooks: ``{node: (playbook, …)}``: playbooks of upgrade that the node has finished, in order.
        forced: what was forced: ``{phase, reason, execution, time, nodes}`` each.
        journey: when the prepare began that all this has come after, UTC, to the millisecond; empty when not known.
        waived: findings of checks that phases went on in spite of: ``{phase, key, reason, until, execution, time,
            where}`` each, `where` a list.
    """

    stack: str = ""
    prepare: str = ""
    nodes: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    playbooks: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    forced: tuple[Mapping[str, Any], ...] = ()
    journey: str = ""
    waived: tuple[Mapping[str, Any], ...] = ()

    def state(self, node: str, phase: str) -> str:
        """Return ``""``, ``started`` or ``finished``."""
        return self.prepare if phase == "prepare" else self.nodes.get(node, {}).get(phase, "")


def read_record(work_dir: Path, plan: str) -> PhaseRecord:
    """Return the record of a plan; an empty one when nothing was recorded.

    Raises:
        InvalidInput: it is damaged.
    """
    return records.read(records_dir(work_dir, plan) / "phases.json", _of_record, _LOST) or PhaseRecord()


def _of_record(data: Mapping[str, Any]) -> PhaseRecord:
    return PhaseRecord(
        stack=data["stack"],
        prepare=data["prepare"],
        nodes=data["nodes"],
        playbooks={node: tuple(done) for node, done in data["playbooks"].items()},
        forced=tuple(data["forced"]),
        journey=data.get("journey", ""),
        waived=tuple(data.get("waived", ())),
    )


def out_of_turn(
    record: PhaseRecord, phase: str, nodes: Iterable[str], first_playbook: str = "", tags: str = ""
) -> dict[str, str]:
    """Return why it is not the phase's turn: ``{node: reason}``, empty when it is.

    Args:
        record: what has been reached.
        phase: the phase that is to start.
        nodes: names of the nodes that it is for.
        first_playbook: for upgrade, the playbook that it begins with; the first of its three by default.
        tags: what it is limited to: a part of a playbook needs none of the playbooks before it.
    """
    found = {node: _CHECKS[phase](record, node) for node in nodes}
    if phase == "prepare" and all(record.state(node, "converge") == FINISHED for node in found):
        return {}
    if phase == "upgrade" and not tags:
        earlier = _earlier(first_playbook)
        for node, reason in found.items():
            missing = [playbook for playbook in earlier if playbook not in record.playbooks.get(node, ())]
            found[node] = reason or (f"has not finished {missing[0]}" if missing else "")
    return {node: reason for node, reason in found.items() if reason}


def check(
    work_dir: Path,
    plan: str,
    phase: str,
    nodes: Sequence[str],
    *,
    first_playbook: str = "",
    force_reason: str = "",
    tags: str = "",
) -> dict[str, str]:
    """Check that it is the phase's turn on `nodes`; return what is forced, ``{node: reason}``.

    Raises:
        OutOfTurn: it is not, and no reason to force it was given; names the nodes.
    """
    if not nodes and phase in ("upgrade", "converge") and not force_reason:
        raise OutOfTurn(f"Phase {phase} of plan {plan} is out of turn: no node of it has finished run", remedy=REMEDY)
    wrong = out_of_turn(read_record(work_dir, plan), phase, nodes, first_playbook, tags)
    if wrong and not force_reason:
        raise _refusal(plan, phase, wrong)
    return wrong


def begin(
    work_dir: Path,
    plan: str,
    phase: str,
    nodes: Sequence[str],
    *,
    execution: str,
    stack: str = "",
    first_playbook: str = "",
    force_reason: str = "",
    tags: str = "",
) -> None:
    """Record that the phase starts on `nodes`, when it is its turn; again by the same execution changes nothing.

    Args:
        work_dir, plan, phase, nodes: which phase of what; of a job beside the phases no more is recorded than that it
            was forced.
        execution: id of the root execution.
        stack: name of the plan's stack, remembered; by default what is remembered.
        first_playbook: for upgrade, the playbook that it begins with: what nodes finished of it and later ones counts
            no more.
        force_reason: why it may start out of turn; recorded.
        tags: what it is limited to: what nodes have finished stays so.

    Raises:
        OutOfTurn: see `check`. Nothing is recorded then.
    """
    with guarded(work_dir, plan):
        wrong = check(work_dir, plan, phase, nodes, first_playbook=first_playbook, force_reason=force_reason, tags=tags)
        record = read_record(work_dir, plan)
        note = {"phase": phase, "reason": force_reason, "execution": execution, "nodes": sorted(wrong)}
        if wrong and not any(note.items() <= forced.items() for forced in record.forced):
            time_of_it = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
            record = dataclasses.replace(record, forced=(*record.forced, {**note, "time": time_of_it}))
        if phase == "upgrade" and not tags:
            kept = _earlier(first_playbook)
            done = {node: tuple(p for p in record.playbooks.get(node, ()) if p in kept) for node in nodes}
            record = dataclasses.replace(record, playbooks={**record.playbooks, **done})
        record = dataclasses.replace(record, stack=stack or record.stack)
        fresh = [node for node in nodes if not tags or record.state(node, phase) != FINISHED]
        marked = record if phase in JOB_PLAYBOOKS else _mark(record, phase, fresh, STARTED)
        _write(work_dir, plan, marked)


def record_waived(work_dir: Path, plan: str, notes: Sequence[Mapping[str, Any]]) -> None:
    """Record findings that a phase goes on in spite of; again by the same execution changes nothing.

    Args:
        work_dir, plan: of what.
        notes: ``{phase, key, reason, until, execution, where}`` each.
    """
    with guarded(work_dir, plan):
        record = read_record(work_dir, plan)
        time_of_it = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        new = [
            {**note, "time": time_of_it} for note in notes if not any(note.items() <= d.items() for d in record.waived)
        ]
        if new:
            _write(work_dir, plan, dataclasses.replace(record, waived=(*record.waived, *new)))


def finish_playbook(work_dir: Path, plan: str, phase: str, nodes: Iterable[str], playbook: str) -> None:
    """Record that a playbook of upgrade finished on `nodes`; a node that has them all has finished the phase."""
    if phase != "upgrade":
        return
    with guarded(work_dir, plan):
        record = read_record(work_dir, plan)
        names = tuple(nodes)
        order = PHASE_PLAYBOOKS["upgrade"]
        done = {node: tuple(p for p in order if p == playbook or p in record.playbooks.get(node, ())) for node in names}
        record = dataclasses.replace(record, playbooks={**record.playbooks, **done})
        _write(work_dir, plan, _mark(record, phase, [node for node in names if done[node] == order], FINISHED))


def finish(work_dir: Path, plan: str, phase: str, nodes: Iterable[str]) -> None:
    """Record that the phase finished on `nodes`; for upgrade `finish_playbook` does, and of a job nothing is."""
    if phase == "upgrade" or phase in JOB_PLAYBOOKS:
        return
    with guarded(work_dir, plan):
        _write(work_dir, plan, _mark(read_record(work_dir, plan), phase, nodes, FINISHED))


def end(work_dir: Path, plan: str, phase: str, execution: str) -> None:
    """Record that an execution has come to the end of a phase, before it gives the lock back."""
    with guarded(work_dir, plan):
        write_json(records_dir(work_dir, plan) / "ended.json", {"phase": phase, "execution": execution})


def has_ended(work_dir: Path, plan: str, phase: str, execution: str) -> bool:
    """Return whether the last end that was recorded is that of this phase by this execution."""
    found = records.read(records_dir(work_dir, plan) / "ended.json", records.mapping, "Remove it")
    return found == {"phase": phase, "execution": execution}


def _earlier(first_playbook: str) -> tuple[str, ...]:
    order = PHASE_PLAYBOOKS["upgrade"]
    return order[: order.index(first_playbook)] if first_playbook else ()


def _check_prepare(record: PhaseRecord, node: str) -> str:
    if record.state(node, "upgrade"):
        return f"has {record.state(node, 'upgrade')} upgrade"
    return "has finished run" if record.state(node, "run") == FINISHED else ""


def _check_run(record: PhaseRecord, node: str) -> str:
    if record.prepare != FINISHED:
        return "has not finished prepare"
    for later in ("converge", "upgrade"):
        if record.state(node, later):
            return f"has {record.state(node, later)} {later}"
    return "has finished run already" if record.state(node, "run") == FINISHED else ""


def _check_upgrade(record: PhaseRecord, node: str) -> str:
    if record.state(node, "run") != FINISHED:
        return "has not finished run"
    return f"has {record.state(node, 'converge')} converge" if record.state(node, "converge") else ""


def _check_converge(record: PhaseRecord, node: str) -> str:
    return "" if record.state(node, "upgrade") == FINISHED else "has not finished upgrade"


def _check_between_upgrades(record: PhaseRecord, node: str) -> str:
    """Return why a node can't be updated: also one that came later, for its outputs are those of the others."""
    all_through = bool(record.nodes) and all(
        known.get("converge") == FINISHED and STARTED not in known.values() for known in record.nodes.values()
    )
    if all_through or not (record.prepare or record.nodes):
        return ""
    known = record.nodes.get(node, {})
    begun = [phase for phase in ("converge", "upgrade", "run") if phase in known]
    reached = next((phase for phase in begun if known[phase] == STARTED), (*begun, "prepare")[0])
    if not record.state(node, reached):
        return "is of an overcloud that is being upgraded"
    return f"is being upgraded, it has {record.state(node, reached)} {reached}"


def _check_external_upgrade(record: PhaseRecord, node: str) -> str:
    """Return why it is not the turn of what is done from outside; a node that came later has no run to finish."""
    finished = {name for name in record.nodes if record.state(name, "run") == FINISHED}
    through = node in finished if node in record.nodes else bool(finished) and finished == set(record.nodes)
    return "" if through else "has not finished run"


_CHECKS = {
    "prepare": _check_prepare,
    "run": _check_run,
    "upgrade": _check_upgrade,
    "converge": _check_converge,
    "update": _check_between_upgrades,
    "external_update": _check_between_upgrades,
    "external_upgrade": _check_external_upgrade,
}


def _mark(record: PhaseRecord, phase: str, names: Iterable[str], state: str) -> PhaseRecord:
    if phase == "prepare":
        # A new journey: what the nodes reached in the last one counts no more.
        fresh = state == STARTED and any(record.state(node, "converge") == FINISHED for node in record.nodes)
        empty: dict[str, Any] = {"nodes": {}, "playbooks": {}} if fresh else {}
        if fresh or (state == STARTED and not record.nodes):
            empty["journey"] = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        return dataclasses.replace(record, prepare=state, **empty)
    nodes = {node: dict(phases) for node, phases in record.nodes.items()}
    for name in names:
        nodes.setdefault(name, {})[phase] = state
    return dataclasses.replace(record, nodes=nodes)


def _write(work_dir: Path, plan: str, record: PhaseRecord) -> None:
    write_json(records_dir(work_dir, plan) / "phases.json", dataclasses.asdict(record))


def _refusal(plan: str, phase: str, wrong: Mapping[str, str]) -> OutOfTurn:
    reasons: dict[str, list[str]] = {}
    for node, reason in sorted(wrong.items()):
        reasons.setdefault(reason, []).append(node)
    told = "; ".join(f"{', '.join(nodes)} {reason}" for reason, nodes in reasons.items())
    return OutOfTurn(f"{title(phase)} of plan {plan} is out of turn: {told}", remedy=REMEDY, nodes=dict(wrong))
