"""What an unmodified tripleoclient calls, and what it is told on its queue. The tests build on each other."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import asyncssh
import pytest
import small_overcloud
import yaml
from support import until

from tripleo_ffwd import config, heat
from tripleo_ffwd.cli.main import main
from tripleo_ffwd.cli.osc import looking

STACK = "client"
PLANTED = "planted-51c7"
FFWD = "fast_forward_upgrade_playbook.yaml"
EXTERNAL = "external_upgrade_steps_playbook.yaml"


@pytest.fixture(scope="module")
def gate(tmp_path_factory) -> Path:
    """The tasks of steps 1 and 3 wait for a file of the step's number here; with `broken` step 2 fails."""
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="module")
def templates(gate, tmp_path_factory) -> Path:
    return small_overcloud.templates(tmp_path_factory.mktemp("templates"), gate)


@pytest.fixture(scope="module")
def standing(cloud, templates):
    """An overcloud of which no upgrade has been begun."""
    client = heat.connect(config.load_file(cloud.site.mistral / "mistral.conf"), None)
    heat.create(client, STACK, heat.build_bundle(templates / "overcloud.yaml", []), 120)
    # The client names no key; nobody is asked by ssh here, the nodes are this machine.
    key = cloud.site.ssh_key_file
    made = not key.exists()
    if made:
        key.parent.mkdir(mode=0o700, exist_ok=True)
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
        key.chmod(0o600)
    yield cloud
    if made:
        key.unlink()


@pytest.fixture(scope="module")
def prepared(standing, templates):
    """The overcloud, ready for phase run."""
    ended = standing.do("prepare", plan=STACK, templates=str(templates))
    assert ended.state == "SUCCESS", ended.message
    return standing


def inventory(hosts=small_overcloud.CONTROLLERS, plan=STACK) -> str:
    """An inventory as TripleO's own writes it, with a token in it."""
    undercloud = {"plan": plan, "os_auth_token": PLANTED, "ansible_connection": "local"}
    return yaml.safe_dump(
        {
            "Undercloud": {"hosts": {"undercloud": {}}, "vars": undercloud},
            "Controller": {"hosts": {host: {"ansible_host": "127.0.0.1", "marked": host} for host in hosts}},
            "overcloud": {"children": {"Controller": {}}},
        }
    )


def call(cloud, **inputs) -> str:
    """Start the workflow as the client of Train does; returns the execution's id."""
    given = {
        "nodes": None,
        "inventory_file": inventory(),
        "playbook": FFWD,
        "node_user": "heat-admin",
        "tags": "",
        "skip_tags": "",
        "verbosity": 1,
        "extra_vars": None,
        # These nodes are no nodes of an overcloud.
        "checks": False,
    }
    return cloud.mistral.start("tripleo.package_update.v1.update_nodes", {**given, "poll_interval": 1, **inputs})


def told(queues, execution: str, timeout: float = 40) -> list[dict]:
    """Wait for the last message, and return all of them."""
    until("the last message", lambda: queues.ended(execution), timeout)
    return queues.payloads(execution)


def live_run(cloud):
    return until("a live run", lambda: next((run for run in cloud.runs(STACK) if run.state == "live"), None), 30)


def failed(queues, cloud, execution: str) -> str:
    """The words of a call that has failed, which are the same for the client and for Mistral."""
    message = told(queues, execution)[-1]
    ended = cloud.wait(execution)
    assert (message["status"], ended.state, ended.output["status"]) == ("FAILED", "ERROR", "FAILED")
    assert message["message"] == ended.message
    return ended.message


def test_an_update_of_nodes_is_run_before_any_upgrade(standing, queues, gate):
    execution = call(standing, playbook="update_steps_playbook.yaml", nodes="ctl-2,ctl-0")
    last = told(queues, execution)[-1]
    assert (last["status"], last["message"]) == ("SUCCESS", "Update of plan client has finished on 2 nodes.")
    assert (gate / "updated").read_text().split() == ["ctl-0", "ctl-2"]
    assert [(run.phase, run.playbook) for run in standing.runs(STACK)] == [("update", "update_steps_playbook.yaml")]
    status = standing.mistral.ask("ffwd.list_nodes", {"plan": STACK})
    assert not any(node["phases"] for node in status["nodes"]), "an update is no phase"


