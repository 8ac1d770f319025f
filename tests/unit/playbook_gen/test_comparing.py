"""Two trees compared: what somebody who changed the environment is told of stages, tasks, nodes and other files."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import support

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.playbook_gen import comparing, pipeline
from tripleo_ffwd.playbook_gen.comparing import Generated
from tripleo_ffwd.playbook_gen.options import GenerateOptions

RUN, UPGRADE = "fast_forward_upgrade_playbook.yaml", "upgrade_steps_playbook.yaml"
DEPLOY, POST = "deploy_steps_playbook.yaml", "post_upgrade_steps_playbook.yaml"


def tree(outputs: dict[str, Any], phase: str | None = "run") -> Generated:
    found = pipeline.compile_playbooks(outputs, GenerateOptions(phase=phase))
    return Generated(found.manifest, dict(found.files))


def changed(outputs: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a copy of outputs, and the fast forward tasks of its controllers."""
    other = copy.deepcopy(outputs)
    return other, other["RoleData"]["Controller"]["fast_forward_upgrade_tasks"]


def task_of(tasks: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(task for task in tasks if task.get("name") == name)


def changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return what changed of the tasks, by stage."""
    found = comparing.compare(tree(old), tree(new))
    assert not found["equal"]
    return {stage["stage"]: stage["task_changes"] for stage in found["stages"]}


def test_the_same_outputs_give_equal_trees(outputs: dict[str, Any]) -> None:
    found = comparing.compare(tree(outputs), tree(copy.deepcopy(outputs)))
    assert found == {
        "equal": True,
        "phases": None,
        "facts": [],
        "hosts": {"added": [], "removed": []},
        "stages": [],
        "files": [],
    }


def test_a_changed_argument_is_shown_in_its_stages_only(outputs: dict[str, Any]) -> None:
    other, tasks = changed(outputs)
    sync = task_of(tasks, "bootstrap sync")
    before, sync["command"] = sync["command"], "echo other"
    found = changes(outputs, other)
    assert found and all(stage.endswith("/bootstrap") for stage in found)
    for entries in found.values():
        (entry,) = entries
        assert (entry["change"], entry["task"]) == ("changed", "bootstrap sync")
        assert entry["differences"] == [{"what": "command", "old": before, "new": "echo other"}]


def test_a_changed_condition_is_shown_with_both_sides(outputs: dict[str, Any]) -> None:
    other, tasks = changed(outputs)
    task = task_of(tasks, "stop api")
    when = task["when"] if isinstance(task["when"], list) else [task["when"]]
    task["when"] = [*when, "really|bool"]
    found = changes(outputs, other)
    (entry,) = next(iter(found.values()))
    (difference,) = entry["differences"]
    assert difference["what"] == "when"
    assert "really|bool" in difference["new"] and "really|bool" not in difference["old"]


def test_added_and_removed_tasks_say_where(outputs: dict[str, Any]) -> None:
    other, tasks = changed(outputs)
    tasks.remove(task_of(tasks, "before the others in its step"))
    tasks.append({"name": "new one", "command": "true", "when": ["step|int == 3", "release == 'pike'"]})
    found = changes(outputs, other)
    kinds = {(entry["change"], entry["task"]) for entries in found.values() for entry in entries}
    assert kinds == {("removed", "before the others in its step"), ("added", "new one")}
    (added,) = [entry for entry in found["pike/step3/Controller/all"] if entry["change"] == "added"]
    assert added["after"] and added["differences"] == []


def test_a_task_that_changed_its_place_is_moved(outputs: dict[str, Any]) -> None:
    names = ("first", "second", "third", "fourth")
    task = {"command": "true", "when": ["step|int == 1", "release == 'pike'"]}
    for tasks in (outputs["RoleData"]["Controller"]["fast_forward_upgrade_tasks"],):
        tasks += [{"name": name, **task} for name in names]
    other, tasks = changed(outputs)
    third = task_of(tasks, "third")
    tasks.remove(third)
    tasks.insert(tasks.index(task_of(tasks, "first")), third)
    (entry,) = changes(outputs, other)["pike/step1/Controller/all"]
    assert (entry["change"], entry["task"], entry["differences"]) == ("moved", "third", [])


def test_a_renamed_task_is_one_change(outputs: dict[str, Any]) -> None:
    other, tasks = changed(outputs)
    task_of(tasks, "bootstrap sync")["name"] = "another name"
    for entries in changes(outputs, other).values():
        (entry,) = entries
        assert entry["differences"] == [{"what": "name", "old": "bootstrap sync", "new": "another name"}]


def test_values_of_no_log_tasks_are_hidden(outputs: dict[str, Any]) -> None:
    secret = {"name": "secret", "command": "login s3cr3t", "no_log": True, "when": "step|int == 1"}
    outputs["RoleData"]["Controller"]["fast_forward_upgrade_tasks"].append(secret)
    other, tasks = changed(outputs)
    task_of(tasks, "secret")["command"] = "login 0th3r"
    shown = str(comparing.compare(tree(outputs), tree(other)))
    assert "hidden" in shown
    assert "s3cr3t" not in shown and "0th3r" not in shown


def test_a_role_that_goes_takes_its_stages_along(outputs: dict[str, Any]) -> None:
    other = copy.deepcopy(outputs)
    other["RoleData"]["Compute"]["fast_forward_upgrade_tasks"] = []
    found = comparing.compare(tree(outputs), tree(other))
    assert {(entry["change"], entry["stage"]) for entry in found["stages"]} == {("removed", "pike/step2/Compute/all")}
    back = comparing.compare(tree(other), tree(outputs))
    (entry,) = back["stages"]
    assert (entry["change"], entry["after"], entry["tasks"]) == ("added", "pike/step2/Controller/all", 1)


def test_a_new_node_is_named_once_and_in_its_stages(outputs: dict[str, Any]) -> None:
    other = copy.deepcopy(outputs)
    for networks in (other["RoleNetHostnameMap"]["Compute"], other["RoleNetIpMap"]["Compute"]):
        for names in networks.values():
            names.append(names[-1].replace("cmp-1", "cmp-9").replace(".21", ".29"))
    other["ServerIdData"]["server_ids"]["Compute"].append("id-n9")
    found = comparing.compare(tree(outputs), tree(other))
    assert found["hosts"] == {"added": ["cmp-9"], "removed": []}
    assert all(entry["hosts"]["added"] == ["cmp-9"] and not entry["task_changes"] for entry in found["stages"])
    paths = {file["path"]: file["change"] for file in found["files"]}
    assert paths["host_vars/cmp-9.yaml"] == "added"
    assert paths["inventory.yaml"] == "changed"


def test_other_files_are_named_with_the_variables_that_differ_but_no_values(outputs: dict[str, Any]) -> None:
    outputs["RoleConfig"]["global_vars"] = {"same": 1, "password": "s3cr3t"}
    other = copy.deepcopy(outputs)
    other["RoleConfig"]["global_vars"]["password"] = "0th3r"
    found = comparing.compare(tree(outputs), tree(other))
    assert found["stages"] == []
    assert {"path": "group_vars/overcloud.yaml", "change": "changed", "keys": ["password"]} in found["files"]
    assert "s3cr3t" not in str(found) and "0th3r" not in str(found)


def test_keywords_of_a_play_are_compared(outputs: dict[str, Any]) -> None:
    other = copy.deepcopy(outputs)
    other["RoleConfig"]["fast_forward_upgrade_playbook"][0]["environment"] = {"LANG": "C"}
    found = comparing.compare(tree(outputs), tree(other))
    assert found["stages"]
    assert {"what": "environment.LANG", "new": "C"} in found["stages"][-1]["play"]


def test_a_manifest_of_other_playbooks_is_refused(outputs: dict[str, Any]) -> None:
    one = tree(outputs)
    stages = [stage for stage in one.manifest["stages"] if not stage["id"].startswith("pike")]
    with pytest.raises(InvalidInput, match=f"{RUN}: the plays are not the stages"):
        comparing.compare(one, Generated({**one.manifest, "stages": stages}, one.files))


ALL = ["run", "upgrade", "converge"]


@pytest.mark.parametrize(
    ("old", "new", "phases", "playbooks"),
    [
        (None, "run", (ALL, ["run"]), [RUN]),
        ("converge", None, (["converge"], ALL), [DEPLOY]),
        (None, "upgrade", (ALL, ["upgrade", "converge"]), [UPGRADE, DEPLOY, POST]),
        ("upgrade", "converge", (["upgrade", "converge"], ["converge"]), [DEPLOY]),
        ("run", "converge", (["run"], ["converge"]), []),
    ],
)
def test_of_trees_of_different_phases_only_what_both_have_is_compared(
    old: str | None, new: str | None, phases: tuple[list[str], list[str]], playbooks: list[str]
) -> None:
    outputs = support.queens_outputs()  # the deploy steps have a play for the undercloud, the fast forward has none
    found = comparing.compare(tree(outputs, old), tree(outputs, new))
    assert found == {
        "equal": False,
        "phases": {"old": phases[0], "new": phases[1], "playbooks": playbooks},
        "facts": [],
        "hosts": {"added": [], "removed": []},
        "stages": [],
        "files": [],
    }


def test_what_changed_of_what_both_have_is_told_of_trees_of_different_phases(outputs: dict[str, Any]) -> None:
    other, tasks = changed(outputs)
    task_of(tasks, "bootstrap sync")["command"] = "echo other"
    other["RoleConfig"]["global_vars"] = {"NtpServers": ["192.0.2.1"]}
    found = comparing.compare(tree(outputs, None), tree(other, "run"))
    assert {stage["playbook"] for stage in found["stages"]} == {RUN}
    assert {task["task"] for stage in found["stages"] for task in stage["task_changes"]} == {"bootstrap sync"}
    told = {(file["path"], file["change"]) for file in found["files"]}
    assert ("group_vars/overcloud.yaml", "changed") in told
    assert {change for _, change in told} == {"changed"}
