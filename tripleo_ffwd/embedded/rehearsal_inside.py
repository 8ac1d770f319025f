"""What makes ansible-playbook rehearse: stand-ins for modules, connections and lookups; imports Ansible.

It is loaded into ansible-playbook by a callback plugin of the rehearsed tree, before any task runs, and is inherited by
Ansible's workers. Nothing that a task names runs on this machine or reaches another one but what works on variables.
It may be loaded by the ansible-playbook of another virtual environment: of the package it imports only what needs no
more than the standard library.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.executor import task_executor
from ansible.executor.task_executor import TaskExecutor
from ansible.playbook.block import Block
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import connection_loader, lookup_loader
from ansible.plugins.lookup import LookupBase

from tripleo_ffwd.ansible_run.machine import is_alive
from tripleo_ffwd.embedded import rehearsal_answers
from tripleo_ffwd.redaction import Redactor

CONNECTION = "ffwd_stand_in"
STOPPED = 75
# What works on variables alone, or on files of the playbooks; done as it is.
_REAL = frozenset(
    ("set_fact", "debug", "assert", "fail", "include_vars", "add_host", "group_by", "set_stats", "meta")
) | {"include_role", "import_role", "include_tasks", "import_tasks", "validate_argument_spec"}
_BUILTIN = ("", "ansible.builtin", "ansible.legacy")
# Lookups that start nothing, write nothing and ask nobody.
_HARMLESS = frozenset(
    (
        *("config", "csvfile", "dict", "env", "file", "fileglob", "first_found", "flattened", "indexed_items", "ini"),
        *("inventory_hostnames", "items", "list", "nested", "random_choice", "sequence", "subelements", "template"),
        *("together", "undef", "varnames", "vars"),
    )
)
_LONGEST = 400


class Stage:
    """One rehearsal's stand-ins.

    Args:
        settings: `records` (the file to write to), `bootstrap` (host → bootstrap node of its role), `addresses` (host →
            address), `owner` (pid and start of the process that wants the rehearsal).
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._file = os.open(settings["records"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._bootstrap: Mapping[str, str] = settings["bootstrap"]
        self._addresses: Mapping[str, str] = settings["addresses"]
        self.owner = (int(settings["owner"][0]), int(settings["owner"][1]))
        inside = os.environ.get("FFWD_INSIDE")  # of a durable run, which knows its secrets
        known = json.loads(Path(inside).read_text(encoding="utf-8"))["secrets"] if inside else ()
        self._mask = Redactor(known)

    def record(self, kind: str, executor: Any, message: str = "") -> None:
        """Add a line ``[kind, stage, host, task's id, task, module, message]``; in one call, for many workers write."""
        variables, task = executor._job_vars, executor._task
        stage, host = variables.get("ansible_play_name", ""), variables["inventory_hostname"]
        name = self._mask(task.get_name().strip())
        line = [kind, str(stage), str(host), str(task._uuid), name, str(task.action), self._mask(message)[:_LONGEST]]
        os.write(self._file, (json.dumps(line) + "\n").encode("utf-8", "replace"))

    def answer(self, task: Any, host: str) -> dict[str, Any]:
        """Return what a module would."""
        module, args = task.action.rpartition(".")[2], task.args
        bootstrap = self._bootstrap.get(host, host)
        return rehearsal_answers.answer(module, args, host, self._addresses.get(host, ""), bootstrap)


def install(settings: Mapping[str, Any]) -> type[CallbackBase]:
    """Put stand-ins in the place of all that reaches out of this process; return the callback that watches."""
    stage = Stage(settings)
    get = "_get_action_handler_with_module_context"
    setattr(TaskExecutor, get, _handled(stage, getattr(TaskExecutor, get)))
    TaskExecutor._execute = _survived(stage, TaskExecutor._execute)
    TaskExecutor.run = _survived(stage, TaskExecutor.run)
    TaskExecutor._poll_async_result = lambda self, result, **_: result
    task_executor.time = _Clock()
    connect = connection_loader.get_with_context
    connection_loader.get_with_context = lambda name, *given, **named: connect(CONNECTION, *given, **named)
    lookup_loader.get = _looked_up(lookup_loader.get)

    class CallbackModule(CallbackBase):  # type: ignore[misc]
        CALLBACK_VERSION = 2.0
        CALLBACK_TYPE = "notification"
        CALLBACK_NAME = "ffwd_rehearsal"

        def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
            if is_alive(*stage.owner) is False:
                raise SystemExit(STOPPED)

    return CallbackModule


class _Clock:
    """The module `time` for what runs tasks: nobody waits between two tries."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        """Don't."""


def _handled(stage: Stage, original: Callable[..., Any]) -> Callable[..., Any]:
    def get(self: TaskExecutor, *given: Any, **named: Any) -> Any:
        handler, *rest = original(self, *given, **named)
        collection, _, name = self._task.action.rpartition(".")
        if name in _REAL and collection in _BUILTIN:
            return (handler, *rest)

        def run(tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
            stage.record("ran", self)
            return stage.answer(handler._task, str((task_vars or self._job_vars)["inventory_hostname"]))

        handler.run = run
        return (handler, *rest)

    return get


def _survived(stage: Stage, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of TaskExecutor that takes a failure back, and tells of it, where nothing else survives it."""

    def call(self: TaskExecutor, *given: Any, **named: Any) -> Any:
        result = original(self, *given, **named)
        if not isinstance(result, dict) or not result.get("failed"):
            return result
        if "results" in result and all(not item.get("failed") for item in result["results"]):
            return {**result, "failed": False}
        if self._task.ignore_errors or _is_rescuable(self._task):
            return result
        message = " ".join(str(result.get("msg") or "").split()).removeprefix("Task failed: ")
        if "attempts" in result:
            message = f"`until` did not come true in {result['attempts']} tries"
        kind = _kind(self._task, result, message)
        stage.record(kind, self, "(hidden by no_log)" if self._task.no_log else message)
        if kind == "condition" or self._task.action in constants._ACTION_ALL_INCLUDES:
            return {"changed": False, "skipped": True, "skip_reason": "a stand-in could not decide"}
        kept = {key: value for key, value in result.items() if key not in ("exception", "msg", "failed_when_result")}
        filled = stage.answer(self._task, str(self._job_vars["inventory_hostname"]))
        if self._task.action.rpartition(".")[2] == "set_fact":
            filled = {"ansible_facts": {name: "" for name in self._task.args if name.isidentifier()}}
        return {**filled, **kept, "failed": False}

    return call


def _kind(task: Any, result: Mapping[str, Any], message: str) -> str:
    """Return why a task failed: its ``condition`` can't be evaluated, it was told to ``stop``, or anything else."""
    if "conditional" in message.lower() and "failed_when_result" not in result:
        return "condition"
    return "stop" if task.action.rpartition(".")[2] in ("fail", "assert") else "answer"


def _is_rescuable(task: Any) -> bool:
    """Return whether a failure of the task is for a `rescue` around it."""
    child, parent = task, task._parent
    while parent is not None:
        if isinstance(parent, Block) and parent.rescue and any(child._uuid == item._uuid for item in parent.block):
            return True
        child, parent = parent, parent._parent
    return False


class _Nothing(LookupBase):  # type: ignore[misc]
    """Stands in for a lookup that would reach out."""

    def run(self, terms: Any, variables: Any = None, **named: Any) -> list[str]:
        """Return a word for each term."""
        return ["1" for _ in terms]


def _looked_up(original: Callable[..., Any]) -> Callable[..., Any]:
    def get(name: str, *given: Any, **named: Any) -> Any:
        collection, _, plain = str(name).rpartition(".")
        if plain in _HARMLESS and collection in _BUILTIN:
            return original(name, *given, **named)
        return _Nothing(named.get("loader"), named.get("templar"))

    return get
