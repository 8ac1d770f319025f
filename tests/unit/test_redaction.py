"""What is taken for a secret, and that it is found however another program has written it."""

from __future__ import annotations

import base64
import json
import shlex
import urllib.parse

import pytest
import yaml

from tripleo_ffwd.redaction import MASK, Redactor, values

ODD = "p'l\"a<n>t&e\\d 9/d+1=f ü"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIG4gIBAAKCAYEAyKplanted\nZm9vYmFy\n-----END RSA PRIVATE KEY-----\n"


@pytest.mark.parametrize("secret", ["planted-9d1f", ODD, KEY, "first line\nsecond-line"])
@pytest.mark.parametrize(
    "write",
    [
        str,
        json.dumps,
        lambda value: json.dumps(json.dumps({"a": value})),
        lambda value: json.dumps(value, ensure_ascii=False),
        repr,
        shlex.quote,
        lambda value: yaml.safe_dump([value]),
        lambda value: yaml.safe_dump([value], default_style='"', width=1000),
        lambda value: yaml.safe_dump([value], default_style="|"),
        urllib.parse.quote,
        lambda value: urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus,
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.b64encode(f"user:{value}, and more".encode()).decode(),
        lambda value: base64.urlsafe_b64encode(f"ab{value}ü".encode()).decode(),
    ],
)
def test_a_secret_is_covered_however_it_is_written(secret, write):
    shown = Redactor([secret])(f"before {write(secret)} after")
    assert MASK in shown and shown.startswith("before ") and shown.endswith(" after")
    for part in ("planted", "9d1f", "MIIG", "second", "Zm9v", "n>t", "cGxhbnRl", "YW50ZWQ"):
        assert part not in shown


def test_of_secrets_that_overlap_nothing_is_left():
    assert Redactor(["abcdefgh", "efghijkl", "abcdef"])("_abcdefghijkl_abcdef_") == f"_{MASK}_{MASK}_"


def test_passwords_in_urls_and_private_keys_are_covered_though_nobody_told_of_them():
    assert Redactor()("mysql+pymysql://nova:swordfish@192.0.2.1/nova") == f"mysql+pymysql://nova:{MASK}@192.0.2.1/nova"
    assert Redactor()(f"key: {json.dumps(KEY)}!") == f'key: "{MASK}\\n"!'


def test_values_of_secrets_are_found_by_name_and_harmless_ones_are_not():
    settings = {
        "AdminPassword": "swordfish",
        "Pin": {"password": 12345678, "length": 4},
        "keystone::token_provider": "fernet",
        "neutron::keymgr_key_manager": "castellan.key_manager.barbican",
        "ssl_key": "/etc/pki/key.pem",
        "db_password": "{{ lookup('x') }}",
        "horizon::secret_enabled": "true",
        "short_password": "abc",
        "MigrationSshKey": {"private_key": KEY, "public_key": "ssh-rsa AAAAB3Nz"},
        "nested": '{"rabbit_password": "herring"}',
        "connection": "amqp://guest:mackerel@192.0.2.1//",
        "environment": ["MYSQL_PWD=haddock-5", "PATH=/usr/bin"],
        "KeystoneRegion": "regionOne",
        "rhsm_pass": "halibut7",
        "OddlyNamed": "sturgeon",
    }
    found = set(values("", settings, {"OddlyNamed"}))
    wanted = {"swordfish", "12345678", "herring", "mackerel", "haddock-5", "halibut7", "sturgeon", KEY}
    assert found - {KEY.strip()} - {"ssh-rsa AAAAB3Nz"} == wanted


def test_json_keeps_its_shape():
    assert Redactor(["swordfish"]).within({"a": ["x swordfish", 1, None], "swordfish": True}) == {
        "a": [f"x {MASK}", 1, None],
        "swordfish": True,
    }
