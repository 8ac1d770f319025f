"""`tripleo-ffwd diff` as somebody sees it who changed an environment file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import support

from tripleo_ffwd.cli.main import main
from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions

Change = Callable[[dict[str, Any]], None]


def write(path: Path, change: Change | None = None, phase: str | None = "run") -> Path:
    outputs = support.queens_outputs()
    if change:
        change(outputs)
    writing.write_tree(pipeline.compile_playbooks(outputs, GenerateOptions(phase=phase)), path)
    return path


def edit(outputs: dict[str, Any]) -> None:
    tasks = outputs["RoleData"]["Controller"]["fast_forward_upgrade_tasks"]
    named = {task.get("name"): task for task in tasks}
    named["Cinder db sync"]["when"].append("cinder_sync|bool")
    named["Aodh package update"]["shell"] = "yum -y update openstack-aodh* python-aodh"
    tasks.remove(named["keystone db sync"])
    outputs["RoleConfig"]["global_vars"]["NtpServers"] = ["192.0.2.1"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated tree, for reading only."""
    return write(tmp_path_factory.mktemp("trees") / "old")


def test_what_changed_is_told_by_stage_and_task(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tree, write(tmp_path / "new", edit)
    assert main(["diff", str(old), str(new)]) == 1
    text = capsys.readouterr().out
    assert "~ ocata/step8/Controller/bootstrap\n" in text
    assert "    ~ Cinder db sync (command)\n        when:\n          + cinder_sync|bool\n" in text
    assert "shell: yum -y update openstack-aodh* → yum -y update openstack-aodh* python-aodh\n" in text
    assert "    - keystone db sync (command), behind " in text
    assert "~ group_vars/overcloud.yaml: NtpServers\n" in text
    assert "192.0.2.1" not in text
    assert "ocata/step0" not in text
    assert main(["diff", str(old), str(new), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["equal"]
    stages = {stage["stage"]: stage for stage in found["stages"]}
    assert {entry["change"] for entry in stages["pike/step8/Controller/bootstrap"]["task_changes"]} == {
        "changed",
        "removed",
    }


def test_equal_trees_are_the_same(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tree, Path(shutil.copytree(tree, tmp_path / "new"))
    assert main(["diff", str(old), str(new)]) == 0
    assert capsys.readouterr().out == "The trees are the same.\n"
    assert main(["diff", str(old), str(new), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["equal"] is True


def test_trees_of_different_phases_are_said_to_be(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write(tmp_path / "whole", phase=None)
    assert main(["diff", str(whole), str(tree)]) == 1
    assert capsys.readouterr().out == (
        "The trees are of different phases: run, upgrade, converge → run.\n"
        "Compared is what both have: fast_forward_upgrade_playbook.yaml and the files that are in both.\n"
    )
    converge = write(tmp_path / "converge", phase="converge")
    assert main(["diff", str(tree), str(converge)]) == 1
    assert capsys.readouterr().out == (
        "The trees are of different phases: run → converge.\n"
        "Compared is what both have: the files that are in both, no playbook.\n"
    )
    assert main(["diff", str(whole), str(write(tmp_path / "edited", edit))]) == 1
    text = capsys.readouterr().out
    assert "    ~ Cinder db sync (command)\n" in text
    assert "- deploy" not in text and "undercloud" not in text


def spoil(path: Path) -> None:
    (path / "inventory.yaml").write_text("changed")


def unplug(path: Path) -> None:
    (path / "manifest.json").unlink()


def mangle(path: Path) -> None:
    (path / "manifest.json").write_text('{"stages": [{"id": 1}]}')


def add(path: Path) -> None:
    (path / "more.yaml").write_text("")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (spoil, "inventory.yaml was changed after it was generated"),
        (unplug, "there is no tree of generated playbooks"),
        (mangle, "the manifest can't be understood"),
        (add, "more.yaml is not one of the generated files"),
    ],
)
def test_what_is_no_generated_tree_is_refused(
    harm: Callable[[Path], None], said: str, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tree, Path(shutil.copytree(tree, tmp_path / "new"))
    harm(new)
    assert main(["diff", str(old), str(new)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert said in line and str(new) in line


def test_a_directory_that_is_not_there_is_trouble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "no tree of generated playbooks" in capsys.readouterr().err
