"""The program that the outputs ship: playbooks, task files and the other files, by their paths in the tree; no I/O.

Task files are in the order in which TripleO runs them, and modern in all but `include`, whose meaning depends on where
it stands.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput, MalformedOutputs
from tripleo_ffwd.playbook_gen import rendering
from tripleo_ffwd.playbook_gen.loading import Outputs, load_yaml
from tripleo_ffwd.playbook_gen.modernising import Moderniser
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.tasks import BLOCK_KEYS
from tripleo_ffwd.playbook_gen.tree import Note

# Lists that the writer of Queens and Rocky sorts by step.
_SORTED_LISTS = ("upgrade_tasks", "post_upgrade_tasks", "fast_forward_upgrade_tasks", "fast_forward_post_upgrade_tasks")
_STEP = re.compile(r"step(?:\|int)? == ([0-9])")
# Role data that no playbook reads.
_UNREAD = ("service_names", "monitoring_subscriptions", "workflow_tasks", "service_metadata_settings")


@dataclasses.dataclass(frozen=True)
class Program:
    """What is compiled.

    Attributes:
        playbooks: file name → its plays.
        tasks: path → tasks of the file.
        texts: path → text of the files that are no tasks.
        roles: names of the overcloud's roles.
        notes: what was rewritten.
    """

    playbooks: Mapping[str, list[dict[str, Any]]]
    tasks: Mapping[str, list[dict[str, Any]]]
    texts: Mapping[str, str]
    roles: tuple[str, ...]
    notes: tuple[Note, ...]

    def resolve(self, name: str, current: str) -> str | None:
        """Return the path of a task file that `current` names: beside it, or at the top; None when there is none."""
        for base in (PurePosixPath(current).parent, PurePosixPath()):
            path = str(base / name)
            if path in self.tasks:
                return path
        return None

    def check_role_file(self, name: str, current: str) -> None:
        """Refuse the include of a role's task list that is not there.

        Raises:
            MalformedOutputs: naming the list.
        """
        role, _, file = name.partition("/")
        if role in self.roles and file.endswith("_tasks.yaml"):
            key = file.removesuffix(".yaml")
            raise MalformedOutputs(f"{current} includes it, and it is missing", where=f"RoleData.{role}.{key}")


def load_program(outputs: Outputs, playbooks: tuple[str, ...], task_order: str, options: GenerateOptions) -> Program:
    """Return the program of the named playbooks.

    Raises:
        MalformedOutputs: a playbook is missing or is not YAML, a task list is not a list of tasks.
        InvalidInput: a path in the config-download tree leads out of it.
    """
    notes: list[Note] = []
    loaded = {name: _plays(outputs.role_config, name, notes) for name in playbooks}
    tasks: dict[str, list[dict[str, Any]]] = {}
    texts: dict[str, str] = {}
    for path, value, where in _values(outputs):
        if path.endswith("_tasks.yaml") and not (isinstance(value, dict) and path.endswith("_puppet_tasks.yaml")):
            tasks[path] = _tasks(value, path, where, task_order, notes)
        elif isinstance(value, str):
            texts[path] = value
        elif value is not None:
            texts[path] = rendering.dump(value)
    for path, text in (options.config_download or {}).items():
        _check_path(path)
        if path in tasks or path in texts or PurePosixPath(path).name.endswith("_playbook.yaml"):
            continue
        if PurePosixPath(path).name == "deployments.yaml":
            tasks[path] = _tasks(load_yaml(text, path), path, path, "written", notes)
        else:
            texts[path] = text
    return Program(loaded, tasks, texts, outputs.roles, tuple(notes))


def _values(outputs: Outputs) -> list[tuple[str, Any, str]]:
    found: list[tuple[str, Any, str]] = []
    for key, value in sorted(outputs.role_config.items()):
        if key.endswith("_playbook"):
            continue
        where = f"RoleConfig.{key}"
        if key.endswith("_tasks"):
            value = load_yaml(value, where) if isinstance(value, str) else value
            value = [] if value is None else value
        found.append((f"{key}.yaml", value, where))
    for role, data in outputs.role_data.items():
        for key, value in sorted(data.items()):
            if key in _UNREAD or key.startswith("logging_") or key.endswith("config_settings"):
                continue
            where = f"RoleData.{role}.{key}"
            if value is None and key.endswith("_tasks"):
                value = []
            found.append((f"{role}/{key}.{'pp' if key == 'step_config' else 'yaml'}", value, where))
    return found


def _plays(config: Mapping[str, Any], name: str, notes: list[Note]) -> list[dict[str, Any]]:
    key = name.removesuffix(".yaml")
    where = f"RoleConfig.{key}"
    if config.get(key) is None:
        raise MalformedOutputs("the playbook is missing", where=where)
    value = config[key]
    plays = load_yaml(value, where) if isinstance(value, str) else value
    plays = [plays] if isinstance(plays, dict) else plays
    if not isinstance(plays, list) or not plays:
        raise MalformedOutputs("is not a list of plays", where=where)
    result = []
    for index, play in enumerate(plays):
        if not isinstance(play, dict) or "hosts" not in play:
            raise MalformedOutputs("is not a play with hosts", where=f"{where}[{index}]")
        play = dict(play)
        for section in ("tasks", "pre_tasks", "post_tasks", "handlers"):
            if section in play:
                place = f"{where}[{index}].{section}"
                play[section] = _tasks(play[section] or [], name, place, "written", notes)
        result.append(play)
    return result


def _tasks(value: Any, path: str, where: str, task_order: str, notes: list[Note]) -> list[dict[str, Any]]:
    if value is None:
        return []
    _check_tasks(value, where)
    if task_order == "sorted" and "/" in path and PurePosixPath(path).stem in _SORTED_LISTS:
        value = sorted(value, key=_step_of)
    moderniser = Moderniser(path)
    tasks = moderniser.tasks(value)
    notes.extend(moderniser.notes)
    return tasks


def _check_tasks(value: Any, where: str) -> None:
    if not isinstance(value, list):
        raise MalformedOutputs(f"is a {type(value).__name__}, not a list of tasks", where=where)
    for index, task in enumerate(value):
        if not isinstance(task, dict) or not all(isinstance(key, str) for key in task):
            raise MalformedOutputs("is not a task", where=f"{where}[{index}]")
        for key in BLOCK_KEYS:
            if task.get(key) is not None:
                _check_tasks(task[key], f"{where}[{index}].{key}")


def _step_of(task: Mapping[str, Any]) -> int:
    """Return the step by which TripleO's writer sorts a task; those that name none come first."""
    when = task.get("when")
    for item in when if isinstance(when, list) else [when]:
        match = _STEP.search(str(item))
        if match:
            return int(match.group(1))
    return -1


def _check_path(path: str) -> None:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\\" in path or "\0" in path:
        raise InvalidInput("the path leads out of the config-download tree", where=path)
