"""Where a run goes on that an earlier one has left: what is finished, what is restored, or why it can't be."""

from __future__ import annotations

import dataclasses
import itertools
import os
from pathlib import Path

from tripleo_ffwd.ansible_run import asking, inventories, ledger, pinning, rundir
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
        notified: (handler, host) that were notified in the first stage that is not finished.
        began: whether a task of a stage has begun.
        first_hosts: hosts that have finished that stage, and what was known of them then is kept.
    """

    run: RunDir
    spec: RunSpec
    finished: tuple[str, ...]
    unkept: dict[str, str]
    changed_inventory: tuple[str, ...]
    notified: tuple[tuple[str, str], ...] = ()
    began: bool = True
    first_hosts: tuple[str, ...] = ()


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
    left, stages = progress.unfinished, [stage.id for stage in tree.required(spec)]
    finished = tuple(itertools.takewhile(lambda name: name not in left, stages))
    notified = (progress.notified(left[0]) or ()) if left else ()
    if left and left[0] == (spec.first_stage or stages[0]):
        # It may have stopped before it notified them there, although it had announced the stage.
        notified = tuple(dict.fromkeys((*spec.notified, *notified)))
    hosts = _through(run, spec, tree, progress, left[0]) if left and finished and not notified else ()
    return Past(run, spec, finished, progress.unkept, changed, notified, progress.began, hosts)


def _through(run: RunDir, spec: RunSpec, tree: Tree, progress: Progress, stage: str) -> tuple[str, ...]:
    """Return the hosts that have finished a stage that is not finished and whose hosts need not do it together."""
    done = progress.done_by(stage)
    if done and not any(kept.stage == stage for kept in variables.index(run.variables)):
        done = ()
    found = {*done, *(spec.first_hosts if spec.first_stage == stage else ())}
    plan = next(one for one in tree.required(spec) if one.id == stage)
    play = pinning.play_of(spec, tree, stage) if found and plan.role in tree.rolling else None
    return tuple(sorted(found)) if play and play.is_apart and found < {*plan.hosts} else ()


def for_fewer(earlier: Past, targets: tuple[str, ...], tree: Tree) -> Past:
    """Return what a run has done for some of its hosts, the others being left behind.

    The stage that it stopped in is finished when it is certain that each of those hosts came to its end.

    Args:
        earlier: what it has done.
        targets: the hosts that go on.
        tree: its playbooks.

    Raises:
        InvalidInput: the run was not for one of them.
    """
    strangers = sorted(set(targets) - set(earlier.spec.targets)) if earlier.spec.targets else []
    if strangers or not targets:
        raise InvalidInput(
            f"run {earlier.run.run_id} was not for {', '.join(strangers) or 'every host'}",
            where=earlier.run.run_id,
            remedy=FROM_THE_START,
        )
    stages = tree.required(dataclasses.replace(earlier.spec, targets=targets))
    stage = stages[len(earlier.finished)] if len(earlier.finished) < len(stages) else None
    hosts = tuple(host for host in earlier.first_hosts if host in targets)
    notified = tuple((handler, host) for handler, host in earlier.notified if host in targets)
    if stage is None or not hosts or not set(stage.hosts) <= set(hosts):
        return dataclasses.replace(earlier, first_hosts=hosts, notified=notified)
    # What hosts knew that had finished it in a run before that one is kept in another place: then it begins anew.
    finished = () if earlier.spec.first_stage == stage.id else (stage.id,)
    return dataclasses.replace(earlier, finished=(*earlier.finished, *finished), first_hosts=(), notified=())


def go_on(spec: RunSpec, tree: Tree, earlier: Past, *, anyway: bool) -> RunSpec:
    """Return a spec that goes on where an earlier run stopped.

    Args:
        spec: what is asked for.
        tree: its playbooks.
        earlier: the run to go on with.
        anyway: go on with playbooks, or an inventory of the caller's, that have changed since.

    Raises:
        InvalidInput: it can't be gone on with; the message says why, and names what has changed.
    """
    where = earlier.run.run_id
    # Who gives no inventory leaves it as it was: our own command goes on with what a client has begun with its own.
    spec = dataclasses.replace(spec, inventory_file=spec.inventory_file or earlier.spec.inventory_file)
    differing = asking.differences(spec, earlier.spec, rundir.read_json(earlier.run.launch) or {})
    if differing:
        raise InvalidInput(
            f"run {where} can't be gone on with: it had other {', '.join(differing)}",
            where=where,
            remedy=f"Ask for the same, or start without resume. {FROM_THE_START}",
        )
    changed = _changed(spec, tree, earlier.spec)
    if changed and not anyway:
        raise InvalidInput(
            f"the playbooks or the inventory have changed since run {where}: {changed}",
            where=where,
            remedy="Give force_reason to go on with the changed ones all the same, or start without resume",
        )
    if changed:
        inventories.check(spec, tree)
    finished, stages = earlier.finished, [stage.id for stage in tree.stages.get(spec.playbook, ())]
    for name, now in zip(finished, [*stages, *[""] * len(finished)], strict=False):
        if name != now:
            what = f"has {now} where {name}" if name in stages else f"has no stage {name} any more, which"
            raise InvalidInput(
                f"the changed playbook {what} was finished by run {where}", where=where, remedy=FROM_THE_START
            )
    left = stages[len(finished) :]
    if earlier.changed_inventory and finished:
        raise InvalidInput(
            f"run {where} had changed Ansible's inventory, which can't be restored: {earlier.changed_inventory[0]}",
            where=where,
            remedy=FROM_THE_START,
        )
    restore = finished[-1] if finished and left else ""
    _check_kept(earlier, restore)
    return dataclasses.replace(
        spec,
        resumes=where,
        chain=(where, *earlier.spec.chain),
        first_stage=(left[0] if left else NOTHING_LEFT) if finished else "",
        restore=restore,
        notified=earlier.notified,
        first_hosts=earlier.first_hosts if not changed else (),
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


def _changed(spec: RunSpec, tree: Tree, former: RunSpec) -> str:
    """Return in words what is otherwise than it was in the playbooks and the inventories; empty when nothing is."""
    files = _other_files(tree, former) if spec.digest != former.digest else ""
    return "; ".join(filter(None, (files, inventories.changes(spec.inventory_file, former.inventory_file))))


def _other_files(tree: Tree, former: RunSpec) -> str:
    """Return which files of the playbooks are others than they were, in words."""
    try:
        before = load(Path(former.tree)).files
    except InvalidInput:
        return f"the tree {former.tree} is gone"
    names = sorted(name for name in {*before, *tree.files} if before.get(name) != tree.files.get(name))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}" if names else "the generator is another one"


def hand_over(earlier: RunDir, run: RunDir, spec: RunSpec) -> None:
    """Copy what Ansible knew where a run goes on from the run before it; OSError if it can't be."""
    _copy(earlier.variables, run.variables, spec.restore)
    if spec.first_hosts and not _copy(earlier.variables, run.finished, spec.first_stage):
        _copy(earlier.finished, run.finished, spec.first_stage)


def _copy(origin: Path, copy: Path, stage: str) -> bool:
    """Copy the records up to a stage's; False when there are none."""
    kept = variables.up_to(variables.index(origin), stage)
    if not kept:
        return False
    left = kept[-1].end
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with origin.open("rb") as source, os.fdopen(descriptor, "wb") as target:
        while left and (data := source.read(min(left, 1 << 20))):
            target.write(data)
            left -= len(data)
        target.flush()
        os.fsync(target.fileno())
    return True
