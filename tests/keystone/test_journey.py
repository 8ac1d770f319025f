"""From newton to queens by the commands, with a real keystone whose tokens live for a minute. Each builds on the last.

Phases are held up until the tokens that they were started with have expired.
"""

from __future__ import annotations

import pytest
from openstack_cli import ESCAPES
from support import until

from tripleo_ffwd.embedded import faults, node_state, overcloud

FFWD = ("overcloud", "ffwd-upgrade")
QUICK = ("--poll-interval", "1")
CONTROLLER = "overcloud-controller-1"
# What every node does first for each release, and for each deploy step.
FIRST_COMMAND = "hiera"
# On a busy machine a phase takes its time.
PATIENCE = 1200


@pytest.fixture(autouse=True)
def healthy_nodes(request):
    if "cloud" not in request.fixturenames:
        yield
        return
    cloud = request.getfixturevalue("cloud")
    yield
    faults.clear(cloud.site, CONTROLLER)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OS_PASSWORD": "wrong-5d1b"}, "HTTP 401"),
        ({"OS_AUTH_URL": "http://127.0.0.1:9/v3"}, "http://127.0.0.1:9/v3"),
        ({"OS_PROJECT_NAME": "nobody"}, "HTTP 401"),
        ({"OS_REGION_NAME": "elsewhere"}, "No Mistral is known: the service catalog has no workflowv2"),
        ({"OS_MISTRAL_URL": "http://127.0.0.1:9/v2"}, "http://127.0.0.1:9/v2: Mistral does not answer"),
    ],
    ids=["password", "keystone-down", "project", "region", "mistral-down"],
)
@pytest.mark.parametrize("command", [(*FFWD, "status"), (*FFWD, "run", "--yes"), (*FFWD, "check")], ids=" ".join)
def test_wrong_credentials_and_addresses_are_named(openstack, command, environment, told):
    done = openstack(*command, **environment)
    assert done.code == 1
    assert told in done.err
    assert "Traceback" not in done.err and "wrong-5d1b" not in done.err


def test_an_expired_token_is_named(openstack, cloud, identity):
    token = identity.token()
    environment = {"OS_AUTH_TYPE": "token", "OS_TOKEN": token, "OS_USERNAME": "", "OS_PASSWORD": ""}
    environment["OS_USER_DOMAIN_NAME"] = ""
    assert "Plan overcloud is not known" in openstack(*FFWD, "status", **environment).err
    until("the token has expired", lambda: identity.expired(token), 90)
    done = openstack(*FFWD, "status", **environment)
    assert done.code == 1
    assert "Failed to validate token (HTTP 40" in done.err, "the words of OpenStackClient"
    assert "Traceback" not in done.err and token not in done.err


def test_prepare_in_a_pipe(openstack, cloud):
    environments = [word for path in overcloud.queens_environments(cloud.site) for word in ("-e", str(path))]
    given = ("--templates", str(overcloud.PLAN_DIR), *environments)
    done = openstack(*FFWD, "prepare", *given, *QUICK, "--yes")
    assert done.code == 0, done.err
    assert "Phase prepare of plan overcloud has finished." in done.out
    assert not ESCAPES.search(done.out)


def test_preview_and_check_before_run(openstack, cloud, tmp_path):
    page = tmp_path / "preview.html"
    done = openstack(*FFWD, "preview", "--html", str(page), "-f", "value", "-c", "Stage")
    assert done.code == 0, done.err
    assert "ocata/step2/Controller/all" in done.out.split() and page.stat().st_size > 1000
    checked = openstack(*FFWD, "check", "-f", "json")
    assert checked.code == 0, checked.err
    assert not [row for row in checked.data if row["Inhibitor"]]


def test_run_on_a_terminal_outlives_the_token_it_was_started_with(openstack, cloud, identity):
    faults.set(cloud.site, CONTROLLER, "block", FIRST_COMMAND)
    token = identity.token()
    seen = openstack.terminal(*FFWD, "run", *QUICK)
    try:
        seen.sees("Type 'yes' to continue")
        seen.types("yes")
        seen.sees("execution ")
        faults.wait_blocked(cloud.site, CONTROLLER, timeout=PATIENCE)
        until("the tokens of the beginning have expired", lambda: identity.expired(token), 90)
        faults.clear(cloud.site, CONTROLLER)
        assert seen.ends(PATIENCE) == 0, seen.seen[-3000:]
    finally:
        seen.close()
    assert "Phase run of plan overcloud has finished on 5 nodes" in seen.seen
    assert "does not answer" not in seen.seen


@pytest.mark.parametrize("role", ["Controller", "Compute"])
def test_upgrade_in_a_pipe(openstack, role):
    done = openstack("overcloud", "upgrade", "run", "--roles", role, *QUICK)
    assert done.code == 0, done.err
    assert "Phase upgrade of plan overcloud has finished" in done.out


def test_converge_outlives_it_too_and_ends_the_journey(openstack, cloud, identity):
    faults.set(cloud.site, CONTROLLER, "block", FIRST_COMMAND)
    token = identity.token()
    with openstack.piped(*FFWD, "converge", "--yes", *QUICK) as converging:
        try:
            faults.wait_blocked(cloud.site, CONTROLLER, timeout=PATIENCE)
            until("the tokens of the beginning have expired", lambda: identity.expired(token), 90)
        finally:
            faults.clear(cloud.site, CONTROLLER)
        told = converging.stdout.read()
        assert converging.wait(PATIENCE) == 0, told
    assert "Phase converge of plan overcloud has finished" in told
    assert {state.release for state in node_state.read(cloud.site).values()} == {"queens"}
    status = openstack(*FFWD, "status", "-f", "json").data
    assert status["left"] == [] and status["late"] == [] and status["warnings"] == []
    states = {row["state"] for row in status["nodes"].values()}
    assert states == {"finished"}


def test_the_report_has_all_phases(openstack, cloud, tmp_path):
    done = openstack(*FFWD, "report", "--output", str(tmp_path / "report.html"))
    assert done.code == 0, done.err
    assert "<!DOCTYPE html>" in (tmp_path / "report.html").read_text()
    told = openstack(*FFWD, "report", "--format", "json", "--output", "-").data
    assert [(one["phase"], one["result"]) for one in told["phases"]] == [
        (phase, "success") for phase in ("prepare", "run", "upgrade", "upgrade", "converge")
    ]
    assert told["failures_total"] == 0


def test_notices_of_all_phases_were_posted_with_tokens_that_keystone_takes(cloud, queues):
    def told() -> list[dict]:
        bodies = [body["payload"] for queue, body in list(queues.bodies) if queue == "ffwd-notices"]
        return bodies if [one["event"] for one in bodies].count("phase_ended") == 5 else []

    notices = until("the last notice", told)
    ended = [(one["phase"], one["status"]) for one in notices if one["event"] == "phase_ended"]
    assert ended == [(phase, "SUCCESS") for phase in ("prepare", "run", "upgrade", "upgrade", "converge")]
    assert {one["phase"] for one in notices if one["event"] == "stage"} == {"run", "upgrade", "converge"}
    assert queues.tokens.refused, "the callers' own tokens, which are tried first, had expired on the way"
