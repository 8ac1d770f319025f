"""The same overcloud run by real Ansible twice: the templates' own tree and ours; per host the same tasks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions

HERE = Path(__file__).parent
DATA = HERE.parent / "unit" / "playbook_gen" / "data" / "small_outputs.yaml"
LOCAL = {"all": {"vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}


def write_templates_tree(outputs: dict[str, Any], root: Path) -> None:
    """What config-download writes, with `include` and the releases in the form that today's Ansible takes."""
    for role, data in outputs["RoleData"].items():
        (root / role).mkdir(parents=True)
        for key, value in data.items():
            if key.endswith("_tasks"):
                (root / role / f"{key}.yaml").write_text(yaml.safe_dump(_step_sorted(key, value or [])))
    for key, value in outputs["RoleConfig"].items():
        text = value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False)
        text = text.replace("- include:", "- include_tasks:")
        text = text.replace("releases | difference( releases | last )", "releases[:-1]")
        (root / f"{key}.yaml").write_text(text)


def _step_sorted(key: str, tasks: list[Any]) -> list[Any]:
    def step(task: dict[str, Any]) -> int:
        when = task.get("when")
        for item in when if isinstance(when, list) else [when]:
            for marker in ("step|int == ", "step == "):
                if marker in str(item) and str(item).split(marker)[1][:1].isdigit():
                    return int(str(item).split(marker)[1][0])
        return -1

    return sorted(tasks, key=step) if "upgrade_tasks" in key else tasks


def run(tree: Path, playbook: str, inventory: Path, tmp_path: Path) -> list[Any]:
    record = tmp_path / f"{tree.name}-{playbook}.jsonl"
    local = tmp_path / "local.yaml"
    local.write_text(json.dumps(LOCAL))
    environment = {
        **os.environ,
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE),
        "ANSIBLE_CALLBACKS_ENABLED": "recorder",
        "ANSIBLE_ACTION_PLUGINS": str(HERE / "action_plugins"),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "RECORD_TO": str(record),
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), "-i", str(local)]
    done = subprocess.run(
        [*command, str(tree / playbook)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return [json.loads(line) for line in record.read_text().splitlines()]


def by_host(records: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for host, *rest in records:
        found.setdefault(host, []).append(rest)
    return found


@pytest.mark.parametrize("playbook", ["fast_forward_upgrade_playbook.yaml", "upgrade_steps_playbook.yaml"])
def test_every_host_runs_the_same_tasks_in_the_same_order(playbook: str, tmp_path: Path) -> None:
    outputs = yaml.safe_load(DATA.read_text())
    outputs["BlacklistedHostnames"] = ["ctl-2", "cmp-1"]  # few hosts: what takes time is the templates' skips
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    write_templates_tree(outputs, theirs)
    writing.write_tree(pipeline.compile_playbooks(outputs, GenerateOptions()), ours)
    expected = by_host(run(theirs, playbook, ours / "inventory.yaml", tmp_path))
    found = by_host(run(ours, playbook, ours / "inventory.yaml", tmp_path))
    assert sorted(found) == sorted(expected) == ["cmp-0", "ctl-0", "ctl-1"]
    for host, tasks in expected.items():
        assert found[host] == tasks, host
