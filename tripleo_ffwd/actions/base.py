"""What every action shares: the options, the caller's context, and errors as structured results.

Actions are restored by Mistral from ``vars(self)`` without ``__init__`` and their signature is read from it: so each
``__init__`` has positional JSON parameters, plain assignments and nothing else.
"""

from __future__ import annotations

import abc
import dataclasses
from pathlib import Path
from typing import Any

from mistral_lib import actions
from oslo_config import cfg
from oslo_log import log as logging

from tripleo_ffwd import config
from tripleo_ffwd.exceptions import FfwdError

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Caller:
    """What an action knows of its surroundings.

    Attributes:
        conf: the values of [ffwd].
        security: Mistral's security context: who called.
        action_execution: id of the action's own execution: the same when Mistral sends a lost action again.
    """

    conf: cfg.GroupAttr
    security: Any
    action_execution: str

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
        execution = getattr(context.execution, "action_execution_id", None) or ""
        try:
            return self.act(Caller(conf=config.load(), security=context.security, action_execution=execution))
        except FfwdError as error:
            return actions.Result(error=error.to_dict())
        except SystemExit as error:
            # Mistral's executor takes a SystemExit for success.
            return actions.Result(error=_unexpected(self, error))
        except Exception as error:  # noqa: BLE001 - the boundary: Mistral would wrap its text in the object's repr
            return actions.Result(error=_unexpected(self, error))


def _unexpected(action: FfwdAction, error: BaseException) -> dict[str, str]:
    LOG.exception("%s failed unexpectedly", type(action).__name__)
    return {
        "error": type(error).__name__,
        "message": f"{type(action).__name__} failed unexpectedly: {type(error).__name__}: {error}. "
        "The executor's log has the traceback; please report it",
    }
