"""Rehearsals: what stand-ins keep from happening, what the report says, and that nothing outlives one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import small_overcloud
import yaml
from support import processes_naming, until

from tripleo_ffwd.ansible_run.machine import stat_process
from tripleo_ffwd.cli import main
from tripleo_ffwd.embedded import rehearsal_tree
from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions

OURS = str(Path(sys.prefix) / "bin" / "ansible-playbook")
OTHER = os.environ.get("FFWD_TEST_ANSIBLE_PLAYBOOK", "")
PLAYBOOK = "fast_forward_upgrade_playbook.yaml"
# Each of them would make a file if it were done.
_REACHING = """
- {name: short, shell: touch MARK/short}
- {name: whole name, ansible.builtin.command: touch MARK/whole}
- {name: local action, local_action: command touch MARK/local}
- {name: delegated, command: touch MARK/delegated, delegate_to: localhost, connection: local}
- {name: said by a variable, command: touch MARK/variable, vars: {ansible_connection: local}}
- {name: copied, copy: {content: x, dest: MARK/copied}}
- {name: templated, template: {src: inventory.yaml, dest: MARK/templated}, run_once: true, become: true}
- {name: in the background, shell: touch MARK/background, async: 100, poll: 30}
- {name: looked up, set_fact: {seen: "{{ lookup('pipe', 'touch MARK/pipe') }}"}}
- {name: looped, debug: {msg: "{{ item }}"}, with_lines: touch MARK/lines}
- {name: reconnected, meta: reset_connection}
- {name: paused, pause: {seconds: 300}}
- {name: begun, command: touch MARK/begun, async: 600, poll: 0, register: begun}
- {name: waited for, async_status: {jid: "{{ begun.rc }}"}, register: job, until: job.finished, delay: 60}
- {name: fetched, fetch: {src: /etc/hostname, dest: MARK/fetched, flat: true}}
"""
_MISSING = """
- {name: a missing module, pacemaker_resource: {state: stop}}
- {name: a missing collection, nowhere.at_all.module: {x: 1}}
- {name: a missing role, include_role: {name: nowhere-role, tasks_from: some-file.yml}}
- {name: a missing filter, debug: {msg: "{{ '10.0.0.1' | ipaddr }} {{ 'x' | nowhere.at_all.same }}"}}
"""
_DECIDING = """
- {name: ask for the bootstrap node, shell: hiera -c /etc/puppet/hiera.yaml bootstrap_nodeid, register: bootstrap_node}
- {name: on the bootstrap node, command: "true", when: bootstrap_node.stdout == inventory_hostname}
- {name: undecided, command: "true", when: nobody_knows.rc == 0}
- {name: is the service on, command: systemctl is-enabled nova-api, register: nova_api, ignore_errors: true}
- {name: refuse, fail: {msg: "nova-api is enabled for {{ db_password }}"}, when: nova_api.rc == 0}
- {name: wait in vain, command: check, register: checked, until: checked.stdout == 'never', retries: 3, delay: 60}
- block: [{name: tried, fail: {msg: no}}]
  rescue: [{name: mended, command: "true"}]
