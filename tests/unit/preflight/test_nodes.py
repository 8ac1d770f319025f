"""What is found on a node: the real script, on embedded nodes that nobody serves, made to fail each check."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tripleo_ffwd.ansible_run.connections import Way
from tripleo_ffwd.embedded import node_files
from tripleo_ffwd.embedded.site import NODE_NAMES, Site, open_site
from tripleo_ffwd.preflight import judging, script
from tripleo_ffwd.preflight.asking import Answer
from tripleo_ffwd.preflight.findings import Finding
from tripleo_ffwd.preflight.judging import Limits
from tripleo_ffwd.preflight.nodes import Node

CONTROLLER, COMPUTE = NODE_NAMES[0], NODE_NAMES[-1]
LIMITS = Limits(phase="run", ansible="2.19.14", disk=4096, skew=10, seconds=20)


def asking(python: str = sys.executable, **given: Any) -> str:
    return script.text(**{"become": True, "guests": False, "python": python, **given})


SCRIPT = asking()


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Site:
    made = open_site(tmp_path_factory.mktemp("site"))
    node_files.make_site(made, NODE_NAMES, reset=False)
    return made


def root_of(site: Site, name: str) -> Path:
    return node_files.find(site, name).root


@pytest.fixture
def faulty(site):
    """Sets faults, and tools that are others than a node's own; they are taken back."""
    written: list[tuple[Path, str | None]] = []

    def make(name: str = CONTROLLER, tools: dict[str, str] | None = None, **faults: str) -> None:
        node = node_files.find(site, name)
        files = {node.fault: json.dumps(faults)}
        files |= {node.root / "bin" / tool: f"#!/bin/sh\n{text}\n" for tool, text in (tools or {}).items()}
        for path, text in files.items():
            written.append((path, path.read_text() if path.exists() else None))
            path.write_text(text)
            path.chmod(0o700)

    yield make
    for path, text in reversed(written):
        path.unlink() if text is None else path.write_text(text)


@pytest.fixture
def look(site) -> Callable[..., list[Finding]]:
    def at(name: str = CONTROLLER, text: str = SCRIPT, limits: Limits = LIMITS, password: str = "") -> list[Finding]:
        root = root_of(site, name)
        env = {"PATH": f"{root}/bin:{os.environ['PATH']}", "NODE_NAME": name, "NODE_ROOT": str(root), "HOME": str(root)}
        began = time.time()
        done = subprocess.run(["sh", "-s"], input=text, env=env, cwd=root, text=True, capture_output=True, check=False)
        assert done.stderr == ""
        role = "Compute" if "compute" in name else "Controller"
        node = Node(name, role, role == "Controller", Way(True, name, password=password), ("sh", "-s"))
        return judging.judge(node, Answer(done.returncode, done.stdout, done.stderr, began, time.time()), limits)

    return at


def keys(findings: list[Finding]) -> list[str]:
    return [finding.key for finding in findings]


@pytest.mark.parametrize("name", [CONTROLLER, COMPUTE])
def test_nothing_is_found_on_a_healthy_node(look, site, name):
    assert look(name) == []
    assert not (root_of(site, name) / "journal.jsonl").exists(), "and nothing is done there"


@pytest.mark.parametrize(
    ("faults", "key", "severity", "what"),
    [
        ({"clock": "-90"}, "clock-skew", "warning", "its clock is about "),
        ({"clock": "3600"}, "clock-skew", "warning", " s ahead of the executor's"),
        (
            {"answer": r"df=Filesystem 1024-blocks Used Available Capacity Mounted\n/dev/vda 9 9 204800 99% /var"},
            "disk-space",
            "error",
            "200 MB are free in /var, and 4096 MB are wanted",
        ),
        (
            {"answer": "rpm=1600000000 9.9.9-1.el7.x86_64"},
            "kernel-reboot",
            "warning",
            "9.9.9-1.el7.x86_64 is installed",
        ),
        (
            {"answer": r"systemctl=ntpd.service loaded failed failed Time\n* db.service loaded failed failed DB"},
            "services-down",
            "warning",
            "failed units: ntpd.service, db.service",
        ),
        (
            {"answer": r"crm_mon=Online: [ a b ]\nOFFLINE: [ c ]\n galera-bundle Stopped"},
            "pacemaker",
            "error",
            "the cluster is not whole: OFFLINE: [ c ];galera-bundle Stopped",
        ),
        ({"fail": "^crm_mon"}, "pacemaker", "error", "the cluster does not run here: crm_mon: failed"),
        (
            {"fail": "^systemctl"},
            "services-down",
            "warning",
            "the check could not be made: systemctl: failed by the fault",
        ),
        ({"fail": "^df"}, "disk-space", "warning", "the check could not be made: the node's answer has no disk"),
    ],
)
def test_a_fault_is_found(look, faulty, faults, key, severity, what):
    faulty(**faults)
    (finding,) = look()
    assert (finding.key, finding.severity, finding.where) == (key, severity, CONTROLLER)
    assert what in finding.what
    assert finding.remedy or not finding.made


