from __future__ import annotations

import resource
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tripleo_ffwd.ansible_run.inside import variables


def manager(**values: Any) -> SimpleNamespace:
    return SimpleNamespace(_fact_cache={}, _nonpersistent_fact_cache={"ctl-0": values}, _vars_cache={})


def test_record_that_the_disk_did_not_take_hides_none_after_it(tmp_path: Path) -> None:
    path, key = tmp_path / "variables.bin", bytes(variables.KEY_BYTES)
    keeper = variables.Keeper(path, key, "2.16.1")
    keeper.keep("one", manager(a=1))
    handler, before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 60, before[1]))
    try:
        with pytest.raises(OSError):
            keeper.keep("two", manager(a=1, b=2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    keeper.keep("three", manager(b=2, c=3))
    assert [kept.stage for kept in variables.index(path)] == ["one", "three"]
    assert variables.state_at(path, key, "three", "2.16.9") == {"set": {"ctl-0": {"b": 2, "c": 3}}}


def test_objects_of_another_ansible_are_not_read(tmp_path: Path) -> None:
    path, key = tmp_path / "variables.bin", bytes(variables.KEY_BYTES)
    variables.Keeper(path, key, "2.16.1").keep("one", manager(a=1))
    with pytest.raises(variables.Unreadable, match=r"one are those of ansible-core 2\.16\.1, and this is 2\.19\.0"):
        variables.state_at(path, key, "one", "2.19.0")
