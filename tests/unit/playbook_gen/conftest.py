"""The small overcloud's outputs, and the ansible-playbook programs that there are."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

DATA = Path(__file__).parent / "data"


@pytest.fixture()
def outputs() -> dict[str, Any]:
    """The outputs, fresh for each test."""
    loaded: dict[str, Any] = yaml.safe_load((DATA / "small_outputs.yaml").read_text())
    return loaded


def _programs() -> list[str]:
    # A second ansible-core, such as 2.16, is tried as well where it is named.
    extra = os.environ.get("FFWD_TEST_ANSIBLE_PLAYBOOK", "")
    return [str(Path(sys.executable).parent / "ansible-playbook"), *([extra] if extra else [])]


@pytest.fixture(params=_programs())
def ansible_playbook(request: pytest.FixtureRequest) -> str:
    """Path of an ansible-playbook."""
    return str(request.param)


@pytest.fixture()
def slow_playbook(ansible_playbook: str) -> str:
    """The same, where the second one is left to `make test-differential`."""
    if ansible_playbook != _programs()[0] and os.environ.get("FFWD_TEST_DIFFERENTIAL") != "all":
        pytest.skip("one of the slow ones: make test-differential")
    return ansible_playbook