- {name: reached, command: "true", when: checked.rc == 0}
"""


def outputs(tasks: str, mark: Path) -> dict[str, Any]:
    found = small_overcloud.outputs(mark)
    wanted = yaml.safe_load(tasks.replace("MARK", str(mark)))
    for task in wanted:
        conditions = [task["when"]] if "when" in task else []
        task["when"] = ["step|int == 1", "release == 'ocata'", *conditions]
    found["RoleConfig"]["global_vars"] |= {"db_password": "swordfish-42"}
    found["RoleData"]["Controller"]["fast_forward_upgrade_tasks"] = wanted
    return found


def save(tmp_path: Path, tasks: str) -> Path:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs(tasks, tmp_path / "mark")), encoding="utf-8")
    return path


@pytest.mark.parametrize("program", [OURS, OTHER], ids=["ours", "2.16"])
def test_nothing_that_tasks_name_is_done(program: str, tmp_path: Path) -> None:
    if not program:
        pytest.skip("FFWD_TEST_ANSIBLE_PLAYBOOK names no ansible-core 2.16")
    mark = tmp_path / "mark"
    mark.mkdir()
    tree = pipeline.compile_playbooks(outputs(_REACHING + _MISSING, mark), GenerateOptions(phase="run"))
    me = stat_process(os.getpid())
    owner = (os.getpid(), me.started if me else 0)
    ready = rehearsal_tree.rehearsed(tree, tmp_path / "records", owner, list(tree.manifest["modules"]))
    writing.write_tree(ready, tmp_path / "tree")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [program, "-i", "inventory.yaml", PLAYBOOK],
        cwd=tmp_path / "tree",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(mark.iterdir()) == []
    records = [json.loads(line) for line in (tmp_path / "records").read_text().splitlines()]
    ran = {(host, task) for kind, _, host, _, task, _, _ in records if kind == "ran"}
    names = {task["name"] for task in yaml.safe_load(_REACHING + _MISSING)}
    on_variables = {"reconnected", "looked up", "looped", "a missing role", "a missing filter"}
    assert {task for host, task in ran if host == "ctl-0"} == names - on_variables
    assert {task for host, task in ran if host == "ctl-2"} == names - on_variables - {
        "templated",
        "paused",
    }  # those are for one host
    assert {kind for kind, *_ in records} == {"ran"}


def test_report_says_what_went_how_and_what_could_not_be_decided(tmp_path: Path, capsys: Any) -> None:
    path, left = save(tmp_path, _DECIDING + _MISSING), tmp_path / "left"
    asked = ["rehearse", "--outputs", str(path), "--phase", "run", "--output-dir", str(left), "--format", "json"]
    assert main.main([*asked, "--seconds-per-task", "10"]) == 2
    found = json.loads(capsys.readouterr().out)
    (playbook,) = found["playbooks"]
    assert (playbook["phase"], playbook["playbook"], playbook["result"]) == ("run", PLAYBOOK, "finished")
    assert [stage["id"] for stage in playbook["stages"]] == ["-/pre/overcloud/all"]
    assert [entry["name"] for entry in found["missing_modules"]] == [
        "filter ipaddr",
        "filter nowhere.at_all.same",
        "nowhere.at_all.module",
        "pacemaker_resource",
        "role nowhere-role",
    ]
    ((undecided,), (stop,), (answer,)) = found["undecided"], found["stops"], found["answers"]
    assert (undecided["task"], undecided["hosts"]) == ("undecided", small_overcloud.CONTROLLERS)
    assert "nobody_knows" in undecided["message"]
    assert (stop["task"], stop["message"]) == ("refuse", "nova-api is enabled for ******")
    assert (answer["task"], answer["message"]) == ("wait in vain", "`until` did not come true in 3 tries")
    (total,) = found["totals"]
    assert (total["phase"], total["role"], total["run"]) == ("run", "Controller", playbook["run"])
    assert found["basis"]["source"] == "given"
    assert [stage["estimated_seconds"] for stage in playbook["stages"]] == [
        10 * 11
    ]  # tries are counted, what works on variables is not
    assert json.loads((left / "report.json").read_text()) == found
    assert "nova-api is enabled" in (left / "report.txt").read_text()
    assert "<h2>Missing</h2>" in (left / "report.html").read_text()
    lines = (left / "records" / "0-run.jsonl").read_text().splitlines()
    ran = [record for record in map(json.loads, lines) if record[0] == "ran"]
    assert [record[2] for record in ran if record[4] == "on the bootstrap node"] == ["ctl-0"]
    assert sorted(record[2] for record in ran if record[4] == "reached") == small_overcloud.CONTROLLERS
    files = [path for path in left.rglob("*") if path.is_file() and not path.is_symlink()]
    texts = [path.read_text() for path in files if "playbooks" not in path.parts]
    assert len(texts) > 10 and not any("swordfish" in text for text in texts)
    assert {path.stat().st_mode & 0o077 for path in (left, *left.iterdir())} == {0}


def hear_ctrl_c() -> None:
    """Be a command that somebody sits before: what starts the tests may ignore SIGINT, which is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupt_ends_everything_and_leaves_nothing(tmp_path: Path) -> None:
    path = save(tmp_path, "\n".join(f"- {{name: task {number}, command: 'true'}}" for number in range(200)))
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tripleo_ffwd.cli.main", "rehearse", "--outputs", str(path), "--phase", "run"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    ours = f"{tmp_path}/tmp/tripleo-ffwd-rehearsal"
    try:
        until(
            "a stand-in has answered",
            lambda: process.poll() is not None or list((tmp_path / "tmp").glob("*/records/*.jsonl")),
            timeout=60,
        )
        assert process.poll() is not None or processes_naming(ours)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, output
    assert processes_naming(ours) == []
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--output-dir", "full"], "is not empty"),
        (["--releases", ""], ""),
        (["--measured", "nowhere"], "no run has a record of a task"),
        (["--module-path", "nowhere"], "is not a directory that can be read"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    more: list[str], told: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, _DECIDING)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    if not told:
        path.write_text('{"RoleData": 1}')
        told = "RoleData"
    before = sorted(tmp_path.rglob("*"))
    assert main.main(["rehearse", "--outputs", str(path), *more]) == 1
    assert told in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