def test_a_cluster_that_is_down_in_the_middle_is_no_surprise(look, faulty):
    faulty(fail="^crm_mon")
    (left_by_run,) = look(limits=dataclasses.replace(LIMITS, phase="upgrade"))
    assert (left_by_run.severity, left_by_run.what) == ("info", "the cluster does not run here, as phase run leaves it")
    (again,) = look(limits=dataclasses.replace(LIMITS, begun=frozenset([CONTROLLER])))
    assert again.severity == "warning"


def test_disabled_resources_and_computes_without_a_cluster_are_as_they_should_be(look, faulty):
    faulty(answer=r"crm_mon=Online: [ a b ]\nOFFLINE: [  ]\n haproxy Stopped (disabled)")
    assert look() == []


def test_a_clone_is_stopped_on_remote_nodes_and_down_when_it_runs_nowhere(look, faulty):
    faulty(answer=r"crm_mon=Online: [ a b ]\n * Clone Set: x\n   * Started: [ a b ]\n   * Stopped: [ c-0 c-1 ]")
    assert look() == []
    faulty(answer=r"crm_mon=Online: [ a b ]\n * Clone Set: x\n   * Stopped: [ a b ]")
    (finding,) = look()
    assert "Stopped: [ a b ]" in finding.what


def test_where_no_cluster_was_ever_set_up_there_is_none(look, faulty):
    faulty(tools={"crm_mon": "exit 102", "systemctl": 'case "$*" in *is-enabled*) exit 1;; esac'})
    assert look() == []


def test_sudo_that_wants_a_terminal_can_not_be_tried(look, faulty):
    faulty(tools={"sudo": "echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1"})
    (finding,) = look(text=asking(terminal=True))
    assert (finding.key, finding.severity, finding.made) == ("sudo", "warning", False)


def test_an_old_python_beside_the_one_that_ansible_takes_does_no_harm(look, faulty, site):
    faulty(tools={"python9": "echo 3.4", "python8": "echo 2.7"})
    both = asking(" ".join(str(root_of(site, CONTROLLER) / "bin" / name) for name in ("python9", "python8")))
    assert look(text=both, limits=dataclasses.replace(LIMITS, ansible="2.16.14")) == []
    (finding,) = look(text=both, limits=dataclasses.replace(LIMITS, ansible="2.19.14"))
    assert finding.what.startswith("it has Python 3.4")


def test_sudo_that_wants_a_password_is_an_error(look, faulty):
    faulty(tools={"sudo": "echo 'sudo: a password is required' >&2; exit 1"})
    (finding,) = look()
    assert (finding.key, finding.severity) == ("sudo", "error")
    assert finding.what == "the user can't become root: sudo: a password is required"
    assert finding.remedy == "Let the user become root without a password and a terminal"
    assert look(text=asking(become=False)) == [], "when nobody becomes root"


PASSWORD = 'kept $(away) "back'
# As sudo does with -S, it reads a line and no more.
ASKING_SUDO = """
[ "$1" != -n ] || { echo "sudo: a password is required" >&2; exit 1; }
[ "$1$2$3$4" = "-k-S-p" ] || exit 9
shift 4
IFS= read -r given
[ "$given" = '%s' ] || { echo "sudo: 1 incorrect password attempt" >&2; exit 1; }
exec "$@"
"""
# For these it never asks, and what stands there for it is not read.
TRUSTING_SUDO = '[ "$1" != -n ] || exit 1\nshift 4\nexec "$@"'


def test_sudo_is_given_a_password(look, faulty):
    faulty(tools={"sudo": ASKING_SUDO % PASSWORD}, answer=r"crm_mon=Online: [ a ]\nOFFLINE: [ c ]")
    asked = '[ "$1" = ocata ] || { echo "no answer for $FFWD_RELEASE"; exit 3; }'
    found = look(text=asking(password=PASSWORD, releases=["ocata", "pike"], repositories=asked))
    assert keys(found) == ["repositories", "pacemaker"], "what only root can ask for is asked"
    assert found[0].what == "the repositories of pike are not as they should be: no answer for pike"
    told = look(text=asking(password="another"), password="another")
    (wrong,) = [one for one in told if one.key == "sudo"]
    assert wrong.what == "the user can't become root: sudo: 1 incorrect password attempt"
    assert wrong.remedy.startswith("Give the correct ansible_become_password, or ")


