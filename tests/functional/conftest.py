"""What functional tests share: one embedded undercloud (Mistral, Heat, five SSH nodes), and a place for runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import clouds
import pytest
import swift_stub
import zaqar_stub
from ansible_lab import Trees
from clouds import Cloud
from swift_stub import SwiftStub
from zaqar_stub import Stub

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.embedded import nodes, overcloud
from tripleo_ffwd.embedded.site import Site, open_site

NOTICES = "ffwd-notices"
DEAD, HOOK_KEY = "http://127.0.0.1:9/hook", "hk-7f1c9be2"


@pytest.fixture(scope="session")
def queues() -> Iterator[Stub]:
    """Where messages go to: what stands in for Zaqar."""
    with zaqar_stub.serving() as stub:
        yield stub


@pytest.fixture(scope="session")
def swift() -> Iterator[SwiftStub]:
    """Where results of servers are put: what stands in for Swift; it takes any token. Plans are not in it."""
    with swift_stub.serving() as stub:
        stub.token = ""
        yield stub


@pytest.fixture(scope="session")
def site(tmp_path_factory, queues, swift) -> Iterator[Site]:
    made = open_site(tmp_path_factory.mktemp("cloud"))
    # One receiver of notifications that is there, and one that is dead: no phase may be the worse for it.
    told = {
        "notify_queue": NOTICES,
        "notify_webhook_url": f"{DEAD}?key={HOOK_KEY}",
        "notify_webhook_hosts": "127.0.0.1",
    }
    clouds.set_up(made, {"ffwd": {"zaqar_url": queues.url, "swift_url": swift.url, **told}})
    try:
        yield made
    finally:
        clouds.closed(made)


@pytest.fixture(scope="session")
def cloud(site) -> Cloud:
    """Mistral and Heat with the workbooks registered; no nodes, no stack yet."""
    return clouds.opened(site)


@pytest.fixture(scope="session")
def newton(cloud) -> Cloud:
    """The demo overcloud: five nodes and a stack at newton."""
    nodes.start(cloud.site)
    overcloud.build_environment(cloud.site)
    overcloud.create_newton_stack(cloud.site, cloud.heat_url)
    return cloud


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """A work directory; when the test ends its runs are ended, and nothing of them is alive."""
    work = tmp_path / "work"
    yield work
    for status in runs.list_runs(work):
        runs.cancel(Path(status.run_dir), now=True, wait=20)
        assert runs.leftovers(Path(status.run_dir)) == ()
