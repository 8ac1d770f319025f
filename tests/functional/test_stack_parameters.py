"""The parameters of a stack, as a real Heat gives them: a password that is in use is kept, and not made anew."""

from __future__ import annotations

import pytest
from oslo_config import cfg
from support import until

from tripleo_ffwd import config, heat
from tripleo_ffwd.exceptions import Unavailable
from tripleo_ffwd.plan.store import PlanStore


def connect(url):
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    options.set_override("heat_url", url, group=config.GROUP)
    return heat.connect(section)


TEMPLATE = """\
heat_template_version: queens
parameters:
  AdminPassword: {type: string, hidden: true}
  MigrationSshKey: {type: json}
  NovaPassword: {type: string, default: ''}
resources:
  R: {type: OS::Heat::Value, properties: {value: {get_param: AdminPassword}}}
outputs:
  password: {value: {get_attr: [R, value]}}
"""


def test_passwords_of_the_stack_stay_in_force_without_being_known(cloud, tmp_path):
    client = connect(cloud.heat_url)
    source = tmp_path / "templates"
    source.mkdir()
    (source / "overcloud.yaml").write_text(TEMPLATE)
    first = tmp_path / "first.yaml"
    first.write_text("parameter_defaults: {AdminPassword: in-use, MigrationSshKey: {private_key: k}}\n")
    assert heat.get_parameters(client, "kept-secrets") == {}
    heat.create(client, "kept-secrets", heat.build_bundle(source / "overcloud.yaml", [first]), 60)
    assert heat.get_parameters(client, "kept-secrets") == {
        "AdminPassword": "******",
        "MigrationSshKey": {"private_key": "k"},
    }
    store = PlanStore(tmp_path / "work")
    version = store.create_version(
        "p", templates=source, phase="prepare", known=lambda: heat.get_parameters(client, "kept-secrets")
    )
    bundle = heat.build_bundle(version.template_path, version.environment_paths)
    sent = bundle.environment["parameter_defaults"]
    assert sent["MigrationSshKey"] == {"private_key": "k"}
    assert set(sent) == {"MigrationSshKey", "NovaPassword"}, "what Heat covers is left to it; what is new is made"
    started = heat.update(client, "kept-secrets", bundle)
    until("the end of the update", lambda: heat.poll(client, started.stack_id, started.marker)["succeeded"], 60)
    assert heat.get_outputs(client, "kept-secrets") == [{"output_key": "password", "output_value": "in-use"}]
    heat.delete(client, "kept-secrets")


def test_a_heat_that_is_not_there_is_said_so():
    with pytest.raises(Unavailable):
        heat.get_parameters(connect("http://127.0.0.1:1/v1/admin"), "overcloud")
