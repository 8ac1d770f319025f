"""Runs of real playbooks: what an operator sees of one that goes well, fails, or is refused."""

from __future__ import annotations

import argparse
import dataclasses
import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_lab import (
    PLAYBOOK,
    Trees,
    blocked,
    command,
    gate,
    play,
    records,
    run,
    seal,
    spec_of,
    start,
)
from support import until

from tripleo_ffwd.cli import run as run_command
from tripleo_ffwd.exceptions import InvalidInput, NotFound
from tripleo_ffwd.model import END_PLAY


def test_run_goes_through_every_stage_once(trees: Trees, work: Path, tmp_path: Path) -> None:
    plays = [
        play(
            "-/step1/Controller/all", "Controller", [command(f"echo 1 >> {tmp_path}/out-{{{{ inventory_hostname }}}}")]
        ),
        gate("-/step1/Controller/all", "Controller"),
        play("-/step2/overcloud/all", "overcloud", [command(f"echo 2 >> {tmp_path}/out-{{{{ inventory_hostname }}}}")]),
    ]
    status = run(work, spec_of(trees.make(plays)))
    assert (status.state, status.result, status.failed) == ("finished", "successful", ())
    assert (status.stages_done, status.stages_total) == (2, 2)
    assert (tmp_path / "out-ctl-0").read_text().split() == ["1", "2"]
    assert (tmp_path / "out-cmp-0").read_text().split() == ["2"]
    ended = records(status, event="task_end", status="changed")
    assert len({(r["stage"], r["task_id"], r["host"]) for r in ended}) == len(ended) == 5
    began = [r["play"] for r in records(status, event="play_start")]
    assert began == [*(entry["name"] for entry in plays), END_PLAY]
    log = Path(status.run_dir) / "ansible.log"
    assert "PLAY RECAP" in log.read_text() and "\x1b" not in log.read_text()
    assert {path.stat().st_mode & 0o777 for path in log.parent.iterdir() if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (work, work / "runs", log.parent)} == {0o700}


def test_failure_on_one_controller_stops_at_the_gate_and_is_reported(trees: Trees, work: Path, tmp_path: Path) -> None:
    plays = [
        play(
            "-/step1/Controller/all",
            "Controller",
            [command("test {{ inventory_hostname }} != ctl-1", "stop the database")],
        ),
        gate("-/step1/Controller/all", "Controller"),
        play("-/step2/Controller/all", "Controller", [command(f"touch {tmp_path}/migrated")]),
    ]
    status = run(work, spec_of(trees.make(plays)))
    assert (status.state, status.result) == ("finished", "failed")
    (failed,) = status.failed
    assert (failed.host, failed.stage, failed.task) == ("ctl-1", "-/step1/Controller/all", "stop the database")
    assert failed.log == str(Path(status.run_dir) / "ansible.log")
    assert status.message == "-/step1/Controller/all not finished"
    assert status.stages_done == 0
    assert not (tmp_path / "migrated").exists()


def test_ignored_and_rescued_failures_are_no_failures(trees: Trees, work: Path) -> None:
    rescued = {"block": [command("false", "tried")], "rescue": [command("true", "mended")]}
    plays = [play("-/step1/Controller/all", "Controller", [{**command("false"), "ignore_errors": True}, rescued])]
    status = run(work, spec_of(trees.make(plays)))
    assert (status.result, status.failed, status.stages_done) == ("successful", (), 1)


def test_targets_leave_out_the_other_hosts_but_not_the_undercloud(trees: Trees, work: Path) -> None:
    plays = [
        play("-/step1/overcloud/all", "overcloud", [command("true")]),
        play("-/step1/undercloud/all", "undercloud", [command("true")]),
    ]
    status = run(work, spec_of(trees.make(plays), targets=("ctl-1",)))
    assert status.result == "successful"
    assert {record["host"] for record in records(status, event="task_end")} == {"ctl-1", "undercloud"}


def test_playbook_that_ansible_refuses_fails_with_its_error(trees: Trees, work: Path) -> None:
    status = run(work, spec_of(trees.make([play("-/step1/Controller/all", "Controller", [{"no_such_module_": {}}])])))
    assert (status.state, status.result) == ("finished", "failed")
    assert "no_such_module_" in status.message


