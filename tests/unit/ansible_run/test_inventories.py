"""An inventory of the caller's own: whatever form it has, Ansible says what is in it, and nobody else reads it."""

from __future__ import annotations

import json

import pytest
import yaml

from tripleo_ffwd.ansible_run import inventories
from tripleo_ffwd.exceptions import InvalidInput

PLANTED = "planted-2b9e"
TRIPLEO = {
    "Undercloud": {"hosts": {"undercloud": {}}, "vars": {"plan": "over", "os_auth_token": PLANTED}},
    "Controller": {"hosts": {"ctl-0": {"ansible_host": "192.0.2.1"}}, "vars": {"ansible_ssh_user": "heat-admin"}},
    "Compute": {"hosts": {"cmp-0": {}, "cmp-1": {}}},
    "overcloud": {"children": {"Controller": {}, "Compute": {}}},
}


def test_an_inventory_of_tripleo_s_is_kept_as_it_came(tmp_path):
    text = yaml.safe_dump(TRIPLEO)
    path = inventories.store(tmp_path, text)
    assert path.read_text() == text
    assert inventories.store(tmp_path, text) == path
    found = inventories.look(path)
    assert (found.plan, found.hosts) == ("over", ("cmp-0", "cmp-1", "ctl-0", "undercloud"))
    assert found.groups["overcloud"] == ("cmp-0", "cmp-1", "ctl-0")
    assert PLANTED in inventories.secrets(str(path))
    files = [each for each in (tmp_path / "inventories").iterdir() if each.is_file()]
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert [each for each in files if PLANTED in each.read_text()] == [path]


def test_any_form_that_ansible_reads_will_do(tmp_path):
    found = inventories.look(inventories.store(tmp_path, "[Controller]\nctl-0 ansible_host=192.0.2.1\n"))
    assert (found.plan, found.groups["Controller"]) == ("", ("ctl-0",))


def test_secrets_are_found_in_any_form(tmp_path):
    text = f"[Controller]\nctl-0 ansible_host=192.0.2.1 ansible_port=2222 ansible_become_pass={PLANTED}\n"
    path = inventories.store(tmp_path, text)
    assert PLANTED in inventories.secrets(str(path))
    (beside,) = path.parent.glob("*.hosts.json")
    kept = json.loads(beside.read_text())
    beside.write_text(json.dumps({name: value for name, value in kept.items() if name not in ("secrets", "variables")}))
    assert inventories.store(tmp_path, text) == path
    assert json.loads(beside.read_text()) == kept, "what an older release has kept less of is looked at again"


def test_inventories_that_can_not_be_read_together_are_refused(tmp_path):
    for name, text in (("one", "[Controller]\nctl-0\n"), ("two", f"{{{PLANTED}: [")):
        (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput, match="together with that of the playbooks") as caught:
        inventories.hostvars([tmp_path / "one", tmp_path / "two"], tmp_path)
    assert PLANTED not in str(caught.value)


def test_what_is_no_inventory_is_refused_and_not_quoted(tmp_path):
    with pytest.raises(InvalidInput, match="can't be read by Ansible") as caught:
        inventories.store(tmp_path, f"{{{PLANTED}: [")
    assert PLANTED not in str(caught.value)
    assert [each for each in (tmp_path / "inventories").iterdir() if each.is_file()] == []


def changed(**parts):
    return yaml.safe_dump({**TRIPLEO, **parts})


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({}, ""),
        ({"Undercloud": {"hosts": {"undercloud": {}}, "vars": {"plan": "over", "os_auth_token": "another"}}}, ""),
        (
            {"Compute": {"hosts": {"cmp-0": {}, "cmp-2": {}}}},
            "new hosts cmp-2; hosts gone cmp-1; other members of groups Compute, all, overcloud",
        ),
        (
            {"Controller": {"hosts": {"ctl-0": {"ansible_host": "192.0.2.9"}}, "vars": {"ansible_ssh_user": "root"}}},
            "other variables of hosts ctl-0 (ansible_host, ansible_ssh_user)",
        ),
        (
            {"extra": {"hosts": {f"x-{number}": {} for number in range(7)}}},
            "new hosts x-0, x-1, x-2, x-3, x-4 and 2 more",
        ),
    ],
)
def test_what_has_changed_between_two_is_named_but_not_the_token_of_the_day(tmp_path, parts, words):
    one, other = (str(inventories.store(tmp_path, text)) for text in (changed(), f"# again\n{changed(**parts)}"))
    told = inventories.changes(other, one)
    assert told.startswith(words) if words else told == ""
    assert "192.0.2" not in told


def test_an_inventory_beside_none_is_a_change_and_so_is_one_that_is_gone(tmp_path):
    path = str(inventories.store(tmp_path, changed()))
    assert "given now" in inventories.changes(path, "") and "given then" in inventories.changes("", path)
    assert inventories.changes("", "") == ""
    assert "is gone" in inventories.changes(path, f"{path}x")
