"""What the stages of the small overcloud are, and what stands in them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tripleo_ffwd.cli.main import main
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import GATE_TASK
from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions

DATA = Path(__file__).parent / "data"
GRAMMAR = re.compile(r"[^/]+/(step\d+|pre|post|host_prep|external|facts)/[\w-]+/(all|bootstrap)")
FFU, UPGRADE = "fast_forward_upgrade_playbook.yaml", "upgrade_steps_playbook.yaml"
DEPLOY = "deploy_steps_playbook.yaml"


def compile_plays(outputs: Any, playbook: str, **options: Any) -> dict[str, dict[str, Any]]:
    """The plays by name, without the gates that end them."""
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(**options))
    plays = yaml.safe_load(dict(tree.files)[playbook])
    return {play["name"]: {**play, "tasks": without_gate(play)} for play in plays}


def without_gate(play: dict[str, Any]) -> list[dict[str, Any]]:
    return [task for task in play.get("tasks") or [] if task.get("name") != GATE_TASK]


def names(play: dict[str, Any]) -> list[str]:
    return [task.get("name", "") for task in play["tasks"]]


def test_the_whole_tree_is_the_golden_one(outputs: dict[str, Any]) -> None:
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(ssh_user="heat-admin", ssh_port=2222))
    shown = {
        path: text for path, text in tree.files if path.endswith(("_playbook.yaml", "inventory.yaml", "known_hosts"))
    }
    shown |= {path: text for path, text in tree.files if "/ffwd_" in path}
    shown["stages"] = json.dumps(tree.manifest["stages"], indent=1)
    text = "".join(f"### {path}\n{content}\n" for path, content in sorted(shown.items()))
    golden = DATA / "small_tree.golden"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_ids_are_unique_and_of_the_grammar(outputs: dict[str, Any]) -> None:
    stages = pipeline.compile_playbooks(outputs, GenerateOptions()).manifest["stages"]
    assert all(GRAMMAR.fullmatch(stage["id"]) for stage in stages)
    assert len({(stage["playbook"], stage["id"]) for stage in stages}) == len(stages)


def test_every_play_leaves_out_unselected_hosts_but_that_of_the_facts(outputs: dict[str, Any]) -> None:
    for playbook in (FFU, UPGRADE, DEPLOY):
        for name, play in compile_plays(outputs, playbook).items():
            assert play["hosts"].endswith(":!ffwd_unselected") or "/facts/" in name, name


def test_only_releases_before_the_last_are_run_through(outputs: dict[str, Any]) -> None:
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(phase="run"))
    assert tree.manifest["releases"] == ["ocata", "pike", "queens"]
    assert {stage["release"] for stage in tree.manifest["stages"] if stage["step"] is not None} == {
        "ocata",
        "pike",
    }


def test_releases_left_open_are_taken_from_the_option(outputs: dict[str, Any]) -> None:
    outputs["RoleConfig"]["fast_forward_upgrade_playbook"][0]["tasks"][0]["set_fact"]["releases"] = {"get_param": "R"}
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(phase="run", releases=("x1", "x2", "x3")))
    assert {stage["release"] for stage in tree.manifest["stages"] if stage["step"] is not None} == {
        "x1",
        "x2",
    }


def test_a_false_task_goes_unless_its_skip_is_seen(outputs: dict[str, Any]) -> None:
    play = compile_plays(outputs, FFU)["ocata/step1/Controller/all"]
    assert "probe api" not in names(play)  # who reads what it registers runs after it only, and it registers again
    assert "mixed register" not in names(play)  # a fact of that name follows at once
    assert "mixed register" in names(compile_plays(outputs, FFU)["ocata/step2/Controller/all"])  # here it is read
    assert "remember api" not in names(play)
    assert "in every step" in names(play)  # step stands in its changed_when only
    assert play["vars"] == {"release": "ocata", "step": "1"}


def test_the_bootstrap_node_is_decided_once_at_run_time(outputs: dict[str, Any]) -> None:
    (task,) = compile_plays(outputs, FFU)["ocata/step6/Controller/bootstrap"]["tasks"]
    assert task["when"] == ["is_bootstrap_node|bool"]


def test_a_fact_named_as_a_loop_variable_does_not_outrank_it(outputs: dict[str, Any]) -> None:
    plays = compile_plays(outputs, UPGRADE)
    (task,) = plays["-/step4/Controller/all"]["tasks"]
    assert task["vars"] == {"step": "4"}


@pytest.mark.parametrize(
    ("release", "option", "order"),
    [("queens", "", "sorted"), ("stein", "", "written"), ("queens", "written", "written")],
)
def test_task_order_is_that_of_the_release(outputs: dict[str, Any], release: str, option: str, order: str) -> None:
    facts = outputs["RoleConfig"]["fast_forward_upgrade_playbook"][0]["tasks"][0]["set_fact"]
    facts["releases"] = ["ocata", "pike", release]
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(task_order=option))
    tasks = yaml.safe_load(dict(tree.files)["Controller/fast_forward_upgrade_tasks.yaml"])
    assert tree.manifest["task_order"] == order
    # Tasks whose `when` has no number that the old writer sees come first there.
    assert [task["name"] for task in tasks[:2]] == (
        ["reads mixed", "in every step"] if order == "sorted" else ["probe api", "remember api"]
    )


def test_external_tasks_run_in_converge_and_not_in_upgrade(outputs: dict[str, Any]) -> None:
    assert "-/step1/undercloud/all" in compile_plays(outputs, DEPLOY, phase="converge")
    assert "-/step1/undercloud/all" not in compile_plays(outputs, DEPLOY, phase="upgrade")


@pytest.mark.parametrize(
    ("port", "line"), [(22, "192.0.2.10,ctl-0.example,ctl-0 "), (2222, "[192.0.2.10]:2222,[ctl-0")]
)
def test_known_hosts_match_the_port(outputs: dict[str, Any], port: int, line: str) -> None:
    text = dict(pipeline.compile_playbooks(outputs, GenerateOptions(ssh_port=port)).files)["known_hosts"]
    assert text.startswith(line)
    assert text.count("\n") == 1  # the host without a key is left out


def test_blacklisted_servers_are_left_out(outputs: dict[str, Any]) -> None:
    text = dict(pipeline.compile_playbooks(outputs, GenerateOptions()).files)["inventory.yaml"]
    assert "ctl-1" in text
    assert "ctl-2" not in text


def test_old_idioms_become_equal_new_ones(outputs: dict[str, Any]) -> None:
    outputs["RoleData"]["Compute"]["upgrade_tasks"] = [
        {"name": "old", "shell": "x", "args": {"warn": False}, "when": ["a|succeeded", "b.stdout", "'|changed' in c"]},
        {"name": "in a template", "set_fact": {"d": "{{ a | failed }} |failed"}, "when": "e"},
    ]
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade"))
    old, template = yaml.safe_load(dict(tree.files)["Compute/upgrade_tasks.yaml"])
    assert old == {"name": "old", "shell": "x", "when": ["a is succeeded", "(b.stdout) is truthy", "'|changed' in c"]}
    assert template["set_fact"] == {"d": "{{ a is failed }} |failed"}
    assert template["when"] == "(e | bool) if e is string else (e is truthy)"
    assert {note["task"] for note in tree.manifest["rewritten"]} >= {"old", "in a template"}


def test_a_register_that_no_expression_can_name_is_left_out(outputs: dict[str, Any]) -> None:
    """As in a task of Rocky's templates, where a line is missing its key: Ansible doesn't load such a file any more."""
    outputs["RoleData"]["Compute"]["upgrade_tasks"] = [
        {"name": "odd", "command": "x", "register": "found - release == 'ocata'", "ignore_errors": True},
    ]
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade"))
    (odd,) = yaml.safe_load(dict(tree.files)["Compute/upgrade_tasks.yaml"])
    assert odd == {"name": "odd", "command": "x", "ignore_errors": True}
    (note,) = [note for note in tree.manifest["rewritten"] if note["task"] == "odd"]
    assert "found - release == 'ocata'" in note["what"]


def test_an_action_in_a_mapping_becomes_the_tasks_key(outputs: dict[str, Any]) -> None:
    outputs["RoleData"]["Compute"]["upgrade_tasks"] = [
        {"name": "look", "local_action": {"module": "stat", "path": "/x"}, "register": "found"},
        {"action": {"module": "ping"}},
    ]
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade"))
    look, ping = yaml.safe_load(dict(tree.files)["Compute/upgrade_tasks.yaml"])
    assert look == {"name": "look", "stat": {"path": "/x"}, "delegate_to": "localhost", "register": "found"}
    assert ping == {"ping": None}


def test_missing_deployments_are_told(outputs: dict[str, Any]) -> None:
    outputs["RoleConfig"]["deploy_steps_playbook"] += (
        "- hosts: overcloud\n  tasks:\n    - include_tasks: deployments.yaml\n"
        "      with_items: \"{{ lookup('vars', 'pre_deployments_' + tripleo_role_name, default=[]) }}\"\n"
    )
    missing = pipeline.compile_playbooks(outputs, GenerateOptions()).manifest["missing_inputs"]
    assert {item["playbook"] for item in missing} == {DEPLOY}
    assert any("deployments.yaml" in item["what"] for item in missing)


def test_the_command_line_writes_the_same_bytes_twice_and_errors_are_one_line(
    outputs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs))
    for name in ("one", "two"):
        assert main(["generate", "--outputs", str(path), "--output-dir", str(tmp_path / name)]) == 0
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()} for n in ("one", "two"))
    assert one == two
    assert len(capsys.readouterr().out.splitlines()) == 6
    del outputs["RoleData"]
    path.write_text(json.dumps(outputs))
    assert main(["generate", "--outputs", str(path), "--output-dir", str(tmp_path / "three")]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "RoleData" in said[0]
    assert not (tmp_path / "three").exists()


@pytest.mark.parametrize("form", ["table", "json", "html"])
def test_preview_shows_every_stage_and_writes_nothing(
    form: str, outputs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps([{"output_key": key, "output_value": value} for key, value in outputs.items()]))
    assert main(["preview", "--outputs", str(path), "--phase", "run", "--format", form]) == 0
    shown = capsys.readouterr().out
    for stage in pipeline.compile_playbooks(outputs, GenerateOptions(phase="run")).manifest["stages"]:
        assert stage["id"] in shown
    assert list(tmp_path.iterdir()) == [path]


def test_a_play_that_sees_all_its_hosts_is_cut_by_step_only(outputs: dict[str, Any]) -> None:
    outputs["RoleData"]["Controller"]["upgrade_tasks"][1]["run_once"] = True
    plays = compile_plays(outputs, UPGRADE)
    stages = [name for name in plays if "/step" in name and not name.startswith("gate")]
    assert stages == [f"-/step{step}/overcloud/all" for step in range(1, 6)]  # step 0 has nothing to do
    tree = pipeline.compile_playbooks(outputs, GenerateOptions())
    includes = [text for path, text in tree.files if path.startswith("Controller/ffwd_upgrade_step2")]
    assert any("upgrade in step 2" in text for text in includes)


@pytest.mark.parametrize("keyword", [{"serial": 1}, {"strategy": "free"}, {"handlers": [{"name": "h", "debug": {}}]}])
def test_a_play_that_would_behave_otherwise_stays_whole(outputs: dict[str, Any], keyword: dict[str, Any]) -> None:
    play = yaml.safe_load(outputs["RoleConfig"]["upgrade_steps_playbook"])[0]
    outputs["RoleConfig"]["upgrade_steps_playbook"] = [{**play, **keyword}]
    plays = compile_plays(outputs, UPGRADE)
    assert [name for name in plays if not name.startswith("gate")] == ["-/facts/overcloud/all", "-/pre/overcloud/all"]
    tasks = plays["-/pre/overcloud/all"]["tasks"]
    assert [task["vars"]["step"] for task in tasks] == [str(step) for step in range(1, 6)]  # step 0 has nothing to do


def test_an_include_in_a_loop_that_only_the_run_can_unroll_is_kept(outputs: dict[str, Any]) -> None:
    outputs["RoleConfig"]["upgrade_steps_tasks"] += "- include_tasks: more_tasks.yaml\n  with_items: '{{ extra }}'\n"
    outputs["RoleConfig"]["more_tasks"] = [{"name": "more", "command": "echo {{ item }}"}]
    (task,) = compile_plays(outputs, UPGRADE)["-/step0/overcloud/all"]["tasks"]
    assert task == {"include_tasks": "more_tasks.yaml", "with_items": "{{ extra }}"}


def external(outputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs with the external playbooks of Rocky and later."""
    for name in ("update", "upgrade"):
        include = {
            "include": f"external_{name}_steps_tasks.yaml",
            "with_sequence": "start=0 end=1",
            "loop_control": {"loop_var": "step"},
        }
        play = {"name": "External steps", "hosts": "Undercloud", "gather_facts": False, "any_errors_fatal": True}
        outputs["RoleConfig"][f"external_{name}_steps_playbook"] = [{**play, "tags": "external", "tasks": [include]}]
        tasks = [{"name": name, "shell": "true", "when": f"step|int == {number}"} for number in (0, 1)]
        outputs["RoleConfig"][f"external_{name}_steps_tasks"] = [{"tags": "ceph", "block": tasks}]
    return outputs


