"""A RabbitMQ, a Mistral whose executors are processes of their own, a Heat, and an overcloud of seven SSH nodes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import clouds
import pytest
from clouds import Cloud
from executors import rabbit, services
from executors.services import Executor

from tripleo_ffwd.embedded import node_files, nodes, overcloud
from tripleo_ffwd.embedded.site import Site, open_site

# Where RabbitMQ is, see `make test-executors`.
PREFIX = os.environ.get("FFWD_TEST_RABBITMQ", "")
COMPUTES = 4
# An executor that is gone is noticed after nine seconds at most.
HEARTBEATS = {"check_interval": 2, "max_missed_heartbeats": 3, "first_heartbeat_timeout": 15}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all of it without a RabbitMQ."""
    for item in items:
        if not PREFIX and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs RabbitMQ: make test-executors"))


@dataclasses.dataclass(frozen=True)
class Spread:
    """A cloud whose Mistral has as many executors as a test starts."""

    cloud: Cloud
    bus: str
    executors: list[Executor]

    def start_all(self, *names: str, **options: Any) -> list[Executor]:
        """Start executors of those names; `options` are of [ffwd]."""
        made = [services.start_executor(self.cloud.site, name, self._sections(name, options)) for name in names]
        self.executors.extend(made)
        services.wait_up(made)
        return made

    def _sections(self, name: str, options: Mapping[str, Any]) -> services.Sections:
        return {
            "DEFAULT": {
                "transport_url": self.bus,
                # Says which action it is sent and when it has the result; not what is in them.
                "default_log_levels": "mistral.executors=DEBUG,mistral.rpc.clients=WARN,amqp=WARN,oslo.messaging=WARN",
            },
            "action_heartbeat": HEARTBEATS,
            "ffwd": {"executor_name": name, **options},
        }


@pytest.fixture(scope="session")
def bus(tmp_path_factory) -> Iterator[str]:
    """The transport_url of a RabbitMQ."""
    with rabbit.running(Path(PREFIX), tmp_path_factory.mktemp("rabbitmq")) as url:
        yield url


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[Site]:
    made = open_site(tmp_path_factory.mktemp("cloud"))
    try:
        yield made
    finally:
        clouds.closed(made)


@pytest.fixture(scope="session")
def cloud(bus: str, site: Site) -> Cloud:
    """Mistral without an executor, Heat, and a newton overcloud of three controllers and four computes."""
    services.configure(site.mistral / "conf.d", {"DEFAULT": {"transport_url": bus}, "action_heartbeat": HEARTBEATS})
    opened = clouds.opened(site)
    nodes.start(site, node_files.names(3, COMPUTES))
    overcloud.create_newton_stack(site, opened.heat_url)
    return opened


@pytest.fixture
def spread(cloud: Cloud, bus: str) -> Iterator[Spread]:
    made = Spread(cloud, bus, [])
    try:
        yield made
    finally:
        for executor in made.executors:
            executor.kill()
