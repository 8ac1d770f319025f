"""The ansible-playbook programs that there are, each with a runner that lives as long as a module's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from differential.compare import DEFAULT_PROGRAM, Ansible

_EXTRA = os.environ.get("FFWD_TEST_ANSIBLE_PLAYBOOK", "")


@pytest.fixture(scope="module")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ansible]:
    """The newest ansible-core."""
    with Ansible(tmp_path_factory.mktemp("newest"), DEFAULT_PROGRAM) as runner:
        yield runner


@pytest.fixture(
    scope="module",
    params=[DEFAULT_PROGRAM, *([_EXTRA] if _EXTRA else [])],
    ids=["newest", "oldest"][: 1 + bool(_EXTRA)],
)
def each_ansible(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ansible]:
    """Every ansible-core that there is, one after the other: the oldest is named by FFWD_TEST_ANSIBLE_PLAYBOOK."""
    with Ansible(tmp_path_factory.mktemp("each"), str(request.param)) as runner:
        yield runner
