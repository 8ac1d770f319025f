"""One embedded undercloud for the functional tests: a real Mistral, a real Heat and five SSH nodes."""

from __future__ import annotations

from collections.abc import Iterator

import clouds
import pytest
from clouds import Cloud

from tripleo_ffwd.embedded import nodes, overcloud
from tripleo_ffwd.embedded.site import Site, open_site


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[Site]:
    made = open_site(tmp_path_factory.mktemp("cloud"))
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
