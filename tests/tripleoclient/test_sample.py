"""The real client of Train runs a phase, on nodes that are this machine: the sample that .ci/run has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import clouds
import pytest
import small_overcloud
import yaml
from clouds import Cloud
from loopback_services import Services
from tripleo_client import Client

from tripleo_ffwd import config, heat
from tripleo_ffwd.cli.register import workbooks
from tripleo_ffwd.embedded import undercloud
from tripleo_ffwd.embedded.site import open_site
from tripleo_ffwd.mistral import Mistral

RUN = ("overcloud", "ffwd-upgrade", "run", "--yes", "--static-inventory")
PLAN = "sample"
STAGES = "ocata/step{}/Controller/all ("


@pytest.fixture(scope="module")
def gate(tmp_path_factory) -> Path:
    """Steps 1 and 3 wait for nothing."""
    made = tmp_path_factory.mktemp("gate")
    for name in ("1", "3"):
        (made / name).touch()
    return made


@pytest.fixture(scope="module")
def prepared(zaqar: Services, gate: Path, tmp_path_factory) -> Iterator[Cloud]:
    """An overcloud that is ready for phase run; Mistral asks keystone who is there."""
    site = open_site(tmp_path_factory.mktemp("cloud"))
    auth = {"DEFAULT": {"auth_type": "keystone"}, "pecan": {"auth_enable": "true"}, "keystone": {}}
    clouds.set_up(site, {**auth, "keystone_authtoken": zaqar.authtoken})
    try:
        started = undercloud.start(site)
        mine = {"workflow": started.mistral_url, "workflowv2": started.mistral_url, "orchestration": started.heat_url}
        asked = ("compute", "baremetal", "image", "network", "baremetal-introspection", "object-store")
        queues = {"messaging": zaqar.zaqar_url, "messaging-websocket": zaqar.websocket_url}
        zaqar.catalog({**mine, **queues, **dict.fromkeys(asked, "http://127.0.0.1:1")})
        mistral = Mistral(started.mistral_url, zaqar.environ)
        for name in ("ffwd_upgrade", "package_update"):
            for definition in workbooks(name).values():
                mistral.put_workbook(definition, exists=False)
        # The client names no key, and one must be there; nobody is asked by ssh.
        site.ssh_key_file.parent.mkdir(mode=0o700, exist_ok=True)
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(site.ssh_key_file)
        site.ssh_key_file.chmod(0o600)
        directory = small_overcloud.templates(tmp_path_factory.mktemp("templates"), gate)
        client = heat.connect(config.load_file(site.mistral / "mistral.conf"), None)
        heat.create(client, PLAN, heat.build_bundle(directory / "overcloud.yaml", []), 120)
        made = Cloud(site, mistral, started.work_dir, started.heat_url)
        ended = made.do("prepare", plan=PLAN, templates=str(directory))
        assert ended.state == "SUCCESS", ended.message
        yield made
    finally:
        clouds.closed(site)


@pytest.fixture(scope="module")
def train(zaqar: Services, tmp_path_factory) -> Client:
    (path,) = (path for path in os.environ["FFWD_TEST_TRIPLEOCLIENT"].split() if path.endswith("12.3.1"))
    return Client(Path(path), zaqar.environ, tmp_path_factory.mktemp("operator"))


@pytest.fixture(scope="module")
def inventory(tmp_path_factory) -> str:
    """An inventory as TripleO's own program writes it."""
    groups = {
        "Undercloud": {"hosts": {"undercloud": {}}, "vars": {"plan": PLAN, "ansible_connection": "local"}},
        "Controller": {"hosts": {host: {"ansible_host": "127.0.0.1"} for host in small_overcloud.CONTROLLERS}},
        "overcloud": {"children": {"Controller": {}}},
    }
    path = tmp_path_factory.mktemp("inventory") / "tripleo-ansible-inventory.yaml"
    path.write_text(yaml.safe_dump(groups))
    return str(path)


def test_a_failing_task_is_named_and_the_next_call_goes_to_its_end(prepared, train, gate, inventory):
    assert (train.version, train.changed()) == ("12.3.1", [])
    (gate / "broken").touch()
    failed = train(*RUN, inventory)
    assert failed.code == 1, failed.said
    assert "ctl-1 failed in ocata/step2/Controller/all" in failed.said
    assert "Update failed with: Phase run of plan sample failed" in failed.said
    (gate / "broken").unlink()
    done = train(*RUN, inventory)
    assert done.code == 0, done.said
    told = [done.said.index(STAGES.format(step)) for step in (1, 2, 3)]
    assert told == sorted(told)
    assert done.said.index("Phase run of plan sample has finished on 3 nodes.") > told[-1]
    assert "Success" in done.said
