"""Whatever shape a failed task's result has, the operator gets one message and the failed tasks."""

from __future__ import annotations

import pytest

from tripleo_ffwd.actions import outcomes

FAILED = {"playbook": "p.yaml", "stage": "ocata/step2/Controller/all", "host": "c-1", "task": "stop", "log": "/l"}


def test_a_failed_run_told_by_the_sub_workflow_keeps_run_and_tasks():
    with pytest.raises(outcomes.WaitFailed) as caught:
        outcomes.check(
            {
                "settled": True,
                "succeeded": False,
                "message": "p.yaml failed on c-1",
                "run_id": "r",
                "run_dir": "/r",
                "failed": [{**FAILED, "message": "boom"}],
            }
        )
    told = outcomes.failure("overcloud", "run", {"error": caught.value.to_dict(), "run_id": "r", "run_dir": "/r"})
    assert told == {
        "status": "FAILED",
        "message": "Phase run of plan overcloud failed: p.yaml failed on c-1",
        "run_id": "r",
        "run_dir": "/r",
        "failed": [FAILED],
    }


def test_a_wait_that_ended_too_early_is_no_success():
    with pytest.raises(outcomes.WaitFailed, match="heat is away; the wait ended before it did"):
        outcomes.check({"state": "unknown", "settled": False, "succeeded": False, "message": "heat is away"})


def test_a_poll_without_a_status_is_no_success():
    with pytest.raises(outcomes.WaitFailed, match="no status: Heartbeat wasn't received"):
        outcomes.check("Heartbeat wasn't received")


@pytest.mark.parametrize("error", ["Task timed out", {"message": "Task timed out"}, "{'message': 'Task timed out'}"])
def test_every_shape_of_an_error_gives_its_text(error):
    told = outcomes.failure("overcloud", "run", error)
    assert told["message"] == "Phase run of plan overcloud failed: Task timed out"
    assert told["failed"] == []


def test_a_second_failure_on_the_way_out_does_not_hide_the_first():
    told = outcomes.failure("overcloud", "run", {"message": "boom"}, also="The lock stays")
    assert told["message"] == "Phase run of plan overcloud failed: boom. The lock stays"


def test_success_counts_the_nodes():
    told = outcomes.success("overcloud", "run", ["a", "b"], dry_run=False)
    assert (told["status"], told["message"]) == ("SUCCESS", "Phase run of plan overcloud has finished on 2 nodes.")
