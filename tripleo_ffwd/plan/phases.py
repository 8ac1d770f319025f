"""Which phase each node has finished, and whose turn it is: the plan's phase record.

The rules (design, invariant 3), node by node::

    prepare   no node has finished run or started upgrade, unless all have finished converge (a new journey begins)
    run       prepare is finished; no node has finished run already, or gone further
    upgrade   the node has finished run and not started converge
    converge  every node has finished upgrade
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import OutOfTurn
from tripleo_ffwd.files import read_json, write_json
from tripleo_ffwd.model import PHASE_PLAYBOOKS
from tripleo_ffwd.plan.lock import guarded, records_dir

STARTED, FINISHED = "started", "finished"


@dataclasses.dataclass(frozen=True)
class PhaseRecord:
    """What a plan's phases have reached.

    Attributes:
        stack: name of the plan's stack; empty for the plan's own name.
        prepare: ``""``, ``started`` or ``finished``: prepare is about the plan as a whole.
        nodes: ``{node: {phase: state}}`` for run, upgrade and converge.
        playbooks: ``{node: (playbook, …)}``: playbooks of upgrade that the node has finished.
        forced: what was forced: ``{phase, reason, execution, time, nodes}`` each.
    """

    stack: str = ""
    prepare: str = ""
    nodes: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    playbooks: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    forced: tuple[Mapping[str, Any], ...] = ()

    def state(self, node: str, phase: str) -> str:
        """Return ``""``, ``started`` or ``finished``."""
        return self.prepare if phase == "prepare" else self.nodes.get(node, {}).get(phase, "")


def read_record(work_dir: Path, plan: str) -> PhaseRecord:
    """Return the record of a plan; an empty one when nothing was recorded."""
    data = read_json(records_dir(work_dir, plan) / "phases.json")
    if not data:
        return PhaseRecord()
    return PhaseRecord(
        stack=data["stack"],
        prepare=data["prepare"],
        nodes=data["nodes"],
        playbooks={node: tuple(done) for node, done in data["playbooks"].items()},
        forced=tuple(data["forced"]),
    )


def out_of_turn(record: PhaseRecord, phase: str, nodes: Iterable[str]) -> dict[str, str]:
    """Return why it is not the phase's turn: ``{node: reason}``, empty when it is."""
    check = {"prepare": _check_prepare, "run": _check_run, "upgrade": _check_upgrade, "converge": _check_converge}
    found = {node: check[phase](record, node) for node in nodes}
    if phase == "prepare" and all(record.state(node, "converge") == FINISHED for node in found):
        return {}
    return {node: reason for node, reason in found.items() if reason}


def begin(
    work_dir: Path,
    plan: str,
    phase: str,
    nodes: Iterable[str],
    *,
    execution: str,
    stack: str = "",
    force_reason: str = "",
    dry_run: bool = False,
) -> None:
    """Check that it is the phase's turn on `nodes` and record that it started; a dry run only checks.

    Raises:
        OutOfTurn: it is not, and no reason to force it was given; names the nodes. Nothing is recorded then.
    """
    names = tuple(nodes)
    with guarded(work_dir, plan):
        record = read_record(work_dir, plan)
        if not names and phase in ("upgrade", "converge"):
            raise OutOfTurn(
                f"Phase {phase} of plan {plan} is out of turn: no node of it has finished run",
                remedy="The order is prepare, run, upgrade on every node, converge",
            )
        wrong = out_of_turn(record, phase, names)
        if wrong and not force_reason:
            raise _refusal(plan, phase, wrong)
        if dry_run:
            return
        if wrong:
            note = {"phase": phase, "reason": force_reason, "execution": execution, "time": _now()}
            record = dataclasses.replace(record, forced=(*record.forced, {**note, "nodes": sorted(wrong)}))
        record = dataclasses.replace(record, stack=stack or record.stack)
        _write(work_dir, plan, _mark(record, phase, names, STARTED))


def finish(work_dir: Path, plan: str, phase: str, nodes: Iterable[str], playbooks: Iterable[str] = ()) -> None:
    """Record that the phase finished on `nodes`; in upgrade, `playbooks` says which part of it did."""
    names = tuple(nodes)
    with guarded(work_dir, plan):
        record = read_record(work_dir, plan)
        if phase == "upgrade":
            done = {node: tuple(sorted({*record.playbooks.get(node, ()), *playbooks})) for node in names}
            record = dataclasses.replace(record, playbooks={**record.playbooks, **done})
            names = tuple(node for node in names if set(done[node]) >= set(PHASE_PLAYBOOKS[phase]))
        _write(work_dir, plan, _mark(record, phase, names, FINISHED))


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


def _mark(record: PhaseRecord, phase: str, names: Iterable[str], state: str) -> PhaseRecord:
    if phase == "prepare":
        # A new journey: what the nodes reached in the last one counts no more.
        fresh = state == STARTED and any(record.state(node, "converge") == FINISHED for node in record.nodes)
        empty: dict[str, Any] = {"nodes": {}, "playbooks": {}} if fresh else {}
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
    return OutOfTurn(
        f"Phase {phase} of plan {plan} is out of turn: {told}",
        remedy="The order is prepare, run, upgrade on every node, converge. To go against it, give force_reason",
        nodes=dict(wrong),
    )


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
