"""Callback plugin of an operator's own check: writes down which tasks have failed, one JSON object a line.

It is loaded by ansible-playbook, of whatever version, and imports nothing of this package.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: ffwd_failures
    type: notification
    short_description: writes failed tasks to the file that FFWD_FAILURES names
    description: It is used by the checks before a phase.
"""
LONGEST = 300


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Writes ``{host, task, message}`` of every task that failed or whose host was unreachable."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "ffwd_failures"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Write down a failure, unless it is ignored."""
        if not ignore_errors:
            self._write(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Write down that a host was unreachable."""
        self._write(result)

    def _write(self, result: Any) -> None:
        # Newer versions have names without the underscore and deprecate the others.
        said = getattr(result, "result", None) or getattr(result, "_result", {})
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        message = "(hidden by no_log)" if task.no_log else str(said.get("msg") or said.get("stderr") or "failed")
        line = {"host": host.get_name(), "task": task.get_name(), "message": message[:LONGEST]}
        with open(os.environ["FFWD_FAILURES"], "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(json.dumps(line) + "\n")
