"""The point of no return: the first stage that can't be taken back, never later than the task that makes it so."""

from __future__ import annotations

from typing import Any

import pytest
import support

from tripleo_ffwd.playbook_gen import no_return, pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.reading import TreeReader


def point_of(outputs: dict[str, Any], phase: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = pipeline.compile_playbooks(outputs, GenerateOptions(phase=phase)).manifest[
        "point_of_no_return"
    ]
    return found


def changes(task: dict[str, Any]) -> str:
    play = [{"name": "-/step1/Controller/all", "hosts": "Controller", "vars": {"step": "1"}, "tasks": [task]}]
    (stage,) = TreeReader({"p.yaml": support.yaml_text(play)}.get).stages("p.yaml")
    return no_return.change_of(stage.tasks[0])


@pytest.mark.parametrize(
    ("phase", "playbook", "stage", "task"),
    [
        ("run", "fast_forward_upgrade_playbook.yaml", "ocata/step4/Controller/bootstrap", None),
        (
            "upgrade",
            "upgrade_steps_playbook.yaml",
            "-/step0/Controller/all",
            "Online data migration for Nova before switching to containers",
        ),
    ],
)
def test_the_reference_overcloud_turns_where_its_databases_do(
    phase: str, playbook: str, stage: str, task: str | None
) -> None:
    point = point_of(support.queens_outputs(), phase)
    assert point is not None
    assert (point["playbook"], point["stage"]) == (playbook, stage)
    assert task is None or task in [item["task"] for item in point["tasks"]]


def test_a_migration_before_the_bootstrap_steps_is_the_point(outputs: dict[str, Any]) -> None:
    before = point_of(outputs, "run")
    assert before is not None and before["stage"] == "ocata/step4/Controller/bootstrap"
    early = {"name": "sync", "command": "keystone-manage db_sync", "when": ["step|int == 1", "release == 'ocata'"]}
    outputs["RoleData"]["Controller"]["fast_forward_upgrade_tasks"].append(early)
    after = point_of(outputs, "run")
    assert after is not None and after["stage"] == "ocata/step1/Controller/all"
    assert after["tasks"] == [{"task": "sync", "what": "a database"}]


def test_upgrade_steps_that_change_nothing_for_good_have_none(outputs: dict[str, Any]) -> None:
    assert point_of(outputs, "upgrade") is None


def test_a_task_that_is_sure_to_be_skipped_does_not_count() -> None:
    task = {"command": "nova-manage db sync", "register": "synced"}
    assert changes({**task, "when": "step|int == 2"}) == ""
    assert changes({**task, "when": ["is_bootstrap_node|bool", "step|int == 1"]}) == "a database"
    assert changes({"block": [task], "when": "step|int == 2"}) == ""


def test_a_step_that_a_task_sets_itself_decides_nothing() -> None:
    task = {"name": "sync", "command": "nova-manage db sync", "when": "step|int == 2"}
    for setter in ({"set_fact": {"step": "2"}}, {"include_vars": "x.yaml"}):
        play = [{"name": "a", "hosts": "all", "vars": {"step": "1"}, "tasks": [setter, task]}]
        (stage,) = TreeReader({"p.yaml": support.yaml_text(play)}.get).stages("p.yaml")
        assert no_return.change_of(stage.tasks[1]) == "a database"
        include = {"include_tasks": "t.yaml", "vars": {"step": "1"}}  # its vars outrank facts
        files = {
            "p.yaml": support.yaml_text([{**play[0], "tasks": [setter, include]}]),
            "t.yaml": support.yaml_text([task]),
        }
        (stage,) = TreeReader(files.get).stages("p.yaml")
        assert no_return.change_of(stage.tasks[1]) == ""


@pytest.mark.parametrize(
    ("task", "what"),
    [
        ({"yum": "name=openstack-nova state=latest"}, "packages"),
        ({"ansible.builtin.dnf": {"name": "*", "state": "latest"}}, "packages"),
        ({"package": {"name": "x", "state": "{{ wanted }}"}}, "packages"),
        ({"apt": {"upgrade": "dist"}}, "packages"),
        ({"action": "yum name=x state=latest"}, "packages"),
        ({"package": "name=ntpdate"}, ""),
        ({"yum": "name=openstack-heat-api-cloudwatch state=removed"}, ""),
        ({"shell": "yum -y update openstack-aodh*"}, "packages"),
        ({"command": {"argv": ["dnf", "-y", "install", "x"]}}, "packages"),
        ({"shell": "rpm -U --replacepkgs --notriggerun {{ item }}\n"}, "packages"),
        ({"shell": "rpm -qi openvswitch | awk '/^Version/{print $NF}'"}, ""),
        ({"shell": "yum check-update | grep nova"}, ""),
        ({"command": "cinder-manage db sync"}, "a database"),
        ({"command": "aodh-dbsync"}, "a database"),
        ({"command": "neutron-db-manage upgrade heads"}, "a database"),
        ({"shell": "nova-manage api_db sync"}, "a database"),
        ({"command": "docker exec -u root nova_api nova-manage db online_data_migrations"}, "a database"),
        ({"command": "gnocchi-upgrade --skip-storage"}, "a database"),
        ({"shell": "nova-manage cell_v2 map_cell0"}, "a database"),
        ({"shell": "nova-manage cell_v2 list_cells"}, ""),
        ({"command": "{{ tool }}-manage run", "vars": {"tool": "x"}, "name": "db sync"}, ""),
        ({"command": "{{ item }}", "with_items": ["glance-manage db_sync"]}, "a database"),
        ({"mysql_db": {"name": "nova_cell0", "state": "present"}}, "a database"),
        ({"community.mysql.mysql_info": {}}, ""),
        ({"shell": "puppet apply --detailed-exitcodes /root/step.pp"}, "the configuration as a whole"),
        ({"shell": "paunch --debug apply --file /var/lib/x.json"}, "the configuration as a whole"),
        ({"service": "name=httpd state=stopped"}, ""),
        ({"command": "systemctl stop openstack-nova-api"}, ""),
    ],
)
def test_what_a_task_may_change_for_good(task: dict[str, Any], what: str) -> None:
    assert changes(task) == what
