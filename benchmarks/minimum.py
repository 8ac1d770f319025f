"""The least that does the same: playbooks as somebody would write them by hand who knows release, step and role.

Nothing of the generator is used: tasks are taken from `RoleData` by two patterns, which are all that the reference
overcloud needs. There are no gates; a play is made where the hosts change. A second form has no conditions at all:
every task that is left runs, those for the bootstrap node on one controller.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

_STEP = re.compile(r"step\|int == (\d+)")
_RELEASE = re.compile(r"release == '(\w+)'")
_ROLE = re.compile(r"tripleo_role_name == '(\w+)'")
_KEYS = ("block", "rescue", "always")
_BOOTSTRAP = "is_bootstrap_node|bool"
_CONDITIONS = ("when", "failed_when", "changed_when")


class Minimum:
    """Writes the playbooks of one overcloud.

    Args:
        outputs: the stack's outputs.
        theirs: the templates' tree, in the form that today's Ansible takes; tasks are read from it.
        root: where to write.
        conditions: whether what the run decides is asked.
    """

    def __init__(self, outputs: dict[str, Any], theirs: Path, root: Path, conditions: bool) -> None:
        self._roles = list(outputs["RoleData"])
        self._theirs = theirs
        self._root = root
        self._conditions = conditions
        self._plays: list[dict[str, Any]] = []
        self._files = 0

    def fast_forward_upgrade(self) -> None:
        """Write the fast forward upgrade of Newton to Queens."""
        self._begin()
        everywhere = self._read("fast_forward_upgrade_prep_tasks")
        self._play("overcloud", [{"set_fact": {"releases": ["ocata", "pike", "queens"]}}], {})
        for release in ("ocata", "pike"):
            for task in everywhere:
                if "include_tasks" in task:
                    continue
                role = _ROLE.fullmatch(str(task.get("when", "")))
                left = {key: value for key, value in task.items() if key != "when"} if role else task
                self._play(role.group(1) if role else "overcloud", [left], {"release": release})
            for step in range(10):
                for role in self._roles:
                    tasks = self._decided(self._read(f"{role}/fast_forward_upgrade_tasks"), str(step), release)
                    self._step(role, tasks, {"release": release, "step": str(step)}, step > 3)
        self._play("overcloud", [{"set_fact": {"release": "queens", "ffu_packages_apply": True}}], {})
        for role in self._roles:
            self._play(role, self._decided(self._read(f"{role}/fast_forward_post_upgrade_tasks"), "", "queens"), {})
        last = [task for task in self._read("fast_forward_upgrade_post_role_tasks") if "include_tasks" not in task]
        self._play("overcloud", last, {})
        self._write("fast_forward_upgrade_playbook.yaml")

    def steps(self, key: str, last: int) -> None:
        """Write `upgrade_steps_playbook` or `post_upgrade_steps_playbook`, whose steps go from 0 to `last`."""
        self._begin()
        for step in range(last + 1):
            for role in self._roles:
                tasks = self._decided(self._read(f"{role}/{key}_tasks"), str(step), "")
                self._play(role, tasks, {"step": str(step)})
        self._write(f"{key}_steps_playbook.yaml")

    def _begin(self) -> None:
        self._plays = []

    def _read(self, name: str) -> list[Any]:
        found: list[Any] = yaml.load((self._theirs / f"{name}.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader) or []
        return found

    def _step(self, role: str, tasks: list[Any], variables: dict[str, Any], bootstrap: bool) -> None:
        if not bootstrap:
            return self._play(role, tasks, variables)
        if not tasks:
            return None
        if not self._conditions:
            return self._play("Controller[0]", tasks, variables) if role == "Controller" else None
        self._files += 1
        name = f"{role}/bootstrap{self._files}.yaml"
        (self._root / role).mkdir(parents=True, exist_ok=True)
        (self._root / name).write_text(yaml.dump(tasks, Dumper=yaml.CSafeDumper, sort_keys=False), encoding="utf-8")
        return self._play(role, [{"include_tasks": name, "when": _BOOTSTRAP}], variables)

    def _play(self, hosts: str, tasks: list[Any], variables: dict[str, Any]) -> None:
        """Add tasks: to the last play when it is of the same hosts and variables."""
        if not tasks:
            return
        tasks = tasks if self._conditions else [_without_conditions(task) for task in tasks]
        last = self._plays[-1] if self._plays else {"hosts": None}
        if (last["hosts"], last.get("vars", {})) == (hosts, variables):
            last["tasks"].extend(tasks)
            return
        play = {
            "hosts": hosts,
            "gather_facts": not self._plays,
            "become": True,
            "vars": variables,
            "tasks": list(tasks),
        }
        if not self._plays and hosts != "overcloud":
            self._plays.append({"hosts": "overcloud", "gather_facts": True, "become": True, "vars": {}, "tasks": []})
            play["gather_facts"] = False
        self._plays.append(play)

    def _write(self, name: str) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        text = yaml.dump(self._plays, Dumper=_Plain, sort_keys=False)
        (self._root / name).write_text(text, encoding="utf-8")

    def _decided(self, tasks: list[Any], step: str, release: str) -> list[Any]:
        """Return the tasks that a release and a step leave, without the conditions that these decide."""
        found = []
        for task in tasks:
            given = task.get("when")
            conditions = given if isinstance(given, list) else [given] if given is not None else []
            verdicts = [_decide(str(item), step, release) for item in conditions]
            if False in verdicts:
                continue
            left = [item for item, verdict in zip(conditions, verdicts, strict=True) if verdict is None]
            kept = {key: value for key, value in task.items() if key != "when"}
            for key in _KEYS:
                if key in task:
                    kept[key] = self._decided(task[key], step, release)
            if left:
                kept["when"] = left
            if "block" not in kept or kept["block"]:
                found.append(kept)
        return found


class _Plain(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _decide(condition: str, step: str, release: str) -> bool | None:
    """Return what is known of a condition: true, false, or None for what the run decides."""
    by_step, by_release = _STEP.fullmatch(condition), _RELEASE.fullmatch(condition)
    if by_step:
        return bool(step) and by_step.group(1) == step
    return by_release.group(1) == release if by_release and release else None


def _without_conditions(task: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in task.items() if key not in _CONDITIONS}
    for key in _KEYS:
        if key in kept:
            kept[key] = [_without_conditions(item) for item in kept[key]]
    return kept
