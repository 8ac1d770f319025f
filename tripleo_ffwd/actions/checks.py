"""Actions of the checks before a phase: begin them, say where they stand, judge what was found, tell a report."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd import heat
from tripleo_ffwd.actions import ansible_options, inputs, secrets, selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.ansible_run import inventories, launchers, modules, validation
from tripleo_ffwd.ansible_run.tree import Tree, load
from tripleo_ffwd.exceptions import ConfigurationError, FfwdError, InvalidInput, Unavailable
from tripleo_ffwd.model import PHASES, RunSpec
from tripleo_ffwd.plan import lock, phases
from tripleo_ffwd.preflight import findings, gathering, launching, reports, undercloud, waivers
from tripleo_ffwd.preflight.findings import Finding, Inhibited

# The phases that do something on nodes.
CHECKED = PHASES[1:]
# Findings and bytes of them that one answer has at most: Mistral takes no more than a megabyte.
MOST_TOLD, MOST_BYTES = 1000, 300_000


class BeginCheckAction(FfwdAction):
    """Look at the undercloud, and begin to look at the nodes: a process of its own does that, all nodes at once.

    :param plan: name of the plan.
    :param phase: run, upgrade or converge.
    :param owner: id of the root execution; it may hold the plan's lock.
    :param stack: name of the stack, by default that of the last prepare, else the plan's name.
    :param outputs: digest of the outputs that ``ffwd.query_outputs`` returned; empty when it failed.
    :param tree: directory that ``ffwd.generate_playbooks`` returned; empty when it failed.
    :param trouble: why outputs or tree are not there: the result of the failed task.
    :param targets: names of the nodes; or
    :param roles: names of roles whose nodes are meant; or
    :param nodes: names of the nodes, as typed; by default all nodes.
    :param deployments: the tree was generated with the servers' deployments, so that what is missing is missing.
    :param options: the inputs of the phase that are about Ansible, by name.
    :param waivers: list of ``{key, reason, until}``; refused here when one lacks something.
    :param instead_of: directory of a check whose process has died; it is removed.
    :param playbook: the only one of the phase that is going to be run; all by default.
    :returns: ``{check, check_dir, seconds}``: an id, a directory, and after how many seconds it has ended in any case.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        owner: str = "",
        stack: str = "",
        outputs: str = "",
        tree: str = "",
        trouble: Any = None,
        targets: list[str] | None = None,
        roles: list[str] | None = None,
        nodes: list[str] | None = None,
        deployments: bool = True,
        options: dict[str, Any] | None = None,
        waivers: list[dict[str, str]] | None = None,
        instead_of: str = "",
        playbook: str = "all",
    ):
        self.plan = plan
        self.phase = phase
        self.owner = owner
        self.stack = stack
        self.outputs = outputs
        self.tree = tree
        self.trouble = trouble
        self.targets = targets
        self.roles = roles
        self.nodes = nodes
        self.deployments = deployments
        self.options = options
        self.waivers = waivers
        self.instead_of = instead_of
        self.playbook = playbook

    def act(self, caller: Caller) -> dict[str, Any]:
        options = self.options or {}
        inputs.check({**options, "roles": self.roles, "nodes": self.nodes, "waivers": self.waivers})
        if self.phase not in CHECKED:
            raise InvalidInput(f"Nothing is checked for phase {self.phase!r}", remedy=f"Use {', '.join(CHECKED)}")
        checks = reports.checks_dir(lock.records_dir(caller.work_dir, self.plan))
        spec = self._spec(caller, options)
        tree = load(Path(self.tree)) if self.tree else None
        targets = self._targets(caller)
        if tree is not None:
            _check_given(dataclasses.replace(spec, targets=tuple(targets)), tree)
        found = [*self._undercloud(caller), *self._playbooks(spec, tree)]
        key = ""
        try:
            key = secrets.ssh_key(caller, spec.ssh_key_env)
        except (Unavailable, ConfigurationError) as error:
            found.append(findings.of_error("services", error))
        request = gathering.request(
            caller.conf, self.plan, self.phase, tree, targets, phases.read_record(caller.work_dir, self.plan).nodes
        )
        look = tree is not None and (bool(key) or not spec.ssh_key_env)
        if not look:
            found.append(findings.not_made("nodes-not-checked", "which nodes there are is not known"))
        request |= {"owner": self.owner, "look": look, "findings": [vars(finding) for finding in found]}
        if self.instead_of:
            launching.discard(checks / Path(self.instead_of).name)
        directory = launching.begin(checks, request, spec, key, look=look)
        return {
            "check": directory.name,
            "check_dir": str(directory),
            "seconds": request["seconds"] + launching.GRACE + launching.START_SECONDS if look else 0,
        }

    def _targets(self, caller: Caller) -> list[str]:
        if self.targets is not None or not self.outputs:
            return list(self.targets or ())
        if self.roles or self.nodes:
            return list(selection.select(caller, "upgrade", self.outputs, self.roles, self.nodes))
        return []

    def _spec(self, caller: Caller, options: Mapping[str, Any]) -> RunSpec:
        conf = caller.conf
        file = options.get("ssh_key_file")
        key_env = secrets.ssh_key_env(caller, options.get("ssh_key_env"), file)
        variables = options.get("extra_vars_file")
        return RunSpec(
            plan=self.plan,
            phase=self.phase,
            playbook="",
            tree=self.tree,
            digest="",
            owner=self.owner,
            ssh_user=options.get("ssh_user") or conf.ssh_user,
            ssh_key_file="" if key_env else file or conf.ssh_key_file,
            ssh_key_env=key_env,
            known_hosts_file=conf.ssh_known_hosts_file,
            host_key_checking=conf.ssh_host_key_checking,
            forks=options.get("forks") or conf.forks,
            extra_vars=options.get("extra_vars") or {},
            extra_vars_file=conf.ansible_extra_vars_file if variables is None else variables,
            **ansible_options.fields(conf, options.get("ansible")),
        )

    def _undercloud(self, caller: Caller) -> list[Finding]:
        conf = caller.conf
        stack: Any
        try:
            name = selection.stack_name(caller, self.plan, self.stack)
            stack = heat.get_status(heat.connect(conf, caller.security), name)
        except FfwdError as error:
            stack = error
        current = lock.holder(selection.place(caller), self.plan)
        holder = (current.execution, current.phase, current.since) if current else None
        return [
            *undercloud.stack(stack, self.phase),
            *undercloud.lock(holder, self.owner, selection.plan_runs(caller, self.plan)),
            *undercloud.work_dir(caller.work_dir, conf.check_work_dir_free),
            *undercloud.launcher(conf.launcher, launchers.obstacle(conf.launcher, caller.work_dir)),
            *gathering.backup_of_file(conf),
        ]

    def _playbooks(self, spec: RunSpec, tree: Tree | None) -> list[Finding]:
        found = list(undercloud.outputs(self.trouble or "", self.phase))
        if tree is None:
            return found
        if self.deployments:
            missing = [{"playbook": playbook, "what": what} for playbook, what in tree.missing.items()]
            found += undercloud.inputs(missing, self.phase, playbook="" if self.playbook == "all" else self.playbook)
        try:
            modules.require_modules(spec, tree)
        except InvalidInput as error:
            found += undercloud.modules(error.details.get("missing") or [str(error)])
        return found


