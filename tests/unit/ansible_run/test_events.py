from __future__ import annotations

from typing import Any

from tripleo_ffwd.ansible_run.events import Progress
from tripleo_ffwd.ansible_run.tree import StagePlan
from tripleo_ffwd.model import END_PLAY, GATE_TASK, RunningTask

Record = dict[str, Any]
ONE = StagePlan("ocata/step1/Controller/all", ("ctl-0", "ctl-1"), 2)
TWO = StagePlan("ocata/step2/Controller/all", ("ctl-0", "ctl-1"), 1)


def progress() -> Progress:
    return Progress([ONE, TWO], "upgrade_steps_playbook.yaml", "/log")


def play(name: str) -> Record:
    return {"event": "play_start", "play": name}


END = play(END_PLAY)


def start(host: str, name: str = "a task") -> Record:
    return {"event": "task_start", "host": host, "task": name, "task_id": name}


def end(status: str, host: str, name: str = "a task", message: str = "") -> Record:
    return {"event": "task_end", "host": host, "task": name, "task_id": name, "status": status, "message": message}


def stats(failures: dict[str, int] | None = None, dark: dict[str, int] | None = None) -> Record:
    return {"event": "stats", "failures": failures or {}, "dark": dark or {}}


def feed(watched: Progress, *records: Record) -> list[str]:
    """Return the stages that have begun or ended."""
    return [turned for record in records if (turned := watched.feed(record))]


def test_hosts_and_stages_are_counted_as_they_finish() -> None:
    watched = progress()
    feed(watched, play(ONE.id), end("ok", "ctl-0", "a"), end("ok", "ctl-1", "a"), end("ok", "ctl-0", "b"))
    assert watched.snapshot()["hosts_done"] == 1
    assert watched.snapshot()["hosts_total"] == 2
    feed(watched, end("skipped", "ctl-1", "b"), play(f"gate {ONE.id}"))
    assert watched.snapshot()["stages_done"] == 0
    feed(watched, play(TWO.id))
    assert watched.snapshot()["stages_done"] == 1
    feed(watched, end("ok", "ctl-0"), end("ok", "ctl-1"), END, stats())
    assert watched.snapshot()["stages_done"] == 2
    assert watched.unfinished == ()


def test_failure_leaves_its_stage_undone_and_those_before_it_done() -> None:
    watched = progress()
    feed(watched, play(ONE.id), end("ok", "ctl-0"), end("ok", "ctl-1"), play(TWO.id), end("ok", "ctl-0"))
    feed(watched, end("failed", "ctl-1", "migrate", message="no space"), END, stats(failures={"ctl-1": 1}))
    assert watched.finished() == {ONE.id: ("ctl-0", "ctl-1"), TWO.id: ("ctl-0",)}
    assert watched.unfinished == (TWO.id,)
    (failed,) = watched.failed
    assert (failed.stage, failed.host, failed.task, failed.message) == (TWO.id, "ctl-1", "migrate", "no space")


def test_rescued_and_ignored_failures_are_none() -> None:
    watched = Progress([ONE], "p.yaml", "/log")
    feed(watched, play(ONE.id), end("rescued", "ctl-0", "try", message="x"), start("ctl-0", "rescue"))
    feed(watched, end("ok", "ctl-0", "rescue"), end("ignored", "ctl-1", "facts", message="refused"), END, stats())
    assert (watched.failed, watched.unfinished) == ((), ())


def test_failure_stays_one_when_an_always_section_goes_on() -> None:
    watched = progress()
    feed(watched, play(ONE.id), end("failed", "ctl-0", "try", message="x"), start("ctl-0", "always"))
    feed(watched, end("ok", "ctl-0", "always"), play(f"gate {ONE.id}"))
    assert [failed.task for failed in watched.failed] == ["try"]
    assert watched.unfinished[0] == ONE.id
    feed(watched, stats(failures={"ctl-0": 1}))
    assert [failed.task for failed in watched.failed] == ["try"]
    assert watched.unfinished[0] == ONE.id


def test_gate_is_the_message_and_not_the_failed_task() -> None:
    watched = progress()
    feed(watched, play(ONE.id), end("failed", "ctl-1", "stop", message="x"))
    feed(watched, play(f"gate {ONE.id}"), end("failed", "ctl-0", "gate", message="ctl-1 did not finish"))
    feed(watched, stats(failures={"ctl-0": 1, "ctl-1": 1}))
    assert [failed.host for failed in watched.failed] == ["ctl-1"]
    assert watched.gate_message == "ctl-1 did not finish"


def test_gate_at_the_end_of_a_stage_is_no_task_of_it() -> None:
    watched = progress()
    feed(watched, play(ONE.id), end("rescued", "ctl-0", "try", message="x"), start("ctl-0", "rescue"))
    feed(watched, end("ok", "ctl-0", "rescue"), end("failed", "ctl-1", "stop", message="x"))
    gate = end("failed", "ctl-0", GATE_TASK, message="ctl-1 did not finish")
    assert feed(watched, start("ctl-0", GATE_TASK), gate) == []
    # Ansible counts the gate's failure for the host that looked, whose own was rescued.
    feed(watched, stats(failures={"ctl-0": 1, "ctl-1": 1}))
    assert [(failed.host, failed.task) for failed in watched.failed] == [("ctl-1", "stop")]
    assert watched.gate_message == "ctl-1 did not finish"
    assert watched.unfinished[0] == ONE.id


