"""Whose credentials Heat is asked with, on a real keystone whose tokens live five seconds: `make test-keystone`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import loopback_services
import pytest
import requests
import swift_stub
from loopback_services import PASSWORD, REGION
from mistral_lib.actions import context
from oslo_config import cfg
from support import until

from tripleo_ffwd import config, heat
from tripleo_ffwd.embedded import undercloud
from tripleo_ffwd.embedded.site import open_site
from tripleo_ffwd.exceptions import ConfigurationError
from tripleo_ffwd.plan.swift import account as swift_account

KEYSTONE = os.environ.get("FFWD_TEST_KEYSTONE", "")
TOKEN_SECONDS = 5

pytestmark = pytest.mark.skipif(not KEYSTONE, reason="needs a keystone: make test-keystone")


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """A keystone with the user admin."""
    with loopback_services.keystone_alone(tmp_path_factory.mktemp("keystone"), Path(KEYSTONE), TOKEN_SECONDS) as made:
        yield made


@pytest.fixture(scope="module")
def keystone(services) -> str:
    """Its URL."""
    return services.keystone_url


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A real Heat with one stack; returns its URL."""
    site = open_site(tmp_path_factory.mktemp("site"))
    try:
        url = undercloud.start(site).heat_url
        template = tmp_path_factory.mktemp("plan") / "overcloud.yaml"
        template.write_text("heat_template_version: queens\noutputs: {a: {value: b}}\n")
        heat.create(heat.connect(options(heat_url=url)), "overcloud", heat.build_bundle(template, []), 60)
        yield url
    finally:
        undercloud.stop(site)


def options(**values: str) -> cfg.GroupAttr:
    made = cfg.ConfigOpts()
    made(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(made)
    for name, value in values.items():
        made.set_override(name, value, group=config.GROUP)
    return section


def credentials(keystone: str, **changes: str) -> dict[str, str]:
    given = {"auth_url": keystone, "auth_username": "admin", "auth_password": PASSWORD, "auth_project_name": "admin"}
    return {**given, **changes}


def sign_in(keystone: str) -> requests.Response:
    user = {"name": "admin", "domain": {"name": "Default"}, "password": PASSWORD}
    identity = {"methods": ["password"], "password": {"user": user}}
    scope = {"project": {"name": "admin", "domain": {"name": "Default"}}}
    response = requests.post(
        f"{keystone}/auth/tokens", json={"auth": {"identity": identity, "scope": scope}}, timeout=30
    )
    response.raise_for_status()
    return response


def test_service_credentials_outlive_a_token(services, keystone, stack):
    client = heat.connect(options(heat_url=stack, **credentials(keystone)))
    assert heat.get_status(client, "overcloud").complete
    token = services.token()
    until("a token of that moment has expired", lambda: services.expired(token), 60)
    assert heat.get_status(client, "overcloud").complete


def test_wrong_service_credentials_are_named_without_the_password(keystone, stack):
    client = heat.connect(options(heat_url=stack, **credentials(keystone, auth_password="wrong-5d1b")))
    with pytest.raises(ConfigurationError, match=r"\[ffwd\] auth_") as caught:
        heat.get_status(client, "overcloud")
    assert "wrong-5d1b" not in str(caught.value)


def test_the_caller_s_token_and_catalog_serve_without_service_credentials(keystone, stack):
    response = sign_in(keystone)
    token = response.json()["token"]
    endpoints = [{"url": stack, "interface": "public", "region": REGION, "region_id": REGION, "id": "e"}]
    catalog = [*token["catalog"], {"type": "orchestration", "name": "heat", "id": "s", "endpoints": endpoints}]
    security = context.SecurityContext(
        auth_uri=keystone,
        auth_token=response.headers["X-Subject-Token"],
        project_id=token["project"]["id"],
        user_name="admin",
        region_name=REGION,
        service_catalog=json.dumps({"catalog": catalog}),
    )
    assert heat.get_status(heat.connect(options(), security), "overcloud").complete


def test_swift_gets_a_token_for_the_service_credentials_and_a_new_one_when_it_is_refused(keystone):
    with swift_stub.serving() as stub:
        stub.token = ""
        account = swift_account.connect(options(swift_url=stub.url, **credentials(keystone)))
        assert account.containers() == {}
        refusals = ["401"]
        stub.fault = lambda *_: refusals.pop() if refusals else ""
        assert account.containers() == {}
        assert refusals == []
        wrong = swift_account.connect(options(swift_url=stub.url, **credentials(keystone, auth_password="wrong-5d1b")))
        with pytest.raises(ConfigurationError, match="credentials are not accepted") as caught:
            wrong.containers()
        assert "wrong-5d1b" not in str(caught.value)
        with pytest.raises(ConfigurationError, match="no public endpoint of Swift"):
            swift_account.connect(options(**credentials(keystone))).containers()
