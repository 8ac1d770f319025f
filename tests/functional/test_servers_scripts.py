"""A script that an unmodified tripleoclient has all servers run, by their agents: a real Heat, and an agent of ours."""

from __future__ import annotations

import json
import os
import threading
from types import SimpleNamespace

import pytest
import requests
import yaml
from heatclient import exc as heat_exc
from support import until

from tripleo_ffwd import config, heat
from tripleo_ffwd.cli.register import workbooks
from tripleo_ffwd.exceptions import Unavailable

# On a cloud of its own: whoever has a deployment in Heat is sent the script, and those of other tests have no agents.
pytestmark = pytest.mark.skipif(os.environ.get("FFWD_TEST_SCRIPTS") != "all", reason="a cloud: make test-faults-heat")
SERVERS = ("one", "two")
NAME = "ffwd-upgrade-prepare"
_TEMPLATE = {
    "heat_template_version": "queens",
    "resources": {
        "script": {"type": "OS::Heat::SoftwareConfig", "properties": {"config": "true", "group": "script"}},
        **{
            name: {
                "type": "OS::Heat::DeployedServer",
                "properties": {"name": name, "software_config_transport": "POLL_SERVER_HEAT"},
            }
            for name in SERVERS
        },
        **{
            f"{name}_script": {
                "type": "OS::Heat::SoftwareDeployment",
                "properties": {
                    "config": {"get_resource": "script"},
                    "server": {"get_resource": name},
                    "signal_transport": "NO_SIGNAL",
                },
            }
            for name in SERVERS
        },
    },
}


@pytest.fixture(scope="module")
def client(cloud, tmp_path_factory):
    """A Heat with two servers that have agents, and a Mistral that serves what clients call of it."""
    for name, definition in workbooks("deployment").items():
        cloud.mistral.put_workbook(definition, exists=cloud.mistral.workbook(name) is not None)
    made = heat.connect(config.load_file(cloud.site.mistral / "mistral.conf"), None)
    template = tmp_path_factory.mktemp("servers") / "servers.yaml"
    template.write_text(yaml.safe_dump(_TEMPLATE))
    heat.create(made, "servers", heat.build_bundle(template, []), 120)
    status = until("the servers", lambda: (found := heat.poll(made, "servers"))["settled"] and found, 60)
    assert status["succeeded"], status
    yield made
    heat.delete(made, "servers")


def run_agents(client, answer) -> threading.Thread:
    """Have the agents ask Heat for work, do what `answer` says, and tell the result to the signed URL."""

    names = {one.physical_resource_id: one.resource_name for one in client.api.resources.list("servers")}

    def handed(server: str):
        there = client.api.resources.metadata("servers", names[server])["deployments"]
        return next((deployment for deployment in there if deployment["name"] == NAME), None)

    def work() -> None:
        for server in heat.servers_with_agents(client):
            deployment = until("work", lambda server=server: handed(server), 60)
            given = {one["name"]: one["value"] for one in deployment["inputs"]}
            assert (given["deploy_server_id"], given["deploy_signal_verb"]) == (server, "PUT")
            code, text = answer(server, deployment["config"])
            result = {"deploy_status_code": code, "deploy_stdout": "", "deploy_stderr": text}
            assert requests.put(given["deploy_signal_id"], data=json.dumps(result), timeout=30).ok

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def call(cloud, queues, **inputs) -> SimpleNamespace:
    given = {"server_name": "all", "config_name": NAME, "config": "rm -f /planted", "group": "script", "timeout": 60}
    execution = cloud.mistral.start("tripleo.deployment.v1.deploy_on_servers", {**given, "poll_interval": 1, **inputs})
    ended = cloud.wait(execution)
    until("the last message", lambda: queues.ended(execution))
    return SimpleNamespace(ended=ended, messages=queues.payloads(execution), id=execution)


def test_every_server_runs_the_script_and_one_that_fails_is_named(cloud, queues, swift, client):
    ran = []
    agents = run_agents(client, lambda server, script: ran.append((server, script)) or (0, ""))
    done = call(cloud, queues)
    agents.join()
    servers = heat.servers_with_agents(client)
    assert ran == [(server, "rm -f /planted") for server in servers] and len(ran) == 2
    # The client takes each message for the last one.
    assert [message["status"] for message in done.messages] == ["SUCCESS"]
    assert done.ended.message == f"{NAME} has been run on 2 servers."
    agents = run_agents(client, lambda server, _: (1, "no such file") if server == servers[1] else (0, ""))
    failed = call(cloud, queues)
    agents.join()
    assert [message["status"] for message in failed.messages] == ["FAILED"]
    assert f"{servers[1]} failed: no such file" in failed.ended.message
    # Nothing of it is left in Heat and in Swift.
    left = client.api.software_deployments.list()
    assert {one.server_id for one in left} == set(servers) and len(list(left)) == 2
    assert not [name for name in swift.containers if done.id in name or failed.id in name]


def test_what_was_sent_is_taken_back_when_heat_takes_no_more(cloud, queues, swift, client, monkeypatch):
    sent = []
    api = client.api.software_deployments

    def one_alone(**given):
        if sent:
            raise heat_exc.HTTPServiceUnavailable
        sent.append(given)
        return create(**given)

    create = api.create
    script = heat.Script(NAME, "true")
    monkeypatch.setattr(api, "create", one_alone)
    before = {one.id for one in api.list()}
    configs = {one.id for one in client.api.software_configs.list()}
    with pytest.raises(Unavailable):
        for server in heat.servers_with_agents(client):
            made = heat.send_script(client, server, script, "http://127.0.0.1:1/")
    heat.take_back_script(client, *made)
    heat.take_back_script(client, *made)  # again, what is gone is gone
    assert {one.id for one in api.list()} == before
    assert {one.id for one in client.api.software_configs.list()} == configs


def test_a_server_that_says_nothing_is_named_in_time(cloud, queues, swift, client):
    late = call(cloud, queues, timeout=2)
    assert late.ended.state == "ERROR"
    assert "has not run it in time" in late.ended.message
