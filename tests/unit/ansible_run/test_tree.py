from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tripleo_ffwd.ansible_run.tree import load
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import RunSpec

INVENTORY = """
all:
  children:
    undercloud: {hosts: {undercloud: {}}}
    overcloud: {children: {Controller: , Compute: }}
    Controller: {hosts: {ctl-0: , ctl-1: {ansible_host: 192.0.2.2}}}
    ffwd_unselected: {}
Compute:
  hosts: {cmp-0: }
"""


def make(path: Path, inventory: str = INVENTORY, **manifest: Any) -> Path:
    stage = {"id": "s", "playbook": "p.yaml", "hosts": ["ctl-0", "ctl-1", "undercloud"], "tasks": 3}
    (path / "manifest.json").write_text(json.dumps({"digest": "d", "stages": [stage], **manifest}))
    (path / "inventory.yaml").write_text(inventory)
    return path


def spec(path: Path, *targets: str) -> RunSpec:
    return RunSpec(plan="p", phase="upgrade", playbook="p.yaml", tree=str(path), digest="d", targets=targets)


def test_hosts_are_found_wherever_their_group_is_defined(tmp_path: Path) -> None:
    tree = load(make(tmp_path))
    assert tree.hosts == {"undercloud", "ctl-0", "ctl-1", "cmp-0"}
    assert tree.overcloud == {"ctl-0", "ctl-1", "cmp-0"}


def test_targets_unselect_overcloud_hosts_only(tmp_path: Path) -> None:
    tree = load(make(tmp_path))
    assert tree.unselected(("ctl-1",)) == ("cmp-0", "ctl-0")
    assert tree.unselected(()) == ()
    assert tree.required(spec(tmp_path, "ctl-1"))[0].hosts == ("ctl-1", "undercloud")
    assert tree.required(spec(tmp_path))[0].hosts == ("ctl-0", "ctl-1", "undercloud")


def test_missing_inputs_are_told_by_playbook(tmp_path: Path) -> None:
    missing = [{"playbook": "p.yaml", "what": "a"}, {"playbook": "p.yaml", "what": "b"}, "something else"]
    assert dict(load(make(tmp_path, missing_inputs=missing)).missing) == {"p.yaml": "a; b"}


@pytest.mark.parametrize("inventory", ["a: [", "a: {b: }: c"])
def test_inventory_that_is_no_yaml_is_refused_by_name(tmp_path: Path, inventory: str) -> None:
    with pytest.raises(InvalidInput, match=r"inventory\.yaml"):
        load(make(tmp_path, inventory))


def test_missing_tree_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no-tree"):
        load(tmp_path / "no-tree")
