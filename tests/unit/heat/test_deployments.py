"""Deployments from a Heat of any size (tests/heat_stub.py): how many requests, what is held once, what is refused."""

from __future__ import annotations

import json

import pytest
from heat_stub import Overcloud, serving
from oslo_config import cfg

from tripleo_ffwd import config, heat, software
from tripleo_ffwd.exceptions import (
    ConfigurationError,
    MalformedOutputs,
    NotFound,
    StackBusy,
    StackFailed,
    Unavailable,
)
from tripleo_ffwd.heat import listing


def connect(url: str, **values) -> heat.HeatClient:
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    for name, value in {"heat_url": url, **values}.items():
        options.set_override(name, value, group=config.GROUP)
    return heat.connect(section)


def fetch(overcloud: Overcloud, stub, **values):
    return heat.fetch_deployments(connect(stub.url, **values), "overcloud", overcloud.outputs())


def applied(fetched, server: str) -> list[dict]:
    """What the hook on a server reads, one document a deployment."""
    documents = []
    for _, digest, config_id, stack, created, _ in fetched["servers"][server]:
        text = fetched["documents"][digest]
        own = {
            software.OWN_ID: config_id,
            software.OWN_SERVER: server,
            software.OWN_STACK: stack,
            software.OWN_TIME: created,
        }
        for token, value in own.items():
            text = text.replace(token, value)
        documents.append(json.loads(text))
    return documents


@pytest.mark.parametrize("servers", [2, 30])
def test_every_server_gets_its_own_deployments_in_their_order(servers, monkeypatch):
    monkeypatch.setattr(listing, "MAX_ANSWER", 20_000)  # so that the groups' members come in several answers
    overcloud = Overcloud(servers, own=4)
    with serving(overcloud) as stub:
        fetched = fetch(overcloud, stub)
    assert sorted(fetched["servers"]) == overcloud.servers
    for index in (0, servers - 1):
        server = overcloud.servers[index]
        found = applied(fetched, server)
        assert [document["deployment_name"] for document in found] == [
            *(f"Deployment0{number}" for number in range(4)),
            "ComputeHostsDeployment",
            "ComputeAllNodesDeployment",
            "ComputeAllNodesValidationDeployment",
        ]
        assert found[0]["config"] == f"#!/bin/sh\necho {server}\n"
        hosts = next(item["value"] for item in found[4]["inputs"] if item["name"] == "hosts")
        assert hosts.count("\n") == servers - 1
        mine = {item["name"]: item["value"] for item in found[4]["inputs"]}
        assert mine["deploy_server_id"] == server and mine["deploy_stack_id"].startswith("overcloud-ComputeHosts")
        assert overcloud.configs[found[4]["id"]]["name"] == "deployment_resource"


def test_what_all_servers_share_is_held_once():
    overcloud = Overcloud(30, own=4)
    with serving(overcloud) as stub:
        fetched = fetch(overcloud, stub)
    # One script for each server, and six documents that all of them share.
    assert len(fetched["documents"]) == 30 + 6


def test_the_requests_are_few():
    overcloud = Overcloud(60)
    with serving(overcloud) as stub:
        fetch(overcloud, stub)
        assert stub.requests < 60 * 40 / 20
    small = Overcloud(6)
    with serving(small) as stub:
        fetch(small, stub)
        assert stub.requests < 30


def test_the_answer_does_not_depend_on_the_way():
    overcloud = Overcloud(21, own=3)
    with serving(overcloud) as stub:
        apart = fetch(overcloud, stub, heat_parallel_requests=1)
        assert fetch(overcloud, stub, heat_parallel_requests=8) == apart


def test_a_subtree_that_heat_cannot_list_is_listed_child_by_child():
    overcloud = Overcloud(2, own=3)
    with serving(overcloud) as stub:
        whole = fetch(overcloud, stub)

        def too_slow(place, query):
            if query.get("nested_depth") and place[-1] == "resources" and place[2] == overcloud.top.id:
                return 504, {"code": 504, "error": {"message": "Gateway timeout"}}
            return None

        stub.intercept = too_slow
        assert fetch(overcloud, stub) == whole


def test_heats_own_configs_are_taken_where_ours_would_differ():
    overcloud = Overcloud(3, own=2)
    for derived in overcloud.configs.values():
        if derived["name"] == "deployment_resource" and "echo 1" in derived["config"]:
            derived["config"] = "#!/bin/sh\necho as Heat has it\n"
    with serving(overcloud) as stub:
        fetched = fetch(overcloud, stub)
    for server in overcloud.servers:
        assert applied(fetched, server)[1]["config"] == "#!/bin/sh\necho as Heat has it\n"