def test_external_playbooks_have_stages_and_files_of_their_own(outputs: dict[str, Any]) -> None:
    tree = pipeline.compile_playbooks(external(outputs), GenerateOptions())

    for name in ("update", "upgrade"):
        mine = [text for path, text in tree.files if path.startswith(f"ffwd_external_{name}_step")]
        assert len(mine) == 2
        assert all(f"name: {name}\n" in text for text in mine)


def test_only_what_is_named_is_compiled(outputs: dict[str, Any]) -> None:
    wanted = "external_upgrade_steps_playbook.yaml"

    tree = pipeline.compile_playbooks(external(outputs), GenerateOptions(phase="upgrade", only=(wanted,)))

    assert {stage["playbook"] for stage in tree.manifest["stages"]} == {wanted}
    with pytest.raises(InvalidInput, match=r"no playbook 'update_steps_playbook.yaml'.*external_update_steps_playbook"):
        pipeline.compile_playbooks(outputs, GenerateOptions(only=("update_steps_playbook.yaml",)))


def test_the_command_line_compiles_the_named_playbook_alone(
    outputs: dict[str, Any], tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "outputs.json").write_text(json.dumps(external(outputs)))
    words = ["generate", "--outputs", str(tmp_path / "outputs.json"), "--output-dir", str(tmp_path / "tree")]
    assert main([*words, "--playbook", "external_update_steps_playbook.yaml"]) == 0
    assert "stages: external_update_steps_playbook.yaml 2" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "tree").glob("*_playbook.yaml")] == [
        "external_update_steps_playbook.yaml"
    ]
    assert main([*words, "--playbook", "deploy.yaml"]) == 1
    assert "the outputs have no playbook 'deploy.yaml'" in capsys.readouterr().err
