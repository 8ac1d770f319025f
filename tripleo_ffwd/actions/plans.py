"""The actions about a plan's new version: make it, and say what it changes."""

from __future__ import annotations

import dataclasses
from typing import Any

from tripleo_ffwd import heat
from tripleo_ffwd.actions import selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.plan import arrangement, changes, lock, summaries
from tripleo_ffwd.plan.store import open_store


class UpdatePlanAction(FfwdAction):
    """Store templates and environments as the plan's new version, with the phase's lifecycle environment first.

    :param plan: name of the plan; made when there is none.
    :param phase: prepare or converge.
    :param owner: id of the root execution.
    :param templates: directory of the templates on the executor, a tarball, or ``swift:CONTAINER``; those of the
        current version by default.
    :param environments: environment files in order, paths on the executor or within the templates; those of the
        current version by default.
    :param switch: make the new version the current one; false leaves that to ``ffwd.update_stack``.
    :param stack: name of the stack, by default that of the last prepare, else the plan's name. Passwords that neither
        the plan nor its environments have are taken from it, and made only when it has none.
    :returns: ``{plan, version, digest, files, environments}``; environments is the order that Heat gets.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        owner: str,
        templates: str = "",
        environments: list[str] | None = None,
        switch: bool = True,
        stack: str = "",
    ):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.templates = templates
        self.environments = environments
        self.switch = switch
        self.stack = stack

    def act(self, caller: Caller) -> dict[str, Any]:
        store = open_store(caller.conf, caller.security)
        lock.check_owner(store.backend, self.plan, self.owner)
        selection.check_no_live_run(caller, self.plan)
        version = store.create_version(
            self.plan,
            templates=self.templates or None,
            environments=self.environments,
            phase=self.phase,
            switch=self.switch,
            known=lambda: self._parameters(caller),
        )
        return {
            "plan": version.plan,
            "version": version.number,
            "digest": version.digest,
            "files": version.files,
            "environments": list(version.environments),
        }

    def _parameters(self, caller: Caller) -> dict[str, Any]:
        stack = selection.stack_name(caller, self.plan, self.stack)
        return heat.get_parameters(heat.connect(caller.conf, caller.security), stack)


class ComparePlanAction(FfwdAction):
    """Say what a version of the plan changes, and refuse one that Heat would not take. Nothing is changed.

    Templates, environments, parameters and resource types are compared with the current version's, secrets covered;
    what would become of the stack's resources is asked of Heat, which can't always tell. All of it is stored in the
    work directory beside the plan's records.

    :param plan: name of the plan.
    :param phase: prepare or converge.
    :param owner: id of the root execution.
    :param version: number of the version.
    :param stack: name of the stack, by default that of the last prepare, else the plan's name.
    :returns: ``{path, message, changes, resources}``: the file with the whole summary, a sentence, how many templates,
        environments, parameters and types change, and how many resources, by kind; empty when Heat can't tell.
    """

    def __init__(self, plan: str, phase: str, owner: str, version: int, stack: str = ""):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.version = version
        self.stack = stack

    def act(self, caller: Caller) -> dict[str, Any]:
        store = open_store(caller.conf, caller.security)
        lock.check_owner(store.backend, self.plan, self.owner)
        new = store.version(self.plan, self.version)
        current = store.current(self.plan) if store.current_number(self.plan) is not None else None
        stack = selection.stack_name(caller, self.plan, self.stack)
        client = heat.connect(caller.conf, caller.security)
        bundle = heat.bundle_of(new.path, self.owner, new.template_path, new.environment_paths)
        extent = heat.measure(bundle)
        heat.check_limits(client, extent)
        found = changes.compare(current, new)
        resources = heat.preview(client, stack, bundle)
        if resources["reason"]:  # which may quote parameters
            resources = self.covered(caller, resources)
        numbers = summaries.counts(found)
        summary = {
            "phase": self.phase,
            "version": new.number,
            "stack": stack,
            "extent": dataclasses.asdict(extent),
            "changes": found,
            "warnings": arrangement.read_warnings(new.files_dir),
            "resources": resources,
        }
        before, after = found["environments"]["before"], found["environments"]["after"]
        reordered = before != after and sorted(before) == sorted(after)
        path = summaries.save(caller.work_dir, self.plan, summary)
        told = summaries.describe(new.number, numbers, resources, reordered=reordered)
        message = f"{told[0].upper()}{told[1:]}. Details: {path}"
        return {"path": str(path), "message": message, "changes": numbers, "resources": resources["counts"]}
