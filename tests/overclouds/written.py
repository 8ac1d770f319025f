"""What TripleO makes of a stack's outputs when it writes their files, beyond what the outputs say."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

_STEPS = 6
_UNRESOLVED = re.compile(r"\{get_param: \[?FastForwardUpgradeReleases\]?\}")
# First release of the templates (major version) whose writer makes a file for each step of a list of tasks.
_STEIN, _TRAIN = 10, 11
_TRAIN_LISTS = {"upgrade_tasks": _STEPS, "deploy_steps_tasks": _STEPS, "update_tasks": _STEPS, "post_update_tasks": 4}


def with_releases(outputs: dict[str, Any], releases: Sequence[str]) -> dict[str, Any]:
    """Return the outputs with the releases in the playbook that leaves them to the stack's parameter."""
    result = copy.deepcopy(outputs)
    text = result["RoleConfig"].get("fast_forward_upgrade_playbook")
    if isinstance(text, str):
        result["RoleConfig"]["fast_forward_upgrade_playbook"] = _UNRESOLVED.sub(f"[{', '.join(releases)}]", text)
    return result


def with_step_files(outputs: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the outputs with the files, as if they were keys of RoleConfig, that a writer of that release adds.

    From Stein on the playbooks take a role's tasks of one step from a file of their own, which is in no output.
    """
    major = int(version.split(".")[0])
    result = copy.deepcopy(outputs)
    if major < _STEIN:
        return result
    lists = {"upgrade_tasks": _STEPS} if major < _TRAIN else _TRAIN_LISTS
    in_step = _in_step_stein if major < _TRAIN else _in_step_train
    for role, data in outputs["RoleData"].items():
        for key, steps in lists.items():
            for step in range(steps):
                tasks = [task for task in data.get(key) or [] if task is None or in_step(task, step)]
                result["RoleConfig"][f"{role}/{key}_step{step}"] = tasks
    if major >= _TRAIN:
        for key in ("external_deploy_steps_tasks", "external_deploy_tasks"):
            for step in range(_STEPS if key in outputs["RoleConfig"] else 0):
                tasks = [task for task in outputs["RoleConfig"][key] if in_step(task, step)]
                result["RoleConfig"][f"{key}_step{step}"] = tasks
    return result


def _conditions(task: dict[str, Any]) -> list[str]:
    when = task.get("when", [])
    return [str(item) for item in (when if isinstance(when, list) else [when]) if not isinstance(item, bool)]


def _in_step_stein(task: dict[str, Any], step: int) -> bool:
    for condition in _conditions(task):
        found = re.search(r"step(?:\|int)? == ([0-9]+)$", condition)
        if found:
            return int(found.group(1)) == step
    return True


def _in_step_train(task: dict[str, Any], step: int) -> bool:
    joined = re.sub(r"\s", "", "".join(_conditions(task)))
    found = re.findall(r"\(?step(?:\|int)?\)?==(\d+)", joined)
    return not found or str(step) in found
