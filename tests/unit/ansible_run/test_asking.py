"""What makes two askings for a run different ones."""

from __future__ import annotations

import pytest

from tripleo_ffwd.ansible_run import asking
from tripleo_ffwd.model import RunSpec

SPEC = RunSpec("overcloud", "upgrade", "p.yaml", "/tree", "d")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tags", "a"),
        ("ssh_user", "stack"),
        ("become", True),
        ("become_user", "x"),
        ("become_method", "su"),
        ("ansible_library", "/srv/modules"),
        ("ansible_roles_path", "/srv/roles"),
        ("ansible_collections_path", "/srv/collections"),
    ],
)
def test_what_changes_a_run_s_effects_is_named(name: str, value: object) -> None:
    other = RunSpec(**{**vars(SPEC), name: value})
    assert asking.differences(SPEC, other, {"asked": asking.fingerprint(other)}) == (name,)


def test_another_pace_is_no_obstacle_to_going_on_but_to_taking_a_live_run_for_the_same() -> None:
    other = RunSpec(**{**vars(SPEC), "serial": (1,), "strategy": "free", "forks": 5})
    assert asking.differences(SPEC, other, {"asked": asking.fingerprint(other)}) == ()
    assert asking.other_pace(SPEC, other) == ("serial", "strategy")
    assert asking.other_pace(SPEC, SPEC) == ()