def test_secrets_are_in_no_log_and_no_command_line(trees: Trees, work: Path, tmp_path: Path) -> None:
    seen = f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >> {tmp_path}/cmdlines; true"
    tasks = [
        command(seen),
        {"name": "shows it", "debug": {"msg": "it is {{ db_password }}"}},
        {"name": "hidden", "no_log": True, "shell": "echo {{ inventory_hostname }}-covered; exit 1"},
    ]
    tree = trees.make([play("-/step1/Controller/all", "Controller", tasks)])
    status = run(work, spec_of(tree, extra_vars={"db_password": "swordfish-9"}, verbosity=3))
    assert status.failed[0].message == "(hidden by no_log)"
    assert "ansible-playbook" in (tmp_path / "cmdlines").read_text()
    assert "swordfish-9" not in (tmp_path / "cmdlines").read_text()
    for path in Path(status.run_dir).rglob("*"):
        if path.is_file():
            assert b"swordfish-9" not in path.read_bytes(), path
            assert b"ctl-0-covered" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"digest": "other"}, "digest"),
        ({"playbook": "none.yaml"}, "none.yaml"),
        ({"targets": ("ctl-0", "ctl-9")}, "ctl-9"),
        ({"ssh_key_file": "/nowhere/key"}, "/nowhere/key"),
        ({"ssh_extra_args": "-o 'ProxyCommand=nc"}, "ssh_extra_args can't be split"),
        ({"extra_vars_file": "/nowhere/vars.yaml"}, "/nowhere/vars.yaml"),
        ({"tree": "/nowhere/tree"}, "/nowhere/tree"),
    ],
)
def test_wrong_spec_is_refused_and_nothing_is_made(
    trees: Trees, work: Path, fields: dict[str, Any], match: str
) -> None:
    spec = spec_of(trees.make([play("-/step1/Controller/all", "Controller", [command("true")])]))
    with pytest.raises(InvalidInput, match=match):
        start(work, dataclasses.replace(spec, **fields))
    assert not work.exists()


def test_playbook_with_missing_inputs_is_refused(trees: Trees, work: Path) -> None:
    missing = [{"playbook": PLAYBOOK, "what": "per-server deployments of ctl-0"}]
    with pytest.raises(InvalidInput, match="per-server deployments of ctl-0"):
        start(work, spec_of(trees.make([], missing_inputs=missing)))


def test_unreachable_host_is_a_failed_task_that_says_why(trees: Trees, work: Path) -> None:
    tree = trees.make([play("-/step1/Controller/all", "Controller", [command("true")])])
    inventory = yaml.safe_load((tree / "inventory.yaml").read_text())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": unused.getsockname()[1]}
        inventory["Controller"]["hosts"]["ctl-1"] = away
        (tree / "inventory.yaml").write_text(yaml.safe_dump(inventory))
        status = run(work, spec_of(seal(tree)))
    assert status.result == "failed"
    assert [(failed.host, failed.task) for failed in status.failed] == [("ctl-1", "a command")]
    assert "Connection refused" in status.failed[0].message
    assert status.stages_done == 0


def test_external_tree_is_not_written_to(trees: Trees, work: Path) -> None:
    tree = trees.make([play("-/step1/Controller/all", "Controller", [command("false")])])
    before = sorted(path.name for path in tree.iterdir())
    tree.chmod(0o500)
    assert run(work, spec_of(tree)).result == "failed"
    assert sorted(path.name for path in tree.iterdir()) == before


def test_command_line_shows_and_ends_runs(
    trees: Trees, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def cli(*words: str) -> tuple[int, str]:
        parser = argparse.ArgumentParser()
        run_command.add_parser(parser.add_subparsers())
        args = parser.parse_args(["run", words[0], "--work-dir", str(work), *words[1:]])
        return args.func(args), capsys.readouterr().out

    assert "no runs" in cli("list")[1]
    tree, told = blocked(trees, tmp_path)
    live, _ = start(work, spec_of(tree))
    until("the task to begin", told.exists)
    assert live.run_id in cli("list", "--plan", "overcloud")[1]
    assert live.run_id not in cli("list", "--plan", "another")[1]
    code, text = cli("show", live.run_id)
    assert (code, "live" in text, "-/step1/Controller/all" in text) == (0, True, True)
    code, text = cli("cancel", live.run_id, "--now", "--json")
    assert (code, json.loads(text)["result"]) == (0, "cancelled")
    assert cli("show", live.run_id)[0] == 1
    with pytest.raises(InvalidInput, match="on this machine"):
        cli("fence", live.run_id, "--host", socket.gethostname(), "--reason", "off")
    with pytest.raises(InvalidInput, match="no run id"):
        cli("show", "../x")
    with pytest.raises(NotFound):
        cli("cancel", "no-such-run")
