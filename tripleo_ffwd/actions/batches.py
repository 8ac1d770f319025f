"""Actions about an upgrade in batches: which nodes go when, whether it goes on, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.actions import outcomes, selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.ansible_run import health, runs
from tripleo_ffwd.ansible_run.tree import load
from tripleo_ffwd.exceptions import InvalidInput, RunActive
from tripleo_ffwd.model import PHASE_PLAYBOOKS, FailedTask
from tripleo_ffwd.plan import batches as planning
from tripleo_ffwd.plan import lock, rollouts
from tripleo_ffwd.plan.batches import Batch
from tripleo_ffwd.plan.rollouts import LostNode, Rollout

PHASE = "upgrade"


class CheckBatchesAction(FfwdAction):
    """Refuse batches that can't be, before anything is touched.

    :param plan: name of the plan.
    :param outputs: digest of the outputs that ``ffwd.query_outputs`` returned.
    :param targets: names of the nodes.
    :param batches: what is asked for, see `PlanBatchesAction`.
    :param resume: go on with the batches that were begun.
    :returns: nothing.
    """

    def __init__(self, plan: str, outputs: str, targets: list[str], batches: dict[str, Any], resume: bool = False):
        self.plan = plan
        self.outputs = outputs
        self.targets = targets
        self.batches = batches
        self.resume = resume

    def act(self, caller: Caller) -> None:
        wanted = planning.parse(self.batches)
        planning.check_roles(wanted, selection.by_role(caller, self.outputs, self.targets))
        if wanted.health_check:
            health.check(wanted.health_check)
        for run in selection.plan_runs(caller, self.plan):
            if run.phase == PHASE and not run.settled and not self.resume:
                raise RunActive(
                    f"Run {run.run_id} of an upgrade that was begun is {run.state}",
                    where=run.run_dir,
                    remedy="Go on with resume, or cancel it first",
                )


class PlanBatchesAction(FfwdAction):
    """Divide the nodes of an upgrade into batches and record them; with ``resume`` take those that were begun.

    :param plan: name of the plan.
    :param owner: id of the root execution; it must hold the plan's lock.
    :param tree: directory that ``ffwd.generate_playbooks`` returned.
    :param targets: names of the nodes.
    :param batches: ``{canary, size, growth, max_size, parallel, failure_budget, soak, health_check, rolling_roles}``,
        see the documentation of `upgrade`.
    :param outputs: digest of the outputs that ``ffwd.query_outputs`` returned.
    :param playbook: ``all`` or the one playbook that is to be run.
    :param resume: go on with the batches that were begun; nodes that were left behind stay so.
    :param dry_run: record nothing.
    :param tags: tags that the playbooks are limited to; such batches are recorded beside the others.
    :returns: ``{waves, playbooks, soak, check, message}``: lists of batches ``{name, role, targets}``; names; seconds;
        the health check's ``{tree, digest, playbook}`` or none.
    """

    def __init__(
        self,
        plan: str,
        owner: str,
        tree: str,
        targets: list[str],
        batches: dict[str, Any],
        outputs: str,
        playbook: str = "all",
        resume: bool = False,
        dry_run: bool = False,
        tags: str | None = None,
    ):
        self.plan = plan
        self.owner = owner
        self.tree = tree
        self.targets = targets
        self.batches = batches
        self.outputs = outputs
        self.playbook = playbook
        self.resume = resume
        self.dry_run = dry_run
        self.tags = tags

    def act(self, caller: Caller) -> dict[str, Any]:
        lock.check_owner(selection.place(caller), self.plan, self.owner)
        wanted = planning.parse(self.batches)
        selected = selection.by_role(caller, self.outputs, self.targets)
        waves = planning.waves(wanted, selected, load(Path(self.tree)).rolling)
        rollout = Rollout(self.playbook, wanted, waves, tags=self.tags or "")
        if not self.dry_run:
            rollout = self._record(caller, rollout)
        left = rollout.remaining()
        if not left:
            raise InvalidInput(
                "All nodes of the batches were left behind", remedy="Upgrade them with nodes, without resume"
            )
        return {
            "waves": [[vars(batch) | {"targets": list(batch.targets)} for batch in wave] for wave in left],
            "playbooks": [self.playbook] if self.playbook != "all" else list(PHASE_PLAYBOOKS[PHASE]),
            "soak": 0 if self.dry_run else wanted.soak,
            "check": self._health_check(caller, wanted.health_check) if not self.dry_run else None,
            "message": f"{_told(left)}.",
        }

    def _record(self, caller: Caller, wanted: Rollout) -> Rollout:
        if self.resume:
            return rollouts.go_on(caller.work_dir, self.plan, wanted)
        rollouts.begin(caller.work_dir, self.plan, wanted)
        return wanted

    def _health_check(self, caller: Caller, words: tuple[str, ...]) -> dict[str, Any] | None:
        if not words:
            return None
        tree, digest = health.make_tree(caller.work_dir, Path(self.tree), words)
        return {"tree": str(tree), "digest": digest, "playbook": health.PLAYBOOK}


def _told(waves: tuple[tuple[Batch, ...], ...]) -> str:
    named = (" and ".join(f"{batch.name} ({len(batch.targets)})" for batch in wave) for wave in waves)
    return f"Batches, with their nodes: {', then '.join(named)}"


class JudgeBatchAction(FfwdAction):
    """Say whether a batch goes on without the nodes that its playbook has lost, within the role's failure budget.

    :param plan: name of the plan.
    :param owner: id of the root execution; it must hold the plan's lock.
    :param batch: name of the batch.
    :param targets: names of its nodes.
    :param error: how its playbook ended: the result of the failed sub-workflow.
    :param dry_run: record nothing; then any failure ends the batch.
    :param tags: tags that the playbooks are limited to.
    :returns: ``{go_on, ok, targets, follows}``: whether it goes on, with which nodes, after which run; ``ok`` without
        ``go_on`` when it has lost all of its nodes, and was allowed to.
    """

    def __init__(
        self,
        plan: str,
        owner: str,
        batch: str,
        targets: list[str],
        error: Any,
        dry_run: bool = False,
        tags: str | None = None,
    ):
        self.plan = plan
        self.owner = owner
        self.batch = batch
        self.targets = targets
        self.error = error
        self.dry_run = dry_run
        self.tags = tags

    def act(self, caller: Caller) -> dict[str, Any]:
        lock.check_owner(selection.place(caller), self.plan, self.owner)
        ended = {"go_on": False, "ok": False, "targets": list(self.targets), "follows": ""}
        run_dir = Path(str(outcomes.details(self.error).get("run_dir") or ""))
        if self.dry_run or not run_dir.is_absolute():
            return ended
        lost = runs.lost(run_dir)
        left = [node for node in self.targets if node not in {task.host for task in lost}]
        batch = rollouts.current(caller.work_dir, self.plan, self.tags or "").batch(self.batch)
        if not lost or batch.canary:
            return ended
        nodes = [_lost_node(task, batch.role, batch.name) for task in lost]
        if not rollouts.leave_behind(caller.work_dir, self.plan, nodes, self.tags or ""):
            return ended
        return {"go_on": bool(left), "ok": True, "targets": left, "follows": run_dir.name}


def _lost_node(task: FailedTask, role: str, batch: str) -> LostNode:
    return LostNode(task.host, role, batch, task.playbook, task.stage, task.task, task.message, task.log)


class JudgeWaveAction(FfwdAction):
    """Go on to the next wave, or end the rollout with what went wrong.

    :param plan: name of the plan.
    :param position: number of the wave, from 0.
    :param waves: number of the waves.
    :param results: what its batches returned.
    :param dry_run: nothing was recorded.
    :param tags: tags that the playbooks are limited to.
    :returns: ``{position, more, upgraded}``: number of the next wave, whether there is one, nodes upgraded so far.
    """

    def __init__(
        self, plan: str, position: int, waves: int, results: Any, dry_run: bool = False, tags: str | None = None
    ):
        self.plan = plan
        self.position = position
        self.waves = waves
        self.results = results
        self.dry_run = dry_run
        self.tags = tags

    def act(self, caller: Caller) -> dict[str, Any]:
        record = None if self.dry_run else rollouts.current(caller.work_dir, self.plan, self.tags or "")
        lost = record.lost if record else ()
        results = self.results if isinstance(self.results, list) else [self.results]
        bad = [result for result in results if not (isinstance(result, Mapping) and result.get("ok"))]
        if bad:
            raise outcomes.stopped_rollout(bad, lost, self.waves - self.position - 1)
        more = self.position + 1 < self.waves
        if lost and not more:
            raise outcomes.left_behind(lost)
        waves = record.remaining()[: self.position + 1] if record else ()
        upgraded = [node for wave in waves for batch in wave for node in batch.targets]
        return {"position": self.position + 1, "more": more, "upgraded": upgraded}
