"""Stands in for `command`: answers as `echo` and `false` would, without a process on the host."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        command = str(self._task.args.get("_raw_params", ""))
        failed = command.startswith("false")
        return {"changed": True, "failed": failed, "rc": int(failed), "stdout": command.removeprefix("echo ")}
