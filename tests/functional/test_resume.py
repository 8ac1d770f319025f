"""Runs that go on where an earlier one stopped: what ran where, with which variables, and when it is refused.

FFWD_TEST_RUNS=all adds those that `make test` has no time for: `make test-runs`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_lab import (
    PLAYBOOK,
    Trees,
    blocked,
    command,
    finish,
    gate,
    is_running,
    play,
    records,
    run,
    seal,
    spec_of,
    start,
    supervisor_of,
)
from support import until

from tripleo_ffwd.ansible_run import inventories, rundir, runs
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.exceptions import InvalidInput, RunActive
from tripleo_ffwd.model import DEPLOY_STEPS_PLAYBOOK, RunStatus

SLOW = pytest.mark.skipif(os.environ.get("FFWD_TEST_RUNS") != "all", reason="one of many: make test-runs")
ONE, TWO, THREE = (f"-/step{number}/Controller/all" for number in (1, 2, 3))


def stages(*tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A playbook of one stage for each list of tasks, with gates between them."""
    plays = []
    for name, found in zip((ONE, TWO, THREE), tasks, strict=False):
        plays += [play(name, "Controller", found), gate(name, "Controller")]
    return plays


def note(path: Path, text: str) -> dict[str, Any]:
    """A task that adds a line to a file of its host."""
    return command(f"echo {text} >> {path}/{{{{ inventory_hostname }}}}", f"note {text}")


def lines(path: Path, host: str) -> list[str]:
    return (path / host).read_text().split()


def test_goes_on_at_the_stage_that_failed(trees: Trees, work: Path, tmp_path: Path) -> None:
    switch = tmp_path / "mended"
    fail = command(f"test {{{{ inventory_hostname }}}} = ctl-0 || test -e {switch}", "stop the database")
    tree = trees.make(stages([note(tmp_path, "one")], [note(tmp_path, "two"), fail], [note(tmp_path, "three")]))
    first = run(work, spec_of(tree))
    assert (first.result, first.stages_done, first.failed[0].host) == ("failed", 1, "ctl-1")
    switch.touch()
    second = run(work, spec_of(tree, resume=True))
    assert (second.result, second.stages_done, second.stages_total) == ("successful", 3, 3)
    assert lines(tmp_path, "ctl-0") == lines(tmp_path, "ctl-1") == ["one", "two", "two", "three"]
    assert {record["stage"] for record in records(second, event="task_start")} >= {TWO, THREE}
    assert not records(second, event="task_start", stage=ONE)


def with_later_playbook(tree: Path, plays: list[dict[str, Any]]) -> Path:
    """Give a tree the playbook that comes next in the phase."""
    (tree / DEPLOY_STEPS_PLAYBOOK).write_text(yaml.safe_dump(plays, sort_keys=False))
    manifest = json.loads((tree / "manifest.json").read_text())
    stage = {**manifest["stages"][0], "playbook": DEPLOY_STEPS_PLAYBOOK, "id": plays[0]["name"]}
    (tree / "manifest.json").write_text(json.dumps({**manifest, "stages": [*manifest["stages"], stage]}))
    return seal(tree)


def test_a_playbook_that_is_done_is_not_run_again_when_the_next_one_failed(
    trees: Trees, work: Path, tmp_path: Path
) -> None:
    later = [play(ONE, "Controller", [note(tmp_path, "later"), command(f"test -e {tmp_path}/mended")])]
    tree = with_later_playbook(trees.make(stages([note(tmp_path, "one")])), later)
    first = run(work, spec_of(tree))
    assert run(work, spec_of(tree, playbook=DEPLOY_STEPS_PLAYBOOK)).result == "failed"
    (tmp_path / "mended").touch()
    status, attached = start(work, spec_of(tree, resume=True))
    assert (attached, status.run_id) == (True, first.run_id)
    assert run(work, spec_of(tree, playbook=DEPLOY_STEPS_PLAYBOOK, resume=True)).result == "successful"
    assert lines(tmp_path, "ctl-0") == ["one", "later", "later"]
    # Begun anew, the phase begins with its first playbook, and what came after it then counts no more.
    assert run(work, spec_of(tree)).run_id != first.run_id
    status, attached = start(work, spec_of(tree, playbook=DEPLOY_STEPS_PLAYBOOK, resume=True))
    assert not attached
    assert finish(status).result == "successful"
    assert lines(tmp_path, "ctl-0") == ["one", "later", "later", "one", "later"]


