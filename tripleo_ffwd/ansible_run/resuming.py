"""Where a run goes on that an earlier one has left: what is finished, what is restored, or why it can't be."""

from __future__ import annotations

import dataclasses
import itertools
import os
from pathlib import Path

from tripleo_ffwd.ansible_run import asking, ledger, rundir
from tripleo_ffwd.ansible_run.events import Progress
from tripleo_ffwd.ansible_run.inside import variables
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.tree import Tree, load
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import NOTHING_LEFT, RunSpec

MOST_NAMED = 5
FROM_THE_START = "Start the phase without resume: its playbook then begins at the beginning"


@dataclasses.dataclass(frozen=True)
class Past:
    """What an earlier run has done.

    Attributes:
        run: its directory.
        spec: what it was made of.
        finished: the stages that were finished when it ended, in the playbook's order.
        unkept: why the variables of some stage's end could not be kept, by stage.
        changed_inventory: tasks that have changed Ansible's inventory, as text.
    """

    run: RunDir
    spec: RunSpec
    finished: tuple[str, ...]
    unkept: dict[str, str]
    changed_inventory: tuple[str, ...]


def replay(run: RunDir, spec: RunSpec, tree: Tree) -> tuple[Progress, tuple[str, ...]]:
    """Return where a run stood by its ledger, and which of its tasks have changed Ansible's inventory."""
    progress = Progress(
        tree.required(spec), spec.playbook, str(run.log), tree.unselected(spec.targets), tree.done_before(spec)
    )
    changed = []
    for record in ledger.read(run.ledger):
        progress.feed(record)
        if record.get("event") == "inventory":
            changed.append(f"{record.get('task', '')} (on {record.get('host', '')})")
    return progress, tuple(changed)


def past(run: RunDir, spec: RunSpec, tree: Tree) -> Past:
    """Return what a run has done, with what the runs had done that it went on with."""
    progress, changed = replay(run, spec, tree)
    left = progress.unfinished
    finished = tuple(itertools.takewhile(lambda name: name not in left, (stage.id for stage in tree.required(spec))))
    return Past(run, spec, finished, progress.unkept, changed)


def go_on(spec: RunSpec, tree: Tree, earlier: Past, *, anyway: bool) -> RunSpec:
    """Return a spec that goes on where an earlier run stopped.

    Args:
        spec: what is asked for.
        tree: its playbooks.
        earlier: the run to go on with.
        anyway: go on with playbooks that have changed since.

    Raises:
        InvalidInput: it can't be gone on with; the message says why, and names what has changed.
    """
    where = earlier.run.run_id
    differing = asking.differences(spec, earlier.spec, rundir.read_json(earlier.run.launch) or {})
    if differing:
        raise InvalidInput(
            f"run {where} can't be gone on with: it had other {', '.join(differing)}",
            where=where,
            remedy=f"Ask for the same, or start without resume. {FROM_THE_START}",
        )
    if spec.digest != earlier.spec.digest and not anyway:
        raise InvalidInput(
            f"the playbooks or the inventory have changed since run {where}: {_changed(tree, earlier.spec)}",
            where=where,
            remedy="Give force_reason to go on with the changed ones all the same, or start without resume",
        )
    finished, stages = earlier.finished, [stage.id for stage in tree.stages.get(spec.playbook, ())]
    missing = [name for name in finished if name not in stages]
    if missing:
        raise InvalidInput(
            f"the changed playbook has no stage {missing[0]} any more", where=where, remedy=FROM_THE_START
        )
    left = [name for name in stages if name not in finished]
    if earlier.changed_inventory and finished:
        raise InvalidInput(
            f"run {where} had changed Ansible's inventory, which can't be restored: {earlier.changed_inventory[0]}",
            where=where,
            remedy=FROM_THE_START,
        )
    restore = finished[-1] if finished else ""
    _check_kept(earlier, restore)
    return dataclasses.replace(
        spec,
        resumes=where,
        chain=(where, *earlier.spec.chain),
        first_stage=(left[0] if left else NOTHING_LEFT) if finished else "",
        restore=restore,
    )


def _check_kept(earlier: Past, stage: str) -> None:
    if not stage or any(kept.stage == stage for kept in variables.index(earlier.run.variables)):
        return
    why = earlier.unkept.get(stage) or f"{earlier.run.variables} has none of it"
    raise InvalidInput(
        f"run {earlier.run.run_id} can't be gone on with: the variables of the end of {stage} are not kept: {why}",
        where=earlier.run.run_id,
        remedy=FROM_THE_START,
    )


def _changed(tree: Tree, former: RunSpec) -> str:
    """Return which files of the playbooks are others than they were, in words."""
    try:
        before = load(Path(former.tree)).files
    except InvalidInput:
        return f"the tree {former.tree} is gone"
    names = sorted(name for name in {*before, *tree.files} if before.get(name) != tree.files.get(name))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}" if names else "the generator is another one"


def hand_over(earlier: RunDir, run: RunDir, stage: str) -> None:
    """Copy what Ansible knew at the end of a stage from an earlier run to one that goes on; OSError if it can't be."""
    kept = variables.up_to(variables.index(earlier.variables), stage)
    if not kept:
        return
    left = kept[-1].end
    descriptor = os.open(run.variables, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with earlier.variables.open("rb") as source, os.fdopen(descriptor, "wb") as target:
        while left and (data := source.read(min(left, 1 << 20))):
            target.write(data)
            left -= len(data)
        target.flush()
        os.fsync(target.fileno())
