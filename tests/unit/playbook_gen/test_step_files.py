"""Files of one step: which tasks they hold, for each writer that cuts lists so."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tripleo_ffwd.playbook_gen import pipeline, step_files
from tripleo_ffwd.playbook_gen.options import GenerateOptions

STEIN, TRAIN = False, True


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("Controller/upgrade_tasks_step3.yaml", ("Controller/upgrade_tasks.yaml", 3)),
        ("external_deploy_steps_tasks_step12.yaml", ("external_deploy_steps_tasks.yaml", 12)),
        ("Controller/upgrade_tasks.yaml", None),
        ("Controller/upgrade_step3.yaml", None),
        ("Controller/upgrade_tasks_step.yaml", None),
    ],
)
def test_names(path: str, split: tuple[str, int] | None) -> None:
    assert step_files.split_name(path) == split


def test_names_in_a_text() -> None:
    text = "'{{ here }}/A/x_tasks_step0.yaml' is exists, /B/x_tasks_step1.yaml x_tasks_step1.yaml A/x_tasks_step0.yaml"
    assert step_files.named_in(text) == ["A/x_tasks_step0.yaml", "B/x_tasks_step1.yaml", "x_tasks_step1.yaml"]
    assert not step_files.named_in("a" * 10_000_000 + f"_tasks_step{'1' * 5000}.yaml")  # in no time


@pytest.mark.parametrize(
    ("when", "stein", "train"),
    [
        (None, {0, 1, 2, 3}, {0, 1, 2, 3}),
        ("flag|bool", {0, 1, 2, 3}, {0, 1, 2, 3}),
        (True, {0, 1, 2, 3}, {0, 1, 2, 3}),
        ("step|int == 2", {2}, {2}),
        (["flag|bool", "step == 2"], {2}, {2}),
        (["step|int == 1", "step|int == 2"], {1}, {1, 2}),  # the first item counts, or all of them
        ("step|int == 1 or step|int == 2", {2}, {1, 2}),  # the end of an item, or all of it
        ("step|int == 1 and flag|bool", {0, 1, 2, 3}, {1}),  # not at the end
        ("step|int==1", {0, 1, 2, 3}, {1}),  # blanks
        ("(step|int) == 1", {0, 1, 2, 3}, {1}),
        ("step|int >= 2", {0, 1, 2, 3}, {0, 1, 2, 3}),
    ],
)
def test_which_files_a_task_stands_in(when: Any, stein: set[int], train: set[int]) -> None:
    task = {"command": "x"} if when is None else {"command": "x", "when": when}
    for anywhere, steps in ((STEIN, stein), (TRAIN, train)):
        found = {step for step in range(4) if step_files.of_step([task], step, anywhere=anywhere)}
        assert found == steps


@pytest.mark.parametrize(("text", "anywhere"), [("upgrade_tasks_step1", STEIN), ("deploy_steps_tasks_step1", TRAIN)])
def test_the_writer_is_told_by_the_lists_that_it_cuts(text: str, anywhere: bool) -> None:
    assert step_files.reads_anywhere(["", f'"import_tasks": "Controller/{text}.yaml"']) is anywhere


def test_a_playbook_that_imports_files_of_one_step_gets_them(outputs: dict[str, Any]) -> None:
    outputs["RoleConfig"]["upgrade_steps_playbook"] = [
        {
            "hosts": "overcloud",
            "gather_facts": False,
            "vars": {"step": str(step)},
            "tasks": [
                {"import_tasks": f"{role}/upgrade_tasks_step{step}.yaml", "when": f"tripleo_role_name == '{role}'"}
                for role in ("Controller", "Compute")
            ],
        }
        for step in (1, 2)
    ]
    outputs["RoleData"]["Compute"]["upgrade_tasks"] = None  # the role has none
    outputs["RoleData"]["Controller"]["upgrade_tasks"] = [
        {"name": f"in {step}", "command": "x", "when": f"step|int == {step}"} for step in (1, 2)
    ]
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade"))
    files = dict(tree.files)
    assert [task["name"] for task in yaml.safe_load(files["Controller/upgrade_tasks_step1.yaml"])] == ["in 1"]
    assert not yaml.safe_load(files["Compute/upgrade_tasks_step2.yaml"])
    assert not [item for item in tree.manifest["missing_inputs"] if item["playbook"] == "upgrade_steps_playbook.yaml"]


def test_a_file_of_one_step_that_only_the_run_names_is_there(outputs: dict[str, Any]) -> None:
    """Train's tasks ask whether the file exists: without it they are skipped in silence."""
    outputs["RoleConfig"]["common_tasks"] = [
        {
            "include_tasks": "{{ file }}",
            "vars": {"file": "Controller/update_tasks_step1.yaml"},
            "when": "'{{ playbook_dir }}/{{ file }}' is exists",
        }
    ]
    outputs["RoleConfig"]["upgrade_steps_playbook"] = [
        {"hosts": "overcloud", "gather_facts": False, "tasks": [{"include_tasks": "common_tasks.yaml"}]}
    ]
    outputs["RoleData"]["Controller"]["update_tasks"] = [
        {"name": f"in {step}", "command": "x", "when": f"step|int == {step}"} for step in (1, 2)
    ]
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade"))
    files = dict(tree.files)
    assert [task["name"] for task in yaml.safe_load(files["Controller/update_tasks_step1.yaml"])] == ["in 1"]
    assert "Controller/update_tasks_step2.yaml" not in files  # nobody names it
