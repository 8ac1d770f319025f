"""An embedded undercloud with a real overcloud's stack in its Heat, made of the released templates.

With FFWD_TEST_REAL=one the overcloud has one controller with some services, as with FFWD_TEST_REAL=sample, which leaves
converge out; with FFWD_TEST_REAL=all it is the whole one. Heat's database is kept in the directory of the templates, so
that the overcloud need not be created again while nothing has changed that it is made of.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import clouds
import pytest
from oslo_config import cfg
from overclouds import real, sdist

from tripleo_ffwd import config, heat
from tripleo_ffwd.embedded.site import Site, open_site

ASKED = os.environ.get("FFWD_TEST_REAL", "")
WHOLE = ASKED == "all"
# Addresses of servers that are not there: nothing listens there, so ssh is refused at once.
NOBODY = "127.1.24"
ROLES = real.WHOLE if WHOLE else real.ONE_CONTROLLER


@dataclasses.dataclass(frozen=True)
class Cloud(clouds.Cloud):
    """An undercloud with the stack, and what its operator has in hand."""

    client: heat.HeatClient
    inputs: real.Inputs
    roles: tuple[real.Role, ...] = ROLES

    @property
    def servers(self) -> int:
        return sum(role.count for role in self.roles)

    def do(self, workflow: str, **arguments: Any) -> clouds.Ended:
        """Run a phase of the plan to its end."""
        return self.wait(self.start(workflow, plan=real.STACK, poll_interval=5, **arguments), timeout=1800)

    def environment(self) -> dict[str, Any]:
        """Return the stack's environment, as Heat has it."""
        found: dict[str, Any] = self.client.api.stacks.environment(real.STACK)
        return found


@pytest.fixture(scope="session")
def cloud(tmp_path_factory) -> Iterator[Cloud]:
    if ASKED not in ("sample", "one", "all"):
        pytest.skip("minutes: FFWD_TEST_REAL=one asks for one controller, `make test-overcloud` for the whole")
    site = open_site(tmp_path_factory.mktemp("real"))
    try:
        inputs = real.lay_out(tmp_path_factory.mktemp("operator"), ROLES, control_plane=NOBODY)
    except sdist.Unavailable as reason:
        pytest.skip(f"SKIPPED, and nothing proven about real templates: {reason}")
    try:
        _put_database(site)
        opened = clouds.opened(site)
        client = _connect(opened.heat_url)
        if not list(client.api.stacks.list()):
            real.create(client, inputs, tmp_path_factory.mktemp("deploy"))
            _keep_database(site)
        yield Cloud(**vars(opened), client=client, inputs=inputs)
    finally:
        clouds.closed(site)


def _connect(url: str) -> heat.HeatClient:
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    options.set_override("heat_url", url, group=config.GROUP)
    return heat.connect(section)


def _kept() -> Path:
    """Return where the database of the created overcloud is kept."""
    made_of = [Path(real.__file__).read_text(), NOBODY, repr(ROLES), metadata.version("openstack-heat")]
    digest = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]
    return sdist.cache() / f"heat-{digest}"


def _put_database(site: Site) -> None:
    """Give Heat the kept database, if there is one, with the key that it was encrypted with."""
    if _kept().is_dir():
        site.heat.mkdir(mode=0o700, exist_ok=True)
        for path in _kept().iterdir():
            shutil.copyfile(path, site.heat / path.name)


def _keep_database(site: Site) -> None:
    target = _kept()
    scratch = target.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    source = sqlite3.connect(site.heat / "heat.sqlite")
    with contextlib.closing(source), contextlib.closing(sqlite3.connect(scratch / "heat.sqlite")) as copy:
        source.backup(copy)
    shutil.copyfile(site.heat / "encryption_key", scratch / "encryption_key")
    scratch.rename(target)
