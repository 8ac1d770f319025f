"""Runs of several batches of one phase: side by side, without the hosts that were lost, as many as an executor may."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from ansible_lab import CONTROLLERS, blocked, command, finish, play, records, run, spec_of, start
from support import until

from tripleo_ffwd.ansible_run import health, runs
from tripleo_ffwd.exceptions import InvalidInput, NoFreeSlot, RunActive, WriteRefused
from tripleo_ffwd.model import GATE_TASK

ONE, TWO, THREE = (f"-/step{number}/Controller/all" for number in (1, 2, 3))
MISSED = "ansible_play_hosts_all | difference(ansible_play_hosts)"
GATE = {
    "name": GATE_TASK,
    "fail": {"msg": "did not finish"},
    "when": f"{MISSED} | length > 0",
    "run_once": True,
    "tags": ["always"],
}


def stages(*tasks: list[dict[str, Any]], **keywords: Any) -> list[dict[str, Any]]:
    """A playbook of one stage for each list of tasks; all but the last have a gate."""
    plays = [
        {**play(name, "Controller", found), **keywords} for name, found in zip((ONE, TWO, THREE), tasks, strict=False)
    ]
    for each in plays[:-1]:
        each["tasks"] = [*each["tasks"], GATE]
    return plays


def note(path: Path, text: str) -> dict[str, Any]:
    """A task that adds a line to a file of its host."""
    return command(f"echo {text} >> {path}/{{{{ inventory_hostname }}}}", f"note {text}")


def lines(path: Path, host: str) -> list[str]:
    return (path / host).read_text().split()


FAIL = command("test {{ inventory_hostname }} = ctl-0", "stop the agent")


def test_the_others_go_on_where_they_stopped_without_the_host_that_was_lost(trees, work, tmp_path):
    shown = {"name": "shown", "shell": "echo seen-{{ inventory_hostname }}", "register": "shown"}
    two = [note(tmp_path, "two"), FAIL, shown]
    tree = trees.make(
        stages([note(tmp_path, "one")], two, [note(tmp_path, "{{ shown.stdout }}")]), rolling=["Controller"]
    )
    first = run(work, spec_of(tree, targets=CONTROLLERS, batch="Compute-1"))
    assert (first.result, first.stages_done) == ("failed", 1)
    (lost,) = runs.lost(Path(first.run_dir))
    assert (lost.host, lost.stage, lost.task) == ("ctl-1", TWO, "stop the agent")
    rest = spec_of(tree, targets=("ctl-0",), batch="Compute-1", resume=True, follows=first.run_id)
    second = run(work, rest)
    assert (second.result, second.stages_done) == ("successful", 3), second.message
    # The host that had come to the end of its stage does not do it again, and knows what it had registered.
    assert lines(tmp_path, "ctl-0") == ["one", "two", "seen-ctl-0"]
    assert lines(tmp_path, "ctl-1") == ["one", "two"]
    assert not records(second, event="task_start", host="ctl-1")


def test_a_stage_that_may_have_been_broken_off_begins_anew(trees, work, tmp_path):
    two = [note(tmp_path, "two"), FAIL, note(tmp_path, "three")]
    tree = trees.make(stages([note(tmp_path, "one")], two, any_errors_fatal=True), rolling=["Controller"])
    first = run(work, spec_of(tree, targets=CONTROLLERS, batch="Compute-1"))
    assert lines(tmp_path, "ctl-0") == ["one", "two"]
    second = run(work, spec_of(tree, targets=("ctl-0",), batch="Compute-1", resume=True, follows=first.run_id))
    assert second.result == "successful", second.message
    assert lines(tmp_path, "ctl-0") == ["one", "two", "two", "three"]
    assert lines(tmp_path, "ctl-1") == ["one", "two"]


def test_a_host_that_is_lost_in_the_last_stage_leaves_nothing_to_do(trees, work, tmp_path):
    tree = trees.make(stages([note(tmp_path, "one")], [note(tmp_path, "two"), FAIL]), rolling=["Controller"])
    first = run(work, spec_of(tree, targets=CONTROLLERS, batch="Compute-1"))
    assert [task.host for task in runs.lost(Path(first.run_dir))] == ["ctl-1"]
    second = run(work, spec_of(tree, targets=("ctl-0",), batch="Compute-1", resume=True, follows=first.run_id))
    assert (second.result, second.stages_done, second.stages_total) == ("successful", 2, 2), second.message
    assert lines(tmp_path, "ctl-0") == ["one", "two"]


def test_a_run_that_lost_another_host_is_followed_by_one_without_both(trees, work, tmp_path):
    fail = command("test {{ inventory_hostname }} != ctl-0", "fail later")
    tree = trees.make(stages([FAIL], [note(tmp_path, "two"), fail], [note(tmp_path, "three")]), rolling=["Controller"])
    first = run(work, spec_of(tree, targets=CONTROLLERS, batch="Compute-1"))
    second = run(work, spec_of(tree, targets=("ctl-0",), batch="Compute-1", resume=True, follows=first.run_id))
    assert (second.result, [task.host for task in runs.lost(Path(second.run_dir))]) == ("failed", ["ctl-0"])
    # What the operator goes on with later is the newest one.
    third = run(work, spec_of(tree, targets=("ctl-0",), batch="Compute-1", resume=True))
    assert not records(third, event="task_start", stage=ONE)


def test_a_run_is_not_followed_by_one_on_hosts_that_it_was_not_for(trees, work, tmp_path):
    tree = trees.make(stages([FAIL], [note(tmp_path, "two")]))
    first = run(work, spec_of(tree, targets=("ctl-1",), batch="Compute-1"))
    with pytest.raises(InvalidInput, match="was not for ctl-0"):
        start(work, spec_of(tree, targets=CONTROLLERS, batch="Compute-1", resume=True, follows=first.run_id))


def test_nothing_is_said_of_the_hosts_of_a_run_that_somebody_ended(trees, work, tmp_path):
    tree, told = blocked(trees, tmp_path)
    status, _ = start(work, spec_of(tree, targets=CONTROLLERS, batch="Compute-1"))
    until("the task", told.exists)
    runs.cancel(Path(status.run_dir), now=True, wait=20)
    assert runs.lost(Path(status.run_dir)) == ()


def test_batches_of_a_phase_go_side_by_side_and_nothing_else_does(trees, work, tmp_path):
    tree, _ = blocked(trees, tmp_path)
    one, _ = start(work, spec_of(tree, targets=("ctl-0",), batch="Compute-1"))
    two, attached = start(work, spec_of(tree, targets=("ctl-1",), batch="Compute-2"))
    assert not attached
    assert one.run_id != two.run_id
    for obstacle in (
        spec_of(tree, targets=("ctl-1",), batch="Compute-3"),
        spec_of(tree, targets=("cmp-0",)),
        spec_of(tree, targets=("cmp-0",), batch="Compute-3", phase="converge"),
        spec_of(tree, batch="Compute-3"),
    ):
        with pytest.raises(RunActive):
            start(work, obstacle)
    again, attached = start(work, spec_of(tree, targets=("ctl-1",), batch="Compute-2"))
    assert (attached, again.run_id) == (True, two.run_id)


def test_an_executor_has_no_more_live_runs_than_it_may(trees, work, tmp_path):
    tree, _ = blocked(trees, tmp_path)
    start(work, spec_of(tree, targets=("ctl-0",), batch="Compute-1"), executor="one", most=1)
    two = spec_of(tree, targets=("ctl-1",), batch="Compute-2")
    with pytest.raises(NoFreeSlot, match="executor one has 1 live runs and may have 1"):
        start(work, two, executor="one", most=1)
    status, attached = start(work, two, executor="two", most=1)
    assert not attached
    # To attach takes no place.
    assert start(work, two, executor="two", most=1)[1]
    runs.cancel(Path(status.run_dir), now=True, wait=20)
    assert start(work, spec_of(tree, targets=("cmp-0",), batch="Compute-3"), executor="two", most=1)


def check_health(work: Path, tree: Path, words: list[str]):
    made, digest = health.make_tree(work, tree, words)
    variables = {health.PLAN: "overcloud", health.NODES: ["overcloud-compute-0", "overcloud-compute-1"]}
    spec = spec_of(made, playbook=health.PLAYBOOK, extra_vars=variables, batch="health check after wave 1")
    assert spec.digest == digest
    return finish(start(work, spec)[0])


def test_a_command_is_a_health_check_and_knows_what_was_upgraded(trees, work, tmp_path):
    tree = trees.make(stages([note(tmp_path, "one")]))
    script = tmp_path / "check"
    script.write_text(f'#!/bin/sh\necho "$FFWD_PLAN $FFWD_UPGRADED_NODES $1" > {tmp_path}/told\n')
    script.chmod(0o700)
    passed = check_health(work, tree, [str(script), "{{ nothing }}"])
    assert passed.succeeded, passed.message
    assert (tmp_path / "told").read_text() == "overcloud overcloud-compute-0,overcloud-compute-1 {{ nothing }}\n"
    script.write_text("#!/bin/sh\necho $FFWD_UPGRADED_NODES: two services are down >&2\nexit 3\n")
    failed = check_health(work, tree, [str(script)])
    assert (failed.result, failed.succeeded) == ("failed", False)
    assert "overcloud-compute-1: two services are down" in failed.message
    (task,) = failed.failed
    assert (task.host, task.playbook) == ("localhost", health.PLAYBOOK)


def test_a_playbook_is_a_health_check_with_its_own_files_beside_it(trees, work, tmp_path):
    tree = trees.make(stages([note(tmp_path, "one")]))
    own = tmp_path / "checks"
    (own / "tasks").mkdir(parents=True)
    (own / "tasks" / "look.yml").write_text(
        f"- shell: echo {{{{ ffwd_plan }}}} >> {tmp_path}/{{{{ inventory_hostname }}}}\n"
    )
    playbook = own / "health.yml"
    playbook.write_text("- hosts: Controller\n  gather_facts: false\n  tasks:\n  - include_tasks: tasks/look.yml\n")
    assert check_health(work, tree, [str(playbook)]).succeeded
    assert lines(tmp_path, "ctl-1") == ["overcloud"]
    playbook.write_text("- hosts: Controller\n  gather_facts: false\n  tasks:\n  - fail: {msg: the cluster is ill}\n")
    failed = check_health(work, tree, [str(playbook)])
    assert "the cluster is ill" in failed.message


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["check.sh"], "no absolute path"),
        (["/nowhere/check"], "can't be executed"),
        (["/nowhere/c.yml"], "can't be read"),
    ],
)
def test_a_health_check_that_cannot_be_run_is_refused(words, told):
    with pytest.raises(InvalidInput, match=told):
        health.check(words)


def test_a_health_check_that_cannot_be_written_leaves_nothing_behind(trees, work, monkeypatch):
    tree = trees.make(stages([command("true")]))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(health.shutil, "copy2", full)
    with pytest.raises(WriteRefused, match="No space left"):
        health.make_tree(work, tree, ["/bin/true"])
    assert list((work / "checks").iterdir()) == []
