"""Whose credentials Heat is asked with, on a real keystone whose tokens live five seconds: `make test-keystone`."""

from __future__ import annotations

import json
import os
import socket
import subprocess

import pytest
import requests
import swift_stub
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
PASSWORD = "planted-7c2e"

pytestmark = pytest.mark.skipif(not KEYSTONE, reason="needs a keystone: make test-keystone")

SETTINGS = """
[DEFAULT]
log_file = {root}/keystone.log
[database]
connection = sqlite:///{root}/keystone.sqlite
[fernet_tokens]
key_repository = {root}/fernet
[fernet_receipts]
key_repository = {root}/receipts
[credential]
key_repository = {root}/credentials
[identity]
password_hash_rounds = 4
[token]
expiration = {seconds}
"""

SERVER = """
import os, sys
os.environ["OS_KEYSTONE_CONFIG_DIR"], port = sys.argv[1:3]
os.environ["OS_KEYSTONE_CONFIG_FILES"] = "keystone.conf"
sys.argv = ["keystone"]  # keystone reads it
from keystone.server import wsgi
import waitress
waitress.serve(wsgi.initialize_public_application(), listen="127.0.0.1:" + port, threads=4)
"""


@pytest.fixture(scope="module")
def keystone(tmp_path_factory):
    """The URL of a keystone with the user admin."""
    root = tmp_path_factory.mktemp("keystone")
    for name in ("fernet", "receipts", "credentials"):
        (root / name).mkdir(mode=0o700)
    (root / "keystone.conf").write_text(SETTINGS.format(root=root, seconds=TOKEN_SECONDS))
    port = free_port()
    url = f"http://127.0.0.1:{port}/v3"
    manage = [f"{KEYSTONE}/keystone-manage", "--config-file", str(root / "keystone.conf")]
    owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    for arguments in (
        ["db_sync"],
        ["fernet_setup", *owner],
        ["receipt_setup", *owner],
        ["credential_setup", *owner],
        ["bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-public-url", url, "--bootstrap-region-id", "one"],
    ):
        subprocess.run([*manage, *arguments], check=True, capture_output=True)
    with (root / "out").open("wb") as log:
        server = subprocess.Popen([f"{KEYSTONE}/python", "-c", SERVER, str(root), str(port)], stdout=log, stderr=log)
    try:
        until("keystone answers", lambda: server.poll() is None and _answers(url), 60)
        yield url
    finally:
        server.kill()
        server.wait()


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


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


def expired(keystone: str, token: str) -> bool:
    headers = {"X-Auth-Token": sign_in(keystone).headers["X-Subject-Token"], "X-Subject-Token": token}
    return requests.get(f"{keystone}/auth/tokens", headers=headers, timeout=30).status_code == 404


def test_service_credentials_outlive_a_token(keystone, stack):
    client = heat.connect(options(heat_url=stack, **credentials(keystone)))
    assert heat.get_status(client, "overcloud").complete
    token = sign_in(keystone).headers["X-Subject-Token"]
    until("a token of that moment has expired", lambda: expired(keystone, token), 60)
    assert heat.get_status(client, "overcloud").complete


def test_wrong_service_credentials_are_named_without_the_password(keystone, stack):
    client = heat.connect(options(heat_url=stack, **credentials(keystone, auth_password="wrong-5d1b")))
    with pytest.raises(ConfigurationError, match=r"\[ffwd\] auth_") as caught:
        heat.get_status(client, "overcloud")
    assert "wrong-5d1b" not in str(caught.value)


def test_the_caller_s_token_and_catalog_serve_without_service_credentials(keystone, stack):
    response = sign_in(keystone)
    token = response.json()["token"]
    endpoints = [{"url": stack, "interface": "public", "region": "one", "region_id": "one", "id": "e"}]
    catalog = [*token["catalog"], {"type": "orchestration", "name": "heat", "id": "s", "endpoints": endpoints}]
    security = context.SecurityContext(
        auth_uri=keystone,
        auth_token=response.headers["X-Subject-Token"],
        project_id=token["project"]["id"],
        user_name="admin",
        region_name="one",
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
