"""The action that makes a new version of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tripleo_ffwd.actions import selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.plan import lock
from tripleo_ffwd.plan.store import PlanStore


class UpdatePlanAction(FfwdAction):
    """Store templates and environments as the plan's new version, with the phase's lifecycle environment first.

    :param plan: name of the plan; made when there is none.
    :param phase: prepare or converge.
    :param owner: id of the root execution.
    :param templates: directory of the templates on the executor; those of the current version by default.
    :param environments: environment files in order, paths on the executor or within the templates; those of the
        current version by default.
    :returns: ``{plan, version, digest, files, environments}``; environments is the order that Heat gets.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        owner: str,
        templates: str = "",
        environments: list[str] | None = None,
    ):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.templates = templates
        self.environments = environments

    def act(self, caller: Caller) -> dict[str, Any]:
        lock.check_owner(caller.work_dir, self.plan, self.owner)
        selection.check_no_live_run(caller, self.plan)
        version = PlanStore(caller.work_dir).create_version(
            self.plan,
            templates=Path(self.templates) if self.templates else None,
            environments=self.environments,
            phase=self.phase,
        )
        return {
            "plan": version.plan,
            "version": version.number,
            "digest": version.digest,
            "files": version.files,
            "environments": list(version.environments),
        }
