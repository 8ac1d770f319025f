"""The program that the outputs ship: playbooks, task files and the other files, by their paths in the tree; no I/O.

Task files are in the order in which TripleO runs them, and modern in all but `include`, whose meaning depends on where
it stands.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput, MalformedOutputs, UnsupportedConstruct
from tripleo_ffwd.playbook_gen import bounds, checking, conditions, extent, rendering, step_files
from tripleo_ffwd.playbook_gen.facts import tags_of
from tripleo_ffwd.playbook_gen.loading import Outputs, load_yaml
from tripleo_ffwd.playbook_gen.modernising import Moderniser
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.tasks import flatten, include_of
from tripleo_ffwd.playbook_gen.tree import Note

# Lists that the writer of Queens and Rocky sorts by step.
_SORTED_LISTS = ("upgrade_tasks", "post_upgrade_tasks", "fast_forward_upgrade_tasks", "fast_forward_post_upgrade_tasks")
_STEP = re.compile(r"step(?:\|int)? == ([0-9])")
_SECTIONS = ("tasks", "pre_tasks", "post_tasks", "handlers")
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
        for base in (current.rpartition("/")[0], ""):
            path = _joined(base, name)
            if path in self.tasks:
                return path
        return None

    def files_beside(self, file: str) -> tuple[str, ...]:
        """Return the names of the files beside one in a directory below the playbooks'."""
        parent = str(PurePosixPath(file).parent)
        if parent == ".":
            return ()
        others = (path for path in (*self.tasks, *self.texts) if path.startswith(f"{parent}/") and path != file)
        return tuple(path.rpartition("/")[2] for path in others)

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
    loaded = {name: plays_of(outputs.role_config, name, notes) for name in playbooks}
    tasks: dict[str, list[dict[str, Any]]] = {}
    texts: dict[str, str] = {}
    for path, value, where in _values(outputs):
        if path.endswith("_tasks.yaml") and not (isinstance(value, dict) and path.endswith("_puppet_tasks.yaml")):
            tasks[path] = task_list(value, path, where, task_order, notes)
        elif isinstance(value, str):
            texts[path] = value
        elif value is not None:
            texts[path] = rendering.data(value)
    for path, text in (options.config_download or {}).items():
        _check_path(path)
        if path in tasks or path in texts or PurePosixPath(path).name.endswith("_playbook.yaml"):
            continue
        texts[path] = text
    found = Program(loaded, tasks, texts, outputs.roles, ())
    _load_included(found, tasks, texts, task_order, notes)
    lists = {name: [play.get(key) or [] for play in plays for key in _SECTIONS] for name, plays in loaded.items()}
    extent.check(lists, tasks, found.resolve)
    return dataclasses.replace(found, notes=tuple(notes))


def _load_included(
    program: Program,
    tasks: dict[str, list[dict[str, Any]]],
    texts: dict[str, str],
    task_order: str,
    notes: list[Note],
) -> None:
    """Make task files of texts that tasks include whatever their names, and the files of one step of a list.

    Of the latter also those that a condition or a variable names: the run asks whether they are there.
    """
    shown = [json.dumps(plays, default=str) for plays in program.playbooks.values()]
    anywhere = step_files.reads_anywhere(shown)
    todo: list[tuple[str, list[Any], str]] = [
        (name, [play.get(section) or [] for play in plays for section in _SECTIONS], text)
        for (name, plays), text in zip(program.playbooks.items(), shown, strict=True)
    ]
    todo += [(path, [found], json.dumps(found, default=str)) for path, found in tasks.items()]
    while todo:
        current, lists, text = todo.pop()
        includes = (include_of(task) for items in lists for task in flatten(items))
        for name in (*(include[1] for include in includes if include is not None), *step_files.named_in(text)):
            if program.resolve(name, current) is not None:
                continue
            for path in (str(PurePosixPath(current).parent / name), name):
                split = step_files.split_name(path)
                if path in texts:
                    tasks[path] = task_list(load_yaml(texts.pop(path), path), path, path, "written", notes)
                elif split is not None and split[0] in tasks:
                    tasks[path] = step_files.of_step(tasks[split[0]], split[1], anywhere=anywhere)
                elif split is not None and _is_role_list(program, split[0]):
                    tasks[path] = []  # the role has no such tasks
                else:
                    continue
                todo.append((path, [tasks[path]], json.dumps(tasks[path], default=str)))
                break


def _is_role_list(program: Program, path: str) -> bool:
    role, _, file = path.partition("/")
    return role in program.roles and "/" not in file


