"""Small playbooks that lead a compiler astray: the templates' tree and ours execute the same.

The cases stand in traps/*.yaml, a file for each subject. A case is a mapping:

name: what the case is about; with the file's name it is the test's id.
plays: of the fast forward playbook; `hosts` is all of the overcloud unless told; `tasks` may be `each step of
    each role`.
tasks: the same as `plays` with one play that has these tasks. Without either the play includes one_tasks.yaml where
    the case has such a file and no role has tasks, else it goes through each step of each role.
top: files at the tree's top, name without suffix → content.
Controller, Compute: files of the role, in its directory.
tags, skip_tags, extra_vars: of the command line.
seeds: of the modules' answers; one when not given.

Each play includes a file first of which nothing is left, since a play without changes may be written as it is.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from differential import compare
from differential.compare import Ansible

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions

PLAYBOOK = "fast_forward_upgrade_playbook.yaml"
OPTIONS = GenerateOptions(phase="run")
ROLES = {"Controller": ["c0", "c1"], "Compute": ["n0"]}
OLDEST = os.environ.get("FFWD_TEST_ANSIBLE_PLAYBOOK", "")
# What differs between the versions of Ansible.
BY_VERSION = "types"

_STEPS = "each step of each role"
_EACH_ROLE = [
    {"include_tasks": f"{role}/upgrade_tasks.yaml", "when": f"tripleo_role_name == '{role}'"} for role in ROLES
]
_EACH_STEP = [
    {
        "include_tasks": "roles_tasks.yaml",
        "with_sequence": "start=0 end=2",
        "loop_control": {"loop_var": "step"},
    }
]
_NOTHING = {"include_tasks": "nothing_tasks.yaml"}


def _plays(trap: dict[str, Any]) -> list[dict[str, Any]]:
    if "plays" in trap:
        plays = trap["plays"]
    elif "tasks" in trap:
        plays = [{"tasks": trap["tasks"]}]
    else:
        by_role = any("upgrade_tasks" in trap.get(role, ()) for role in ROLES)
        plays = [{"tasks": _STEPS if by_role else [{"include_tasks": "one_tasks.yaml"}]}]
    told = []
    for play in plays:
        tasks = _EACH_STEP if play["tasks"] == _STEPS else [_NOTHING, *play["tasks"]]
        told.append({"hosts": "overcloud", "gather_facts": False, **play, "tasks": tasks})
    return told


def outputs_of(trap: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of an overcloud with three nodes whose playbook is the case's."""
    top = {
        "global_vars": {},
        "roles_tasks": _EACH_ROLE,
        "nothing_tasks": [{"command": "do nothing", "when": False}],
        **trap.get("top", {}),
        "fast_forward_upgrade_playbook": _plays(trap),
    }
    outputs = {
        "RoleNetHostnameMap": {role: {"canonical": [f"{n}.x" for n in names]} for role, names in ROLES.items()},
        "RoleNetIpMap": {
            role: {"ctlplane": [f"192.0.2.{10 * i + k}" for k, _ in enumerate(names, 1)]}
            for i, (role, names) in enumerate(ROLES.items(), 1)
        },
        "ServerIdData": {
            "server_ids": {role: [f"id-{name}" for name in names] for role, names in ROLES.items()},
            "bootstrap_server_id": "id-c0",
        },
        "BlacklistedHostnames": [],
        "EnabledServices": {role: [] for role in ROLES},
        "RoleData": {role: {"upgrade_tasks": [], **trap.get(role, {})} for role in ROLES},
        "RoleConfig": top,
    }
    return copy.deepcopy(outputs)  # what YAML or we said once is no longer one object


def _traps() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((Path(__file__).parent / "traps").glob("*.yaml")):
        for trap in yaml.safe_load(path.read_text()):
            yield path.stem, trap


TRAPS = [(subject, pytest.param(trap, id=f"{subject}: {trap['name']}")) for subject, trap in _traps()]


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ansible]:
    """The oldest ansible-core that the generated playbooks are for."""
    if not OLDEST:
        pytest.skip("SKIPPED, not done: FFWD_TEST_ANSIBLE_PLAYBOOK names no older ansible-playbook")
    with Ansible(tmp_path_factory.mktemp("oldest"), OLDEST) as runner:
        yield runner


def check(trap: dict[str, Any], ansible: Ansible, directory: Path) -> None:
    trees = compare.write_trees(outputs_of(trap), directory, ansible, OPTIONS)
    selection = {key: trap[key] for key in ("tags", "skip_tags", "extra_vars") if key in trap}
    for seed in trap.get("seeds", (1,)):
        run = compare.compare_trees(trees, PLAYBOOK, str(seed), ansible, **selection)
        assert run.events, "nothing happened: the case shows nothing"


@pytest.mark.parametrize("trap", [param for _, param in TRAPS])
def test_the_same_tasks_run(trap: dict[str, Any], ansible: Ansible, tmp_path: Path) -> None:
    check(trap, ansible, tmp_path)


@pytest.mark.parametrize("trap", [param for subject, param in TRAPS if subject == BY_VERSION])
def test_the_same_tasks_run_by_the_oldest_ansible(trap: dict[str, Any], oldest: Ansible, tmp_path: Path) -> None:
    check(trap, oldest, tmp_path)


def test_a_task_that_looks_at_the_name_of_its_play_is_refused() -> None:
    tasks = [{"command": "do {{ ansible_play_name }}"}]
    outputs = outputs_of({"plays": [{"name": "all", "tasks": _STEPS}], "Controller": {"upgrade_tasks": tasks}})
    with pytest.raises(UnsupportedConstruct, match=r"Controller/upgrade_tasks\.yaml.*ansible_play_name"):
        pipeline.compile_playbooks(outputs, OPTIONS)
