"""What `make test-keystone` tries: where the keystone is installed, and a cloud that asks one who there is."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import clouds
import loopback_services
import pytest
import zaqar_stub
from clouds import Cloud
from loopback_services import PASSWORD, REGION, Services
from openstack_cli import Openstack

from tripleo_ffwd.cli.register import workbooks
from tripleo_ffwd.embedded import nodes, overcloud, undercloud
from tripleo_ffwd.embedded.site import open_site
from tripleo_ffwd.mistral import Mistral

KEYSTONE = os.environ.get("FFWD_TEST_KEYSTONE", "")
TOKEN_SECONDS = 60
NOTICES = "ffwd-notices"


@dataclasses.dataclass
class ValidTokens:
    """All tokens that keystone takes at this moment, and how many it was asked for that it did not take."""

    services: Services
    refused: int = 0

    def __contains__(self, token: object) -> bool:
        good = isinstance(token, str) and not self.services.expired(token)
        self.refused += not good
        return good


@pytest.fixture(scope="session")
def identity(tmp_path_factory) -> Iterator[Services]:
    """A keystone whose tokens live for a minute."""
    if not KEYSTONE:
        pytest.skip("needs a keystone: make test-keystone")
    with loopback_services.keystone_alone(tmp_path_factory.mktemp("identity"), Path(KEYSTONE), TOKEN_SECONDS) as made:
        yield made


@pytest.fixture(scope="session")
def queues(identity) -> Iterator[zaqar_stub.Stub]:
    """What stands in for Zaqar; it takes the messages of those that keystone knows."""
    with zaqar_stub.serving() as stub:
        stub.tokens = ValidTokens(identity)  # type: ignore[assignment]
        yield stub


@pytest.fixture(scope="session")
def cloud(identity, queues, tmp_path_factory) -> Iterator[Cloud]:
    """The demo overcloud at newton; Mistral and Heat ask keystone who is there, and have a user of their own."""
    site = open_site(tmp_path_factory.mktemp("cloud"))
    credentials = {"auth_url": identity.keystone_url, "auth_username": "admin", "auth_password": PASSWORD}
    credentials |= {"auth_project_name": "admin", "region_name": REGION}
    clouds.set_up(
        site,
        {
            "DEFAULT": {"auth_type": "keystone"},
            "pecan": {"auth_enable": "true"},
            "keystone": {},
            "keystone_authtoken": identity.authtoken,
            # Heat, Mistral and Zaqar are found in the catalog.
            "ffwd": {**credentials, "heat_url": "", "mistral_url": "", "notify_queue": NOTICES},
        },
    )
    trustee = {name: identity.authtoken[name] for name in ("auth_type", "auth_url", "username", "password")}
    clouds.set_up(
        site,
        {
            # With tokens it can't keep anybody's password.
            "DEFAULT": {"deferred_auth_method": "trusts"},
            "trustee": {**trustee, "user_domain_name": "Default"},
            "paste_deploy": {"flavor": "keystone"},
            "keystone_authtoken": identity.authtoken,
        },
        heat=True,
    )
    try:
        started = undercloud.start(site)
        heat_url = started.heat_url.removesuffix("/admin")
        services = {"workflowv2": started.mistral_url, "orchestration": f"{heat_url}/%(tenant_id)s"}
        identity.catalog({**services, "messaging": queues.url})
        mistral = Mistral(started.mistral_url, identity.environ)
        for definition in workbooks("ffwd_upgrade").values():
            mistral.put_workbook(definition, exists=False)
        nodes.start(site)
        overcloud.build_environment(site)
        overcloud.create_newton_stack(site, "", credentials=credentials)
        yield Cloud(site, mistral, started.work_dir, started.heat_url)
    finally:
        clouds.closed(site)


@pytest.fixture(scope="session")
def openstack(cloud, identity, tmp_path_factory) -> Iterator[Openstack]:
    """The client of an operator who knows keystone and nothing else."""
    client = Openstack(tmp_path_factory.mktemp("operator"), identity.environ)
    yield client
    client.close()