def _values(outputs: Outputs) -> list[tuple[str, Any, str]]:
    found: list[tuple[str, Any, str]] = []
    for key, value in sorted(outputs.role_config.items()):
        if key.endswith(("_playbook", "_playbooks")):
            continue
        where = f"RoleConfig.{key}"
        if key.endswith("_tasks"):
            value = load_yaml(value, where) if isinstance(value, str) else value
            value = [] if value is None else value
        found.append((key if "." in key else f"{key}.yaml", value, where))
    for role, data in outputs.role_data.items():
        for key, value in sorted(data.items()):
            if key in _UNREAD or key.startswith("logging_") or key.endswith("config_settings"):
                continue
            where = f"RoleData.{role}.{key}"
            if value is None and key.endswith("_tasks"):
                value = []
            found.append((f"{role}/{key}.{'pp' if key == 'step_config' else 'yaml'}", value, where))
    return found


def plays_of(
    config: Mapping[str, Any], name: str, notes: list[Note], stack: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Return the plays of a playbook of RoleConfig, those of the playbooks that it imports in their place.

    Raises:
        MalformedOutputs: the playbook is missing, is not YAML or holds what is no play.
        UnsupportedConstruct: an import of itself, or under a condition.
    """
    key = name.removesuffix(".yaml")
    where = f"RoleConfig.{key}"
    if config.get(key) is None:
        imported = f"; {stack[-1]} imports it" if stack else ""
        raise MalformedOutputs(f"the playbook is missing{imported}", where=where)
    value = config[key]
    plays = load_yaml(value, where) if isinstance(value, str) else value
    plays = [plays] if isinstance(plays, dict) else plays
    if not isinstance(plays, list) or not plays:
        raise MalformedOutputs("is not a list of plays", where=where)
    result = []
    for index, play in enumerate(plays):
        if isinstance(play, dict) and any(action in play for action in checking.PLAYBOOK_IMPORTS):
            result.extend(_imported(config, play, f"{where}[{index}]", notes, (*stack, name)))
            continue
        checking.check_play(play, f"{where}[{index}]")
        play = dict(play)
        for section in _SECTIONS:
            if section in play:
                place = f"{where}[{index}].{section}"
                play[section] = task_list(play[section] or [], name, place, "written", notes)
        result.append(play)
    return result


def _imported(
    config: Mapping[str, Any], play: Mapping[str, Any], where: str, notes: list[Note], stack: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the plays of an imported playbook with the variables and tags of its import."""
    name = next(play[action] for action in checking.PLAYBOOK_IMPORTS if action in play)
    others = set(play) - {*checking.PLAYBOOK_IMPORTS, "name", "vars", "tags"}
    if not isinstance(name, str) or "{{" in name or others or name in stack:
        keywords = bounds.shown_text(", ".join(sorted(map(str, others))))
        what = f"has {keywords}" if others else f"imports {bounds.shown(name)}"
        raise UnsupportedConstruct(
            f"the import of a playbook {what}, and can't be resolved before the run",
            where=where,
            remedy="Import the playbook by its plain name, and put conditions on its tasks",
        )
    checking.check_include(name, where)
    checking.check_import(play, where)
    variables = play.get("vars") or {}
    tags = tags_of(play)
    found = []
    for inner in plays_of(config, name, notes, stack):
        hosts = inner["hosts"]
        known = {key: value for key, value in variables.items() if isinstance(value, str)}
        resolved = conditions.evaluate_template(hosts, known) if isinstance(hosts, str) else hosts
        inner = {**inner, "hosts": hosts if resolved is conditions.UNKNOWN else resolved}
        if variables:
            inner["vars"] = {**(inner.get("vars") or {}), **variables}
        if tags:
            inner["tags"] = sorted(tags | tags_of(inner))
        found.append(inner)
    return found


def task_list(value: Any, path: str, where: str, task_order: str, notes: list[Note]) -> list[dict[str, Any]]:
    """Return a list of tasks in the order in which TripleO runs them, rewritten for newer versions.

    Raises:
        MalformedOutputs: it is no list of tasks.
    """
    if value is None:
        return []
    if isinstance(value, list):
        value = [task for task in value if task is not None]  # Heat leaves None where a condition failed
    checking.check_tasks(value, where)
    if task_order == "sorted" and "/" in path and PurePosixPath(path).stem in _SORTED_LISTS:
        value = sorted(value, key=_step_of)
    moderniser = Moderniser(path)
    tasks = moderniser.tasks(value)
    notes.extend(moderniser.notes)
    return tasks


def _step_of(task: Mapping[str, Any]) -> int:
    """Return the step by which TripleO's writer sorts a task; those that name none come first."""
    when = task.get("when")
    for item in when if isinstance(when, list) else [when]:
        match = _STEP.search(str(item))
        if match:
            return int(match.group(1))
    return -1


@functools.lru_cache(maxsize=4096)
def _joined(base: str, name: str) -> str:
    return str(PurePosixPath(base) / name)


def _check_path(path: str) -> None:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\\" in path or "\0" in path:
        raise InvalidInput("the path leads out of the config-download tree", where=path)
