"""What belongs to the program: files that tasks include, playbooks that others import, odd keys and empty items."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions

UPGRADE = "upgrade_steps_playbook.yaml"
LOOP = {"with_sequence": "start=1 end=2", "loop_control": {"loop_var": "step"}}


def compiled(outputs: dict[str, Any], **options: Any) -> tuple[list[dict[str, Any]], dict[str, str]]:
    files = dict(pipeline.compile_playbooks(outputs, GenerateOptions(**options)).files)
    return yaml.safe_load(files[UPGRADE]), files


def stage(plays: list[dict[str, Any]], name: str) -> list[Any]:
    return [task for play in plays if play["name"] == name for task in play["tasks"] if "fail" not in task]


def test_an_included_file_is_tasks_whatever_its_name(outputs: dict[str, Any]) -> None:
    outputs["RoleConfig"] |= {
        "upgrade_steps_playbook": [{"hosts": "overcloud", "tasks": [{"include_tasks": "common.yaml", **LOOP}]}],
        "common": "- name: one\n  command: x\n  when: step|int == 1\n- include_tasks: deeper.yaml\n",
        "deeper.yaml": "- name: two\n  command: x\n  when: step|int == 2\n",
    }
    plays, _ = compiled(outputs)
    assert stage(plays, "-/step1/overcloud/all") == [{"name": "one", "command": "x"}]
    assert stage(plays, "-/step2/overcloud/all") == [{"name": "two", "command": "x"}]


def test_an_included_file_of_a_config_download_tree_is_followed(outputs: dict[str, Any]) -> None:
    outputs["RoleConfig"]["upgrade_steps_playbook"] = [
        {"hosts": "overcloud", "tasks": [{"include_tasks": "extra.yaml", **LOOP}]}
    ]
    plays, _ = compiled(outputs, config_download={"extra.yaml": "- {name: e, command: x, when: step == '2'}\n"})
    assert stage(plays, "-/step2/overcloud/all") == [{"name": "e", "command": "x"}]


def test_items_that_heat_left_empty_are_passed_over(outputs: dict[str, Any]) -> None:
    outputs["RoleData"]["Compute"]["upgrade_tasks"] = [None, {"name": "a", "command": "x", "when": "step == '2'"}, None]
    plays, _ = compiled(outputs)
    assert stage(plays, "-/step2/Compute/all") == [{"name": "a", "command": "x"}]


def test_a_key_with_a_dot_is_the_files_whole_name(outputs: dict[str, Any]) -> None:
    outputs["RoleConfig"]["deploy-artifacts.sh"] = "#!/bin/sh\necho done\n"
    _, files = compiled(outputs)
    assert files["deploy-artifacts.sh"] == "#!/bin/sh\necho done\n"
    assert "deploy-artifacts.sh.yaml" not in files


@pytest.mark.parametrize("action", ["import_playbook", "ansible.builtin.import_playbook"])
def test_plays_of_an_imported_playbook_stand_in_its_place_with_its_variables_and_tags(
    outputs: dict[str, Any], action: str
) -> None:
    inner = {
        "hosts": "{{ target }}",
        "gather_facts": False,
        "vars": {"a": 1},
        "tags": "own",
        "tasks": [{"command": "b"}],
    }
    outputs["RoleConfig"] |= {
        "upgrade_steps_playbook": [
            {"hosts": "Compute", "gather_facts": False, "tasks": [{"command": "a"}]},
            {action: "more_playbook.yaml", "vars": {"target": "Controller", "a": 2}, "tags": ["given"]},
            {"hosts": "Compute", "gather_facts": False, "tasks": [{"command": "c"}]},
        ],
        "more_playbook": [inner],
    }
    plays, _ = compiled(outputs)
    whole = [play for play in plays if "/pre/" in play["name"] and not play["name"].startswith("gate")]
    assert [play["tasks"][0] for play in whole] == [{"command": "a"}, {"command": "b"}, {"command": "c"}]
    assert whole[1]["hosts"].startswith("Controller")
    assert whole[1]["vars"] == {"a": 2, "target": "Controller"}  # those of the import win
    assert whole[1]["tags"] == ["given", "own"]


def test_a_file_that_is_not_there_is_reported_and_left_to_the_run(outputs: dict[str, Any]) -> None:
    outputs["RoleData"]["Compute"]["upgrade_tasks"] = [{"include_tasks": "nowhere.yaml", "when": "step == '2'"}]
    missing = pipeline.compile_playbooks(outputs, GenerateOptions()).manifest["missing_inputs"]
    assert [item["playbook"] for item in missing if "nowhere.yaml" in item["what"]] == [UPGRADE]