def test_play_that_matches_no_host_finishes_nothing() -> None:
    watched = progress()
    feed(watched, play(ONE.id), {"event": "no_hosts"}, play(TWO.id), END, stats())
    assert watched.unfinished == (ONE.id,)


def test_stage_that_is_only_announced_behind_a_gate_has_not_started() -> None:
    watched = progress()
    feed(watched, play(ONE.id), end("ok", "ctl-0"), end("failed", "ctl-1", "stop", message="x"))
    feed(watched, play(f"gate {ONE.id}"), end("failed", "ctl-0", "gate", message="ctl-1 did not finish"))
    assert feed(watched, play(TWO.id), END, stats(failures={"ctl-1": 1})) == [ONE.id]
    assert watched.snapshot()["stage"] == ONE.id
    assert watched.unfinished == (ONE.id, TWO.id)


def test_stage_whose_hosts_are_all_lost_has_not_started() -> None:
    watched = progress()
    feed(watched, play(ONE.id), *(end("failed", host, "stop", message="x") for host in ONE.hosts))
    assert feed(watched, play(TWO.id), stats(failures={"ctl-0": 1, "ctl-1": 1})) == [ONE.id]
    assert watched.unfinished == (ONE.id, TWO.id)


def test_stage_with_nothing_to_do_is_done() -> None:
    watched = progress()
    assert feed(watched, play(ONE.id), play(TWO.id), END, stats()) == [ONE.id, TWO.id]
    assert watched.unfinished == ()


def test_failure_of_a_host_that_is_left_out_is_recorded_and_counts_nowhere() -> None:
    watched = Progress([ONE], "p.yaml", "/log", unselected=("cmp-0",))
    feed(watched, play(ONE.id), end("failed", "cmp-0", "facts", message="no python"))
    feed(watched, end("ok", "ctl-0"), end("ok", "ctl-1"), END, stats(failures={"cmp-0": 1}))
    assert (watched.failed, watched.unfinished, watched.only_unselected_lost) == ((), (), True)
    feed(watched, stats(failures={"cmp-0": 1}, dark={"ctl-0": 1}))
    assert watched.only_unselected_lost is False


def test_what_has_begun_and_not_ended_is_under_way() -> None:
    watched = progress()
    feed(watched, play(ONE.id), start("ctl-0", "a"), start("ctl-1", "a"), end("ok", "ctl-0", "a"))
    assert watched.running == (RunningTask(ONE.id, "ctl-1", "a"),)
    assert watched.snapshot()["running_total"] == 1
    feed(watched, end("failed", "ctl-1", "a"), start("ctl-0", GATE_TASK))
    assert watched.running == ()


def test_stop_and_what_could_not_be_kept_are_told() -> None:
    watched = progress()
    feed(watched, play(ONE.id), {"event": "not_kept", "stage": ONE.id, "why": "disk full"})
    feed(watched, {"event": "stopped", "why": "it was asked to"})
    assert (watched.unkept, watched.stopped) == ({ONE.id: "disk full"}, "it was asked to")


def test_statistics_of_a_playbook_that_broke_off_finish_no_stage() -> None:
    watched = progress()  # as ansible-core 2.16 ends when it can't start a process: no host failed, and no play follows
    feed(watched, play(ONE.id), end("ok", "ctl-0"), end("ok", "ctl-1"), stats())
    assert watched.unfinished == (ONE.id, TWO.id)


def test_stage_behind_whose_gate_nothing_began_is_not_finished() -> None:
    watched = progress()
    feed(watched, play(ONE.id), end("ok", "ctl-0"), end("ok", "ctl-1"), play(f"gate {ONE.id}"))
    assert watched.unfinished == (ONE.id, TWO.id)


def test_task_without_an_end_leaves_its_stage_unfinished() -> None:
    watched = Progress([ONE], "p.yaml", "/log")
    feed(watched, play(ONE.id), start("ctl-0"), end("ok", "ctl-1"), END, stats())
    assert watched.unfinished == (ONE.id,)


def test_loss_that_only_the_statistics_tell_is_a_failure() -> None:
    watched = Progress([ONE], "p.yaml", "/log")
    feed(watched, play(ONE.id), end("ok", "ctl-0"), END, stats(failures={"ctl-1": 1}))
    assert ([failed.host for failed in watched.failed], watched.unfinished) == (["ctl-1"], (ONE.id,))


def test_handlers_that_a_stage_has_notified_are_known() -> None:
    watched = progress()
    feed(watched, play(ONE.id), {"event": "notify", "handler": "restart", "host": "ctl-0"})
    assert (watched.notified(ONE.id), watched.notified(TWO.id)) == ((("restart", "ctl-0"),), None)


def test_hosts_have_done_a_stage_when_its_gate_was_reached_and_failed() -> None:
    watched = progress()
    feed(watched, play(ONE.id), end("ok", "ctl-0"), end("failed", "ctl-1", "stop", message="x"))
    assert watched.done_by(ONE.id) == ()
    feed(watched, end("failed", "ctl-0", GATE_TASK, message="ctl-1 did not finish"))
    feed(watched, stats(failures={"ctl-0": 1, "ctl-1": 1}))
    assert (watched.done_by(ONE.id), watched.done_by(TWO.id)) == (("ctl-0",), ())


def test_nobody_has_done_a_stage_that_broke_off() -> None:
    watched = progress()
    feed(watched, play(ONE.id), end("ok", "ctl-0"), end("failed", "ctl-1", "stop", message="x"))
    feed(watched, stats(failures={"ctl-1": 1}))
    assert watched.done_by(ONE.id) == ()