def _check_given(spec: RunSpec, tree: Tree) -> None:
    """Refuse variables and an inventory that no run would take.

    Raises:
        InvalidInput: says why.
    """
    validation.check_variables(spec, tree)
    inventories.check(spec, tree)


class GetCheckStatusAction(FfwdAction):
    """Say whether the nodes have been looked at; what can't be told is never an error.

    :param check_dir: directory that ``ffwd.begin_check`` returned.
    :returns: ``{settled, succeeded, message}``, and ``died: true`` when the process has died, as it does with Mistral.
    """

    def __init__(self, check_dir: str):
        self.check_dir = check_dir

    def act(self, caller: Caller) -> dict[str, Any]:
        return launching.status(Path(self.check_dir))


class JudgeCheckAction(FfwdAction):
    """Put together what was found, write the report, and stop the phase when an inhibitor stands.

    :param plan: name of the plan.
    :param check_dir: directory that ``ffwd.begin_check`` returned.
    :param waivers: list of ``{key, reason, until}``: findings that don't count.
    :param stop: fail when an inhibitor stands; and record what was waived.
    :returns: ``{check, report, passed, counts, inhibitors, nodes, message}``: id and path of the report, counts, the
        first inhibitors ``{key, where, what, remedy}``, how many nodes were looked at, and all that in a sentence.
    """

    def __init__(self, plan: str, check_dir: str, waivers: list[dict[str, str]] | None = None, stop: bool = False):
        self.plan = plan
        self.check_dir = check_dir
        self.waivers = waivers
        self.stop = stop

    def act(self, caller: Caller) -> dict[str, Any]:
        records = lock.records_dir(caller.work_dir, self.plan)
        directory = reports.checks_dir(records) / Path(self.check_dir).name
        request = launching.request_of(directory)
        path = directory / reports.REPORT
        if not request and path.exists():
            # Judged before, by somebody whose answer was lost.
            covered = reports.read(directory.parent, directory.name)
        else:
            covered = self._judge(caller, directory, request)
            path = reports.write(directory, covered)
        if self.stop and covered["waived"] and not covered["stopped"]:
            phases.record_waived(caller.work_dir, self.plan, gathering.notes(covered))
        launching.tidy(directory, (reports.REPORT, launching.LOG))
        if covered["stopped"]:
            raise Inhibited(
                f"The checks stop phase {covered['phase']} before anything was touched: {reports.told(covered)}",
                remedy=f"Mend them, or waive their keys with a reason and a day. All findings are in {path}",
                check=covered["id"],
                report=str(path),
                inhibitors=gathering.first_inhibitors(covered),
            )
        return {
            "check": covered["id"],
            "report": str(path),
            "passed": not covered["counts"]["inhibitors"],
            "counts": covered["counts"],
            "inhibitors": gathering.first_inhibitors(covered),
            "nodes": len(covered["nodes"]),
            "message": f"{reports.summary(covered)}.",
        }

    def _judge(self, caller: Caller, directory: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        known = waivers.parse(self.waivers)
        today = datetime.datetime.now(datetime.timezone.utc).date()
        every = findings.decide(gathering.collected(directory, request), caller.conf.check_inhibitors)
        standing, waived = waivers.apply(every, known, today)
        stopped = self.stop and any(finding.inhibitor for finding in standing)
        covered: dict[str, Any] = self.covered(
            caller, gathering.report(directory, request, standing, waived, stopped=stopped)
        )
        return covered


class GetCheckReportAction(FfwdAction):
    """Tell the report of a check.

    :param plan: name of the plan.
    :param check: id of the check; by default the newest.
    :returns: the report, see `tripleo_ffwd.preflight.reports`; with no more findings than a workflow can carry.
    """

    def __init__(self, plan: str, check: str = ""):
        self.plan = plan
        self.check = check

    def act(self, caller: Caller) -> dict[str, Any]:
        found = reports.read(reports.checks_dir(lock.records_dir(caller.work_dir, self.plan)), self.check)
        told = {name: value for name, value in found.items() if name != "nodes"}
        return {**told, **{name: _first(found[name]) for name in ("findings", "waived", "not_made")}}


def _first(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return as many of a report's entries, from the first on, as a workflow can carry."""
    found, size = [], 0
    for item in items[:MOST_TOLD]:
        size += len(json.dumps(item))
        if size > MOST_BYTES:
            break
        found.append(item)
    return found
