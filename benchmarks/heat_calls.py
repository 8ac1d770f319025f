"""Requests to Heat for the servers' deployments: ours against the classic sequence, with latency on the way.

The classic sequence is that of tripleo-common: one list of all deployments, then for each of them its record and its
config, one after the other. At a thousand servers that is forty thousand requests, so its time is measured on few
servers and scaled by the number of requests; the numbers themselves are counted.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oslo_config import cfg

from tripleo_ffwd import config, heat

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from heat_stub import Overcloud, far_away, serving  # what the tests use, too

LATENCY = 0.02
CLASSIC_SERVERS = 5


@dataclasses.dataclass(frozen=True)
class Calls:
    """Requests and wall seconds of one way to fetch the deployments of a number of servers."""

    servers: int
    requests: int
    seconds: float


def connect(url: str) -> heat.HeatClient:
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    options.set_override("heat_url", url, group=config.GROUP)
    return heat.connect(section)


def classic(client: heat.HeatClient, stack: str) -> list[dict[str, Any]]:
    """Fetch the deployments as tripleo-common does."""
    names = {"name": "TripleODeployment"}
    client.api.stacks.get(stack)
    found = client.api.resources.list(stack, nested_depth=7, with_detail=True, filters=names)
    configs = []
    for deployment in found:
        record = client.api.software_deployments.get(deployment.attributes["value"]["deployment"])
        configs.append(client.api.software_configs.get(record.config_id).to_dict())
    return configs


def ours(servers: int) -> Calls:
    """Fetch the deployments of so many servers, 20 each."""
    overcloud = Overcloud(servers)
    with serving(overcloud) as stub, far_away(stub.url, LATENCY) as url:
        client = connect(url)
        began = time.monotonic()
        fetched = heat.fetch_deployments(client, "overcloud", overcloud.outputs())
        seconds = time.monotonic() - began
        assert sum(map(len, fetched["servers"].values())) == 20 * servers
        return Calls(servers, stub.requests, seconds)


def theirs(servers: int) -> Calls:
    """Do the same by the classic sequence."""
    overcloud = Overcloud(servers)
    with serving(overcloud) as stub, far_away(stub.url, LATENCY) as url:
        client = connect(url)
        began = time.monotonic()
        assert len(classic(client, "overcloud")) == 20 * servers
        return Calls(servers, stub.requests, time.monotonic() - began)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The classic sequence on a few servers, and ours on numbers of servers, to which the classic one is scaled."""

    classic: Calls
    ours: tuple[Calls, ...]

    def requests(self, servers: int) -> int:
        """Return how many requests the classic sequence makes for a number of servers."""
        each = self.classic.requests // self.classic.servers
        return self.classic.requests - each * self.classic.servers + each * servers

    def lines(self) -> Iterator[str]:
        """Return the table's lines."""
        few = self.classic
        yield (
            f"Heat calls, 20 deployments a server, {LATENCY * 1000:.0f} ms of latency; a stub that answers like Heat. "
            f"The classic sequence took {few.requests} requests and {few.seconds:.1f} s on {few.servers} servers, "
            "and is scaled."
        )
        yield "servers | requests: classic  ours  ratio | wall s: classic  ours  ratio"
        for mine in self.ours:
            requests = self.requests(mine.servers)
            seconds = few.seconds * requests / few.requests
            yield (
                f"{mine.servers:7} | {requests:17} {mine.requests:5} {requests / mine.requests:5.0f}x | "
                f"{seconds:15.1f} {mine.seconds:5.1f} {seconds / mine.seconds:5.0f}x"
            )

    def targets(self) -> Iterator[tuple[str, str, str, bool | None]]:
        """Return (what, to reach, found, whether it is reached)."""
        for mine in self.ours:
            ratio = self.requests(mine.servers) / mine.requests
            if mine.servers == 1000:
                yield "Heat, 1000 servers: requests, classic / ours", ">= 20x", f"{ratio:.0f}x", ratio >= 20


def compare(servers: tuple[int, ...] = (10, 100, 1000)) -> Comparison:
    """Measure; called by ``python -m benchmarks``."""
    return Comparison(theirs(CLASSIC_SERVERS), tuple(ours(count) for count in servers))


if __name__ == "__main__":
    print("\n".join(compare().lines()))
