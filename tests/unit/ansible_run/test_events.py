from __future__ import annotations

from typing import Any

from tripleo_ffwd.ansible_run.events import HIDDEN, Progress, describe
from tripleo_ffwd.ansible_run.tree import StagePlan
from tripleo_ffwd.model import GATE_TASK

ONE = StagePlan("ocata/step1/Controller/all", ("ctl-0", "ctl-1"), 2)
TWO = StagePlan("ocata/step2/Controller/all", ("ctl-0", "ctl-1"), 1)


def progress() -> Progress:
    return Progress([ONE, TWO], "upgrade_steps_playbook.yaml", "/log")


def play(name: str) -> dict[str, Any]:
    return {"event": "playbook_on_play_start", "event_data": {"name": name}}


def task(kind: str, host: str, name: str = "a task", **data: Any) -> dict[str, Any]:
    return {"event": f"runner_on_{kind}", "event_data": {"host": host, "task": name, "task_uuid": name, **data}}


def stats(**counts: dict[str, int]) -> dict[str, Any]:
    return {"event": "playbook_on_stats", "event_data": counts}


def feed(watched: Progress, *events: dict[str, Any]) -> list[dict[str, Any]]:
    return [record for event in events for record in watched.feed(event)]


def test_hosts_and_stages_are_counted_as_they_finish() -> None:
    watched = progress()
    feed(watched, play(ONE.id), task("ok", "ctl-0", "a"), task("ok", "ctl-1", "a"), task("ok", "ctl-0", "b"))
    assert watched.snapshot()["hosts_done"] == 1
    assert watched.snapshot()["hosts_total"] == 2
    feed(watched, task("skipped", "ctl-1", "b"), play("gate ocata/step1"))
    assert watched.snapshot()["stages_done"] == 1
    feed(watched, play(TWO.id), task("ok", "ctl-0"), task("ok", "ctl-1"), stats())
    assert watched.snapshot()["stages_done"] == 2
    assert watched.unfinished == ()


def test_failure_leaves_its_stage_undone_and_those_before_it_done() -> None:
    watched = progress()
    feed(watched, play(ONE.id), task("ok", "ctl-0"), task("ok", "ctl-1"), play(TWO.id), task("ok", "ctl-0"))
    records = feed(watched, task("failed", "ctl-1", "migrate", res={"msg": "no space"}), stats(failures={"ctl-1": 1}))
    assert records[-1] == {"event": "stage_end", "stage": TWO.id, "done": ["ctl-0"], "failed": ["ctl-1"]}
    assert watched.unfinished == (TWO.id,)
    (failed,) = watched.failed
    assert (failed.stage, failed.host, failed.task, failed.message) == (TWO.id, "ctl-1", "migrate", "no space")


def test_rescued_failure_is_forgotten_when_the_host_goes_on() -> None:
    watched = progress()
    feed(watched, play(ONE.id), task("failed", "ctl-0", "try", res={"msg": "x"}))
    assert [failed.task for failed in watched.failed] == ["try"]
    feed(watched, task("start", "ctl-0", "rescue"))
    assert watched.failed == ()


def test_failure_comes_back_when_only_an_always_section_went_on() -> None:
    watched = progress()
    feed(watched, play(ONE.id), task("failed", "ctl-0", "try", res={"msg": "x"}), task("start", "ctl-0", "always"))
    feed(watched, task("ok", "ctl-0", "always"), stats(failures={"ctl-0": 1}))
    assert [failed.task for failed in watched.failed] == ["try"]
    assert watched.unfinished[0] == ONE.id


def test_unreachable_host_that_was_ignored_is_no_failure() -> None:
    watched = progress()
    feed(watched, play(ONE.id), task("unreachable", "ctl-0", "facts", res={"msg": "refused"}))
    feed(watched, stats(ok={"ctl-0": 1}, ignored={"ctl-0": 1}))
    assert watched.failed == ()


def test_gate_is_the_message_and_not_the_failed_task() -> None:
    watched = progress()
    feed(watched, play(ONE.id), task("failed", "ctl-1", "stop", res={"msg": "x"}))
    feed(watched, play(f"gate {ONE.id}"), task("failed", "ctl-0", "gate", res={"msg": "ctl-1 did not finish"}))
    feed(watched, stats(failures={"ctl-0": 1, "ctl-1": 1}))
    assert [failed.host for failed in watched.failed] == ["ctl-1"]
    assert watched.gate_message == "ctl-1 did not finish"


