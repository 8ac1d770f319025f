"""A cloud with authentication for the real clients: `make test-tripleoclient` says where all of it is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import clouds
import loopback_services
import pytest
import requests
import swift_server
import yaml
from clouds import Cloud
from loopback_services import Services
from tripleo_client import Client

from tripleo_ffwd.cli.register import workbooks
from tripleo_ffwd.embedded import nodes, overcloud, undercloud
from tripleo_ffwd.embedded.site import open_site
from tripleo_ffwd.mistral import Mistral

ENVIRONMENTS = os.environ.get("FFWD_TEST_TRIPLEOCLIENT", "").split()
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="session")
def zaqar(tmp_path_factory) -> Iterator[Services]:
    """Keystone and Zaqar."""
    if not ENVIRONMENTS:
        pytest.skip("needs the clients: make test-tripleoclient")
    root = tmp_path_factory.mktemp("services")
    keystone, queues = (Path(os.environ[f"FFWD_TEST_{name}"]) for name in ("KEYSTONE", "ZAQAR"))
    with loopback_services.serving(root, keystone, queues) as made:
        yield made


@pytest.fixture(scope="session")
def swift(zaqar, tmp_path_factory) -> Iterator[str]:
    """The endpoint of a real Swift that asks keystone who is there."""
    with swift_server.with_keystone(tmp_path_factory.mktemp("swift"), zaqar.authtoken) as url:
        yield url


@pytest.fixture(scope="session")
def cloud(zaqar, swift, tmp_path_factory) -> Iterator[Cloud]:
    """The demo overcloud at newton, after prepare; its Mistral asks keystone who is there."""
    site = open_site(tmp_path_factory.mktemp("cloud"))
    clouds.set_up(
        site,
        {
            "DEFAULT": {"auth_type": "keystone"},
            "pecan": {"auth_enable": "true"},
            "keystone": {},
            "keystone_authtoken": zaqar.authtoken,
            "ffwd": {"plan_backend": "swift"},
            # No [ffwd] auth_*: all is done with the caller's token and catalog, as in a plain installation.
        },
    )
    try:
        started = undercloud.start(site)
        zaqar.catalog(
            {
                "workflow": started.mistral_url,
                "workflowv2": started.mistral_url,
                "orchestration": started.heat_url,
                "object-store": swift,
                "messaging": zaqar.zaqar_url,
                "messaging-websocket": zaqar.websocket_url,
                # The clients look these up, and ask nothing of them for what is done here.
                **dict.fromkeys(("compute", "baremetal", "image", "network", "baremetal-introspection"), NOBODY),
            }
        )
        mistral = Mistral(started.mistral_url, zaqar.environ)
        for definition in workbooks().values():
            mistral.put_workbook(definition, exists=False)
        made = Cloud(site, mistral, started.work_dir, started.heat_url)
        nodes.start(site)
        overcloud.build_environment(site)
        overcloud.create_newton_stack(site, started.heat_url)
        environments = [str(path) for path in overcloud.queens_environments(site)]
        ended = made.do("prepare", plan="overcloud", templates=str(overcloud.PLAN_DIR), environments=environments)
        assert ended.state == "SUCCESS", ended.message
        yield made
    finally:
        clouds.closed(site)


@pytest.fixture(scope="session")
def clients(zaqar, tmp_path_factory) -> dict[str, Client]:
    """The installed clients by release: queens, train, and queens-2, the one on Python 2, where there is one."""
    home = tmp_path_factory.mktemp("operator")
    found = [Client(Path(path), zaqar.environ, home / Path(path).name) for path in ENVIRONMENTS]
    return {client.release: client for client in found}


@pytest.fixture
def plan_passwords(zaqar, swift) -> Callable[[], dict[str, str]]:
    """Reads the passwords that are in the plan's container."""

    def read() -> dict[str, str]:
        token, project = zaqar.login()
        url = f"{swift % {'tenant_id': project}}/overcloud/plan-environment.yaml"
        response = requests.get(url, headers={"X-Auth-Token": token}, timeout=30)
        response.raise_for_status()
        return dict(yaml.safe_load(response.text)["passwords"])

    return read


@pytest.fixture(scope="session")
def inventory(cloud, tmp_path_factory) -> str:
    """An inventory file such as TripleO's own program writes it for the demo overcloud."""
    roles: dict[str, dict[str, dict[str, str]]] = {}
    for node in nodes.read(cloud.site)["nodes"]:
        roles.setdefault(node["role"], {})[node["name"]] = {"ansible_host": node["address"]}
    undercloud_vars = {"ansible_connection": "local", "plan": "overcloud", "os_auth_token": "planted-3f0a"}
    groups: dict[str, object] = {
        role: {"hosts": hosts, "vars": {"ansible_ssh_user": "heat-admin", "role_name": role}}
        for role, hosts in roles.items()
    }
    groups["Undercloud"] = {"hosts": {"undercloud": {}}, "vars": undercloud_vars}
    groups["overcloud"] = {"children": {role: {} for role in roles}}
    path = tmp_path_factory.mktemp("inventory") / "tripleo-ansible-inventory.yaml"
    path.write_text(yaml.safe_dump(groups))
    return str(path)