def test_nobody_else_is_given_the_password(look, faulty):
    faulty(tools={"sudo": TRUSTING_SUDO})
    (finding,) = look(text=asking(password=PASSWORD, releases=["pike"], repositories="exit 3"))
    assert finding.what == "the repositories of pike are not as they should be: exit code 3"


@pytest.mark.parametrize(
    ("version", "ansible", "told"),
    [
        ("2.7", "2.19.14", "ansible-core 2.19.14 needs 3.8 there"),
        ("3.6", "2.17.1", "ansible-core 2.17.1 needs 3.7 there"),
        ("2.6", "2.16.14", "ansible-core 2.16.14 needs 3.6 or 2.7 there"),
        ("2.7", "2.16.14", ""),
        ("3.6", "2.16.14", ""),
        ("3.12", "2.19.14", ""),
        ("3.6", "", "the version of Ansible can't be told"),
    ],
)
def test_python_must_be_one_that_this_ansible_works_with(look, faulty, site, version, ansible, told):
    faulty(tools={"python9": f"echo {version}"})
    text = asking(str(root_of(site, CONTROLLER) / "bin" / "python9"))
    found = look(text=text, limits=dataclasses.replace(LIMITS, ansible=ansible))
    assert keys(found) == (["python-version"] if told else [])
    assert all(told in finding.what for finding in found)


def test_no_python_at_all_is_an_error(look):
    (finding,) = look(text=asking("/nowhere/python"))
    assert (finding.key, finding.severity) == ("python-version", "error")


def test_instances_are_counted_where_the_phase_touches_computes(look, faulty):
    faulty(COMPUTE, tools={"pgrep": "echo 2"})
    (finding,) = look(COMPUTE, text=asking(guests=True))
    assert (finding.key, finding.what) == ("running-workloads", "2 instances run on it")
    assert look(COMPUTE) == []


def test_the_operators_look_at_repositories_is_made_for_each_release(look):
    asked = 'test "$1" = "$FFWD_RELEASE" || exit 9\n[ "$1" != pike ] || { echo "no answer from 192.0.2.1"; exit 3; }'
    (finding,) = look(text=asking(releases=["ocata", "pike"], repositories=asked))
    assert finding.key == "repositories"
    assert finding.what == "the repositories of pike are not as they should be: no answer from 192.0.2.1"


def judged(answer: Answer) -> list[Finding]:
    return judging.judge(Node("n", "Controller", True, Way(False, "n"), ()), answer, LIMITS)


@pytest.mark.parametrize(
    ("err", "key", "told"),
    [
        ("ssh: connect to host 192.0.2.9 port 22: No route to host\n", "node-unreachable", "No route to host"),
        ("heat-admin@192.0.2.9: Permission denied (publickey).\n", "node-unreachable", "it refuses the key"),
        ("No ED25519 host key is known for x.\nHost key verification failed.\n", "host-key-unknown", "is not known"),
        (
            "@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n",
            "host-key-unknown",
            "another host key",
        ),
        ("", "node-unreachable", "it ended with 255 and without a word"),
    ],
)
def test_a_node_that_is_not_reached_says_why(err, key, told):
    (finding,) = judged(Answer(255, "", err, 1.0, 2.0))
    assert (finding.key, finding.severity) == (key, "error")
    assert told in finding.what and finding.remedy


def test_a_node_that_hangs_is_a_finding():
    (silent,) = judged(Answer(None, "", "", 1.0, 21.0, over=True))
    assert silent.what == "it has not answered within 20 s"
    (stuck,) = judged(Answer(None, "ffwd begin 1\nffwd clock 5\n", "", 1.0, 21.0, over=True))
    assert (stuck.key, stuck.severity, stuck.made) == ("nodes-not-checked", "error", False)
    assert stuck.what == "the checks on it are not done after 20 s; the last that it has answered is clock"


def test_what_a_login_prints_is_passed_over_and_nonsense_is_named():
    good = "Welcome!\nffwd begin 1\nffwd clock {now}\nffwd sudo ok\nffwd python 3.9 /x\nffwd disk 9000 /\n"
    now = time.time()
    text = good.format(now=int(now)) + "ffwd running 5\nffwd pacemaker fine\nffwd pigs fly\nffwd end 1\n"
    found = judged(Answer(0, text, "", now, now))
    assert keys(found) == ["pacemaker", "nodes-not-checked"]
    assert [finding.what for finding in found] == [
        "the check could not be made: the node's answer can't be understood: 'fine'",
        "the check could not be made: the node's answer can't be understood: 'fly'",
    ]
    assert "clock" in script.parse("ffwd clock 1\nffwd clock 2\n").wrong, "what is said twice is wrong"
