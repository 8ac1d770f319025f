"""What is found at the undercloud."""

from __future__ import annotations

import os
import time

import pytest

from tripleo_ffwd.exceptions import NotFound, Unavailable
from tripleo_ffwd.model import RunStatus
from tripleo_ffwd.preflight import backup, undercloud
from tripleo_ffwd.preflight.asking import Answer
from tripleo_ffwd.stack import StackStatus


def told(found):
    return [(one.key, one.severity) for one in found]


@pytest.mark.parametrize(
    ("action", "status", "phase", "found"),
    [
        ("UPDATE", "COMPLETE", "run", []),
        ("UPDATE", "FAILED", "run", [("stack-status", "error")]),
        ("UPDATE", "FAILED", "converge", [("stack-status", "warning")]),
        ("UPDATE", "IN_PROGRESS", "converge", [("stack-status", "error")]),
        ("DELETE", "COMPLETE", "run", [("stack-status", "error")]),
    ],
)
def test_a_stack_must_be_complete_and_left_alone(action, status, phase, found):
    assert told(undercloud.stack(StackStatus("overcloud", "1", action, status, "why"), phase)) == found


def test_a_heat_that_does_not_answer_and_a_stack_that_is_not_there():
    assert told(undercloud.stack(Unavailable("no answer"), "run")) == [
        ("services", "error"),
        ("stack-status", "warning"),
    ]
    assert told(undercloud.stack(NotFound("no such stack"), "run")) == [("stack-status", "error")]


def test_what_kept_the_playbooks_from_being_generated_is_a_finding():
    error = {"error": "MalformedOutputs", "message": "RoleData: is missing. Look there", "remedy": "Look there"}
    (finding,) = undercloud.outputs(error, "run")
    assert (finding.key, finding.what, finding.remedy) == ("outputs-complete", "RoleData: is missing", "Look there")
    assert told(undercloud.outputs({"error": "Unavailable", "message": "Heat is away"}, "converge")) == [
        ("services", "error")
    ]
    assert told(undercloud.outputs("Mistral said no", "run")) == [("outputs-complete", "error")]
    assert undercloud.outputs("", "run") == ()
    assert told(undercloud.outputs(error, "converge")) == [("outputs-complete", "warning")]


def test_inputs_that_other_phases_lack_are_none_of_this_one():
    missing = [{"playbook": "deploy_steps_playbook.yaml", "what": "deployments"}]
    assert undercloud.inputs(missing, "run") == ()
    (finding,) = undercloud.inputs(missing, "upgrade")
    assert (finding.key, finding.where) == ("inputs-missing", "deploy_steps_playbook.yaml")


def test_modules_that_ansible_does_not_find_are_named():
    (finding,) = undercloud.modules(["pacemaker_resource"])
    assert (finding.key, finding.severity) == ("modules-missing", "error")
    assert "pacemaker_resource" in finding.what
    assert not undercloud.modules(None)[0].made


def test_a_plan_that_others_work_on():
    run = RunStatus("r-1", "/runs/r-1", "p", "run", "ffu.yaml", "unknown")
    found = undercloud.lock(("e-1", "run", "2026-11-23 12:00:00"), "e-2", [run])
    assert told(found) == [("plan-lock", "error")] * 2
    assert "execution e-1" in found[0].what and "r-1 of phase run" in found[1].what
    assert undercloud.lock(("e-2", "run", "now"), "e-2", []) == () == undercloud.lock(None, "", [])


def test_a_launcher_that_can_not_start_runs():
    assert told(undercloud.launcher("systemd", "systemd is offline here")) == [("launcher", "error")]
    assert undercloud.launcher("detach", "") == ()


def test_a_work_directory_that_others_can_read_or_that_is_full(tmp_path):
    tmp_path.chmod(0o700)
    assert undercloud.work_dir(tmp_path, 0) == ()
    tmp_path.chmod(0o750)
    (finding,) = undercloud.work_dir(tmp_path, 0)
    assert (finding.key, finding.severity) == ("work-dir-mode", "warning")
    assert "0750" in finding.what
    tmp_path.chmod(0o700)
    assert told(undercloud.work_dir(tmp_path, 1 << 40)) == [("work-dir-space", "error")]
    assert told(undercloud.work_dir(tmp_path / "none", 0)) == [("work-dir-mode", "error")]


def test_the_age_of_the_last_backup(tmp_path):
    marker = tmp_path / "backup"
    assert told(backup.of_file(str(marker), 24, time.time())) == [("backup-age", "warning")]
    marker.touch()
    assert backup.of_file(str(marker), 24, time.time()) == []
    os.utime(marker, (0, time.time() - 30 * 3600))
    (finding,) = backup.of_file(str(marker), 24, time.time())
    assert finding.what == "the last backup is 30 hours old, and may be 24"
    assert told([backup.unnamed()]) == [("backup-age", "info")]


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (Answer(0, "backups:\n1000000\n"), ""),
        (Answer(0, "1970-01-12T13:46:40Z\n"), ""),
        (Answer(0, "1970-01-12T13:46:40+00:00\n"), ""),
        (Answer(0, "1970-01-10T13:46:40\n"), "the last backup is 49 hours old, and may be 24"),
        (Answer(0, "yesterday\n"), "the check could not be made: its last line is no time: 'yesterday'"),
        (Answer(3, "", "no such host"), "the check could not be made: it ended with 3; no such host"),
        (Answer(None, over=True), "the check could not be made: it did not end in time"),
        (Answer(0, "2000000000\n"), "the last backup is of the future"),
    ],
)
def test_a_command_says_when_the_last_backup_was(answer, what):
    found = backup.of_command(answer, "last-backup", 24, 1000000 + 3600)
    assert [one.what for one in found] == ([what] if what else [])
