"""Which nodes go together and when; what can't be asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.plan import batches, rollouts
from tripleo_ffwd.plan.rollouts import LostNode, Rollout

ROLLING = ("Compute", "CephStorage")
NODES = {
    "Controller": ("ctl-0", "ctl-1", "ctl-2"),
    "Database": ("db-0",),
    "Compute": tuple(f"cmp-{number}" for number in range(12)),
    "CephStorage": ("ceph-0", "ceph-1", "ceph-2"),
}


def named(waves) -> list[list[str]]:
    return [[f"{batch.name}:{len(batch.targets)}" for batch in wave] for wave in waves]


def test_the_control_plane_goes_whole_and_first_then_canaries_then_growing_batches():
    wanted = batches.parse({"canary": 1, "size": 2, "growth": 2, "parallel": 2})
    assert named(batches.waves(wanted, NODES, ROLLING)) == [
        ["control-plane:4"],
        ["Compute-canary:1", "CephStorage-canary:1"],
        ["Compute-1:2", "Compute-2:4"],
        ["Compute-3:5", "CephStorage-1:2"],
    ]


def test_without_canaries_and_with_a_largest_size():
    wanted = batches.parse({"canary": 0, "size": 2, "growth": 3, "max_size": 5})
    compute = {"Compute": NODES["Compute"]}
    assert named(batches.waves(wanted, compute, ROLLING)) == [["Compute-1:2"], ["Compute-2:5"], ["Compute-3:5"]]


def test_roles_that_the_operator_names_go_in_batches():
    wanted = batches.parse({"rolling_roles": ["Database"], "canary": 0})
    assert named(batches.waves(wanted, NODES, ROLLING)) == [["control-plane:18"], ["Database-1:1"]]


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "canary": st.integers(0, 4),
            "size": st.integers(1, 9),
            "growth": st.floats(1, 9),
            "max_size": st.integers(1, 9),
            "parallel": st.integers(1, 4),
        },
    ),
    st.dictionaries(st.sampled_from(["Controller", *ROLLING, "Other"]), st.integers(0, 40), max_size=4),
)
def test_every_node_is_in_one_batch_and_no_batch_mixes_roles(asked, counts):
    selected = {role: tuple(f"{role}-{number}" for number in range(count)) for role, count in counts.items() if count}
    waves = batches.waves(batches.parse(asked), selected, ROLLING)
    found = [node for wave in waves for batch in wave for node in batch.targets]
    assert sorted(found) == sorted(node for nodes in selected.values() for node in nodes)
    names = [batch.name for wave in waves for batch in wave]
    assert len(names) == len(set(names))
    for batch in (batch for wave in waves for batch in wave):
        assert batch.targets
        assert batch.name == "control-plane" or set(batch.targets) <= set(selected[batch.role])
    assert all(len(wave) <= asked.get("parallel", 1) for wave in waves)
    if asked.get("max_size"):
        sizes = [len(batch.targets) for wave in waves for batch in wave if batch.role and not batch.canary]
        assert all(size <= asked["max_size"] for size in sizes)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"sizes": 3}, "batches has no 'sizes'"),
        ({"size": 0}, "batches.size"),
        ({"size": True}, "batches.size"),
        ({"canary": -1}, "batches.canary"),
        ({"growth": 0.5}, "batches.growth"),
        ({"growth": float("nan")}, "batches.growth"),
        ({"growth": "2"}, "batches.growth"),
        ({"parallel": 0}, "batches.parallel"),
        ({"failure_budget": -1}, "batches.failure_budget"),
        ({"failure_budget": {"Compute": "1"}}, "batches.failure_budget"),
        ({"soak": 1.5}, "batches.soak"),
        ({"health_check": []}, "batches.health_check"),
        ({"health_check": ["/bin/true", 1]}, "batches.health_check"),
        ({"rolling_roles": "Compute"}, "batches.rolling_roles"),
        ({"max_size": None}, "batches.max_size"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(asked, told):
    with pytest.raises(InvalidInput, match=told):
        batches.parse(asked)


def test_roles_without_a_selected_node_and_budgets_of_the_control_plane_are_refused():
    with pytest.raises(InvalidInput, match=r"No node of role Compte is selected.*Controller"):
        batches.waves(batches.parse({"failure_budget": {"Compte": 1}}), NODES, ROLLING)
    with pytest.raises(InvalidInput, match="Controller belongs to the control plane"):
        batches.waves(batches.parse({"failure_budget": {"Controller": 1}}), NODES, ROLLING)


def lost(host: str, batch: str = "Compute-1") -> LostNode:
    return LostNode(host, "Compute", batch, "upgrade_steps_playbook.yaml", "-/step1/Compute/all", "stop", "no", "")


def rollout(**asked) -> Rollout:
    wanted = batches.parse({"size": 4, **asked})
    return Rollout("all", wanted, batches.waves(wanted, NODES, ROLLING))


def test_the_record_counts_the_nodes_that_were_left_behind(tmp_path):
    rollouts.begin(tmp_path, "overcloud", rollout(failure_budget={"Compute": 2}))
    assert rollouts.leave_behind(tmp_path, "overcloud", [lost("cmp-1")])
    assert rollouts.leave_behind(tmp_path, "overcloud", [lost("cmp-1"), lost("cmp-2")])
    assert not rollouts.leave_behind(tmp_path, "overcloud", [lost("cmp-5", "Compute-2")])
    found = rollouts.current(tmp_path, "overcloud")
    assert [node.host for node in found.lost] == ["cmp-1", "cmp-2"]
    assert found.batch("Compute-1").targets == ("cmp-3", "cmp-4")
    assert found.batch("Compute-2").targets == ("cmp-5", "cmp-6", "cmp-7", "cmp-8")


def test_going_on_takes_the_same_batches_without_the_nodes_that_were_left_behind(tmp_path):
    rollouts.begin(tmp_path, "overcloud", rollout(failure_budget=4))
    assert rollouts.leave_behind(tmp_path, "overcloud", [lost(f"cmp-{number}") for number in range(1, 5)])
    resumed = rollouts.go_on(tmp_path, "overcloud", rollout(failure_budget=5, soak=9))
    assert "Compute-1" not in [batch.name for wave in resumed.remaining() for batch in wave]
    assert resumed.batching.soak == 9
    assert rollouts.current(tmp_path, "overcloud") == resumed


def test_going_on_with_other_batches_is_refused_and_says_what_differs(tmp_path):
    rollouts.begin(tmp_path, "overcloud", rollout())
    with pytest.raises(InvalidInput, match="had other size") as refused:
        rollouts.go_on(tmp_path, "overcloud", rollout(size=5))
    assert refused.value.details["differing"] == ["size"]
    fewer = Rollout("all", rollout().batching, rollout().waves[:1])
    with pytest.raises(InvalidInput, match="had other nodes"):
        rollouts.go_on(tmp_path, "overcloud", fewer)


def test_a_damaged_record_is_named(tmp_path):
    rollouts.begin(tmp_path, "overcloud", rollout())
    path = tmp_path / "records" / "overcloud" / rollouts.FILE
    path.write_text('{"waves": 3}')
    with pytest.raises(InvalidInput, match="It is damaged"):
        rollouts.current(tmp_path, "overcloud")
