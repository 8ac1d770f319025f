"""The file with which an operator's shell talks to the overcloud."""

from __future__ import annotations

import subprocess

import pytest
from plan_stores import write

from tripleo_ffwd.exceptions import MalformedOutputs
from tripleo_ffwd.plan import overcloudrc
from tripleo_ffwd.plan.store import PlanStore

ENVIRONMENT = "environments/operator.yaml"
OUTPUTS = [{"output_key": "KeystoneURL", "output_value": "http://192.0.2.7:5000/"}]


@pytest.fixture
def version(tmp_path, templates):
    write(templates, {ENVIRONMENT: 'parameter_defaults: {AdminPassword: "it\'s $HOME", KeystoneRegion: north}\n'})
    return PlanStore(tmp_path / "work").create_version("over", templates=templates, environments=[ENVIRONMENT])


def test_a_shell_has_the_overclouds_variables_and_none_of_before(version):
    text = overcloudrc.write(overcloudrc.variables(OUTPUTS, version, no_proxy="192.0.2.1"))
    script = f"{text}\necho $OS_AUTH_URL $OS_PASSWORD $OS_REGION_NAME $no_proxy $OS_TOKEN $OS_CLOUDNAME"
    shown = subprocess.run(["sh", "-c", script], env={"OS_TOKEN": "old", "PATH": "/usr/bin:/bin"}, capture_output=True)
    assert shown.stdout.decode().split("\n")[0] == (
        "http://192.0.2.7:5000/v3 it's $HOME north 192.0.2.1,192.0.2.7 over"
    )


def test_the_same_as_an_entry_of_a_clouds_yaml(version):
    entry = overcloudrc.cloud(overcloudrc.variables(OUTPUTS, version, name="stack"))["stack"]
    assert entry["auth"]["auth_url"] == "http://192.0.2.7:5000/v3"
    assert (entry["auth"]["password"], entry["region_name"]) == ("it's $HOME", "north")


def test_a_stack_that_does_not_say_where_keystone_is_is_refused(version):
    with pytest.raises(MalformedOutputs, match="no output KeystoneURL"):
        overcloudrc.variables([], version)
