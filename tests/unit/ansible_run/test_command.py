from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tripleo_ffwd.ansible_run import command, launchers
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.model import RunSpec


def spec(tree: Path, **fields: object) -> RunSpec:
    values = {"plan": "p", "phase": "run", "playbook": "p.yaml", "tree": str(tree), "digest": "d", **fields}
    return RunSpec(**values)  # type: ignore[arg-type]


def test_callers_environment_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_STRATEGY", "free")
    monkeypatch.setenv("OS_PASSWORD", "swordfish")
    monkeypatch.setenv("LANG", "C")
    env = command.clean_environment("a-run")
    assert set(env) <= {"PATH", "HOME", "LANG", "LC_ALL", "FFWD_RUN_ID"}
    assert (env["FFWD_RUN_ID"], env["LC_ALL"]) == ("a-run", "C.UTF-8")


def test_host_keys_are_checked_against_the_trees_file_whatever_its_path(tmp_path: Path) -> None:
    tree = tmp_path / "a tree %d"
    tree.mkdir()
    (tree / "known_hosts").touch()
    words = shlex.split(command.ssh_args(spec(tree, ssh_key_file="/keys/id")))
    assert "StrictHostKeyChecking=yes" in words
    assert f'UserKnownHostsFile="{tmp_path}/a tree %%d/known_hosts"' in words
    assert "GlobalKnownHostsFile=/dev/null" in words
    assert "IdentitiesOnly=yes" in words
    assert words[:2] == ["-F", "/dev/null"]


def test_operator_s_options_of_ssh_come_before_ours(tmp_path: Path) -> None:
    words = shlex.split(command.ssh_args(spec(tmp_path, ssh_extra_args="-o 'ProxyCommand=nc %h %p'")))
    assert words[:2] == ["-o", "ProxyCommand=nc %h %p"]
    assert "StrictHostKeyChecking=yes" in words


def test_pipelining_can_be_turned_off(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    assert command.ansible_environment(run, spec(tmp_path), "/c")["ANSIBLE_PIPELINING"] == "True"
    assert command.ansible_environment(run, spec(tmp_path, pipelining=False), "/c")["ANSIBLE_PIPELINING"] == "False"


def test_given_known_hosts_file_wins(tmp_path: Path) -> None:
    words = shlex.split(command.ssh_args(spec(tmp_path, known_hosts_file="/etc/keys")))
    assert 'UserKnownHostsFile="/etc/keys"' in words


def test_host_keys_are_unchecked_only_by_choice(tmp_path: Path) -> None:
    checked = spec(tmp_path)
    unchecked = spec(tmp_path, host_key_checking=False)
    run = RunDir(tmp_path / "run")
    assert "StrictHostKeyChecking=no" not in command.ssh_args(checked)
    assert "StrictHostKeyChecking=no" in command.ssh_args(unchecked)
    assert command.ansible_environment(run, checked, "/c")["ANSIBLE_HOST_KEY_CHECKING"] == "True"
    assert command.ansible_environment(run, unchecked, "/c")["ANSIBLE_HOST_KEY_CHECKING"] == "False"


def test_variables_go_by_file(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.extra_vars.write_text('{"password": "swordfish"}')
    given = spec(tmp_path, extra_vars_file="/my vars.yaml", check=True, skip_tags="slow", forks=7, verbosity=2)
    assert command.ansible_playbook(run, given, ["/inv"]) == [
        *("ansible-playbook", "-i", "/inv", "--forks", "7", "--skip-tags", "slow"),
        *("-e", f"@{run.extra_vars}", "-e", "@/my vars.yaml", "--check", "-vv", "p.yaml"),
    ]


@pytest.mark.parametrize(("uid", "manager"), [(0, "--system"), (42430, "--user")])
def test_systemd_unit_is_a_control_group_of_its_own(tmp_path: Path, uid: int, manager: str) -> None:
    words = launchers.systemd_command(RunDir(tmp_path / "20260101T000000-abc"), uid=uid)
    assert words[:3] == ["systemd-run", manager, "--unit=tripleo-ffwd-20260101T000000-abc"]
    assert {"--collect", "--property=KillMode=mixed", "--setenv=FFWD_RUN_ID=20260101T000000-abc"} <= set(words)
    assert words[words.index("--") + 2 :] == [
        "-m",
        "tripleo_ffwd.ansible_run.supervisor",
        str(tmp_path / "20260101T000000-abc"),
    ]


def test_tasks_run_as_another_user_where_the_playbook_does_not_say(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    plain = command.ansible_environment(run, spec(tmp_path), "/c")
    assert plain["ANSIBLE_BECOME"] == "False" and "ANSIBLE_BECOME_USER" not in plain
    given = spec(tmp_path, become=True, become_user="root", become_method="su", connect_timeout=5)
    found = command.ansible_environment(run, given, "/c")
    names = ("ANSIBLE_BECOME", "ANSIBLE_BECOME_USER", "ANSIBLE_BECOME_METHOD", "ANSIBLE_TIMEOUT")
    assert [found[name] for name in names] == ["True", "root", "su", "5"]
    assert "ConnectTimeout=5" in shlex.split(command.ssh_args(given))


def test_variables_that_look_something_up_may_look_at_any_fact(tmp_path: Path) -> None:
    run, variables = RunDir(tmp_path / "run"), tmp_path / "variables.yaml"
    plain = command.ansible_playbook(run, spec(tmp_path, extra_vars={"a": "b"}), ["i"])
    assert not [word for word in plain if "gather" in word]
    all_facts = ["-e", '{"ffwd_gather_subset": ["all"]}']
    typed = command.ansible_playbook(run, spec(tmp_path, extra_vars={"a": "{{ ansible_eth0 }}"}), ["i"])
    assert typed[5:7] == all_facts
    variables.write_text("a: '{% if ansible_eth0 %}b{% endif %}'\n")
    filed = command.ansible_playbook(run, spec(tmp_path, extra_vars_file=str(variables)), ["i"])
    assert filed[5:] == [*all_facts, "-e", f"@{variables}", "p.yaml"]  # the operator's own come after it, and win
    assert command.ansible_playbook(run, spec(tmp_path, inventory_file=str(variables)), ["i"])[5:7] == all_facts
