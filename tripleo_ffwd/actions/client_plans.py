"""Actions that an unmodified tripleoclient asks for by TripleO's names, about plans."""

from __future__ import annotations

from typing import Any

from oslo_log import log as logging

from tripleo_ffwd.actions import secrets, selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.exceptions import FfwdError, InvalidInput, OutOfTurn
from tripleo_ffwd.plan import lock, phases, refreshing
from tripleo_ffwd.plan.places import NotReadable
from tripleo_ffwd.plan.store import PlanStore, open_store

LOG = logging.getLogger(__name__)


class ListPlansAction(FfwdAction):
    """List the names of the plans; first mend what a client that died has left of them in Swift.

    :returns: a list of names.
    """

    def __init__(self) -> None:
        pass

    def act(self, caller: Caller) -> list[str]:
        store = open_store(caller.conf, caller.security)
        names = list(store.plans())
        for name in names:
            # The client asks this first of all; a plan that can't be mended must not keep it from the others.
            try:
                if refreshing.mend(store, name):
                    LOG.warning("The container of plan %s had lost its passwords, they were put back", name)
            except (FfwdError, NotReadable, OSError, LookupError, TypeError) as error:
                LOG.warning("The container of plan %s can't be looked at for its passwords: %s", name, error)
        return names


class CreateContainerAction(FfwdAction):
    """Make the container of a new plan in Swift.

    :param container: name of the plan.
    :returns: nothing, or what is wrong in words: the client takes it so.
    """

    def __init__(self, container: str):
        self.container = container

    def act(self, caller: Caller) -> str | None:
        try:
            refreshing.make_container(open_store(caller.conf, caller.security), self.container)
        except InvalidInput as error:
            return str(error)
        return None


class UpdateParametersAction(FfwdAction):
    """Put parameters into the plan environment of a plan.

    :param container: name of the plan.
    :param parameters: by name. Mistral keeps them in its database, as TripleO's own action has it do.
    :param key: the part of the plan environment: parameter_defaults or derived_parameters.
    :param validate: not used: the phase checks the whole plan.
    :returns: nothing.
    """

    def __init__(
        self,
        container: str,
        parameters: dict[str, Any],
        key: str = "parameter_defaults",
        validate: bool = True,
    ):
        self.container = container
        self.parameters = parameters
        self.key = key
        self.validate = validate

    def act(self, caller: Caller) -> None:
        store = _free(caller, self.container)
        refreshing.update_parameters(store, self.container, self.parameters, self.key)

    def covered(self, caller: Caller, told: dict[str, Any]) -> dict[str, Any]:
        """Return what goes wrong without the parameters' own secrets."""
        found: dict[str, Any] = secrets.redactor(caller, self.container, extra_vars=self.parameters).within(told)
        return found


class RefreshPlanAction(FfwdAction):
    """Make what a client has put into a plan's container the plan's current version: rendered, with passwords.

    :param container: name of the plan.
    :returns: ``{plan, version, environments}``.
    """

    def __init__(self, container: str):
        self.container = container

    def act(self, caller: Caller) -> dict[str, Any]:
        version = refreshing.refresh(_free(caller, self.container), self.container)
        return {"plan": version.plan, "version": version.number, "environments": list(version.environments)}


class CheckConvergedAction(FfwdAction):
    """Check that every node of a plan has finished converge.

    :param plan: name of the plan.
    :returns: a sentence that says so.
    """

    def __init__(self, plan: str):
        self.plan = plan

    def act(self, caller: Caller) -> str:
        record = phases.read_record(caller.work_dir, self.plan)
        left = [node for node in record.nodes if record.state(node, "converge") != phases.FINISHED]
        if left or not record.nodes:
            raise OutOfTurn(
                f"Phase converge of plan {self.plan} is not finished{' on ' + ', '.join(left) if left else ''}",
                remedy="Run converge; this pack deploys nothing but the end of an upgrade",
            )
        return f"Phase converge of plan {self.plan} has configured {len(record.nodes)} nodes."


def _free(caller: Caller, plan: str) -> PlanStore:
    """Return the store, when neither a phase nor a run of the plan is under way."""
    store = open_store(caller.conf, caller.security)
    held = lock.holder(store.backend, plan)
    # An execution that was cancelled has cleaned up nothing; the phase takes the lock over likewise.
    if held is not None and not _is_over(caller, held.execution):
        lock.check_owner(store.backend, plan, "")
    selection.check_no_live_run(caller, plan)
    return store


def _is_over(caller: Caller, execution: str) -> bool:
    try:
        return secrets.mistral(caller).execution(execution).state in lock.TERMINAL
    except FfwdError:
        return False
