"""The action that looks at how a wait ended."""

from __future__ import annotations

from typing import Any

from tripleo_ffwd.actions import outcomes
from tripleo_ffwd.actions.base import Caller, FfwdAction


class CheckStatusAction(FfwdAction):
    """Fail unless a wait ended well: the explicit check that follows every poll.

    :param status: the last result of ``ffwd.get_stack_status`` or ``ffwd.get_playbook_status``.
    :returns: the status, when it is a success.
    """

    def __init__(self, status: Any):
        self.status = status

    def act(self, caller: Caller) -> Any:
        return outcomes.check(self.status)
