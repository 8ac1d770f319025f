"""heat.py without a Heat: how it is reached, and what bundling refuses."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from oslo_config import cfg

from tripleo_ffwd import config, heat
from tripleo_ffwd.exceptions import ConfigurationError, InvalidTemplates, Unavailable

SECRET = "gAAAAsecret"


def section(**values):
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    loaded = config.load(options)
    for name, value in values.items():
        options.set_override(name, value, group=config.GROUP)
    return loaded


def caller(**values):
    names = ("auth_uri", "auth_token", "project_id", "service_catalog", "auth_cacert", "region_name", "user_name")
    return SimpleNamespace(**{**dict.fromkeys(names), "insecure": False, **values})


def catalog(*regions: str) -> dict:
    endpoints = [
        {"interface": "public", "region": region, "region_id": region, "url": f"http://{region}:8004/v1/P"}
        for region in regions
    ]
    return {"catalog": [{"type": "orchestration", "name": "heat", "endpoints": endpoints}]}


@pytest.mark.parametrize("security", [None, caller()])
def test_without_endpoint_and_credentials_the_options_are_named(security):
    with pytest.raises(ConfigurationError, match=r"heat_url.*auth_url"):
        heat.connect(section(), security)


@pytest.mark.parametrize("encode", [dict, json.dumps])
def test_the_callers_catalog_gives_the_endpoint_of_the_region(encode):
    security = caller(auth_token=SECRET, service_catalog=encode(catalog("one", "two")), region_name="two")
    client = heat.connect(section(), security)
    assert client.where == "Heat at http://two:8004/v1/P"
    assert SECRET not in repr(client)


def test_a_catalog_without_heat_says_what_to_set():
    other = {"catalog": [{"type": "image", "name": "glance", "endpoints": []}]}
    with pytest.raises(ConfigurationError, match="heat_url"):
        heat.connect(section(), caller(auth_token=SECRET, service_catalog=other))


def test_service_credentials_must_be_whole():
    with pytest.raises(ConfigurationError, match="auth_password, auth_project_name"):
        heat.connect(section(auth_url="http://127.0.0.1:9/v3", auth_username="ffwd"))


def test_an_absent_keystone_is_unavailable_and_no_password_is_told():
    conf = section(
        auth_url="http://127.0.0.1:9/v3", auth_username="ffwd", auth_password=SECRET, auth_project_name="admin"
    )
    with pytest.raises(Unavailable) as caught:
        heat.get_status(heat.connect(conf, caller(auth_token="old")), "overcloud")
    assert "127.0.0.1" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("heat_template_version: queens\nresources: {A: {type: nested.yaml}}\n", r"nested\.yaml"),
        ("heat_template_version: queens\nresources: {A: [\n", r"overcloud\.yaml.*line"),
        ("just: a file\n", r"overcloud\.yaml"),
    ],
)
def test_what_cannot_be_bundled_is_named(tmp_path, content, told):
    (tmp_path / "overcloud.yaml").write_text(content)
    with pytest.raises(InvalidTemplates, match=told):
        heat.build_bundle(tmp_path / "overcloud.yaml", [])


def test_a_file_outside_the_plan_is_refused(tmp_path):
    (tmp_path / "plan").mkdir()
    (tmp_path / "outside.sh").write_text("echo\n")
    template = "heat_template_version: queens\noutputs: {o: {value: {get_file: ../outside.sh}}}\n"
    (tmp_path / "plan/overcloud.yaml").write_text(template)
    with pytest.raises(InvalidTemplates, match=r"outside\.sh, which is not in the plan"):
        heat.build_bundle(tmp_path / "plan/overcloud.yaml", [])


@pytest.mark.parametrize(
    ("values", "who"),
    [
        ({"heat_url": "http://127.0.0.1:9/v1/p"}, "http://127.0.0.1:9"),
        ({"heat_url": "http://127.0.0.1:8/v1/p", "auth_url": "http://127.0.0.1:9/v3"}, "http://127.0.0.1:9"),
    ],
    ids=["heat", "keystone"],
)
def test_who_does_not_answer_is_named_in_few_words(values, who):
    names = ("auth_username", "auth_password", "auth_project_name")
    client = heat.connect(section(**values, **dict.fromkeys(names, "admin")))
    with pytest.raises(Unavailable) as caught:
        heat.get_status(client, "overcloud")
    assert caught.value.what == f"Stack overcloud can't be read: no answer from {who}: Connection refused"