@SLOW
def test_without_resume_everything_begins_again(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree = trees.make(stages([note(tmp_path, "one")], [command(f"test -e {tmp_path}/mended")]))
    assert run(work, spec_of(tree)).result == "failed"
    (tmp_path / "mended").touch()
    assert run(work, spec_of(tree)).result == "successful"
    assert lines(tmp_path, "ctl-0") == ["one", "one"]


VALUES = [
    {
        "name": "set",
        "set_fact": {
            "a_list": "{{ [1, 'b', {'c': none}] }}",
            "a_number": "{{ 41 + 1 }}",
            "braces": "{{ '{' ~ '{ no_such_variable }' ~ '}' }}",
            "fact": "{{ inventory_hostname }}",
        },
    },
    {"name": "register", "shell": "echo out-{{ inventory_hostname }}", "register": "shown"},
    {"name": "skip", "shell": "true", "register": "skipped", "when": "false"},
    {"name": "gather", "gather_facts": {"gather_subset": "!all"}},
    {"name": "cached", "set_fact": {"kept": "as fact", "cacheable": True}},
    {"name": "include", "include_vars": {"file": "more.yaml"}},
]
SEEN = (
    "{{ [a_list, a_number is integer, fact, shown.stdout, shown.rc, skipped is skipped, ansible_facts.system, kept, "
    "included, hostvars['ctl-0'].fact, braces] | to_json }}"
)


def test_variables_are_as_they_were_with_their_types(trees: Trees, work: Path, tmp_path: Path) -> None:
    moment = "{{ (MENDED is file) | ternary('after', 'before') }}".replace("MENDED", f"'{tmp_path}/mended'")
    see = {"name": "see", "copy": {"content": SEEN, "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}-{moment}"}}
    tree = trees.make(stages(VALUES, [see, command(f"test -e {tmp_path}/mended", "fail once")]))
    (tree / "more.yaml").write_text("included: from a file\n")
    first = run(work, spec_of(seal(tree)))
    assert (first.result, first.failed[0].task) == ("failed", "fail once")
    (tmp_path / "mended").touch()
    second = run(work, spec_of(tree, resume=True))
    assert second.result == "successful", second.message
    for host in ("ctl-0", "ctl-1"):
        before = (tmp_path / f"{host}-before").read_text()
        assert before == (tmp_path / f"{host}-after").read_text()
        assert f"out-{host}" in before and "from a file" in before and "{{ no_such_variable }}" in before


def test_variables_are_those_before_the_stage_and_not_of_its_middle(trees: Trees, work: Path, tmp_path: Path) -> None:
    count = {"name": "count", "set_fact": {"counted": "{{ (counted | default(0) | int) + 1 }}"}}
    show = note(tmp_path, "counted-{{ counted }}")
    tree = trees.make(stages([count], [count, show, command(f"test -e {tmp_path}/mended")], [show]))
    assert run(work, spec_of(tree)).result == "failed"
    assert run(work, spec_of(tree, resume=True)).result == "failed"
    (tmp_path / "mended").touch()
    assert run(work, spec_of(tree, resume=True)).result == "successful"
    assert lines(tmp_path, "ctl-0") == ["counted-2"] * 4


def test_killed_supervisor_leaves_a_run_that_is_gone_on_with(trees: Trees, work: Path, tmp_path: Path) -> None:
    waits = command(f"touch {tmp_path}/begun; test -e {tmp_path}/mended || cat {tmp_path}/never", "migrate")
    os.mkfifo(tmp_path / "never")
    tree = trees.make(stages([note(tmp_path, "one")], [waits, note(tmp_path, "two")]))
    first, _ = start(work, spec_of(tree))
    until("the task to begin", (tmp_path / "begun").exists)
    pid = supervisor_of(first)
    os.kill(pid, signal.SIGKILL)
    until("the end of the supervisor", lambda: not is_running(pid))
    dead = runs.status(Path(first.run_dir))
    assert (dead.state, dead.stages_done) == ("interrupted", 1)
    assert {(task.task, task.host) for task in dead.running} == {("migrate", "ctl-0"), ("migrate", "ctl-1")}
    (tmp_path / "mended").touch()
    second = run(work, spec_of(tree, resume=True))
    assert second.result == "successful", second.message
    assert lines(tmp_path, "ctl-1") == ["one", "two"]


def test_pause_ends_at_the_next_stage_and_is_gone_on_with(trees: Trees, work: Path, tmp_path: Path) -> None:
    told, go = tmp_path / "told", tmp_path / "go"
    os.mkfifo(go)
    waits = {**command(f"touch {told}; cat {go}", "wait"), "run_once": True}
    tree = trees.make(stages([waits, note(tmp_path, "one")], [note(tmp_path, "two")]))
    first, _ = start(work, spec_of(tree))
    until("the task to begin", told.exists)
    runs.pause(Path(first.run_dir), by="the operator")
    until("the supervisor to have seen it", (Path(first.run_dir) / "stop.json").exists)
    go.write_text("")
    paused = finish(first)
    assert (paused.state, paused.result, paused.message) == ("finished", "paused", "paused by the operator")
    assert (paused.stages_done, paused.running) == (1, ())
    assert lines(tmp_path, "ctl-0") == ["one"]
    second = run(work, spec_of(tree, resume=True))
    assert second.result == "successful"
    assert lines(tmp_path, "ctl-0") == ["one", "two"]


@SLOW
def test_pause_that_is_taken_back_does_nothing(trees: Trees, work: Path, tmp_path: Path) -> None:
    told, go = tmp_path / "told", tmp_path / "go"
    os.mkfifo(go)
    waits = {**command(f"touch {told}; cat {go}", "wait"), "run_once": True}
    tree = trees.make(stages([waits], [note(tmp_path, "two")]))
    first, _ = start(work, spec_of(tree))
    until("the task to begin", told.exists)
    stop = Path(first.run_dir) / "stop.json"
    runs.pause(Path(first.run_dir))
    until("the supervisor to have seen it", stop.exists)
    runs.unpause(Path(first.run_dir))
    until("the supervisor to have seen it", lambda: not stop.exists())
    go.write_text("")
    assert finish(first).result == "successful"


def test_cancel_lets_the_task_end_and_starts_no_other(trees: Trees, work: Path, tmp_path: Path) -> None:
    told, go = tmp_path / "told", tmp_path / "go"
    os.mkfifo(go)
    waits = {**command(f"touch {told}; cat {go}; echo waited >> {tmp_path}/ctl-0", "wait"), "run_once": True}
    tree = trees.make(stages([waits, note(tmp_path, "one")]))
    first, _ = start(work, spec_of(tree))
    until("the task to begin", told.exists)
    runs.cancel(Path(first.run_dir), by="the operator")
    until("the supervisor to have seen it", (Path(first.run_dir) / "stop.json").exists)
    assert runs.status(Path(first.run_dir)).state == "live"
    go.write_text("")
    ended = finish(first)
    assert (ended.result, ended.message, ended.running) == ("cancelled", "cancelled by the operator", ())
    assert lines(tmp_path, "ctl-0") == ["waited"]


@SLOW
def test_cancel_cuts_off_what_does_not_end_in_time_and_names_it(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, told = blocked(trees, tmp_path)
    first, _ = start(work, spec_of(tree), cancel_grace=1)
    until("the task to begin", told.exists)
    ended = runs.cancel(Path(first.run_dir), wait=30)
    assert ended.result == "cancelled" and "cut off" in ended.message and "may have run" in ended.message
    assert {task.host for task in ended.running} and ended.running_total == len(ended.running)
    assert runs.leftovers(Path(first.run_dir)) == ()


def test_successful_run_is_the_answer_to_resume(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree = trees.make(stages([note(tmp_path, "one")]))
    first = run(work, spec_of(tree))
    again, attached = start(work, spec_of(tree, resume=True))
    assert (again.run_id, attached) == (first.run_id, True)
    assert lines(tmp_path, "ctl-0") == ["one"]


def failed_once(trees: Trees, work: Path, tmp_path: Path) -> tuple[Path, RunStatus]:
    """A run whose second stage fails."""
    tree = trees.make(stages([note(tmp_path, "one")], [command("false")]))
    return tree, run(work, spec_of(tree))


def test_changed_playbook_is_refused_and_named(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, first = failed_once(trees, work, tmp_path)
    other = tmp_path / "other"
    shutil.copytree(tree, other)
    (other / PLAYBOOK).write_text((tree / PLAYBOOK).read_text().replace("'false'", "'true'"))
    manifest = other / "manifest.json"
    manifest.write_text(manifest.read_text().replace("digest-1", "digest-2"))
    seal(other)
    with pytest.raises(InvalidInput, match=PLAYBOOK) as caught:
        start(work, spec_of(other, resume=True))
    assert first.run_id in str(caught.value) and "force_reason" in str(caught.value)
    assert len(runs.list_runs(work)) == 1
    forced = run(work, spec_of(other, resume=True, anyway="the mirror was wrong"))
    assert forced.result == "successful"
    assert lines(tmp_path, "ctl-0") == ["one"]


def given(work: Path, **variables: Any) -> str:
    """Keep an inventory as TripleO makes it, with a token of its own, and return its path."""
    groups = {
        "overcloud": {"children": {"Controller": {}, "Compute": {}}},
        "Controller": {"hosts": {"ctl-0": variables, "ctl-1": {}}},
        "Compute": {"hosts": {"cmp-0": {}}},
        "undercloud": {"hosts": {"undercloud": {"os_auth_token": secrets.token_hex()}}},
    }
    return str(inventories.store(work, yaml.safe_dump(groups)))


def test_live_run_of_another_inventory_is_not_attached_to(trees: Trees, work: Path, tmp_path: Path) -> None:
    hold = command(f"until test -e {tmp_path}/mended; do sleep 0.1; done")
    tree = trees.make(stages([hold]))
    status, _ = start(work, spec_of(tree, inventory_file=given(work)))
    with pytest.raises(RunActive, match="inventory_file"):
        start(work, spec_of(tree, inventory_file=given(work, ansible_port=2222)))
    for same in (given(work), ""):
        assert start(work, spec_of(tree, inventory_file=same))[0].run_id == status.run_id
    (tmp_path / "mended").touch()
    assert finish(status).result == "successful"


def test_changed_inventory_of_the_caller_is_refused_and_told_but_not_another_token(
    trees: Trees, work: Path, tmp_path: Path
) -> None:
    tree = trees.make(stages([note(tmp_path, "one")], [command(f"test -e {tmp_path}/mended")]))
    assert run(work, spec_of(tree, inventory_file=given(work))).result == "failed"
    known = given(work)
    again = run(work, spec_of(tree, resume=True, inventory_file=known))
    assert (again.result, lines(tmp_path, "ctl-0")) == ("failed", ["one"])
    without = run(work, spec_of(tree, resume=True))
    spec = rundir.load_spec(RunDir(Path(without.run_dir)))
    assert spec and (without.result, spec.inventory_file) == ("failed", known)
    (tmp_path / "mended").touch()
    with pytest.raises(InvalidInput) as caught:
        start(work, spec_of(tree, resume=True, inventory_file=given(work, ansible_port=2222)))
    assert "ctl-0 (ansible_port)" in str(caught.value) and "force_reason" in str(caught.value)
    forced = run(
        work, spec_of(tree, resume=True, anyway="the port has moved", inventory_file=given(work, ansible_port=2222))
    )
    assert (forced.result, lines(tmp_path, "ctl-0")) == ("successful", ["one"])


@SLOW
def test_other_variables_are_refused(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, _ = failed_once(trees, work, tmp_path)
    with pytest.raises(InvalidInput, match="extra_vars"):
        start(work, spec_of(tree, resume=True, extra_vars={"a": 1}))


@SLOW
def test_lost_variables_are_refused_by_the_name_of_their_stage(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, first = failed_once(trees, work, tmp_path)
    (Path(first.run_dir) / "variables.bin").unlink()
    with pytest.raises(InvalidInput, match=ONE):
        start(work, spec_of(tree, resume=True))


@SLOW
def test_changed_inventory_is_refused_by_the_name_of_its_task(trees: Trees, work: Path, tmp_path: Path) -> None:
    add = {"name": "add a host", "add_host": {"name": "ctl-9", "groups": "extra"}}
    tree = trees.make(stages([add], [command("false")]))
    run(work, spec_of(tree))
    with pytest.raises(InvalidInput, match="add a host"):
        start(work, spec_of(tree, resume=True))


def test_damaged_variables_stop_the_run_before_its_first_task(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, first = failed_once(trees, work, tmp_path)
    path = Path(first.run_dir) / "variables.bin"
    data = bytearray(path.read_bytes())
    data[data.index(b"\n") + 20] ^= 1  # of the first record
    path.write_bytes(data)
    second = run(work, spec_of(tree, resume=True))
    assert second.result == "failed" and "can't be re" in second.message, second.message
    assert not records(second, event="task_start")


def test_process_that_lives_on_a_node_is_named_and_stops_the_run(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, first = failed_once(trees, work, tmp_path)
    left = subprocess.Popen(["sleep", "1000"], env={**os.environ, "FFWD_RUN_ID": first.run_id})
    try:
        second = run(work, spec_of(tree, resume=True, leftovers_wait=1))
        assert second.result == "failed"
        assert f"{left.pid} sleep 1000" in second.message
        assert not records(second, event="task_start", stage=TWO)
    finally:
        left.kill()
        left.wait()


def test_handler_that_is_to_run_is_not_lost_by_a_pause_before_its_stage(
    trees: Trees, work: Path, tmp_path: Path
) -> None:
    change = {"name": "configure", "copy": {"content": "x", "dest": f"{tmp_path}/conf-{{{{ inventory_hostname }}}}"}}
    plays = stages([note(tmp_path, "one")], [{**change, "notify": "restart"}, command(f"test -e {tmp_path}/mended")])
    plays[2]["handlers"] = [{**note(tmp_path, "restarted"), "name": "restart"}]
    tree = trees.make(plays)
    first = run(work, spec_of(tree))
    # The run that goes on waits for this one's end, and is asked to pause meanwhile.
    left = subprocess.Popen(["sleep", "1000"], env={**os.environ, "FFWD_RUN_ID": first.run_id})
    try:
        second, _ = start(work, spec_of(tree, resume=True))
        runs.pause(Path(second.run_dir))
        until("the supervisor to have seen it", (Path(second.run_dir) / "stop.json").exists)
    finally:
        left.kill()
        left.wait()
    assert finish(second).result == "paused"
    assert records(second, event="play_start", play=TWO) and not records(second, event="notify")
    (tmp_path / "mended").touch()
    assert run(work, spec_of(tree, resume=True)).result == "successful"
    assert lines(tmp_path, "ctl-0") == lines(tmp_path, "ctl-1") == ["one", "restarted"]


@SLOW
def test_node_that_hangs_ends_the_look_for_what_runs_have_left(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree = trees.make(stages([note(tmp_path, "one")], [command("false")]))
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexec sleep 1000\n")
    ssh.chmod(0o700)
    (tree / "host_vars").mkdir()
    hangs = {"ansible_connection": "ssh", "ansible_ssh_executable": str(ssh), "ansible_become": False}
    (tree / "host_vars" / "cmp-0.yaml").write_text(yaml.safe_dump(hangs))
    run(work, spec_of(seal(tree)))
    second = run(work, spec_of(tree, resume=True, gather_timeout=5))
    (lost,) = second.failed
    assert (second.result, lost.host) == ("failed", "cmp-0") and "time" in lost.message.lower()
    assert not records(second, event="task_start", stage=TWO)


def test_secret_registers_are_nowhere_in_the_run(trees: Trees, work: Path, tmp_path: Path) -> None:
    hidden = {"name": "hidden", "no_log": True, "shell": "echo sword''fish-77", "register": "secret"}
    use = {
        **command(f"echo {{{{ secret.stdout }}}} | wc -c >> {tmp_path}/{{{{ inventory_hostname }}}}"),
        "no_log": True,
    }
    tree = trees.make(stages([hidden], [command(f"test -e {tmp_path}/mended"), use]))
    first = run(work, spec_of(tree))
    (tmp_path / "mended").touch()
    second = run(work, spec_of(tree, resume=True))
    assert (first.result, second.result) == ("failed", "successful")
    assert lines(tmp_path, "ctl-0") == ["13"]
    for path in work.rglob("*"):
        assert not path.is_file() or b"swordfish-77" not in path.read_bytes(), path


def flaky(path: Path) -> dict[str, Any]:
    """A task that fails on ctl-1 until a file is there."""
    return command(f"test {{{{ inventory_hostname }}}} = ctl-0 || test -e {path}/mended", "fails on one")


def test_host_that_has_finished_its_stage_is_left_out_of_it_in_a_rolling_role(
    trees: Trees, work: Path, tmp_path: Path
) -> None:
    register = {"name": "register", "shell": "echo of-{{ inventory_hostname }}", "register": "shown"}
    two = [note(tmp_path, "two"), register, flaky(tmp_path)]
    tree = trees.make(
        stages([note(tmp_path, "one")], two, [note(tmp_path, "{{ shown.stdout }}")]), rolling=["Controller"]
    )
    assert run(work, spec_of(tree)).result == "failed"
    assert run(work, spec_of(tree, resume=True)).result == "failed"
    (tmp_path / "mended").touch()
    third = run(work, spec_of(tree, resume=True))
    assert (third.result, third.stages_done) == ("successful", 3), third.message
    assert lines(tmp_path, "ctl-0") == ["one", "two", "of-ctl-0"]
    assert lines(tmp_path, "ctl-1") == ["one", "two", "two", "two", "of-ctl-1"]


@SLOW
def test_stage_whose_tasks_look_at_other_hosts_begins_again_on_all(trees: Trees, work: Path, tmp_path: Path) -> None:
    two = [note(tmp_path, "{{ ansible_play_hosts | length }}"), flaky(tmp_path)]
    tree = trees.make(stages([note(tmp_path, "one")], two), rolling=["Controller"])
    assert run(work, spec_of(tree)).result == "failed"
    (tmp_path / "mended").touch()
    assert run(work, spec_of(tree, resume=True)).result == "successful"
    assert lines(tmp_path, "ctl-0") == ["one", "2", "2"]


@SLOW
def test_kept_variables_are_gone_once_the_run_was_successful(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree = trees.make(stages([note(tmp_path, "one")], [flaky(tmp_path)]))
    first = run(work, spec_of(tree))
    assert (Path(first.run_dir) / "variables.bin").exists()
    (tmp_path / "mended").touch()
    assert run(work, spec_of(tree, resume=True)).result == "successful"
    assert list(work.rglob("*.bin")) == []


def test_files_that_tasks_have_made_beside_the_playbook_are_there_again(
    trees: Trees, work: Path, tmp_path: Path
) -> None:
    make = {**command("mkdir {{ playbook_dir }}/made; echo one > {{ playbook_dir }}/made/file"), "run_once": True}
    use = command(f"cat {{{{ playbook_dir }}}}/made/file >> {tmp_path}/{{{{ inventory_hostname }}}}")
    tree = trees.make(stages([make], [flaky(tmp_path)], [use]))
    assert run(work, spec_of(tree)).result == "failed"
    assert run(work, spec_of(tree, resume=True)).result == "failed"
    (tmp_path / "mended").touch()
    third = run(work, spec_of(tree, resume=True))
    assert third.result == "successful", third.message
    assert lines(tmp_path, "ctl-1") == ["one"]


@SLOW
def test_new_stage_among_the_finished_ones_is_refused_though_forced(trees: Trees, work: Path, tmp_path: Path) -> None:
    plays = stages([note(tmp_path, "one")], [flaky(tmp_path)])
    run(work, spec_of(trees.make(plays)))
    other = trees.make([play("-/pre/Controller/all", "Controller", [note(tmp_path, "pre")]), *plays])
    with pytest.raises(InvalidInput, match="has -/pre/Controller/all where"):
        start(work, spec_of(other, resume=True, anyway="the mirror was wrong"))


@SLOW
def test_run_that_never_began_hides_none_that_has(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree = trees.make(stages([note(tmp_path, "one")], [flaky(tmp_path)]))
    first = Path(run(work, spec_of(tree)).run_dir)
    later = first.with_name("2".ljust(len(first.name), "9"))
    shutil.copytree(first, later, symlinks=True)
    text = (first / "ledger.jsonl").read_text()
    (later / "ledger.jsonl").write_text(text.splitlines(keepends=True)[0])
    (tmp_path / "mended").touch()
    assert run(work, spec_of(tree, resume=True)).result == "successful"
    assert lines(tmp_path, "ctl-0") == ["one"]


@SLOW
def test_run_whose_hosts_another_has_worked_on_since_is_refused(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree = trees.make(stages([note(tmp_path, "one")], [flaky(tmp_path)]))
    run(work, spec_of(tree, targets=("ctl-1",)))
    (tmp_path / "mended").touch()
    second = run(work, spec_of(tree))
    with pytest.raises(InvalidInput, match=second.run_id):
        start(work, spec_of(tree, targets=("ctl-1",), resume=True))


@SLOW
def test_phase_that_was_started_anew_begins_its_next_playbook_anew(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree = trees.make(stages([note(tmp_path, "one")], [flaky(tmp_path)]))
    deploy = "deploy_steps_playbook.yaml"
    shutil.copy(tree / PLAYBOOK, tree / deploy)
    manifest = json.loads((tree / "manifest.json").read_text())
    manifest["stages"] += [{**stage, "playbook": deploy} for stage in manifest["stages"]]
    (tree / "manifest.json").write_text(json.dumps(manifest))
    seal(tree)
    assert run(work, spec_of(tree, playbook=deploy)).result == "failed"
    (tmp_path / "mended").touch()
    assert run(work, spec_of(tree)).result == "successful"
    assert run(work, spec_of(tree, playbook=deploy, resume=True)).result == "successful"
    assert lines(tmp_path, "ctl-0") == ["one", "one", "one"]


@SLOW
def test_what_was_limited_by_tags_in_between_hides_no_run_and_has_to_be_excused(
    trees: Trees, work: Path, tmp_path: Path
) -> None:
    tree = trees.make(stages([note(tmp_path, "one")], [flaky(tmp_path)]))
    assert run(work, spec_of(tree, tags="validation")).result == "successful"
    first = run(work, spec_of(tree, resume=True))  # there is nothing to go on with
    assert (first.result, lines(tmp_path, "ctl-0")) == ("failed", ["one"])
    validated = run(work, spec_of(tree, tags="validation"))
    assert validated.result == "successful"
    with pytest.raises(InvalidInput, match=f"{validated.run_id} .* has worked on its hosts since"):
        start(work, spec_of(tree, resume=True))
    (tmp_path / "mended").touch()
    second = run(work, spec_of(tree, resume=True, anyway="it only looked"))
    assert second.result == "successful"
    assert records(second, event="run_start")[0]["resumes"] == first.run_id
    # What is done stays done.
    assert run(work, spec_of(tree, tags="validation")).result == "successful"
    answer, attached = start(work, spec_of(tree, resume=True))
    assert (attached, answer.run_id) == (True, second.run_id)
    assert lines(tmp_path, "ctl-0") == ["one"]
