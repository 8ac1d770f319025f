"""Overclouds of other shapes and releases than the reference: all compile, load in Ansible, and run the same tasks.

The templates come from the package index; without it everything here is skipped. One shape runs always, all of them
with FFWD_TEST_SHAPES=all (`make test-templates`).
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import support
from differential import classic, compare
from differential.compare import Ansible, Trees
from overclouds import accounting, sdist, shapes

from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.tree import PlaybookTree

FAST_FORWARD = "fast_forward_upgrade_playbook.yaml"
UPGRADE = "upgrade_steps_playbook.yaml"
DEPLOY = "deploy_steps_playbook.yaml"
POST = "post_upgrade_steps_playbook.yaml"
ROLLING = "pre_upgrade_rolling_steps_playbook.yaml"
UPDATE = "update_steps_playbook.yaml"
PLAYBOOKS = (FAST_FORWARD, UPGRADE, DEPLOY, POST, ROLLING, UPDATE)
# From Rocky on; on the undercloud alone, but for the facts of the others.
EXTERNAL = ("external_update_steps_playbook.yaml", "external_upgrade_steps_playbook.yaml")
_ALL = os.environ.get("FFWD_TEST_SHAPES") == "all"
NAMES = tuple(shapes.SHAPES) if _ALL else ("baremetal",)
CURRENT = str(Path(sys.executable).parent / "ansible-playbook")
OLDEST = os.environ.get("FFWD_TEST_ANSIBLE_PLAYBOOK", "")

QUEENS = tuple(name for name in NAMES if shapes.SHAPES[name].version.startswith("8."))
RUNS = (("newest", "1"), ("oldest", "2"), ("newest", "3"))
# What the templates don't ship is not run: there is nothing to compare with.
SHIPPED = {
    "pike": (UPGRADE, DEPLOY, UPDATE),
    "rocky": (*PLAYBOOKS, *EXTERNAL),
    "stein": (*PLAYBOOKS, *EXTERNAL),
    "train": (*PLAYBOOKS[1:], *EXTERNAL),
}
SELECTED: list[tuple[str, str, dict[str, Any]]] = [
    ("baremetal", FAST_FORWARD, {"extra_vars": {"httpd_running": True, "cinder_api_enabled": False}}),
    ("baremetal", UPGRADE, {"skip_tags": "validation,pre-upgrade"}),
    ("composable", FAST_FORWARD, {"skip_tags": "common"}),
    ("composable", UPGRADE, {"extra_vars": {"skip_package_update": True}}),
    ("hyperconverged", DEPLOY, {"tags": "host_prep_steps,step1"}),
    ("hyperconverged", UPDATE, {"extra_vars": {"update_serial": 2}}),
    ("everything", UPGRADE, {"skip_tags": "common,validation"}),
    ("rocky", DEPLOY, {"tags": "facts,ceph,external"}),
    ("rocky", UPDATE, {"skip_tags": "container_config,ceph"}),
    ("stein", UPGRADE, {"tags": "system_upgrade_prepare,system_upgrade_run"}),
    ("stein", UPGRADE, {"tags": "upgrade_step2", "skip_tags": "common"}),
    ("train", DEPLOY, {"skip_tags": "step5,opendev-validation"}),
    ("train", UPGRADE, {"tags": "nova_hybrid_state,system_upgrade_transfer_data"}),
    ("pike", UPGRADE, {"skip_tags": "common,validation"}),
]


@functools.cache
def _evaluated(name: str) -> dict[str, Any] | sdist.Unavailable:
    try:
        return shapes.settled(name)
    except sdist.Unavailable as error:
        return error


def outputs_of(name: str) -> dict[str, Any]:
    found = _evaluated(name)
    if isinstance(found, sdist.Unavailable):
        pytest.skip(f"SKIPPED, not done: {found}")
    return found


@functools.cache
def compiled(name: str) -> PlaybookTree:
    return pipeline.compile_playbooks(outputs_of(name), GenerateOptions())


def _hosts(outputs: dict[str, Any]) -> dict[str, str]:
    """Return the first host of each role."""
    return {role: nets["canonical"][0].split(".")[0] for role, nets in outputs["RoleNetHostnameMap"].items()}


def _role_files(tree: PlaybookTree) -> set[str]:
    """Return the task files of roles that a tree names, whichever the role."""
    names = {name for _, text in tree.files for name in re.findall(r"tasks_from: (\S+)", text)}
    return {name if name.endswith((".yml", ".yaml")) else f"{name}.yml" for name in names}


@pytest.mark.skipif(not _ALL, reason="one of the slow ones: make test-templates")
def test_the_evaluated_outputs_are_those_of_a_real_stack() -> None:
    """The real stack's templates were a little newer: what did not change between them is the same to the letter."""
    real, found = support.queens_outputs(), outputs_of("reference")
    assert found["EnabledServices"] == real["EnabledServices"]
    playbooks = [key for key in real["RoleConfig"] if key.startswith(("fast_forward", "upgrade", "post_up", "pre_up"))]
    assert {key: found["RoleConfig"][key] for key in playbooks} == {key: real["RoleConfig"][key] for key in playbooks}
    for role in real["RoleData"]:
        for key, added in (("fast_forward_upgrade_tasks", 1), ("fast_forward_post_upgrade_tasks", 0)):
            ours = [(task.get("name"), task.get("when")) for task in found["RoleData"][role][key]]
            theirs = iter([(task.get("name"), task.get("when")) for task in real["RoleData"][role][key]])
            assert all(task in theirs for task in ours), (role, key)  # in this order
            assert len(real["RoleData"][role][key]) - len(ours) <= added


