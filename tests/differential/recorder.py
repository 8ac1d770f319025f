"""Ansible callback plugin: one JSON line for each task that a host executed, with its rendered arguments."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = "name: recorder\ntype: aggregate\nshort_description: records executed tasks\noptions: {}\n"
IGNORED = ("include_tasks", "import_tasks", "gather_facts", "setup")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, result: Any, state: str) -> None:
        task = result._task_fields
        if task["action"].rpartition(".")[2] in IGNORED or task["name"].startswith("Every selected host"):
            return
        record = [result._host.get_name(), task["name"], task["action"].rpartition(".")[2], _args(task["args"]), state]
        with Path(os.environ["RECORD_TO"]).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write(result, "failed")


def _args(args: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sorted(args.items()) if not key.startswith("_ansible")}
