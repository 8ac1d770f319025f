"""What every action shares: the options, the caller's context, and errors as structured results.

Actions are restored by Mistral from ``vars(self)`` without ``__init__`` and their signature is read from it: so each
``__init__`` has positional JSON parameters, plain assignments and nothing else.
"""

from __future__ import annotations

import abc
import dataclasses
import traceback
from pathlib import Path
from typing import Any

from mistral_lib import actions
from oslo_config import cfg
from oslo_log import log as logging

from tripleo_ffwd import config
from tripleo_ffwd.actions import secrets
from tripleo_ffwd.exceptions import FfwdError

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Caller:
    """What an action knows of its surroundings.

    Attributes:
        conf: the values of [ffwd].
        security: Mistral's security context: who called.
        action_execution: id of the action's own execution.
        task_execution: id of the task that the action is done for; empty for an action that was asked for by itself.
    """

    conf: cfg.GroupAttr
    security: Any
    action_execution: str
    task_execution: str = ""

    @property
    def attempt(self) -> str:
        """What is the same when Mistral sends a lost action again, or the task's retry asks for it anew."""
        return self.task_execution or self.action_execution

    @property
    def project(self) -> str:
        """Id of the caller's project; empty without keystone."""
        return str(getattr(self.security, "project_id", None) or "")

    @property
    def work_dir(self) -> Path:
        """The directory of plans, playbooks and runs."""
        return Path(self.conf.work_dir)


class FfwdAction(actions.Action, metaclass=abc.ABCMeta):  # type: ignore[misc]
    """An action whose errors arrive in the workflow as ``{error, message, where, remedy, …}``."""

    @abc.abstractmethod
    def act(self, caller: Caller) -> Any:
        """Do the work and return small JSON.

        Raises:
            FfwdError: what `run` turns into an error result.
        """

    def run(self, context: Any) -> Any:
        """Run the action for Mistral; see `act`."""
        caller = Caller(
            conf=config.load(),
            security=context.security,
            action_execution=getattr(context.execution, "action_execution_id", None) or "",
            task_execution=getattr(context.execution, "task_execution_id", None) or "",
        )
        try:
            return self.act(caller)
        except FfwdError as error:
            return actions.Result(error=self.covered(caller, error.to_dict()))
        except SystemExit as error:
            # Mistral's executor takes a SystemExit for success.
            return actions.Result(error=_unexpected(self, caller, error))
        except Exception as error:  # noqa: BLE001 - the boundary: Mistral would wrap its text in the object's repr
            return actions.Result(error=_unexpected(self, caller, error))

    def covered(self, caller: Caller, told: dict[str, Any]) -> dict[str, Any]:
        """Return what goes wrong, as it may be told: the secrets that the action may have come across are covered."""
        plan, version = getattr(self, "plan", ""), getattr(self, "version", 0)
        found: dict[str, Any] = secrets.redactor(
            caller,
            plan if isinstance(plan, str) else "",
            version if isinstance(version, int) else 0,
            getattr(self, "extra_vars", None),
        ).within(told)
        return found


def _unexpected(action: FfwdAction, caller: Caller, error: BaseException) -> dict[str, Any]:
    told = {
        "error": type(error).__name__,
        "message": f"{type(action).__name__} failed unexpectedly: {type(error).__name__}: {error}. "
        "The executor's log has the traceback; please report it",
    }
    found = action.covered(caller, {**told, "traceback": traceback.format_exc()})
    LOG.error("%s failed unexpectedly:\n%s", type(action).__name__, found.pop("traceback"))
    return found
