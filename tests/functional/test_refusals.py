"""What ends a phase before it touches anything, each with an error that names the thing; then it is mended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from support import until

from tripleo_ffwd import config, heat
from tripleo_ffwd.plan.store import PlanStore

NODES = {"Controller": ["ctl-0"]}


@pytest.fixture(scope="module")
def client(cloud):
    return heat.connect(config.load_file(cloud.site.mistral / "mistral.conf"), None)


def outputs_template(**outputs) -> dict:
    return {
        "heat_template_version": "queens",
        "outputs": {key: {"value": value} for key, value in outputs.items()},
    }


def good_outputs() -> dict:
    playbook = yaml.safe_dump(
        [{"hosts": "overcloud", "tasks": [{"set_fact": {"releases": ["ocata", "pike", "queens"]}}]}]
    )
    return {
        "RoleData": {"Controller": {"fast_forward_upgrade_tasks": []}},
        "RoleConfig": {"fast_forward_upgrade_playbook": yaml.safe_load(playbook), "global_vars": {}},
        "ServerIdData": {"server_ids": {"Controller": ["1"]}, "bootstrap_server_id": "1"},
        "RoleNetHostnameMap": {"Controller": {"canonical": ["ctl-0.localdomain"], "ctlplane": ["ctl-0.ctlplane"]}},
        "RoleNetIpMap": {"Controller": {"ctlplane": ["127.0.0.9"]}},
    }


def templates(directory: Path, template: dict) -> Path:
    """A plan of one template that needs no Jinja."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "overcloud.yaml").write_text(yaml.safe_dump(template))
    return directory


def stack(client, tmp_path: Path, name: str, template: dict) -> None:
    source = templates(tmp_path / "source", template)
    heat.create(client, name, heat.build_bundle(source / "overcloud.yaml", []), 120)


def held(**properties) -> dict:
    """A template whose one resource takes its time, or fails."""
    template = outputs_template()
    template["resources"] = {"Held": {"type": "OS::Heat::TestResource", "properties": {"value": "v", **properties}}}
    return template


def test_neither_plan_nor_stack(cloud):
    ended = cloud.do("run", plan="nothing")
    assert ended.state == "ERROR"
    assert "nothing" in ended.message and "does not exist" in ended.message
    assert not (cloud.work_dir / "plans" / "nothing").exists()


def test_prepare_without_a_stack(cloud, tmp_path):
    ended = cloud.do("prepare", plan="stackless", templates=str(templates(tmp_path / "t", outputs_template())))
    assert ended.state == "ERROR"
    assert "stackless" in ended.message and "does not exist" in ended.message


def test_prepare_while_heat_updates_the_stack_then_when_it_is_free(cloud, client, tmp_path):
    stack(client, tmp_path, "busy", outputs_template(Some="value"))
    slow = heat.build_bundle(templates(tmp_path / "slow", held(wait_secs=8)) / "overcloud.yaml", [])
    heat.update(client, "busy", slow, timeout_mins=5)
    source = str(templates(tmp_path / "next", held()))
    ended = cloud.do("prepare", plan="busy", templates=source)
    assert ended.state == "ERROR"
    assert "busy" in ended.message and "UPDATE" in ended.message
    until("the other update's end", lambda: not heat.get_status(client, "busy").in_progress)
    ended = cloud.do("prepare", plan="busy", templates=source)
    assert ended.state == "SUCCESS", ended.message


def test_a_failed_update_lists_the_resource_with_its_reason_then_is_recovered(cloud, client, tmp_path):
    stack(client, tmp_path, "failing", outputs_template(Some="value"))
    ended = cloud.do("prepare", plan="failing", templates=str(templates(tmp_path / "bad", held(fail=True))))
    assert ended.state == "ERROR"
    assert "Held" in ended.message and "OS::Heat::TestResource" in ended.message
    ended = cloud.do("prepare", plan="failing", templates=str(templates(tmp_path / "good", outputs_template(A="b"))))
    assert ended.state == "SUCCESS", ended.message


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("no-role-data", {"RoleData": None}, "RoleData"),
        (
            "no-yaml",
            {"RoleConfig": {"fast_forward_upgrade_playbook": "- hosts: [unclosed", "global_vars": {}}},
            "fast_forward_upgrade_playbook",
        ),
    ],
)
def test_malformed_outputs_name_the_key_then_mended_ones_are_taken(cloud, client, tmp_path, name, change, told):
    stack(client, tmp_path, name, outputs_template(**{**good_outputs(), **change}))
    ended = cloud.do("run", plan=name, force_reason="a test without prepare")
    assert ended.state == "ERROR"
    assert told in ended.message
    assert not list(cloud.runs(name))
    mended = heat.build_bundle(
        templates(tmp_path / "mended", outputs_template(**good_outputs())) / "overcloud.yaml", []
    )
    heat.update(client, name, mended, timeout_mins=5)
    until("the stack is mended", lambda: heat.get_status(client, name).complete)
    ended = cloud.do("run", plan=name, force_reason="a test without prepare", dry_run=True)
    assert told not in ended.message


def test_a_refused_prepare_leaves_the_plan_as_it_was(cloud, client, tmp_path):
    stack(client, tmp_path, "kept", outputs_template(Some="value"))
    first = cloud.do("prepare", plan="kept", templates=str(templates(tmp_path / "1", outputs_template(A="a"))))
    assert first.state == "SUCCESS", first.message
    before = PlanStore(cloud.work_dir).current("kept")
    second = str(templates(tmp_path / "2", outputs_template(A="b")))
    assert "elsewhere" in cloud.do("prepare", plan="kept", stack="elsewhere", templates=second).message
    assert (
        "no-such-file.yaml"
        in cloud.do("prepare", plan="kept", templates=second, environments=["no-such-file.yaml"]).message
    )
    assert PlanStore(cloud.work_dir).current("kept") == before
    mended = cloud.do("prepare", plan="kept", templates=second)
    assert mended.state == "SUCCESS", mended.message


@pytest.mark.parametrize(
    ("workflow", "arguments", "told"),
    [
        ("prepare", {"plan": "p", "poll_interval": 0}, "poll_interval must be a whole number of at least 1, not 0"),
        ("prepare", {"plan": "p", "timeout": "240"}, "timeout must be a whole number of at least 1, not '240'"),
        ("run", {"plan": "p", "dry_run": "false"}, "dry_run must be true or false, not 'false'"),
        ("run", {"plan": "p", "resume": "yes"}, "resume must be true or false, not 'yes'"),
        ("upgrade", {"plan": "p", "roles": "Controller"}, "roles must be a list of texts, not 'Controller'"),
        ("converge", {"plan": "../p"}, "can't be the name of a plan"),
    ],
)
def test_a_wrong_input_is_named_before_anything_is_touched(cloud, workflow, arguments, told):
    ended = cloud.do(workflow, **arguments)
    assert ended.state == "ERROR"
    assert told in ended.message
    assert not (cloud.work_dir / "records" / "p").exists()
    assert not (cloud.work_dir / "p").exists()


def test_the_lock_is_free_after_a_refusal(cloud):
    assert not [path for path in (cloud.work_dir / "records").rglob("lock.json") if json.loads(path.read_text())]