def test_what_was_derived_before_its_config_or_inputs_changed_is_taken_from_heat():
    """As NetworkDeployment after prepare: it acts on CREATE alone, and one server's config has been replaced since."""
    overcloud = Overcloud(4, own=2)
    holders = [row for row in records(overcloud, "TripleODeployment") if row["parent_resource"] == "Deployment00"]
    for server, change in (("server-000002", "config"), ("server-000003", "inputs")):
        [value] = [row["attributes"]["value"] for row in holders if row["attributes"]["value"]["server"] == server]
        if change == "config":
            overcloud.configs[value["config"]] |= {
                "config": "#!/bin/sh\nnew\n",
                "creation_time": "2026-02-01T00:00:00Z",
            }
        else:
            value["input_values"] = {"number": "changed"}
    with serving(overcloud) as stub:
        fetched = fetch(overcloud, stub)
    for server in overcloud.servers:
        network = applied(fetched, server)[0]
        assert network["config"] == f"#!/bin/sh\necho {server}\n"
        assert network["inputs"][0]["value"] == "0"


def records(overcloud: Overcloud, name: str) -> list[dict]:
    rows = [row for stack in overcloud.stacks.values() for row in stack.rows]
    return [row for row in rows if row["resource_name"] == name]


def test_a_deployment_that_did_not_act_is_none():
    overcloud = Overcloud(2, own=2)
    [value, *_] = [row["attributes"]["value"] for row in records(overcloud, "TripleODeployment")]
    value["deployment"] = "TripleOSoftwareDeployment"
    with serving(overcloud) as stub:
        fetched = fetch(overcloud, stub)
    assert fetched["servers"]["server-000000"][0][0] == "Deployment01"
    assert fetched["servers"]["server-000001"][0][0] == "Deployment00"


def test_a_failed_deployment_is_named():
    overcloud = Overcloud(2, own=2)
    records(overcloud, "TripleOSoftwareDeployment")[0]["attributes"] |= {"status": "FAILED", "status_reason": "no disk"}
    with serving(overcloud) as stub, pytest.raises(StackFailed, match=r"Deployment00, server server-000000.*no disk"):
        fetch(overcloud, stub)


def test_a_deployment_in_progress_is_named():
    overcloud = Overcloud(2, own=2)
    records(overcloud, "TripleODeployment")[0]["resource_status"] = "UPDATE_IN_PROGRESS"
    with serving(overcloud) as stub, pytest.raises(StackBusy, match="Deployment00, server server-000000"):
        fetch(overcloud, stub)


def test_a_config_that_is_gone_is_named():
    overcloud = Overcloud(2, own=2)
    gone = records(overcloud, "TripleOSoftwareDeployment")[0]["attributes"]["config_id"]
    del overcloud.configs[gone]
    with serving(overcloud) as stub, pytest.raises(NotFound, match=rf"Deployment00 of server server-000000.*{gone}"):
        fetch(overcloud, stub)


def test_a_server_that_the_outputs_do_not_know_is_named():
    overcloud = Overcloud(2, own=2)
    with serving(overcloud) as stub:
        client = connect(stub.url)
        with pytest.raises(MalformedOutputs, match="server server-000001, which the outputs don't know"):
            heat.fetch_deployments(
                client, "overcloud", {"ServerIdData": {"server_ids": {"Compute": ["server-000000"]}}}
            )


@pytest.mark.parametrize(
    "outputs", [{}, [], {"ServerIdData": None}, {"ServerIdData": {"server_ids": {"A": "x"}}}, None]
)
def test_outputs_without_servers_are_refused(outputs):
    with pytest.raises(MalformedOutputs, match=r"ServerIdData\.server_ids"):
        heat.fetch_deployments(connect("http://127.0.0.1:9/v1/admin"), "overcloud", outputs)


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        ((403, {"code": 403, "error": {"message": "Forbidden"}}), ConfigurationError, "403"),
        ((404, {"code": 404, "error": {"message": "gone"}}), NotFound, "gone"),
        ((500, {"code": 500, "error": {"message": "broken"}}), Unavailable, "broken"),
        ((200, b'{"resources": [{"resource_name":'), Unavailable, "not one of Heat's"),
        ((200, b'{"something": "else"}'), Unavailable, "not one of Heat's"),
        ((200, {"resources": [{"resource_name": "TripleODeployment"}]}), Unavailable, "not one of Heat's"),
    ],
)
def test_what_heat_answers_badly_is_told_with_place_and_remedy(answer, error, told):
    overcloud = Overcloud(2, own=2)
    with serving(overcloud) as stub:
        stub.broken[f"stacks/{overcloud.top.path}/resources"] = answer
        with pytest.raises(error, match=told) as caught:
            fetch(overcloud, stub)
        assert stub.url in str(caught.value) and caught.value.remedy


def test_an_absent_stack_is_named():
    overcloud = Overcloud(1, own=1)
    with serving(overcloud) as stub, pytest.raises(NotFound, match="Stack absent does not exist"):
        heat.fetch_deployments(connect(stub.url), "absent", overcloud.outputs())


def test_a_heat_that_is_down_is_unavailable():
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        heat.fetch_deployments(connect("http://127.0.0.1:9/v1/admin"), "overcloud", Overcloud(1, own=1).outputs())
