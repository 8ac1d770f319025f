"""Playbooks that RoleConfig lacks, built from the lists of RoleData."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tripleo_ffwd.exceptions import MalformedOutputs
from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.tree import PlaybookTree

FFU, DEPLOY = "fast_forward_upgrade_playbook", "deploy_steps_playbook"
RELEASES = ("ocata", "pike", "queens")
ALL = [f"{name}_playbook.yaml" for name in ("fast_forward_upgrade", "upgrade_steps", "deploy_steps")]
LISTS = ("fast_forward_upgrade_tasks", "fast_forward_post_upgrade_tasks", "upgrade_tasks", "deploy_steps_tasks")


@pytest.fixture()
def bare(outputs: dict[str, Any]) -> dict[str, Any]:
    """Outputs whose RoleConfig has variables and external tasks and no playbook."""
    kept = ("global_vars", "external_deploy_steps_tasks")
    outputs["RoleConfig"] = {key: outputs["RoleConfig"][key] for key in kept}
    for name in LISTS:
        outputs["RoleData"]["Controller"][name] = [
            {"name": f"{name} {step}", "command": "echo {{ step }}", "when": f"step|int == {step}"} for step in (1, 5)
        ]
        outputs["RoleData"]["Compute"][name] = []
    return outputs


def built(outputs: dict[str, Any], **options: Any) -> PlaybookTree:
    return pipeline.compile_playbooks(outputs, GenerateOptions(**{"releases": RELEASES, **options}))


def ids(tree: PlaybookTree, playbook: str) -> list[str]:
    return [stage["id"] for stage in tree.manifest["stages"] if stage["playbook"] == f"{playbook}.yaml"]


def test_the_manifest_names_what_was_built_and_what_was_not(bare: dict[str, Any], outputs: dict[str, Any]) -> None:
    assert sorted(built(bare).manifest["built"]) == sorted([*ALL, "post_upgrade_steps_playbook.yaml"])
    bare["RoleConfig"]["upgrade_steps_playbook"] = "- hosts: overcloud\n  tasks: [{command: echo}]\n"
    assert "upgrade_steps_playbook.yaml" not in built(bare).manifest["built"]


def test_releases_outside_and_steps_inside_the_first_on_all_nodes_the_others_on_one(bare: dict[str, Any]) -> None:
    found = [stage for stage in ids(built(bare, phase="run"), FFU) if "/step" in stage]
    assert found == [
        "ocata/step1/Controller/all",
        "ocata/step5/Controller/bootstrap",
        "pike/step1/Controller/all",
        "pike/step5/Controller/bootstrap",
    ]


def test_every_node_asks_once_a_release_whether_it_is_the_bootstrap_node(bare: dict[str, Any]) -> None:
    plays = yaml.safe_load(dict(built(bare, phase="run").files)[f"{FFU}.yaml"])
    asked = [play for play in plays for task in play["tasks"] if "hiera" in str(task.get("command"))]
    assert [play["name"].split("/")[0] for play in asked] == ["ocata", "pike"]


def test_post_tasks_run_once_with_the_last_release(bare: dict[str, Any]) -> None:
    bare["RoleData"]["Controller"]["fast_forward_post_upgrade_tasks"] = [
        {"name": "post", "command": "echo {{ release }}", "when": "release == 'queens'"}
    ]
    plays = yaml.safe_load(dict(built(bare, phase="run").files)[f"{FFU}.yaml"])
    found = [(play["name"], task) for play in plays for task in play["tasks"] if task.get("name") == "post"]
    assert [name.split("/")[1] for name, _ in found] == ["post"]
    assert "when" not in found[0][1]  # decided, and true


@pytest.mark.parametrize("releases", [("ocata", "pike"), ("n", "o", "p", "q", "r")])
def test_any_path_of_releases_will_do(bare: dict[str, Any], releases: tuple[str, ...]) -> None:
    tree = built(bare, phase="run", releases=releases)
    assert {stage.split("/")[0] for stage in ids(tree, FFU) if "/step" in stage} == set(releases[:-1])
    assert tree.manifest["releases"] == list(releases)


def test_without_releases_it_is_refused(bare: dict[str, Any]) -> None:
    with pytest.raises(MalformedOutputs, match=r"nothing names the releases.*--releases"):
        built(bare, phase="run", releases=())


@pytest.mark.parametrize(
    ("name", "key", "phase"),
    [
        ("fast_forward_upgrade", "fast_forward_upgrade_tasks", "run"),
        ("upgrade_steps", "upgrade_tasks", "upgrade"),
        ("deploy_steps", "deploy_steps_tasks", "converge"),
    ],
)
def test_without_tasks_in_any_role_it_is_refused(bare: dict[str, Any], name: str, key: str, phase: str) -> None:
    for data in bare["RoleData"].values():
        data[key] = None
    with pytest.raises(MalformedOutputs, match=f"RoleConfig.{name}_playbook: the playbook is missing, and no role"):
        built(bare, phase=phase)


def test_upgrade_and_deploy_have_their_steps(bare: dict[str, Any]) -> None:
    tree = built(bare)
    assert [stage for stage in ids(tree, "upgrade_steps_playbook") if "step" in stage] == [
        "-/step1/Controller/all",
        "-/step5/Controller/all",
    ]
    found = ids(tree, DEPLOY)
    assert found[0].split("/")[1] == "facts"
    assert "-/host_prep/Controller/all" in found
    for step in (1, 5):
        external, own = f"-/step{step}/undercloud/all", f"-/step{step}/Controller/all"
        assert found.index(external) < found.index(own)
    assert "-/step3/undercloud/all" in found  # the external tasks have no condition
