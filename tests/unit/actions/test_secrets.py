"""Where the ssh key comes from, and which Mistral is asked for it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from oslo_config import cfg

from tripleo_ffwd import config
from tripleo_ffwd.actions import secrets
from tripleo_ffwd.actions.base import Caller
from tripleo_ffwd.exceptions import ConfigurationError, InvalidInput, Unavailable

CATALOG = [
    {
        "type": "orchestration",
        "endpoints": [{"interface": "public", "region": "one", "url": "http://127.0.0.1:1/heat"}],
    },
    {
        "type": "workflowv2",
        "endpoints": [
            {"interface": "internal", "region": "one", "url": "http://127.0.0.1:1/internal"},
            {"interface": "public", "region": "one", "url": "http://127.0.0.1:1/v2"},
            {"interface": "public", "region": "two", "url": "http://127.0.0.1:2/v2"},
        ],
    },
]


def caller(security=None, **settings) -> Caller:
    conf = cfg.ConfigOpts()
    conf(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(conf)
    for name, value in settings.items():
        conf.set_override(name, value, group=config.GROUP)
    return Caller(conf=section, security=security or SimpleNamespace(), action_execution="")


def test_what_is_given_goes_before_what_is_configured():
    assert secrets.ssh_key_env(caller(), None, None) == ""
    assert secrets.ssh_key_env(caller(ssh_key_env="ssh_keys"), None, None) == "ssh_keys"
    assert secrets.ssh_key_env(caller(ssh_key_env="ssh_keys"), "", "/a/key") == ""
    assert secrets.ssh_key_env(caller(ssh_key_env="ssh_keys"), "others", None) == "others"
    with pytest.raises(InvalidInput, match="at most one"):
        secrets.ssh_key_env(caller(), "ssh_keys", "/a/key")


@pytest.mark.parametrize(("region", "url"), [("", ":1/v2"), ("one", ":1/v2"), ("two", ":2/v2")])
@pytest.mark.parametrize("shape", [lambda found: found, json.dumps, lambda found: json.dumps({"catalog": found})])
def test_mistral_is_found_in_the_catalog_of_the_caller(region, url, shape):
    security = SimpleNamespace(auth_token="t", service_catalog=shape(CATALOG), region_name=region)
    with pytest.raises(Unavailable) as caught:  # nobody listens there
        secrets.ssh_key(caller(security), "ssh_keys")
    assert url in str(caught.value)


def test_a_mistral_that_nothing_says_the_place_of_is_asked_for():
    with pytest.raises(ConfigurationError, match="mistral_url"):
        secrets.ssh_key(caller(), "ssh_keys")
    assert secrets.ssh_key(caller(), "") == ""
