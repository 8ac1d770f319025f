from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import plan_stores
import pytest
import swift_server

from tripleo_ffwd.plan.store import PlanStore


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[swift_server.Swift]:
    with swift_server.accounts(tmp_path_factory.mktemp("swift")) as running:
        yield running


@pytest.fixture
def account(swift: swift_server.Swift) -> swift_server.Account:
    return swift.account()


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    return plan_stores.write(tmp_path / "templates", plan_stores.FILES)


@pytest.fixture(params=["directory", "swift"])
def make(request: pytest.FixtureRequest) -> plan_stores.Maker:
    """Makes stores on one place for plans: by default in its work directory, or in an account of its own."""
    return PlanStore if request.param == "directory" else plan_stores.in_swift(request.getfixturevalue("account"))


@pytest.fixture
def store(make: plan_stores.Maker, tmp_path: Path) -> PlanStore:
    return make(tmp_path / "work")