def test_the_external_upgrade_comes_after_run(standing, queues):
    words = failed(queues, standing, call(standing, playbook="external_update_steps_playbook.yaml"))
    assert "the outputs have no playbook 'external_update_steps_playbook.yaml'" in words
    words = failed(queues, standing, call(standing, playbook=EXTERNAL, nodes="all"))
    assert "External upgrade of plan client is out of turn: ctl-0, ctl-1, ctl-2 has not finished run" in words


def test_what_can_not_be_run_is_refused_on_the_queue_too(prepared, queues):
    words = failed(queues, prepared, call(prepared, playbook="site.yaml"))
    assert "site.yaml is no playbook of an upgrade or an update, nothing was run" in words
    assert "update_steps_playbook.yaml" in words
    assert "is being upgraded, it has finished prepare" in failed(
        queues, prepared, call(prepared, playbook="update_steps_playbook.yaml", nodes="Controller")
    )
    words = failed(queues, prepared, call(prepared, inventory_file=f"{PLANTED}: [is no: inventory"))
    assert "can't be read by Ansible" in words and PLANTED not in words
    assert "lacks ctl-2" in failed(
        queues, prepared, call(prepared, inventory_file=inventory(small_overcloud.CONTROLLERS[:2]))
    )
    assert "out of turn" in failed(
        queues, prepared, call(prepared, playbook="upgrade_steps_playbook.yaml", nodes="Controller")
    )
    assert not any(run.state == "live" for run in prepared.runs(STACK))


def test_a_failed_task_is_told_and_then_the_end(prepared, queues, gate):
    for name in ("1", "3", "broken"):
        (gate / name).touch()
    execution = call(prepared)
    messages = told(queues, execution)
    (gate / "broken").unlink()
    words = [message["message"].removeprefix(f"{FFWD}: ") for message in messages[:-1]]
    assert words[1:4] == [
        "-/pre/overcloud/all (0 of 4 stages are done)",
        "ocata/step1/Controller/all (1 of 4 stages are done)",
        "ocata/step2/Controller/all (2 of 4 stages are done)",
    ]
    assert words[4].startswith("ctl-1 failed in ocata/step2/Controller/all: Migrate the schema")
    assert "did not finish on ctl-1" in failed(queues, prepared, execution)


def test_a_cancelled_call_ends_with_a_message(prepared, queues, gate):
    (gate / "1").unlink()
    execution = call(prepared)
    run = live_run(prepared)
    prepared.mistral.set_state(execution, "CANCELLED")
    last = told(queues, execution)[-1]
    assert (last["status"], last["execution_id"]) == ("FAILED", execution)
    assert "was cancelled" in last["message"]
    until("the end of the run", lambda: next(r for r in prepared.runs(STACK) if r.run_id == run.run_id).settled)


def test_progress_comes_in_order_and_the_end_last_also_when_the_queue_is_away(prepared, queues, gate):
    execution = call(prepared, extra_vars={"ignored": PLANTED}, ansible_queue_name="update")
    run = live_run(prepared)
    until("progress", lambda: queues.payloads(execution, "update"))
    queues.refuse = 503
    (gate / "1").touch()
    ended = until(
        "the end of the run",
        lambda: (
            (gate / "3").touch()
            or next((found for found in prepared.runs(STACK) if found.run_id == run.run_id and found.settled), None)
        ),
    )
    assert ended.succeeded, ended.message
    status = prepared.mistral.ask("ffwd.get_plan_status", {"plan": STACK})
    assert status["execution"] in ("", execution)
    until("messages that wait", lambda: prepared.mistral.ask("ffwd.get_plan_status", {"plan": STACK})["messages"])
    queues.refuse = 0
    until("the last message", lambda: queues.ended(execution, "update"))
    messages = queues.payloads(execution, "update")
    assert [message["status"] for message in messages] == ["RUNNING"] * (len(messages) - 1) + ["SUCCESS"]
    assert "has begun" in messages[0]["message"]
    assert "Phase run of plan client has finished on 3 nodes." in messages[-1]["message"]
    for message in messages:
        assert message["root_execution_id"] == message["execution"]["root_execution_id"] == execution
        # Clients look at the execution when a message is its own.
        assert (message["execution_id"] == execution) is (message is messages[-1])
    assert prepared.wait(execution).state == "SUCCESS"