@pytest.mark.parametrize("name", NAMES)
def test_every_task_that_release_step_and_role_leave_is_there_in_order(name: str, tmp_path: Path) -> None:
    outputs, tree = outputs_of(name), compiled(name)
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    classic.write_tree(shapes.as_written(name), theirs, tree.manifest["task_order"])
    writing.write_tree(tree, ours)
    counts = {}
    shipped = [name for name in PLAYBOOKS if (theirs / name).is_file() and (ours / name).is_file()]
    for playbook in shipped:
        for role, host in _hosts(outputs).items():
            expected = accounting.instances(theirs, playbook, host, role)
            assert accounting.instances(ours, playbook, host, role) == expected, (playbook, role)
            counts[playbook, role] = len(expected)
    assert all(any(counts[playbook, role] for role in outputs["RoleData"]) for playbook in shipped), counts


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("program", [CURRENT, OLDEST], ids=["newest", "oldest"])
def test_ansible_loads_every_playbook(name: str, program: str, tmp_path: Path) -> None:
    if not program:
        pytest.skip("FFWD_TEST_ANSIBLE_PLAYBOOK names no second ansible-playbook")
    tree = compiled(name)
    writing.write_tree(tree, tmp_path / "tree")
    library, roles, strategies = tmp_path / "library", tmp_path / "roles", tmp_path / "strategies"
    library.mkdir()
    strategies.mkdir()
    for needed in tree.manifest["modules"]:  # what the manifest says is needed must be enough
        if needed.startswith("role "):
            tasks = roles / needed.removeprefix("role ") / "tasks"
            tasks.mkdir(parents=True)
            for file in _role_files(tree):
                (tasks / file).touch()
        elif needed.startswith("strategy "):
            plugin = strategies / f"{needed.removeprefix('strategy ')}.py"
            plugin.write_text("from ansible.plugins.strategy.linear import StrategyModule\n")
        elif " " not in needed:  # filters and lookups are looked for when a task runs
            (library / f"{needed.rpartition('.')[2]}.py").write_text("#!/usr/bin/python\n")
    environment = {
        **os.environ,
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_LIBRARY": str(library),
        "ANSIBLE_ROLES_PATH": str(roles),
        "ANSIBLE_STRATEGY_PLUGINS": str(strategies),
    }
    there = [tmp_path / "tree" / name for name in (*PLAYBOOKS, *EXTERNAL)]
    playbooks = [str(path) for path in there if path.is_file()]
    command = [program, "--syntax-check", "-i", str(tmp_path / "tree" / "inventory.yaml"), *playbooks]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def trees_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], tuple[Trees, Ansible]]]:
    """Returns, for a shape and an ansible-playbook, the two trees with what runs them; each is made when needed."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def runner(program: str) -> Ansible:
            return stack.enter_context(Ansible(tmp_path_factory.mktemp("ansible"), program))

        @functools.cache
        def trees(name: str, program: str) -> tuple[Trees, Ansible]:
            outputs, root = outputs_of(name), tmp_path_factory.mktemp(name)
            return compare.write_trees(outputs, root, runner(program), written=shapes.as_written(name)), runner(program)

        yield trees


def _rows() -> Iterator[Any]:
    for name in NAMES:
        for playbook in SHIPPED.get(name, PLAYBOOKS):
            many = 3 if playbook in (FAST_FORWARD, UPGRADE) else 2
            for version, seed in RUNS[: many if name in QUEENS else 1]:
                yield pytest.param(name, playbook, seed, version, {}, id=f"{name}-{playbook[:-5]}-{seed}-{version}")
    for number, (name, playbook, selection) in enumerate(SELECTED, 4):
        if name in NAMES:
            told = ",".join(f"{key}={value}" for key, value in selection.items())
            yield pytest.param(name, playbook, str(number), "newest", selection, id=f"{name}-{playbook[:-5]}-{told}")


@pytest.mark.skipif(not _ALL, reason="one of the slow ones: make test-templates")
@pytest.mark.parametrize(("name", "playbook", "seed", "version", "selection"), [*_rows()])
def test_real_ansible_runs_the_same_tasks(
    name: str,
    playbook: str,
    seed: str,
    version: str,
    selection: dict[str, Any],
    trees_of: Callable[[str, str], tuple[Trees, Ansible]],
) -> None:
    program = {"newest": CURRENT, "oldest": OLDEST}[version]
    if not program:
        pytest.skip("SKIPPED, not done: FFWD_TEST_ANSIBLE_PLAYBOOK names no older ansible-playbook")
    trees, ansible = trees_of(name, program)
    run = compare.compare_trees(trees, playbook, seed, ansible, **selection)
    assert run.code == 0
    assert any(event[0] == "run" for event in run.events), "nothing was executed: this shows nothing"
