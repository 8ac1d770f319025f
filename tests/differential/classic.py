"""The templates' own tree, written as tripleo-common's config-download writes it; shares no code with the generator.

What today's Ansible no longer takes is put in its place here, another way than the generator does it where that is
possible: the old filters are there as filters (plugins/old_filters.py), conditions that are no booleans stay (Ansible
is told to allow them).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

_SORTED = ("fast_forward_upgrade_tasks", "fast_forward_post_upgrade_tasks", "upgrade_tasks", "post_upgrade_tasks")
_CONDITIONS = ("when", "failed_when", "changed_when", "until")
_NAME = re.compile(r"[A-Za-z_]\w*")
_PROGRAM = re.compile(r"(_playbooks?|_tasks(_step_?\d+)?|common_container_config_scripts)\.yaml$")
_DIFFERENCE = re.compile(r"releases \| difference\(\s*releases \| last\s*\)")


def write_tree(outputs: dict[str, Any], root: Path, order: str = "sorted") -> None:
    """Write the tree of the templates.

    Args:
        outputs: output key to value.
        root: a directory that is not there yet.
        order: ``sorted`` as up to Rocky, or ``written``.
    """
    files: dict[str, Any] = {}
    for role, data in outputs["RoleData"].items():
        for key, value in data.items():
            if key.endswith("_tasks") and not isinstance(value, dict):
                tasks = value or []
                files[f"{role}/{key}.yaml"] = (
                    sorted(tasks, key=_step) if order == "sorted" and key in _SORTED else tasks
                )
            elif key == "step_config":
                files[f"{role}/{key}.pp"] = value or ""
            else:
                files[f"{role}/{key}.yaml"] = value
    for key, value in outputs["RoleConfig"].items():
        files[key if "." in key else f"{key}.yaml"] = value
    parsed = {path: _parsed(path, value) for path, value in files.items()}
    dynamic, static = _reached(parsed)
    both = dynamic & static
    for path, value in parsed.items():
        _write(root / path, _modern(value, path not in dynamic, Path(path), both))
        if path in both:  # an `include` in it is one thing here and another there
            _write(root / _beside(path), _modern(value, True, Path(path), both))


def _write(target: Path, value: Any) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(value if isinstance(value, str) else yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False))


def _beside(path: str) -> str:
    return str(Path(path).with_name(f"static_{Path(path).name}"))


def is_program(path: str) -> bool:
    """Return whether a file has plays or tasks, by its name."""
    return _PROGRAM.search(path) is not None


def _parsed(path: str, value: Any) -> Any:
    if isinstance(value, str) and is_program(path):
        return yaml.load(value, Loader=yaml.CSafeLoader) or []
    return value


def _step(task: dict[str, Any]) -> int:
    """The key by which tripleo-common sorts the tasks of an upgrade: the first digit compared with `step`."""
    when = task.get("when")
    for item in when if isinstance(when, list) else [when]:
        found = re.search(r"step(\|int)? == ([0-9])", str(item))
        if found:
            return int(found.group(2))
    return -1


def _reached(files: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Return the task files that are read at run time, and those that are read with their playbook.

    At run time is what stands below an include_tasks, or an include that loops.
    """
    found: dict[bool, set[str]] = {True: set(), False: set()}
    waiting = [(path, False) for path in files if path.endswith(("_playbook.yaml", "_playbooks.yaml"))]
    while waiting:
        path, below = waiting.pop()
        if path in found[below]:
            continue
        found[below].add(path)
        for task in tasks_of(files[path]):
            for key in ("include", "include_tasks", "import_tasks"):
                target = _target(task.get(key), Path(path), files)
                if target:
                    waiting.append((target, below or key == "include_tasks" or (key == "include" and _loops(task))))
    return found[True], found[False]


def _target(name: Any, current: Path, files: Iterable[str]) -> str:
    name = name.get("file") if isinstance(name, dict) else name
    found = [str(current.parent / name), name] if isinstance(name, str) else []
    return next((path for path in found if path in files), "")


def _loops(task: dict[str, Any]) -> bool:
    return any(word == "loop" or word.startswith("with_") for word in task)


def tasks_of(value: Any) -> list[dict[str, Any]]:
    """Return a file's plays and tasks, those within others too."""
    found = []
    for item in value if isinstance(value, list) else []:
        if isinstance(item, dict):
            found.append(item)
            for key in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
                found.extend(tasks_of(item.get(key)))
    return found


def _modern(value: Any, static: bool, current: Path, both: set[str]) -> Any:
    if isinstance(value, list):
        return [_modern(item, static, current, both) for item in value]
    if isinstance(value, str):
        return _DIFFERENCE.sub("releases[:-1]", value)
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, item in value.items():
        if key in ("include", "import_tasks") and isinstance(item, str):
            plain = static and not _loops(value) and "{{" not in item and value.get("static", True)
            is_import = key == "import_tasks" or plain
            target = _target(item, current, both) if static and is_import else ""
            result["import_tasks" if is_import else "include_tasks"] = (
                str(Path(item).with_name(Path(_beside(target)).name)) if target else item
            )
        elif key in _CONDITIONS:
            result[key] = _condition(item)
        elif key == "register" and not _NAME.fullmatch(str(item)):
            pass  # no variable that anything could read; newer versions refuse to load it
        elif key != "static" and (key != "warn" or not ("command" in value or "shell" in value)):
            result[key] = _modern(item, static, current, both)
    return result


def _condition(value: Any) -> Any:
    if isinstance(value, list):
        return [_condition(item) for item in value]
    if isinstance(value, str) and _NAME.fullmatch(value.strip()) and value.strip().lower() not in ("true", "false"):
        return f"{value.strip()} | old_truth"
    return value
