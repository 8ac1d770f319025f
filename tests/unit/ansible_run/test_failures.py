"""What failed tasks have said, as Ansible's log has it in its several shapes."""

from __future__ import annotations

from pathlib import Path

from tripleo_ffwd.ansible_run import failures

LOG = r"""
PLAY [ocata/step1/Controller/all] **********************************************

TASK [Ignored] *****************************************************************
[ERROR]: Task failed: Module failed: non-zero return code
Origin: /tmp/p.yml:5:7

fatal: [ctl-0]: FAILED! => {"changed": true, "cmd": ["false"], "msg": "non-zero return code", "rc": 1}
...ignoring
fatal: [ctl-1]: FAILED! => {"changed": true, "cmd": ["false"], "msg": "this one counts", "rc": 1}
ok: [ctl-2]

TASK [keystone : Items] ********************************************************
ok: [ctl-0] => (item=a)
failed: [ctl-0] (item=b) => {"item": "b", "msg": "non-zero return code", "rc": 1, "stderr": "err", "stdout": "one\ntwo"}
failed: [ctl-0] (item=c) => {"item": "c", "msg": "non-zero return code", "rc": 2}

TASK [Hidden] ******************************************************************
fatal: [ctl-0 -> undercloud]: FAILED! => {"censored": "the output has been hidden", "changed": false}
fatal: [ctl-1]: UNREACHABLE! => {"changed": false, "msg": "Failed to connect to the host via ssh", "unreachable": true}

TASK [Verbose] *****************************************************************
fatal: [ctl-0]: FAILED! => {
    "changed": false,
    "msg": "no package"
}

TASK [Verbose] *****************************************************************
fatal: [ctl-0]: FAILED! => not ****** JSON

PLAY RECAP *********************************************************************
ctl-0                      : ok=4    changed=0    unreachable=0    failed=1
"""


def outputs(tmp_path: Path, *wanted: tuple[str, str]) -> list[str]:
    log = tmp_path / "ansible.log"
    log.write_text(LOG)
    return [one["output"] for one in failures.with_output([{"host": h, "task": t} for h, t in wanted], log)]


def test_what_was_ignored_is_not_taken_for_a_failure(tmp_path):
    assert outputs(tmp_path, ("ctl-1", "Ignored"), ("ctl-0", "Ignored")) == [
        'msg: this one counts\nrc: 1\ncmd: ["false"]',
        "",
    ]


def test_each_item_of_a_loop_tells_what_it_was(tmp_path):
    (told,) = outputs(tmp_path, ("ctl-0", "Items"))
    first, second = told.split("\n\n")
    assert first == "item: b\nmsg: non-zero return code\nrc: 1\nstdout:\n  one\n  two\nstderr: err"
    assert second == "item: c\nmsg: non-zero return code\nrc: 2"


def test_hidden_and_unreachable_say_so(tmp_path):
    assert outputs(tmp_path, ("ctl-0", "Hidden"), ("ctl-1", "Hidden")) == [
        "censored: the output has been hidden",
        "msg: Failed to connect to the host via ssh",
    ]


def test_a_task_that_failed_twice_is_told_in_order_and_what_is_no_json_as_it_stands(tmp_path):
    assert outputs(tmp_path, ("ctl-0", "Verbose"), ("ctl-0", "Verbose")) == ["msg: no package", "not ****** JSON"]


def test_without_a_log_there_is_nothing(tmp_path):
    assert failures.with_output([{"host": "a", "task": "b"}], tmp_path / "none")[0]["output"] == ""
