"""What the options about Ansible become in the workflow's input."""

from __future__ import annotations

import argparse

import pytest

from tripleo_ffwd.cli.osc import ansible_options
from tripleo_ffwd.exceptions import InvalidInput, NotFound


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    ansible_options.add_ssh_user(parser, "--ssh-user")
    ansible_options.add_skip_tags(parser)
    ansible_options.add_options(parser)
    return parser.parse_args(arguments)


def test_what_is_not_given_is_left_to_the_workflow():
    assert ansible_options.arguments(parse(), 1) == {}


def test_what_is_waived_has_a_reason_and_a_day():
    given = parse(
        "--waive", "sudo=we are root = fine", "--waive", "pacemaker=x", "--until", "2026-12-01", "--no-checks"
    )
    assert ansible_options.arguments(given, 1) == {
        "waivers": [
            {"key": "sudo", "reason": "we are root = fine", "until": "2026-12-01"},
            {"key": "pacemaker", "reason": "x", "until": "2026-12-01"},
        ],
        "checks": False,
    }
    for wrong in (("--waive", "sudo", "--until", "2026-12-01"), ("--waive", "sudo=x"), ("--until", "2026-12-01")):
        with pytest.raises(InvalidInput, match="Give --waive KEY=REASON --until YYYY-MM-DD"):
            ansible_options.arguments(parse(*wrong), 1)


def test_all_of_them():
    options = parse(
        "--ssh-user", "heat-admin", "--resume", "--forks", "5", "--extra-vars", "a=1 b", "--run-timeout", "9"
    )
    options.ansible, options.tags, options.skip_tags = "strategy=free", "a,b", "c"
    assert ansible_options.arguments(options, 3) == {
        "ansible": {"strategy": "free"},
        "tags": "a,b",
        "skip_tags": "c",
        "ssh_user": "heat-admin",
        "resume": True,
        "forks": 5,
        "extra_vars": {"a": "1 b"},
        "run_timeout": 9,
        "verbosity": 2,
    }


def test_later_variables_win_and_objects_keep_their_types():
    assert ansible_options.extra_vars(["a=1", '{"a": [1], "b": true}', "b=x=y"]) == {"a": [1], "b": "x=y"}


@pytest.mark.parametrize("text", ["@file.yaml", "password", '{"password": planted', "=planted"])
def test_wrong_variables_are_counted_not_shown(text):
    with pytest.raises(InvalidInput) as caught:
        ansible_options.extra_vars(["a=1", text])
    assert "--extra-vars number 2" in str(caught.value)
    assert "planted" not in str(caught.value)


def test_an_inventory_that_is_not_there_is_named_and_one_that_is_is_not_used(tmp_path, capsys):
    ansible_options.check_static_inventory(None)
    with pytest.raises(NotFound, match="There is no such inventory"):
        ansible_options.check_static_inventory(str(tmp_path / "hosts"))
    (tmp_path / "hosts").touch()
    ansible_options.check_static_inventory(str(tmp_path / "hosts"))
    assert "is not used: the inventory is made from the stack's outputs" in capsys.readouterr().err


def test_settings_are_what_they_look_like():
    assert ansible_options.settings("--batches", " size=10, canary=1,health_check=/etc/check.sh,become=false") == {
        "size": 10,
        "canary": 1,
        "health_check": "/etc/check.sh",
        "become": False,
    }
    assert ansible_options.settings("--batches", '{"failure_budget": {"Compute": 2}}') == {
        "failure_budget": {"Compute": 2}
    }
    with pytest.raises(InvalidInput, match="--batches ten is neither"):
        ansible_options.settings("--batches", "ten")
