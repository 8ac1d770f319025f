"""Our callback plugin in a real Ansible, the newest and 2.16: what it records, keeps, restores, and where it stops."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_lab import Trees, command, gate, play, spec_of

from tripleo_ffwd.ansible_run import command as calling
from tripleo_ffwd.ansible_run import ledger, pinning, resuming
from tripleo_ffwd.ansible_run.inside import variables
from tripleo_ffwd.ansible_run.inside.recording import STOPPED
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.tree import load
from tripleo_ffwd.model import RunSpec

ONE, TWO = "-/step1/Controller/all", "-/step2/Controller/all"
OTHER = os.environ.get("FFWD_TEST_ANSIBLE_PLAYBOOK", "")


class Inside:
    """Runs of one playbook without a supervisor."""

    def __init__(self, root: Path, program: str) -> None:
        self.root = root
        self.program = program
        self.count = 0

    def go(self, spec: RunSpec, **files: bytes) -> tuple[RunDir, int, str]:
        """Run it in a new run directory with some files; return the directory, exit code and output."""
        self.count += 1
        run = RunDir(self.root / "runs" / f"run{self.count}")
        run.path.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (run.path / name.replace("_", ".")).write_bytes(content)
        tree = load(Path(spec.tree))
        pinned = pinning.pin(run, spec, tree)
        inventories = calling.prepare(run, spec, tree)
        calling.prepare_inside(run, spec, tree, ["swordfish"])
        _, *words = calling.ansible_playbook(run, spec, inventories)
        done = subprocess.run(
            [self.program, *words],
            cwd=pinned,
            env=calling.ansible_environment(run, spec, "/tmp"),
            capture_output=True,
            text=True,
            check=False,
        )
        return run, done.returncode, done.stdout + done.stderr


@pytest.fixture(params=["ours", "2.16"])
def inside(request: pytest.FixtureRequest, tmp_path: Path) -> Inside:
    """With the program of this environment, or that of another which has nothing of this package."""
    if request.param == "ours":
        return Inside(tmp_path, str(Path(sys.prefix) / "bin" / "ansible-playbook"))
    if not OTHER:
        pytest.skip("FFWD_TEST_ANSIBLE_PLAYBOOK names no ansible-core 2.16")
    return Inside(tmp_path, OTHER)


def events(run: RunDir) -> list[str]:
    return [str(record["event"]) for record in ledger.read(run.ledger)]


def test_what_happens_is_recorded_before_and_after(inside: Inside, tmp_path: Path) -> None:
    tasks = [command("true", "works"), {**command("echo swordfish >&2; false", "fails"), "ignore_errors": True}]
    skipped = {**command("true", "is skipped"), "when": "false"}
    run, code, output = inside.go(spec_of(Trees(tmp_path).make([play(ONE, "Controller", [*tasks, skipped])])))
    assert code == 0, output
    records = list(ledger.read(run.ledger))
    first = [record["event"] for record in records[:5]]
    assert first == ["ansible_start", "play_start", "task", "task_start", "task_start"]
    ended = {(r["task"], r["host"]): r for r in records if r["event"] == "task_end"}
    assert {key: record["status"] for key, record in ended.items()} == {
        (task, host): status
        for task, status in (("works", "changed"), ("fails", "ignored"), ("is skipped", "skipped"))
        for host in ("ctl-0", "ctl-1")
    }
    assert ended["fails", "ctl-0"]["message"] == "non-zero return code: ******"
    assert records[-1]["event"] == "stats"
    assert "Failure using method" not in output and "Callback dispatch" not in output


def test_log_is_what_ansible_prints_by_itself(inside: Inside, tmp_path: Path) -> None:
    failing = {**command("echo {{ item }}; test {{ item }} != b", "some fail"), "loop": ["a", "b"]}
    tasks = [
        {"debug": {"msg": "x"}},
        {**command("true", "notifies"), "notify": "called"},
        {**command("true", "is skipped"), "when": "false"},
        {**failing, "ignore_errors": True},
        {**command("echo swordfish", "is hidden"), "no_log": True},
        {"block": [command("test {{ inventory_hostname }} = ctl-0", "fails on one")], "rescue": [command("true")]},
        {**command("test {{ inventory_hostname }} = ctl-0", "is the end of one")},
    ]
    one = {**play(ONE, "Controller", tasks), "handlers": [command("true", "called")]}
    spec = spec_of(Trees(tmp_path).make([one, play(TWO, "Controller", [command("true", "for the other")])]))
    run, code, output = inside.go(spec)
    words = calling.ansible_playbook(run, spec, calling.prepare(run, spec, load(Path(spec.tree))))
    environment = calling.ansible_environment(run, spec, "/tmp")
    environment["ANSIBLE_STDOUT_CALLBACK"] = "default"
    del environment["ANSIBLE_CALLBACK_PLUGINS"]
    bare = subprocess.run(
        [inside.program, *words[1:]], cwd=run.pinned, env=environment, capture_output=True, text=True, check=False
    )
    assert (code, bare.returncode) == (2, 2)

    def told(text: str) -> list[str]:  # hosts come in any order
        return sorted(re.sub(r'"(delta|start|end)": "[^"]*"', "", text).splitlines())

    assert told(output) == told(bare.stdout + bare.stderr)
    assert "swordfish" not in output and "RUNNING HANDLER" not in output.split("TASK [is skipped]")[0]


def test_variables_come_back_in_the_same_ansible(inside: Inside, tmp_path: Path) -> None:
    setting = [
        {"set_fact": {"facts": "{{ {'n': 1, 't': [true, none, 'x']} }}"}},
        {"shell": r"printf '\173\173 1 + 1 \175\175'", "register": "raw"},
        {"shell": "true", "register": "skipped", "when": "false"},
        {"gather_facts": {"gather_subset": "!all"}},
    ]
    show = "{{ [facts, raw.stdout, raw.rc, skipped is skipped, ansible_facts.system] | to_json }}"
    see = {"copy": {"content": show, "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}"}}
    tree = Trees(tmp_path).make([play(ONE, "Controller", setting), play(TWO, "Controller", [see])])
    first, code, output = inside.go(spec_of(tree))
    assert code == 0, output
    before = (tmp_path / "ctl-0").read_text()
    assert json.loads(before)[:3] == [{"n": 1, "t": [True, None, "x"]}, "{{ 1 + 1 }}", 0]
    (tmp_path / "ctl-0").unlink()
    spec = dataclasses.replace(spec_of(tree), first_stage=TWO, restore=ONE)
    second, code, output = inside.go(spec, variables_bin=first.variables.read_bytes())
    assert code == 0, output
    assert (tmp_path / "ctl-0").read_text() == before
    assert [kept.stage for kept in variables.index(second.variables)] == [ONE, TWO, TWO]


def test_ansible_stops_before_the_next_task_and_before_the_next_stage(inside: Inside, tmp_path: Path) -> None:
    ask = command(f"echo '{json.dumps({'at': 'stage'})}' > {tmp_path}/runs/run1/stop.json", "asks")
    plays = [
        play(ONE, "Controller", [ask, command("true", "then")]),
        play(TWO, "Controller", [command("true", "never")]),
    ]
    spec = spec_of(Trees(tmp_path).make(plays))
    run, code, output = inside.go(spec)
    assert code == STOPPED, output
    done = {record["task"] for record in ledger.read(run.ledger) if record["event"] == "task_end"}
    assert done == {"asks", "then"}
    assert [kept.stage for kept in variables.index(run.variables)] == [ONE]
    run, code, output = inside.go(spec, stop_json=b'{"at": "task"}')
    assert code == STOPPED, output
    assert "task_start" not in events(run)


def test_other_key_stops_the_run(inside: Inside, tmp_path: Path) -> None:
    plays = [play(name, "Controller", [command("true")]) for name in (ONE, TWO)]
    tree = Trees(tmp_path).make(plays)
    first, _, _ = inside.go(spec_of(tree))
    (tmp_path / "runs" / ".variables.key").unlink()
    spec = dataclasses.replace(spec_of(tree), first_stage=TWO, restore=ONE)
    run, code, _ = inside.go(spec, variables_bin=first.variables.read_bytes())
    assert code == STOPPED
    assert events(run) == ["ansible_start", "stopped"]


def test_cancel_while_a_failed_host_is_in_its_always_section_finishes_no_stage(inside: Inside, tmp_path: Path) -> None:
    ask = command(f"echo '{json.dumps({'at': 'task'})}' > {tmp_path}/runs/run1/stop.json", "asks")
    fail = command("test {{ inventory_hostname }} = ctl-0", "fails on one")
    tree = Trees(tmp_path).make(
        [
            play(ONE, "Controller", [{"block": [fail], "always": [ask]}]),
            gate(ONE, "Controller"),
            play(TWO, "Controller", [command("true")]),
        ]
    )
    run, _, output = inside.go(spec_of(tree))
    assert past_of(run, tree).finished == (), output


def test_records_that_can_not_be_kept_end_the_run_before_it_begins(inside: Inside, tmp_path: Path) -> None:
    tree = Trees(tmp_path).make([play(ONE, "Controller", [command(f"touch {tmp_path}/began")])])
    (tmp_path / "runs" / "run1" / "ledger.jsonl").mkdir(parents=True)
    _, code, output = inside.go(spec_of(tree))
    assert (code, (tmp_path / "began").exists()) == (STOPPED, False)
    assert "the records of the run can't be opened" in output


def test_rescued_and_ignored_losses_are_told_from_others(inside: Inside, tmp_path: Path) -> None:
    away = {"ansible_connection": "ssh", "ansible_host": "127.9.9.9", "ansible_port": 9}
    tasks = [
        {"block": [command("false", "tries")], "rescue": [command("true")]},
        {"name": "away", "ping": {}, "vars": away, "ignore_unreachable": True},
        {"block": [command("false", "fails")], "always": [command("true")]},
    ]
    run, code, output = inside.go(spec_of(Trees(tmp_path).make([play(ONE, "Controller", tasks)])))
    assert code == 2, output
    ends = {(r["task"], r["status"]) for r in ledger.read(run.ledger) if r["event"] == "task_end"}
    assert {("tries", "rescued"), ("away", "ignored"), ("fails", "failed")} <= ends


def test_notified_handlers_run_when_their_stage_begins_again(inside: Inside, tmp_path: Path) -> None:
    change = {"name": "configure", "copy": {"content": "x", "dest": f"{tmp_path}/conf-{{{{ inventory_hostname }}}}"}}
    first = play(
        ONE, "Controller", [{**change, "notify": ["restart"]}, command(f"test -e {tmp_path}/mended", "fails once")]
    )
    first["handlers"] = [
        {"name": "the service", "listen": "restart", **restarted} for restarted in [restart_in(tmp_path)]
    ]
    tree = Trees(tmp_path).make([first])
    run, _, _ = inside.go(spec_of(tree))
    past = past_of(run, tree)
    assert set(past.notified) == {("restart", "ctl-0"), ("restart", "ctl-1")}
    (tmp_path / "mended").touch()
    run, code, output = inside.go(dataclasses.replace(spec_of(tree), notified=past.notified))
    assert code == 0, output
    assert (tmp_path / "restarted").read_text().split() == ["ctl-0", "ctl-1"]
    assert past_of(run, tree).finished == (ONE,)


def restart_in(path: Path) -> dict[str, str]:
    return {"shell": f"echo {{{{ inventory_hostname }}}} >> {path}/restarted", "throttle": "1"}


def past_of(run: RunDir, tree: Path) -> resuming.Past:
    return resuming.past(run, spec_of(tree), load(tree))


def test_hosts_and_groups_that_loops_add_are_told(inside: Inside, tmp_path: Path) -> None:
    tasks = [
        {"name": "hosts", "add_host": {"name": "new-{{ item }}", "groups": "extra"}, "loop": [1, 2]},
        {"name": "groups", "group_by": {"key": "of_{{ item }}"}, "loop": [1, 2]},
    ]
    tree = Trees(tmp_path).make([play(ONE, "Controller", tasks)])
    run, code, output = inside.go(spec_of(tree))
    assert code == 0, output
    assert {told.split(" (")[0] for told in past_of(run, tree).changed_inventory} == {"hosts", "groups"}


def test_variables_of_another_ansible_are_not_restored(inside: Inside, tmp_path: Path) -> None:
    tree = Trees(tmp_path).make([play(name, "Controller", [command("true")]) for name in (ONE, TWO)])
    path = tmp_path / "variables.bin"
    (tmp_path / "runs").mkdir()
    key = calling.variables_key(RunDir(tmp_path / "runs" / "run0"))
    manager = type("Manager", (), {"_fact_cache": {}, "_nonpersistent_fact_cache": {}, "_vars_cache": {}})
    variables.Keeper(path, key, "2.14.3", tmp_path / "room").keep(ONE, manager)
    spec = dataclasses.replace(spec_of(tree), first_stage=TWO, restore=ONE)
    run, code, _ = inside.go(spec, variables_bin=path.read_bytes())
    assert code == STOPPED
    (stopped,) = [record for record in ledger.read(run.ledger) if record["event"] == "stopped"]
    assert "ansible-core 2.14.3" in stopped["why"]


def test_wrapper_around_ansible_is_not_taken_for_a_dead_supervisor(inside: Inside, tmp_path: Path) -> None:
    wrapper = tmp_path / "ansible-playbook"
    wrapper.write_text(f'#!/bin/sh\n{inside.program} "$@"\nexit $?\n')
    wrapper.chmod(0o700)
    tree = Trees(tmp_path).make([play(ONE, "Controller", [command("true")])])
    _, code, output = Inside(tmp_path, str(wrapper)).go(spec_of(tree))
    assert code == 0, output


def test_stop_lets_tasks_of_the_free_strategy_end(inside: Inside, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    stop = f"{tmp_path}/runs/run1/stop.json"
    ask = f"echo '{json.dumps({'at': 'task'})}' > {stop}; (sleep 2; echo > {tmp_path}/go) >/dev/null 2>&1 &"
    first = f"if test {{{{ inventory_hostname }}}} = ctl-0; then cat {tmp_path}/go > {tmp_path}/ended; else {ask} fi"
    free = play(ONE, "Controller", [command(first), command(f"touch {tmp_path}/more")])
    run, code, output = inside.go(spec_of(Trees(tmp_path).make([{**free, "strategy": "free"}])))
    assert code == STOPPED, output
    assert (tmp_path / "ended").read_text() == "\n"
    assert not (tmp_path / "more").exists()
    assert past_of(run, tmp_path / "tree1").finished == ()
