"""The end of the way: the plan refreshed in Swift, the stack updated, the deploy steps run, by the real client."""

from __future__ import annotations

import pytest

from tripleo_ffwd.embedded import node_state, overcloud


@pytest.fixture
def upgraded(cloud):
    """The demo overcloud when all nodes are upgraded: as the tests of the other commands leave it, or made so here."""
    if {state.release for state in node_state.read(cloud.site).values()} != {"queens"}:
        for workflow, more in (
            ("run", {}),
            ("upgrade", {"roles": ["Controller"]}),
            ("upgrade", {"roles": ["Compute"]}),
        ):
            ended = cloud.wait(cloud.start(workflow, plan="overcloud", checks=False, **more), 900)
            assert ended.state == "SUCCESS", ended.message
    return cloud


def test_converge_refreshes_the_plan_updates_the_stack_and_runs_the_deploy_steps(upgraded, clients, tmp_path):
    queens = clients["queens"]
    environments = [word for path in overcloud.queens_environments(upgraded.site) for word in ("-e", str(path))]
    templates = ("--templates", str(overcloud.PLAN_DIR))
    done = queens("overcloud", "ffwd-upgrade", "converge", "--yes", *templates, *environments)
    assert done.code == 0, done.said
    assert "Phase converge of plan overcloud has finished on 5 nodes." in done.said
    assert overcloud.check_final_state(upgraded.site) == []
    assert (queens.home / "overcloudrc").stat().st_mode & 0o777 == 0o600
