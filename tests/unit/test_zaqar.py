"""Messages on a queue, and whose credentials they are posted with."""

from __future__ import annotations

import json
from types import SimpleNamespace

import keystone_stub
import pytest
import zaqar_stub
from oslo_config import cfg

from tripleo_ffwd import config, zaqar
from tripleo_ffwd.exceptions import ConfigurationError, InvalidInput, Unavailable


@pytest.fixture
def queues():
    with zaqar_stub.serving() as stub:
        yield stub


def options(**values: str) -> cfg.GroupAttr:
    made = cfg.ConfigOpts()
    made(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(made)
    for name, value in values.items():
        made.set_override(name, value, group=config.GROUP)
    return section


def caller(url: str, token: str = "theirs", project: str = "p-1") -> SimpleNamespace:
    endpoints = [{"interface": "public", "region": "one", "url": url}]
    catalog = json.dumps({"catalog": [{"type": "messaging", "endpoints": endpoints}]})
    return SimpleNamespace(
        auth_token=token, project_id=project, region_name="one", service_catalog=catalog, insecure=False
    )


def test_the_caller_s_token_and_catalog_serve_without_any_option(queues):
    zaqar.connect(options(), caller(queues.url)).post("tripleo", [{"payload": 1}, {"payload": 2}])
    assert queues.bodies == [("tripleo", {"payload": 1}), ("tripleo", {"payload": 2})]
    assert queues.headers["X-Auth-Token"] == "theirs"


def test_a_zaqar_without_keystone_is_told_the_project(queues):
    zaqar.connect(options(zaqar_url=queues.url + "/v2/"), None).post("q", [{"payload": 1}])
    assert queues.headers["X-Project-Id"] == "admin"
    assert "X-Auth-Token" not in queues.headers


def test_a_token_that_has_expired_gives_way_to_the_service_s_own(queues):
    queues.tokens = {"ours"}
    with keystone_stub.serving("ours") as url:
        section = options(
            zaqar_url=queues.url, auth_url=url, auth_username="mistral", auth_password="x", auth_project_name="service"
        )
        zaqar.connect(section, caller(queues.url)).post("q", [{"payload": 1}])
        assert queues.headers["X-Auth-Token"] == "ours"
        queues.tokens = set()
        with pytest.raises(ConfigurationError, match="role in the caller's project"):
            zaqar.connect(section, caller(queues.url)).post("q", [{"payload": 2}])
    assert len(queues.bodies) == 1


def test_a_token_for_another_project_is_not_used_for_its_queue(queues):
    with pytest.raises(ConfigurationError, match="where Zaqar is"):
        zaqar.connect(options(), caller(queues.url, project="service"), "p-1")


def test_what_can_be_tried_again_is_told_from_what_can_not(queues):
    made = zaqar.connect(options(), caller(queues.url))
    queues.refuse = 503
    with pytest.raises(Unavailable, match="Zaqar failed"):
        made.post("q", [{}])
    queues.refuse = 400
    with pytest.raises(InvalidInput, match="Zaqar refuses"):
        made.post("q", [{}])
    with pytest.raises(Unavailable, match="does not answer"):
        zaqar.connect(options(), caller("http://127.0.0.1:1")).post("q", [{}])


def test_who_listens_is_kept_up(queues):
    queues.subscriptions = {"s-1": 10000, "s-2": 1}
    assert zaqar.connect(options(), caller(queues.url)).prolong("tripleo", 86400) == 2
    assert queues.subscriptions == {"s-1": 86400, "s-2": 86400}
