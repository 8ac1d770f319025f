"""The order in which Heat gets a plan's environments."""

from __future__ import annotations

import pytest

from tripleo_ffwd.plan import environments


@pytest.fixture
def root(tmp_path):
    for name in (*environments.LIFECYCLE.values(), "overcloud-resource-registry.yaml", "network.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("parameter_defaults: {}\n")
    return tmp_path


def test_the_phase_s_lifecycle_environment_stands_before_the_operator_s(root):
    names, lifecycle = environments.order(root, "prepare", ["network.yaml"])
    assert lifecycle == environments.LIFECYCLE["prepare"]
    assert names == ("overcloud-resource-registry.yaml", lifecycle, "network.yaml")


def test_prepare_s_own_named_by_the_operator_does_not_undo_converge(root):
    given = ["network.yaml", environments.LIFECYCLE["prepare"]]
    names, _ = environments.order(root, "converge", given)
    assert names == ("overcloud-resource-registry.yaml", environments.LIFECYCLE["converge"], "network.yaml")
