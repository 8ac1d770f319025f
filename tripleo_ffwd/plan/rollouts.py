"""How far a phase in batches has come: its batches, and the nodes that were left behind; a record beside the phases'.

What batches have done is known by their runs; the record says which nodes were in which batch, so that a phase that
goes on has the same ones, and which nodes the others went on without, so that they are counted, named, left alone.
What is limited by tags does not finish the phase: it has a record of its own, beside the one that is gone on with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.files import write_json
from tripleo_ffwd.plan import records
from tripleo_ffwd.plan.batches import Batch, Batching
from tripleo_ffwd.plan.lock import guarded, records_dir

FILE = "rollout.json"
FILE_OF_TAGS = "rollout_of_tags.json"
_LOST = "Remove it and start the phase without resume: its batches then begin at the beginning"
_NEW = "Ask for the same, or start without resume: the batches then begin at the beginning"


@dataclasses.dataclass(frozen=True)
class LostNode:
    """A node that was left behind, with the first of its tasks that failed."""

    host: str
    role: str
    batch: str
    playbook: str
    stage: str
    task: str
    message: str
    log: str


@dataclasses.dataclass(frozen=True)
class Rollout:
    """Batches of a phase.

    Attributes:
        playbook: ``all`` or the one playbook of the phase.
        batching: what was asked for.
        waves: the batches as they were planned.
        lost: nodes that were left behind, in the order in which they were.
        tags: what the playbooks are limited to; empty for all of them.
    """

    playbook: str
    batching: Batching
    waves: tuple[tuple[Batch, ...], ...]
    lost: tuple[LostNode, ...] = ()
    tags: str = ""

    def remaining(self) -> tuple[tuple[Batch, ...], ...]:
        """Return the batches without the nodes that were left behind."""
        gone = {node.host for node in self.lost}
        left = (tuple(_without(batch, gone) for batch in wave) for wave in self.waves)
        waves = (tuple(batch for batch in wave if batch.targets) for wave in left)
        return tuple(wave for wave in waves if wave)

    def batch(self, name: str) -> Batch:
        """Return the batch of that name, without the nodes that were left behind.

        Raises:
            InvalidInput: there is none.
        """
        gone = {node.host for node in self.lost}
        for batch in (batch for wave in self.waves for batch in wave):
            if batch.name == name:
                return _without(batch, gone)
        raise InvalidInput(f"There is no batch {name}", remedy="Start the phase again")

    def without(self, nodes: Iterable[LostNode]) -> Rollout | None:
        """Return it with more nodes left behind, each counted once; None when a role's budget does not allow it."""
        known = {node.host for node in self.lost}
        lost = (*self.lost, *(node for node in nodes if node.host not in known))
        for role in {node.role for node in lost}:
            if not role or sum(node.role == role for node in lost) > self.batching.budget(role):
                return None
        return dataclasses.replace(self, lost=lost)


def _without(batch: Batch, gone: set[str]) -> Batch:
    return dataclasses.replace(batch, targets=tuple(node for node in batch.targets if node not in gone))


def _file(work_dir: Path, plan: str, tags: str) -> Path:
    return records_dir(work_dir, plan) / (FILE_OF_TAGS if tags else FILE)


def read(work_dir: Path, plan: str, tags: str = "") -> Rollout | None:
    """Return the record of a plan, of the phase that is limited by tags if there are any; None when there is none.

    Raises:
        InvalidInput: it is damaged.
    """
    return records.read(_file(work_dir, plan, tags), _of_record, _LOST)


def _of_record(data: Mapping[str, Any]) -> Rollout:
    waves = tuple(tuple(Batch(**{**one, "targets": tuple(one["targets"])}) for one in wave) for wave in data["waves"])
    asked = dict(data["batching"])
    roles = asked["rolling_roles"]
    asked["rolling_roles"] = None if roles is None else tuple(roles)
    asked["health_check"] = tuple(asked["health_check"])
    lost = tuple(LostNode(**node) for node in data["lost"])
    return Rollout(data["playbook"], Batching(**asked), waves, lost, data.get("tags", ""))


def begin(work_dir: Path, plan: str, wanted: Rollout) -> None:
    """Record batches that begin at the beginning."""
    with guarded(work_dir, plan):
        _write(work_dir, plan, wanted)


def go_on(work_dir: Path, plan: str, wanted: Rollout) -> Rollout:
    """Return the recorded batches that are to be gone on with; `wanted`, recorded, when there are none.

    Raises:
        InvalidInput: other batches are wanted than those that were stopped; says in what they differ.
    """
    with guarded(work_dir, plan):
        found = read(work_dir, plan, wanted.tags)
        if found is None:
            _write(work_dir, plan, wanted)
            return wanted
        differing = [
            field.name
            for field in dataclasses.fields(Batching)
            # What may be asked for anew: it has no part in which node is in which batch.
            if field.name not in ("failure_budget", "soak", "health_check", "parallel")
            and getattr(found.batching, field.name) != getattr(wanted.batching, field.name)
        ]
        if _nodes(found) != _nodes(wanted):
            differing.append("nodes")
        differing += [name for name in ("playbook", "tags") if getattr(found, name) != getattr(wanted, name)]
        if differing:
            raise InvalidInput(
                f"The batches of plan {plan} that were begun had other {', '.join(differing)}",
                where="batches",
                remedy=_NEW,
                differing=differing,
            )
        resumed = dataclasses.replace(wanted, lost=found.lost)
        _write(work_dir, plan, resumed)
        return resumed


def _nodes(rollout: Rollout) -> set[str]:
    return {node for wave in rollout.waves for batch in wave for node in batch.targets}


def leave_behind(work_dir: Path, plan: str, nodes: Iterable[LostNode], tags: str = "") -> bool:
    """Record nodes that are left behind; False, and nothing is recorded, when a role's budget does not allow it.

    Raises:
        InvalidInput: nothing is recorded of the plan, or it is damaged.
    """
    with guarded(work_dir, plan):
        fewer = current(work_dir, plan, tags).without(nodes)
        if fewer is not None:
            _write(work_dir, plan, fewer)
        return fewer is not None


def current(work_dir: Path, plan: str, tags: str = "") -> Rollout:
    """Return the record of a plan that must be there.

    Raises:
        InvalidInput: it is not, or is damaged.
    """
    found = read(work_dir, plan, tags)
    if found is None:
        raise InvalidInput(f"Nothing is recorded of batches of plan {plan}", remedy="Start the phase again")
    return found


def _write(work_dir: Path, plan: str, rollout: Rollout) -> None:
    write_json(_file(work_dir, plan, rollout.tags), dataclasses.asdict(rollout))