def test_the_external_upgrade_is_done_from_outside_by_its_tags(prepared, queues, gate):
    execution = call(prepared, playbook=EXTERNAL, nodes="all", tags="ceph", extra_vars={"noted": "by the client"})
    last = told(queues, execution)[-1]
    assert last["status"] == "SUCCESS", last["message"]
    assert last["message"] == "External upgrade of plan client has run what is tagged ceph on 3 nodes."
    assert (gate / "external").read_text().splitlines() == ["0 by the client", "1 by the client"]


def test_a_call_is_gone_on_with_by_our_own_command(prepared):
    root = prepared.runs(STACK)[-1].owner
    found = looking.phase_execution(prepared.mistral, root)
    assert (looking.phase_of(found), looking.arguments_of(found)["tags"]) == ("external_upgrade", "ceph")
    assert looking.by_execution(prepared.mistral, root).phase == "external_upgrade"


def test_the_inventory_is_used_as_it_came_and_kept_for_its_owner_alone(prepared):
    run = prepared.runs(STACK)[-1]
    kept = [path for path in (prepared.work_dir / "inventories").iterdir() if path.read_text() == inventory()]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600]
    spec = json.loads((Path(run.run_dir) / "spec.json").read_text())
    assert spec["inventory_file"] == str(kept[0])
    for path in Path(run.run_dir).rglob("*"):
        if path.is_file():
            assert PLANTED not in path.read_text(errors="replace"), path


def test_mistral_keeps_the_inventory_as_the_input_of_the_client_s_execution_alone(prepared):
    found = set()
    with contextlib.closing(
        sqlite3.connect(f"file:{prepared.site.mistral / 'mistral.sqlite'}?mode=ro", uri=True)
    ) as base:
        base.row_factory = sqlite3.Row
        for (table,) in base.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in base.execute(f"select * from {table}"):
                found |= {(table, column) for column in row.keys() if PLANTED in str(row[column])}  # noqa: SIM118
    assert found == {("workflow_executions_v2", "input")}


def test_what_is_typed_for_nodes_is_looked_up_in_the_overcloud(prepared, queues):
    execution = call(prepared, playbook="upgrade_steps_playbook.yaml", nodes="Kontroller")
    assert "Unknown role: Kontroller" in failed(queues, prepared, execution)


def test_what_an_installation_deletes_is_missed_and_put_back(prepared, capsys):
    words = ["--mistral-url", prepared.mistral.url, "--only", "package_update"]
    prepared.mistral.delete_workbook("tripleo.package_update.v1")
    assert main(["verify", *words]) == 1
    assert "tripleo.package_update.v1: not there. Run `tripleo-ffwd register`" in capsys.readouterr().out
    assert main(["register", *words]) == 0
    assert main(["verify", *words]) == 0


FOREIGN = """
version: '2.0'
name: tripleo.access.v1
workflows:
  enable_ssh_admin:
    tasks:
      theirs: {action: std.noop}
"""


def test_a_workbook_of_tripleo_common_is_left_alone_unless_it_is_named(cloud, capsys):
    words = ["--mistral-url", cloud.mistral.url]
    cloud.mistral.put_workbook(FOREIGN, exists=cloud.mistral.workbook("tripleo.access.v1") is not None)
    left = "tripleo.access.v1: not this package's, left as it is"
    for command in ("register", "verify"):
        assert main([command, *words]) == 0
        assert left in capsys.readouterr().out
        assert "theirs" in (cloud.mistral.workbook("tripleo.access.v1") or "")
    assert main(["register", *words, "--only", "access"]) == 0
    assert "theirs" not in (cloud.mistral.workbook("tripleo.access.v1") or "")
    assert main(["unregister", *words, "--only", "access"]) == 0
    assert cloud.mistral.workbook("tripleo.access.v1") is None
