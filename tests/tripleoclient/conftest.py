"""A cloud with authentication for the real clients: `make test-tripleoclient` says where all of it is installed."""

from __future__ import annotations

import contextlib
import dataclasses
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
from executors import rabbit, services
from loopback_services import Services
from tripleo_client import Client

from tripleo_ffwd.cli.register import workbooks
from tripleo_ffwd.embedded import nodes, overcloud, undercloud
from tripleo_ffwd.embedded.site import Site, open_site
from tripleo_ffwd.mistral import Mistral

ENVIRONMENTS = os.environ.get("FFWD_TEST_TRIPLEOCLIENT", "").split()
# Where RabbitMQ is, see `make test-executors`; empty for none.
RABBITMQ = os.environ.get("FFWD_TEST_RABBITMQ", "")
NOBODY = "http://127.0.0.1:1"


@dataclasses.dataclass
class Executors:
    """Where what an executor does is done: in processes of their own, or, without a RabbitMQ, in Mistral's.

    Attributes:
        site: whose Mistral they are of.
        sections: what it and they are configured with.
        apart: whether they are processes of their own.
    """

    site: Site
    sections: dict[str, dict[str, object]]
    apart: bool
    running: list[services.Executor] = dataclasses.field(default_factory=list)

    def start(self, name: str) -> None:
        """Start one, unless Mistral has its own."""
        if self.apart:
            named = {**self.sections, "ffwd": {**self.sections["ffwd"], "executor_name": name}}
            self.running.append(services.start_executor(self.site, name, named))
            services.wait_up(self.running)

    def kill(self) -> None:
        """End all of them by SIGKILL."""
        while self.running:
            self.running.pop().kill()


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
def executors(zaqar, tmp_path_factory) -> Iterator[Executors]:
    """Mistral's executors, apart from Mistral where there is a RabbitMQ between them."""
    site = open_site(tmp_path_factory.mktemp("cloud"))
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {"auth_type": "keystone"},
        "pecan": {"auth_enable": "true"},
        "keystone": {},
        "keystone_authtoken": zaqar.authtoken,
        "ffwd": {"plan_backend": "swift"},
        # No [ffwd] auth_*: all is done with the caller's token and catalog, as in a plain installation.
    }
    with contextlib.ExitStack() as stack:
        if RABBITMQ:
            bus = stack.enter_context(rabbit.running(Path(RABBITMQ), tmp_path_factory.mktemp("rabbitmq")))
            sections["DEFAULT"]["transport_url"] = bus
            # One that is gone is noticed after nine seconds at most.
            heartbeats = {"check_interval": 2, "max_missed_heartbeats": 3, "first_heartbeat_timeout": 15}
            sections["action_heartbeat"] = heartbeats
        made = Executors(site, sections, apart=bool(RABBITMQ))
        try:
            yield made
        finally:
            made.kill()


@pytest.fixture(scope="session")
def cloud(zaqar, swift, executors) -> Iterator[Cloud]:
    """The demo overcloud at newton, after prepare; its Mistral asks keystone who is there."""
    site = executors.site
    clouds.set_up(site, executors.sections)
    try:
        started = undercloud.start(site)
        executors.start("first")
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
        executors.kill()
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
