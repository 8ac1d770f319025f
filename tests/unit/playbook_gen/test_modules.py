"""What the tasks need beyond ansible-core: modules and roles with their tasks, as the manifest lists them."""

from __future__ import annotations

from typing import Any

import support

from tripleo_ffwd.playbook_gen import modules, pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions


def needed(outputs: dict[str, Any], phase: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = pipeline.compile_playbooks(outputs, GenerateOptions(phase=phase)).manifest[
        "modules"
    ]
    return found


def test_the_reference_overcloud_needs_modules_of_collections_and_of_tripleo() -> None:
    found = needed(support.queens_outputs(), "run")
    assert {"mount", "mysql_db", "mysql_user", "pacemaker_resource"} <= set(found)
    assert not {"command", "shell", "yum", "set_fact", "gather_facts"} & set(found)
    assert found["mysql_db"] == [
        {
            "playbook": "fast_forward_upgrade_playbook.yaml",
            "stage": "ocata/step6/Controller/bootstrap",
            "task": "Create cell0 db",
        }
    ]


def test_roles_are_listed_with_the_play_or_the_task_that_names_them(outputs: dict[str, Any]) -> None:
    play = {"hosts": "overcloud", "gather_facts": False, "roles": ["tripleo-bootstrap", {"role": "known-hosts"}]}
    outputs["RoleConfig"]["deploy_steps_playbook"] = [play]
    tasks = outputs["RoleData"]["Controller"]["upgrade_tasks"]
    tasks += [
        {"name": "in a block", "block": [{"include_role": {"name": "fencing"}}], "when": "step|int == 1"},
        {"import_role": "name=old-style", "when": "step|int == 1"},
        {"name": "named", "acme.ha.ban": {}, "when": "step|int == 1"},
        {"name": "of the core", "ansible.builtin.copy": {"src": "x", "dest": "y"}, "when": "step|int == 1"},
    ]
    found = needed(outputs, "upgrade")
    assert sorted(found) == [
        "acme.ha.ban",
        "role fencing",
        "role known-hosts",
        "role old-style",
        "role tripleo-bootstrap",
    ]
    assert found["role known-hosts"][0]["task"] == "roles"
    assert found["acme.ha.ban"][0]["task"] == "named"
    assert found["role fencing"][0]["playbook"] == "upgrade_steps_playbook.yaml"


def test_what_a_tree_brings_along_is_its_own() -> None:
    paths = ["library/ban.py", "roles/fencing/tasks/main.yml", "library/sub/x.py", "roles.yaml", "Controller/x.yaml"]
    assert modules.own(paths) == {"ban", "role fencing"}