def test_gate_at_the_end_of_a_stage_is_no_task_of_it() -> None:
    watched = progress()
    feed(watched, play(ONE.id), task("failed", "ctl-0", "try", res={"msg": "x"}), task("start", "ctl-0", "rescue"))
    feed(watched, task("ok", "ctl-0", "rescue"), task("failed", "ctl-1", "stop", res={"msg": "x"}))
    gate = task("failed", "ctl-0", GATE_TASK, res={"msg": "ctl-1 did not finish"})
    assert feed(watched, task("start", "ctl-0", GATE_TASK), gate) == []
    # Ansible counts the gate's failure for the host that looked, whose own was rescued.
    feed(watched, stats(failures={"ctl-0": 1, "ctl-1": 1}))
    assert [(failed.host, failed.task) for failed in watched.failed] == [("ctl-1", "stop")]
    assert watched.gate_message == "ctl-1 did not finish"
    assert watched.unfinished[0] == ONE.id


def test_play_that_matches_no_host_finishes_nothing() -> None:
    watched = progress()
    feed(watched, play(ONE.id), {"event": "playbook_on_no_hosts_matched"}, play(TWO.id), stats())
    assert watched.unfinished == (ONE.id,)


def test_stage_that_is_only_announced_behind_a_gate_has_not_started() -> None:
    watched = progress()
    feed(watched, play(ONE.id), task("ok", "ctl-0"), task("failed", "ctl-1", "stop", res={"msg": "x"}))
    feed(watched, play(f"gate {ONE.id}"), task("failed", "ctl-0", "gate", res={"msg": "ctl-1 did not finish"}))
    records = feed(watched, play(TWO.id), {"event": "playbook_on_no_hosts_remaining"}, stats(failures={"ctl-1": 1}))
    assert records == []
    assert watched.snapshot()["stage"] == ONE.id
    assert watched.unfinished == (ONE.id, TWO.id)


def test_stage_whose_hosts_are_all_lost_has_not_started() -> None:
    watched = progress()
    feed(watched, play(ONE.id), *(task("failed", host, "stop", res={"msg": "x"}) for host in ONE.hosts))
    records = feed(watched, play(TWO.id), stats(failures={"ctl-0": 1, "ctl-1": 1}))
    assert [(record["event"], record["stage"]) for record in records] == [("stage_end", ONE.id)]
    assert watched.unfinished == (ONE.id, TWO.id)


def test_stage_with_nothing_to_do_is_done() -> None:
    watched = progress()
    records = feed(watched, play(ONE.id), play(TWO.id), stats())
    assert [record["event"] for record in records] == ["stage_start", "stage_end"] * 2
    assert watched.unfinished == ()


def test_failure_of_a_host_that_is_left_out_is_recorded_and_counts_nowhere() -> None:
    watched = Progress([ONE], "p.yaml", "/log", unselected=("cmp-0",))
    records = feed(watched, play(ONE.id), task("failed", "cmp-0", "facts", res={"msg": "no python"}))
    assert records[-1]["status"] == "failed" and records[-1]["message"] == "no python"
    feed(watched, task("ok", "ctl-0"), task("ok", "ctl-1"), stats(failures={"cmp-0": 1}))
    assert (watched.failed, watched.unfinished, watched.only_unselected_lost) == ((), (), True)
    feed(watched, stats(failures={"cmp-0": 1}, dark={"ctl-0": 1}))
    assert watched.only_unselected_lost is False


def test_ended_task_is_recorded_with_its_status_and_time() -> None:
    watched = progress()
    (record,) = feed(watched, play(ONE.id), task("ok", "ctl-0", "x", res={"changed": True}, duration=1.23456))[1:]
    assert record == {
        "event": "task_end",
        "stage": ONE.id,
        "task": "x",
        "task_id": "x",
        "host": "ctl-0",
        "status": "changed",
        "changed": True,
        "seconds": 1.235,
    }


def test_message_says_why_and_keeps_what_no_log_hides() -> None:
    assert describe({"msg": "non-zero return code", "stderr": "a\nno such service"}) == (
        "non-zero return code: no such service"
    )
    assert describe({"censored": "the output has been hidden", "msg": "secret"}) == HIDDEN
    assert describe({"msg": "One or more items failed", "results": [{}, {"failed": True, "msg": "item 2"}]}) == "item 2"
    long = describe({"msg": "unreachable: " + "@@@@@@ " * 30 + "x " * 300 + "Host key verification failed."})
    assert len(long) < 320 and long.endswith("Host key verification failed.") and "@@@" not in long
