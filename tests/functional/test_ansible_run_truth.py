"""Runs of real playbooks: what is true of one that is cancelled, dies, falls silent or is asked for twice."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_lab import (
    PLAYBOOK,
    Trees,
    blocked,
    command,
    descendants,
    elsewhere,
    finish,
    is_running,
    play,
    run,
    spec_of,
    start,
    supervisor_of,
)
from support import until

from tripleo_ffwd.ansible_run import rundir, runs
from tripleo_ffwd.exceptions import InvalidInput, LaunchFailed, RunActive


def test_cancel_ends_everything_in_the_middle_of_a_task(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, told = blocked(trees, tmp_path, text="(setsid env -i sleep 1000 &)")
    status, _ = start(work, spec_of(tree))
    until("the task to begin", told.exists)
    pid = supervisor_of(status)
    family = {int(word) for word in descendants(pid)}
    assert len(family) > 3
    status = runs.cancel(Path(status.run_dir), now=True, wait=20)
    assert (status.state, status.result) == ("finished", "cancelled")
    assert runs.leftovers(Path(status.run_dir)) == ()
    assert not [one for one in family if is_running(one)]


@pytest.mark.parametrize("way", ["a signal to the supervisor", "the operator's word that this machine is fenced"])
def test_supervisor_ends_its_run_by(way: str, trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, told = blocked(trees, tmp_path)
    status, _ = start(work, spec_of(tree))
    until("the task to begin", told.exists)
    if way.startswith("a signal"):
        os.kill(supervisor_of(status), signal.SIGTERM)
    else:
        (Path(status.run_dir) / "fence.json").write_text("{}")
    status = finish(status)
    assert (status.state, status.result) == ("finished", "cancelled")
    assert runs.leftovers(Path(status.run_dir)) == ()


def test_timeout_ends_the_run(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, _ = blocked(trees, tmp_path)
    status = run(work, spec_of(tree, timeout=3))
    assert (status.state, status.result) == ("finished", "timeout")
    assert runs.leftovers(Path(status.run_dir)) == ()


def test_killed_supervisor_means_interrupted_and_nothing_alive(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, told = blocked(trees, tmp_path, text="(setsid env -i sleep 1000 &)")
    status, _ = start(work, spec_of(tree))
    until("the task to begin", told.exists)
    until("the orphan to be noted", (Path(status.run_dir) / "adopted.json").exists)  # the sleep, which carries no mark
    family = [int(word) for word in descendants(supervisor_of(status))]
    os.kill(supervisor_of(status), signal.SIGKILL)
    until("the end of the supervisor", lambda: not is_running(supervisor_of(status)))
    assert runs.leftovers(Path(status.run_dir)) != ()
    status = runs.status(Path(status.run_dir))
    assert (status.state, status.result) == ("interrupted", "")
    until("the end of its processes", lambda: not [one for one in family if is_running(one)], 1)
    assert runs.leftovers(Path(status.run_dir)) == ()
    assert start(work, spec_of(tree))[1] is False  # and a new one may begin


def test_the_same_is_attached_to_and_another_is_refused(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, told = blocked(trees, tmp_path)
    first, attached = start(work, spec_of(tree))
    assert not attached
    until("the task to begin", told.exists)
    again, attached = start(work, spec_of(tree, owner="another execution"))
    assert (again.run_id, again.state, attached) == (first.run_id, "live", True)
    with pytest.raises(RunActive, match=first.run_id) as caught:
        start(work, spec_of(tree, targets=("ctl-0",)))
    assert PLAYBOOK in str(caught.value) and "run cancel" in str(caught.value)
    assert len(runs.list_runs(work, "overcloud")) == 1


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"skip_tags": "slow"}, "skip_tags"),
        ({"tags": "quick"}, "tags"),
        ({"ssh_user": "root"}, "ssh_user"),
        ({"extra_vars": {"db_password": "herring-7"}}, "extra_vars"),
        ({"extra_vars_file": "FILE"}, "extra_vars_file"),
    ],
)
def test_live_run_that_does_something_else_is_not_attached_to(
    trees: Trees, work: Path, tmp_path: Path, fields: dict[str, Any], named: str
) -> None:
    (tmp_path / "vars.yaml").write_text("a: 1\n")
    fields = {name: str(tmp_path / "vars.yaml") if value == "FILE" else value for name, value in fields.items()}
    tree, told = blocked(trees, tmp_path)
    first, _ = start(work, spec_of(tree, extra_vars={"db_password": "swordfish-9"}))
    until("the task to begin", told.exists)
    with pytest.raises(RunActive, match=first.run_id) as caught:
        start(work, spec_of(tree, **{"extra_vars": {"db_password": "swordfish-9"}, **fields}))
    assert caught.value.details["differing"] == [named] and named in str(caught.value)
    assert "herring" not in str(caught.value) and "swordfish" not in str(caught.value)
    assert start(work, spec_of(tree, extra_vars={"db_password": "swordfish-9"}, verbosity=2))[1] is True
    for name in ("spec.json", "launch.json"):
        assert "swordfish-9" not in (Path(first.run_dir) / name).read_text()


def test_changed_file_of_variables_is_another_run(trees: Trees, work: Path, tmp_path: Path) -> None:
    variables = tmp_path / "vars.yaml"
    variables.write_text("a: 1\n")
    tree, told = blocked(trees, tmp_path)
    start(work, spec_of(tree, extra_vars_file=str(variables)))
    until("the task to begin", told.exists)
    assert start(work, spec_of(tree, extra_vars_file=str(variables)))[1] is True
    variables.write_text("a: 2\n")
    with pytest.raises(RunActive, match="extra_vars_file"):
        start(work, spec_of(tree, extra_vars_file=str(variables)))


def test_repeated_attempt_gets_its_run_whatever_came_later(trees: Trees, work: Path, tmp_path: Path) -> None:
    spec = spec_of(trees.make([play("-/step1/Controller/all", "Controller", [command("false")])]), attempt="a-1")
    first = run(work, spec)
    assert first.result == "failed"
    later = run(work, dataclasses.replace(spec, attempt="a-2", targets=("ctl-0",)))
    assert start(work, spec)[0].run_id == first.run_id
    tree, told = blocked(trees, tmp_path)
    live, _ = start(work, spec_of(tree))
    until("the task to begin", told.exists)
    found, attached = start(work, spec)
    assert (found.run_id, found.result, attached) == (first.run_id, "failed", True)
    assert {status.run_id for status in runs.list_runs(work)} == {first.run_id, later.run_id, live.run_id}


def test_attempt_whose_starter_died_begins_again_and_one_that_was_cancelled_does_not(trees: Trees, work: Path) -> None:
    spec = spec_of(trees.make([play("-/step1/Controller/all", "Controller", [command("true")])]), attempt="a-1")
    (work / "runs").mkdir(parents=True)
    died = rundir.create(work, spec, {"created": time.time()}, {})
    began, attached = start(work, spec)
    assert (attached, began.run_id == died.run_id) == (False, False)
    finish(began)
    assert runs.status(died.path).message.startswith("never started")
    spec = dataclasses.replace(spec, attempt="a-2")
    unwanted = rundir.create(work, spec, {"created": time.time()}, {})
    runs.cancel(unwanted.path)
    found, attached = start(work, spec)
    assert (found.run_id, found.state, attached) == (unwanted.run_id, "interrupted", True)


def test_done_run_is_adopted_only_when_it_is_the_newest_and_did_the_same(trees: Trees, work: Path) -> None:
    spec = spec_of(trees.make([play("-/step1/Controller/all", "Controller", [command("true")])]), tags="a")
    first = run(work, spec)
    assert start(work, spec, adopt=True)[0].run_id == first.run_id
    other, attached = start(work, dataclasses.replace(spec, tags=""), adopt=True)
    assert not attached
    finish(other)
    again, attached = start(work, spec, adopt=True)
    assert (attached, again.run_id != first.run_id) == (False, True)
    finish(again)


def test_run_of_no_readable_plan_blocks_every_plan_but_is_certainly_of_none(trees: Trees, work: Path) -> None:
    spec = spec_of(trees.make([play("-/step1/Controller/all", "Controller", [command("true")])]))
    first = run(work, spec)
    for name in ("spec.json", "status.json", "supervisor.json"):
        (Path(first.run_dir) / name).write_text("{")
    (found,) = runs.list_runs(work, "another")
    assert (found.run_id, found.plan, found.state) == (first.run_id, "", "unknown")
    assert runs.list_runs(work, "another", certain=True) == ()
    with pytest.raises(RunActive, match=first.run_id):
        start(work, dataclasses.replace(spec, plan="another"))
    shutil.rmtree(first.run_dir)


def test_silence_of_another_machine_is_unknown_until_it_is_fenced(trees: Trees, work: Path) -> None:
    spec = spec_of(trees.make([play("-/step1/Controller/all", "Controller", [command("true")])]))
    status = run(work, spec)
    elsewhere(status, age=5)
    assert runs.status(Path(status.run_dir), heartbeat_stale=10).state == "live"
    elsewhere(status, age=500)
    assert runs.status(Path(status.run_dir), heartbeat_stale=10).state == "unknown"
    with pytest.raises(RunActive, match="fence that machine"):
        start(work, spec)
    with pytest.raises(InvalidInput, match="undercloud-2"):
        runs.fence(Path(status.run_dir), "undercloud-1", "it burnt down")
    with pytest.raises(InvalidInput, match="reason"):
        runs.fence(Path(status.run_dir), "undercloud-2", " ")
    fenced = runs.fence(Path(status.run_dir), "undercloud-2", "powered off by hand")
    assert fenced.state == "interrupted" and "powered off by hand" in fenced.message
    assert start(work, spec)[1] is False


def test_a_machine_whose_clock_was_ahead_can_be_fenced(trees: Trees, work: Path) -> None:
    spec = spec_of(trees.make([play("-/step1/Controller/all", "Controller", [command("true")])]))
    status = run(work, spec)
    elsewhere(status, age=-90_000)
    seen = runs.status(Path(status.run_dir), heartbeat_stale=10)
    assert seen.state == "unknown" and "ahead of this machine's clock" in seen.message
    assert runs.fence(Path(status.run_dir), "undercloud-2", "powered off by hand").state == "interrupted"


def test_a_starter_killed_in_between_blocks_nobody(trees: Trees, work: Path) -> None:
    spec = spec_of(trees.make([play("-/step1/Controller/all", "Controller", [command("true")])]))
    first = run(work, spec)
    (Path(first.run_dir) / "supervisor.json").unlink()
    (Path(first.run_dir) / "status.json").unlink()
    second = run(work, spec)
    assert second.result == "successful"
    assert runs.status(Path(first.run_dir)).state == "interrupted"
    late = subprocess.run([sys.executable, "-m", "tripleo_ffwd.ansible_run.supervisor", first.run_dir], check=False)
    assert late.returncode == 3  # a supervisor that comes late does nothing


def test_old_unclaimed_run_was_never_started(trees: Trees, work: Path) -> None:
    spec = spec_of(trees.make([play("-/step1/Controller/all", "Controller", [command("true")])]))
    directory = Path(run(work, spec).run_dir)
    (directory / "supervisor.json").unlink()
    (directory / "status.json").unlink()
    assert runs.status(directory).state == "live"
    launch = json.loads((directory / "launch.json").read_text())
    (directory / "launch.json").write_text(json.dumps({**launch, "created": time.time() - 100}))
    status = runs.status(directory)
    assert status.state == "interrupted" and "never started" in status.message


def test_supervisor_that_can_not_renew_its_lease_ends_its_tree(trees: Trees, work: Path, tmp_path: Path) -> None:
    tree, told = blocked(trees, tmp_path)
    status, _ = start(work, spec_of(tree), heartbeat_stale=4)
    until("the task to begin", told.exists)
    pid = supervisor_of(status)
    moved = Path(status.run_dir).with_name("moved-away")
    Path(status.run_dir).rename(moved)
    until("the end of the supervisor", lambda: not is_running(pid), 20)
    assert runs.leftovers(Path(status.run_dir)) == ()
    assert runs.status(moved).state in ("interrupted", "unknown", "live")


def test_launch_that_fails_leaves_no_live_run(trees: Trees, work: Path) -> None:
    spec = spec_of(trees.make([play("-/step1/Controller/all", "Controller", [command("true")])]))
    with pytest.raises(LaunchFailed, match="tripleo-ffwd supervisord --work-dir"):
        start(work, spec, launcher="supervisord")
    (status,) = runs.list_runs(work)
    assert status.state == "interrupted"
    assert run(work, spec).result == "successful"


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"state": 7, "failed": 3}', b"\xff\xfe"])
def test_status_never_raises(tmp_path: Path, garbage: bytes) -> None:
    assert runs.status(tmp_path / "gone").state == "unknown"
    directory = tmp_path / "run"
    directory.mkdir()
    for name in ("spec.json", "status.json", "supervisor.json", "launch.json"):
        (directory / name).write_bytes(garbage)
    status = runs.status(directory)
    assert status.state == "unknown" and status.message
