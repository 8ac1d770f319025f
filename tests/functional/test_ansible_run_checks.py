"""What is checked before a run: nothing is started that would do something else than it says."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_lab import PLAYBOOK, Trees, command, play, records, run, seal, spec_of, start

from tripleo_ffwd.exceptions import ConfigurationError, InvalidInput

STAGE = "-/step1/Controller/all"
MODULE = """
from ansible.module_utils.basic import AnsibleModule
AnsibleModule(argument_spec={}).exit_json(changed=True)
"""


def simple(trees: Trees, **manifest: Any) -> Path:
    return trees.make([play(STAGE, "Controller", [command("true")])], **manifest)


def refuse(work: Path, tree: Path, match: str, **fields: Any) -> InvalidInput:
    with pytest.raises(InvalidInput, match=match) as caught:
        start(work, spec_of(tree, **fields))
    assert not work.exists()
    return caught.value


@pytest.mark.parametrize("tags", ["always", "slow, always", "tagged", "all"])
def test_tags_that_the_gates_would_be_skipped_by_are_refused(trees: Trees, work: Path, tags: str) -> None:
    assert "gates" in str(refuse(work, simple(trees), "skip_tags", skip_tags=tags))


@pytest.mark.parametrize("value", ["a b", "a,,b", ",", "--list-tasks", "a\nb"])
@pytest.mark.parametrize("name", ["tags", "skip_tags"])
def test_tags_that_are_no_words_are_refused(trees: Trees, work: Path, name: str, value: str) -> None:
    refuse(work, simple(trees), f"{name} .* words", **{name: value})


def test_tags_choose_tasks(trees: Trees, work: Path) -> None:
    tasks = [{**command("true", name), "tags": [name]} for name in ("quick", "slow", "pre-upgrade")]
    status = run(work, spec_of(trees.make([play(STAGE, "Controller", tasks)]), tags="quick,slow", skip_tags="slow"))
    assert status.result == "successful"
    assert {record["task"] for record in records(status, event="task_end")} == {"quick"}


@pytest.mark.parametrize("name", ["step", "release", "tripleo_role_name", "ansible_host", "ansible_connection"])
@pytest.mark.parametrize("by_file", [False, True])
def test_variables_that_would_empty_the_run_are_refused(
    trees: Trees, work: Path, tmp_path: Path, name: str, by_file: bool
) -> None:
    (tmp_path / "vars.json").write_text(json.dumps({"harmless": 1, name: "7"}))
    given = {"extra_vars_file": str(tmp_path / "vars.json")} if by_file else {"extra_vars": {name: "7"}}
    error = refuse(work, simple(trees), f"{name} can't be given", **given)
    assert error.details["refused"] == [name]


def test_variables_that_the_manifest_names_are_refused(trees: Trees, work: Path) -> None:
    tree = simple(trees, folded=["step", "ffu_packages_apply"])
    refuse(work, tree, "ffu_packages_apply", extra_vars={"ffu_packages_apply": False})
    assert run(work, spec_of(tree, extra_vars={"other": 1})).result == "successful"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("$ANSIBLE_VAULT;1.1;AES256\n6162\n", "vault.*decrypted"),
        ("password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n", "no plain YAML"),
        ("password: 'swordfish", "no plain YAML"),
        ("- a\n- b\n", "no mapping"),
    ],
)
def test_file_of_variables_that_can_not_be_looked_into_is_refused(
    trees: Trees, work: Path, tmp_path: Path, text: str, match: str
) -> None:
    path = tmp_path / "vars.yaml"
    path.write_text(text)
    error = refuse(work, simple(trees), match, extra_vars_file=str(path))
    assert str(path) in str(error) and "swordfish" not in str(error)


@pytest.mark.parametrize("name", ["extra_vars_file", "ssh_key_file", "known_hosts_file"])
def test_relative_path_is_refused(
    trees: Trees, work: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("it").write_text("{}")
    refuse(work, simple(trees), f"{name} it is no absolute path", **{name: "it"})


@pytest.mark.parametrize("name", ["ansible.cfg", "library/command.py", "group_vars/all/x.yaml", "Controller/.y.yaml"])
def test_file_that_was_not_generated_is_refused(trees: Trees, work: Path, name: str) -> None:
    tree = simple(trees)
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text("")
    refuse(work, tree, f"{name} is not one of the generated files")


def test_changed_and_missing_files_are_refused(trees: Trees, work: Path) -> None:
    tree = simple(trees)
    playbook = tree / PLAYBOOK
    playbook.write_text(playbook.read_text() + "# changed\n")
    refuse(work, tree, f"{PLAYBOOK} was changed")
    (seal(tree) / "known_hosts").symlink_to("/etc/hosts")
    refuse(work, tree, "known_hosts is not one")
    (tree / "known_hosts").write_text("")
    seal(tree)
    (tree / "known_hosts").unlink()
    refuse(work, tree, "known_hosts is missing")


def test_missing_modules_and_roles_are_told_before_anything_is_started(trees: Trees, work: Path) -> None:
    modules = {"command": 3, "ansible.builtin.copy": 1, "pacemaker_rsc": 1, "no.such.module": 1, "role setup-x": 1}
    plugins = {"strategy tripleo_free": 1, "strategy free": 1, "filter ipaddr": 1, "lookup {{ x }}": 1}
    error = refuse(work, simple(trees, modules={**modules, **plugins}), "ansible_library")
    missing = ["filter ipaddr", "no.such.module", "pacemaker_rsc", "role setup-x", "strategy tripleo_free"]
    assert error.details["missing"] == missing


def test_modules_roles_and_plugins_that_stand_in_the_tree_are_found_and_used(trees: Trees, work: Path) -> None:
    modules = {"pacemaker_rsc": 1, "fence_it": 1, "role fencing": 1, "strategy calm": 1, "filter neat": 1}
    tasks = [{"name": "of the tree", "pacemaker_rsc": {}, "when": "'x' | neat == 'neat x'"}]
    tree = trees.make([{**play(STAGE, "Controller", tasks), "roles": ["fencing"], "strategy": "calm"}], modules=modules)
    for name, text in {
        "library/pacemaker_rsc.py": MODULE,
        "roles/fencing/library/fence_it.py": MODULE,
        "roles/fencing/tasks/main.yml": "- {name: of the role, fence_it: }\n",
        "strategy_plugins/calm.py": "from ansible.plugins.strategy.linear import StrategyModule\n",
        "filter_plugins/net.py": "class FilterModule:\n    filters = lambda self: {'neat': 'neat {}'.format}\n",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    status = run(work, spec_of(seal(tree)))
    assert status.result == "successful", status.message
    changed = records(status, event="task_end", status="changed", host="ctl-0")
    assert {record["task"].rpartition(" : ")[2] for record in changed} == {"of the role", "of the tree"}
    refuse(work / "more", simple(trees, modules=modules), "strategy calm")


@pytest.mark.parametrize("name", ["ansible_library", "ansible_roles_path", "ansible_collections_path"])
def test_configured_directories_that_are_not_there_are_refused(
    trees: Trees, work: Path, tmp_path: Path, name: str
) -> None:
    error = refuse(
        work, simple(trees), f"{name}: {tmp_path}/gone is not a dir", **{name: f"{tmp_path}:{tmp_path}/gone"}
    )
    assert "[ffwd]" in error.remedy


def test_configured_modules_roles_and_collections_are_found_and_used(trees: Trees, work: Path, tmp_path: Path) -> None:
    collection = tmp_path / "coll" / "ansible_collections" / "acme" / "ha"
    for path in (tmp_path / "lib", tmp_path / "roles" / "fencing" / "library", collection / "plugins" / "modules"):
        path.mkdir(parents=True)
    for path in (
        tmp_path / "lib" / "pacemaker_rsc.py",
        tmp_path / "roles" / "fencing" / "library" / "fence_it.py",
        collection / "plugins" / "modules" / "ban.py",
    ):
        path.write_text(MODULE)
    (tmp_path / "roles" / "fencing" / "tasks").mkdir()
    (tmp_path / "roles" / "fencing" / "tasks" / "main.yml").write_text("- {name: of the role, fence_it: }\n")
    tasks = [{"name": "of the library", "pacemaker_rsc": {}}, {"name": "of the collection", "acme.ha.ban": {}}]
    modules = {"pacemaker_rsc": 1, "acme.ha.ban": 1, "fence_it": 1, "role fencing": 1}
    tree = trees.make([{**play(STAGE, "Controller", tasks), "roles": ["fencing"]}], modules=modules)
    spec = spec_of(tree, ansible_library=str(tmp_path / "lib"), ansible_roles_path=str(tmp_path / "roles"))
    with pytest.raises(InvalidInput, match=r"acme\.ha\.ban, which"):
        start(work, spec)
    status = run(work, dataclasses.replace(spec, ansible_collections_path=str(tmp_path / "coll")))
    assert status.result == "successful", status.message
    changed = records(status, event="task_end", status="changed", host="ctl-0")
    assert {record["task"].rpartition(" : ")[2] for record in changed} == {
        "of the role",
        "of the library",
        "of the collection",
    }


def test_a_service_whose_name_has_a_dash_is_a_group_without_a_warning(trees: Trees, work: Path) -> None:
    tasks = [{"name": "in it", "shell": "true", "when": "inventory_hostname in groups['metrics-qdr']"}]
    tree = trees.make([play(STAGE, "Controller", tasks)])
    inventory = yaml.safe_load((tree / "inventory.yaml").read_text())
    inventory["metrics-qdr"] = {"children": {"Controller": {}}}
    (tree / "inventory.yaml").write_text(yaml.safe_dump(inventory))
    status = run(work, spec_of(seal(tree)))
    assert status.result == "successful", status.message
    assert len(records(status, event="task_end", status="changed", task="in it")) == 2
    assert "Invalid characters" not in (Path(status.run_dir) / "ansible.log").read_text()


def test_missing_ansible_is_told_before_anything_is_made(
    trees: Trees, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="ansible-playbook is not installed"):
        start(work, spec_of(simple(trees)))
    assert not work.exists()


def test_host_that_is_left_out_may_fail_when_facts_are_gathered(trees: Trees, work: Path) -> None:
    failing = command("test {{ inventory_hostname }} != cmp-0", "facts")
    facts = {**play("-/facts/overcloud/all", "overcloud", [failing]), "hosts": "overcloud"}
    tree = trees.make([facts, play(STAGE, "Controller", [command("true")])])
    status = run(work, spec_of(tree, targets=("ctl-0", "ctl-1")))
    assert (status.result, status.failed_total, status.stages_done) == ("successful", 0, 2), status.message
    assert [record["host"] for record in records(status, event="task_end", status="failed")] == ["cmp-0"]
    status = run(work, spec_of(tree, targets=("ctl-0", "cmp-0")))
    assert (status.result, [failed.host for failed in status.failed]) == ("failed", ["cmp-0"])


def test_secrets_of_the_plan_are_in_no_log(trees: Trees, work: Path) -> None:
    tree = trees.make([play(STAGE, "Controller", [command("echo -p{{ mysql_root_password }}; false")])])
    (tree / "group_vars").mkdir()
    (tree / "group_vars" / "overcloud.yaml").write_text("mysql_root_password: S3cr3tOfThePlan\n")
    status = run(work, spec_of(seal(tree), verbosity=3))
    assert status.result == "failed" and "non-zero return code" in status.failed[0].message
    for path in Path(status.run_dir).rglob("*"):
        assert not path.is_file() or b"S3cr3tOfThePlan" not in path.read_bytes(), path


def test_a_host_that_hangs_when_facts_are_gathered_holds_nobody_up(trees: Trees, work: Path, tmp_path: Path) -> None:
    left_out = "{{ inventory_hostname in groups['ffwd_unselected'] }}"
    task = {"name": "Gathering Facts", "gather_facts": {"gather_subset": ["!all", "!min"]}}
    facts = play("-/facts/overcloud/all", "overcloud", [{**task, "ignore_errors": left_out}])
    tree = trees.make([{**facts, "hosts": "overcloud"}, play(STAGE, "Controller", [command("true")])])
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 1000\n")
    hanging.chmod(0o700)
    (tree / "host_vars").mkdir()
    (tree / "host_vars" / "cmp-0.yaml").write_text(f"ansible_python_interpreter: {hanging}\n")
    seal(tree)
    # It is another batch's.
    status = run(work, spec_of(tree, targets=("ctl-0", "ctl-1"), gather_timeout=10))
    assert (status.result, status.failed_total, status.stages_done) == ("successful", 0, 2), status.message
    (hung,) = records(status, event="task_end", status="ignored")
    assert hung["host"] == "cmp-0" and "time" in hung["message"].lower()
