"""Runs ansible-playbook's own program for many playbooks, with stand-ins for the modules; imports ansible and stdlib.

Started with the Python of an ansible-core and the stand-ins' configuration in its environment. It reads jobs from its
stdin, one JSON line each, runs each in a child of its own, and writes a JSON line with the return code when it is over.

What differs from ansible-playbook as it is, in this process only:

- A task's action is recorded, and answered by `answers` instead of a module. What works on variables alone (`set_fact`,
  `debug`, `fail`, …) is recorded and done.
- A task runs in this process, on a copy of what a worker would have had by fork: that saves half of the time.
- A task's results are looked at once all hosts have got the task, so that a fact that one host sets on another is there
  for the next task. Whether it is for that host's own turn of the same task is a matter of luck otherwise.
- A failure that nothing survives is taken back when the job says so, so that a run goes through to its end.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
import traceback
import types
from pathlib import Path
from typing import Any

import answers
import jinja2
from ansible import constants
from ansible.cli.playbook import PlaybookCLI
from ansible.executor import task_executor, task_queue_manager
from ansible.executor.playbook_executor import PlaybookExecutor
from ansible.executor.process import worker
from ansible.executor.task_executor import TaskExecutor
from ansible.inventory.host import Host
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.block import Block
from ansible.plugins import loader as plugin_loader
from ansible.plugins.strategy import StrategyBase
from ansible.utils.display import Display
from ansible.vars import plugins as vars_plugins

try:
    from ansible._internal._task import TaskContext
except ImportError:  # before 2.19
    TaskContext = None

REAL = frozenset(
    (
        "set_fact",
        "debug",
        "assert",
        "fail",
        "include_vars",
        "add_host",
        "group_by",
        "include_role",
        "import_role",
        "meta",
    )
)
# How tasks that only our tree has are named, and what says nothing about what is executed.
OURS = (
    "Every selected host has finished the stage",
    "Be skipped for the tasks that are left out",
    "Register that they were skipped",
)
UNRECORDED = frozenset(
    ("setup", "gather_facts", "meta", "include_tasks", "import_tasks", "include_role", "import_role")
)
_KEYWORDS = ("become", "become_user", "become_method", "delegate_to", "async_val", "poll", "no_log", "ignore_errors")
_WIRE = ("_ansible_", "invocation", "exception", "warnings", "deprecations", "false_condition", "skip_reason")


class Recording:
    """One job's record: a JSON line for each thing that happened."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.seed, self.survive = job["seed"], job["survive"]
        self.bootstrap = job["bootstrap"]
        self.names = frozenset(job["names"])
        self._directory = json.dumps(job["directory"])[1:-1]
        self._file = os.open(job["record"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._counts: dict[str, int] = {}
        self.rescuable = False

    def write(self, record: list[Any]) -> None:
        # In one call: more threads than one write.
        os.write(self._file, (json.dumps(record, default=str, sort_keys=True) + "\n").encode())

    def count(self, *identity: Any) -> int:
        text = json.dumps(identity, default=str, sort_keys=True)
        self._counts[text] = self._counts.get(text, 0) + 1
        return self._counts[text]

    def plain(self, value: Any) -> Any:
        """Return a value as JSON has it, without the directory of the playbook: that one differs."""
        return json.loads(json.dumps(value, default=str).replace(self._directory, "<playbook_dir>"))

    def name(self, value: str) -> str:
        """Return a task's name as it is told, without hosts: `free` renders it once for all, whoever comes first."""
        for host in sorted(self.bootstrap, key=len, reverse=True):
            value = value.replace(host, "<host>")
        return str(self.plain(value))

    def executed(self, handler: Any, task_vars: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Record what a handler is about to do; return what tells it from others, and its arguments."""
        task = handler._task
        args = {key: self.plain(value) for key, value in task.args.items() if not key.startswith("_ansible")}
        args.pop("warn", None)
        name = self.name(task.get_name(include_role_fqcn=False)) if task.name else ""
        action = task.action.rpartition(".")[2]
        if action not in UNRECORDED and name not in OURS:
            given = {key: self.plain(getattr(task, key)) for key in _KEYWORDS if getattr(task, key, None)}
            if task.environment and any(task.environment):
                given["environment"] = self.plain(handler._templar.template(task.environment))
            place = [self.plain(task_vars.get(key)) for key in ("release", "step", "tripleo_role_name")]
            self.write(["run", task_vars["inventory_hostname"], name, action, args, place, given])
        return [name, action, args], args


def _handler(recording: Recording, original: Any) -> Any:
    def get(self: TaskExecutor, *given: Any, **named: Any) -> Any:
        handler, *rest = original(self, *given, **named)
        action = self._task.action.rpartition(".")[2]
        run = handler.run

        def recorded(task_vars: Any = None, **_: Any) -> Any:
            identity, args = recording.executed(handler, task_vars)
            if action in REAL:
                return run(task_vars=task_vars)
            host = task_vars["inventory_hostname"]
            number = recording.count(host, identity)
            may_fail = bool(self._task.ignore_errors) or recording.rescuable
            args = {**args, "_bootstrap": recording.bootstrap}
            return answers.answer(recording.seed, host, action, args, [*identity, number], may_fail)

        handler.run = recorded
        return (handler, *rest)

    return get


def _survivor(recording: Recording, original: Any) -> Any:
    """Return a function of TaskExecutor whose failure is taken back where nothing else survives it."""

    def call(self: TaskExecutor, *given: Any, **named: Any) -> Any:
        result = original(self, *given, **named)
        failed = isinstance(result, dict) and result.get("failed")
        if not failed:
            return result
        if (
            self._task.action in constants._ACTION_ALL_INCLUDES
        ):  # a condition that can't be evaluated: as if it were false
            return {"changed": False, "skipped": True}
        # The text of an error names files and lines, which differ.
        broken = "rc" not in result
        errors = {key for key in ("changed_when_result", "failed_when_result") if isinstance(result.get(key), str)}
        kept = {
            key: value
            for key, value in result.items()
            if not key.startswith(("exception", "msg")) and key not in errors
        }
        if broken:
            kept = {key: result[key] for key in ("changed", "_ansible_no_log", "results", "failed") if key in result}
            kept["broken"] = True
        if not recording.survive or recording.rescuable or self._task.ignore_errors:
            return {**kept, "failed": True, "msg": "failed"}
        kept.pop("failed_when_result", None)
        if broken and "results" not in kept and self._task.action.rpartition(".")[2] == "set_fact":
            # No run goes on without the fact: the generator may take it for set.
            kept["ansible_facts"] = {name: [] for name in self._task.args if name.isidentifier()}
        return {**kept, "failed": False, "survived": True}

    return call


def _inline(recording: Recording) -> Any:
    """Return a `start` of workers that runs the task here, on copies."""

    def start(self: Any) -> None:
        recording.rescuable = _is_rescuable(self._task)
        # What is above a task is only read.
        parent = self._task._parent
        self._task = self._task.copy(exclude_parent=True)
        self._task._parent = parent
        self._task_vars = dict(self._task_vars)
        host = Host.__new__(Host)
        host.__dict__.update(self._host.__dict__)
        self._host = host
        self._new_stdin = None
        context = TaskContext(self._task) if TaskContext else contextlib.nullcontext()
        with context, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self._run()

    return start


def _is_rescuable(task: Any) -> bool:
    """Return whether a failure of the task is for a `rescue` around it.

    A task's block is as it was written; Ansible runs one without the tasks that the tags leave out, which may have no
    `rescue` any more.
    """
    child, parent = task, task._parent
    while parent is not None:
        rescued = (
            isinstance(parent, Block) and parent.rescue and any(child._uuid == item._uuid for item in parent.block)
        )
        if rescued and parent.filter_tagged_tasks({}).rescue:
            return True
        child, parent = parent, parent._parent
    return False


def _callbacks(recording: Recording) -> Any:
    states = {"v2_runner_on_ok": "ok", "v2_runner_on_failed": "failed", "v2_runner_on_unreachable": "unreachable"}

    def send(self: Any, method_name: str, *given: Any, **named: Any) -> None:
        state = states.get(method_name)
        if state is None:
            return
        result = given[0]
        task, data = getattr(result, "task", None) or result._task, getattr(result, "_return_data", None)
        data = data if isinstance(data, dict) else result._result
        host = getattr(result, "host", None) or result._host
        name = task.name or ""
        action = task.action.rpartition(".")[2]
        if state != "ok" and os.environ.get("FFWD_SHOW_FAILURES"):
            print(host, task, state, data, file=sys.stderr)
        if (action in UNRECORDED and state == "ok") or name in OURS:
            return
        fields = result._task_fields
        fate = "ignored" if named.get("ignore_errors") else "rescued" if _is_rescuable(task) else "lost"
        changed = "changed" if data.get("changed") else ""
        ending = [state, changed, fate if state != "ok" else "lost" if data.get("survived") else ""]
        recording.write(["end", host.get_name(), recording.name(fields.get("name") or ""), action, *ending])

    return send


def _final(recording: Recording, manager: Any) -> None:
    """Record the variables that tasks left on each host, and that something reads."""
    caches = [manager._vars_cache, manager._nonpersistent_fact_cache]
    for host in sorted({name for cache in caches for name in cache}):
        merged: dict[str, Any] = {}
        for cache in caches:
            merged.update(cache.get(host) or {})
        kept = {
            name: _without_wire(recording.plain(value)) for name, value in merged.items() if name in recording.names
        }
        recording.write(["variables", host, kept])


def _without_wire(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_wire(item) for key, item in value.items() if not key.startswith(_WIRE)}
    return [_without_wire(item) for item in value] if isinstance(value, list) else value


def _loading(recording: Recording, original: Any) -> Any:
    """Return a `load_from_file` that records each file once: what is in no loaded file can't read anything."""
    told: set[str] = set()

    def load(self: DataLoader, file_name: str, *given: Any, **named: Any) -> Any:
        if file_name not in told:
            told.add(file_name)
            recording.write(["loaded", str(file_name)])
        return original(self, file_name, *given, **named)

    return load


def _afterwards(original: Any) -> Any:
    """Return a `_process_pending_results` that leaves what is there between two hosts of a task for after the last."""

    def process(self: StrategyBase, iterator: Any, one_pass: bool = False, max_passes: int | None = None) -> Any:
        # Only `linear` limits the passes, and only while it hands out a task; it waits for all of them then.
        return [] if max_passes else original(self, iterator, one_pass=one_pass, max_passes=max_passes)

    return process


def _remember() -> None:
    """Keep what is worked out anew for each task and host and always the same: templates, files of variables."""
    codes: dict[Any, Any] = {}
    compile_, compile_expression = jinja2.Environment.compile, jinja2.Environment.compile_expression

    def compile_once(self: Any, source: Any, *given: Any, **named: Any) -> Any:
        text = source if isinstance(source, str) else vars(self).pop("_ffwd_source", None)
        if text is None or given or named:
            return compile_(self, source, *given, **named)
        key = (type(self), isinstance(source, str), str(text))
        if key not in codes:
            codes[key] = compile_(self, source)
        return codes[key]

    def compile_expression_once(self: Any, source: Any, *given: Any, **named: Any) -> Any:
        self._ffwd_source = str(source)
        return compile_expression(self, source, *given, **named)

    jinja2.Environment.compile = compile_once
    jinja2.Environment.compile_expression = compile_expression_once
    found: dict[Any, Any] = {}
    get_vars = vars_plugins.get_vars_from_path

    def get_vars_once(loader: Any, path: Any, entities: Any, stage: Any) -> Any:
        key = (str(path), tuple(str(entity) for entity in entities), stage)
        if key not in found:
            found[key] = get_vars(loader, path, entities, stage)
        return found[key]

    vars_plugins.get_vars_from_path = get_vars_once
    plugins: dict[Any, Any] = {}
    get_plugin = plugin_loader.Jinja2Loader.get_with_context

    def get_plugin_once(self: Any, name: str, *given: Any, **named: Any) -> Any:
        key = (self.class_name, name, str(given), str(named))
        if key not in plugins:
            plugins[key] = get_plugin(self, name, *given, **named)
        return plugins[key]

    plugin_loader.Jinja2Loader.get_with_context = get_plugin_once


def _patch(recording: Recording) -> None:
    _remember()
    DataLoader.load_from_file = _loading(recording, DataLoader.load_from_file)
    worker.WorkerProcess.start = _inline(recording)
    worker.WorkerQueue = lambda **_: None
    Display.set_queue = lambda self, queue: None
    get = "_get_action_handler_with_module_context"
    setattr(TaskExecutor, get, _handler(recording, getattr(TaskExecutor, get)))
    StrategyBase._process_pending_results = _afterwards(StrategyBase._process_pending_results)
    TaskExecutor._execute = _survivor(recording, TaskExecutor._execute)
    TaskExecutor.run = _survivor(recording, TaskExecutor.run)
    TaskExecutor._poll_async_result = lambda self, result, **_: result
    task_executor.time = types.SimpleNamespace(sleep=lambda seconds: None, time=time.time)
    task_queue_manager.TaskQueueManager.send_callback = _callbacks(recording)
    run = PlaybookExecutor.run

    def run_and_tell(self: PlaybookExecutor) -> Any:
        code = run(self)
        _final(recording, self._variable_manager)
        return code

    PlaybookExecutor.run = run_and_tell


def _child(job: dict[str, Any]) -> int:
    with Path(job["output"]).open("w", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    os.chdir(job["directory"])
    try:
        _patch(Recording(job))
        return int(PlaybookCLI(["ansible-playbook", *job["arguments"]]).run() or 0)
    except BaseException:  # noqa: BLE001 - the end of this process, told to the one that waits for it
        traceback.print_exc()
        return 250


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = _child(job)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"rc": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
