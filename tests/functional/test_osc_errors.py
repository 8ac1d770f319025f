"""What each command of `openstack` says, and ends with, when something is wrong: with the plan, or with Heat.

A Mistral that is away and wrong options are in tests/unit/cli/osc, credentials that are refused in tests/keystone.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import small_overcloud
from openstack_cli import Openstack

from tripleo_ffwd import config, heat
from tripleo_ffwd.embedded import undercloud

STACK = "erring"
QUICK = ("--stack", STACK, "--poll-interval", "1")
ABOUT = ("--stack", STACK)
FFWD = ("overcloud", "ffwd-upgrade")
UPGRADE = ("overcloud", "upgrade", "run", "--roles", "Controller")
UNKNOWN, NO_STACK = "Plan nothing is not known", "Stack nothing does not exist"


@pytest.fixture(scope="module")
def openstack(cloud, tmp_path_factory):
    client = Openstack(tmp_path_factory.mktemp("operator"), {"OS_MISTRAL_URL": cloud.mistral.url})
    yield client
    client.close()


@pytest.fixture(scope="module")
def templates(cloud, tmp_path_factory) -> Iterator[str]:
    """Templates of a stack that is there, of a plan that is not."""
    gate = tmp_path_factory.mktemp("gate")
    directory = small_overcloud.templates(tmp_path_factory.mktemp("templates"), gate)
    client = heat.connect(config.load_file(cloud.site.mistral / "mistral.conf"), None)
    heat.create(client, STACK, heat.build_bundle(directory / "overcloud.yaml", []), 120)
    yield str(directory)
    heat.delete(client, STACK)


@pytest.fixture(scope="module")
def without_heat(cloud, templates):
    """Heat is down."""
    undercloud.kill(cloud.site, "heat")
    yield templates
    undercloud.restart(cloud.site, "heat")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ((*FFWD, "status"), UNKNOWN),
        ((*FFWD, "nodes"), UNKNOWN),
        ((*FFWD, "list"), UNKNOWN),
        ((*FFWD, "watch"), UNKNOWN),
        ((*FFWD, "pause"), UNKNOWN),
        ((*FFWD, "resume"), UNKNOWN),
        ((*FFWD, "cancel"), UNKNOWN),
        ((*FFWD, "report"), UNKNOWN),
        ((*FFWD, "run", "--yes", "--poll-interval", "1"), NO_STACK),
        ((*UPGRADE, "--poll-interval", "1"), NO_STACK),
        ((*FFWD, "converge", "--yes", "--poll-interval", "1"), NO_STACK),
        ((*FFWD, "prepare", "--yes", "--poll-interval", "1"), NO_STACK),
        ((*FFWD, "preview"), NO_STACK),
        ((*FFWD, "check"), "stack-status"),
    ],
    ids=lambda value: "-".join(value[1:3]) if isinstance(value, tuple) else None,
)
def test_a_plan_that_nobody_knows_is_named(openstack, command, told):
    done = openstack(*command, "--stack", "nothing")
    assert done.code == 1
    assert told in done.err + done.out
    assert "Traceback" not in done.err


def test_an_execution_that_is_not_there_is_named(openstack):
    done = openstack(*FFWD, "watch", "--execution", "no-such")
    assert done.code == 1
    assert "no-such" in done.err and "Traceback" not in done.err


@pytest.mark.parametrize(
    "command",
    [
        (*FFWD, "prepare", *QUICK, "--yes"),
        (*FFWD, "run", *QUICK, "--yes", "--force-reason", "a test"),
        (*UPGRADE, *QUICK, "--force-reason", "a test"),
        (*FFWD, "converge", *QUICK, "--yes", "--force-reason", "a test"),
        (*FFWD, "preview", *ABOUT),
        (*FFWD, "check", *ABOUT),
    ],
    ids=lambda command: "-".join(command[1:3]),
)
def test_a_heat_that_is_down_is_named(openstack, cloud, without_heat, command):
    more = ("--templates", without_heat) if command[2] in ("prepare", "converge") else ()
    done = openstack(*command, *more)
    assert done.code == 1
    told = done.err + done.out
    assert f"Stack {STACK} can't be read: no answer from {urlsplit(cloud.heat_url).scheme}://" in told
    assert "Connection refused" in told and "HTTPConnection" not in told


def test_what_does_not_need_heat_goes_on_without_it(openstack, without_heat):
    assert openstack(*FFWD, "list", *ABOUT, "--all-plans", "-f", "json").code == 0
