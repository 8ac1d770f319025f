"""What the tasks need beyond ansible-core: modules, roles and plugins with their tasks, as the manifest lists them."""

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


def test_plugins_are_listed_with_the_play_or_the_task_that_names_them(outputs: dict[str, Any]) -> None:
    outputs["RoleConfig"]["deploy_steps_playbook"] = [
        {
            "hosts": "overcloud",
            "gather_facts": False,
            "strategy": "tripleo_free",
            "vars": {"addresses": "{{ networks | ansible.utils.ipv4 }}"},
            "tasks": [{"name": "plain", "command": "echo {{ lookup('env', 'HOME') | ansible.builtin.b64encode }}"}],
        },
        {"hosts": "overcloud", "gather_facts": False, "strategy": "ansible.builtin.free", "tasks": [{"ping": None}]},
    ]
    when = ["step|int == 1"]
    outputs["RoleData"]["Controller"]["upgrade_tasks"] += [
        {"name": "address", "command": "echo {{ found | map('ipaddr') | list }}", "when": [*when, "x is acme.net.up"]},
        {"name": "looked up", "debug": {"msg": "{{ lookup('hiera', 'a') ~ q(\"acme.kv.get\", b) }}"}, "when": when},
        {
            "name": "any",
            "debug": {"msg": "{{ lookup(which) }} {{ lookup('ansible.builtin.file', 'x') }}"},
            "when": when,
        },
        {"name": "looped", "command": "echo", "with_flattened": [[1], [2]], "when": when},
        {"name": "over lines", "command": "echo", "with_lines": "ls", "when": when},
        {"name": "asserted", "assert": {"that": ["found | json_query('[0]')"]}, "when": when},
        {"name": "reached", "ping": None, "connection": "docker", "become_method": "ksu", "when": when},
        {"name": "as ever", "ping": None, "connection": "local", "become_method": "sudo", "when": when},
        {"name": "of another language", "command": "docker inspect -f '{{ .State | frob }}'", "when": when},
    ]
    found = needed(outputs, "upgrade")
    assert {name: tasks[0]["task"] for name, tasks in found.items()} == {
        "become ksu": "reached",
        "connection docker": "reached",
        "filter ansible.utils.ipv4": "vars",
        "filter ipaddr": "address",
        "filter json_query": "asserted",
        "lookup acme.kv.get": "looked up",
        "lookup flattened": "looped",
        "lookup hiera": "looked up",
        "strategy tripleo_free": "strategy",
        "test acme.net.up": "address",
    }


def test_what_a_tree_brings_along_is_its_own() -> None:
    paths = ["library/ban.py", "roles/fencing/tasks/main.yml", "library/sub/x.py", "roles.yaml", "Controller/x.yaml"]
    files = {**dict.fromkeys(paths, ""), "strategy_plugins/slow.py": "", "lookup_plugins/hiera.py": "'get'"}
    files["filter_plugins/net.py"] = "class FilterModule:\n    def filters(self):\n        return {'ipaddr': ip}\n"
    assert modules.own(files) == {"ban", "role fencing", "strategy slow", "lookup hiera", "filter ipaddr", "filter net"}
