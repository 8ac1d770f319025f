from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tripleo_ffwd.ansible_run.inside import variables


def manager(**values: Any) -> SimpleNamespace:
    return SimpleNamespace(_fact_cache={}, _nonpersistent_fact_cache={"ctl-0": values}, _vars_cache={})


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    handler, before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_record_that_the_disk_did_not_take_hides_none_after_it(tmp_path: Path) -> None:
    path, key = tmp_path / "variables.bin", bytes(variables.KEY_BYTES)
    keeper = variables.Keeper(path, key, "2.16.1", tmp_path / "room")
    keeper.keep("one", manager(a=1))
    with no_file_larger_than(path.stat().st_size + 60), pytest.raises(OSError):
        keeper.keep("two", manager(a=1, b=2))
    keeper.keep("three", manager(b=2, c=3))
    assert [kept.stage for kept in variables.index(path)] == ["one", "three"]
    assert variables.state_at(path, key, "three", "2.16.9") == {"set": {"ctl-0": {"b": 2, "c": 3}}}


def test_objects_of_another_ansible_are_not_read(tmp_path: Path) -> None:
    path, key = tmp_path / "variables.bin", bytes(variables.KEY_BYTES)
    variables.Keeper(path, key, "2.16.1", tmp_path / "room").keep("one", manager(a=1))
    with pytest.raises(variables.Unreadable, match=r"one are those of ansible-core 2\.16\.1, and this is 2\.19\.0"):
        variables.state_at(path, key, "one", "2.19.0")


def test_room_is_taken_for_the_next_record_and_given_to_it(tmp_path: Path) -> None:
    room = tmp_path / "room"
    keeper = variables.Keeper(tmp_path / "variables.bin", bytes(variables.KEY_BYTES), "2.16.1", room)
    keeper.reserve()
    assert room.stat().st_blocks * 512 >= variables.RESERVE_BYTES
    keeper.keep("one", manager(a="".join(map(str, range(9999)))))
    assert not room.exists()
    keeper.reserve()
    assert room.stat().st_size > variables.RESERVE_BYTES + 1000, "a record may be as large as the largest before it"
    keeper.release()
    with no_file_larger_than(variables.RESERVE_BYTES), pytest.raises(OSError):
        keeper.reserve()
    assert not room.exists()


@pytest.mark.parametrize("number", [errno.EBADF, errno.EOPNOTSUPP, errno.EIO])
def test_file_system_that_cannot_take_room_stops_no_run(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = variables.Keeper(tmp_path / "variables.bin", bytes(variables.KEY_BYTES), "2.16.1", tmp_path / "room")

    def fail(*_args: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    keeper.reserve()
    assert not (tmp_path / "room").exists()


def test_run_that_goes_on_takes_room_for_the_largest_record_of_the_one_before(tmp_path: Path) -> None:
    path, key, room = tmp_path / "variables.bin", bytes(variables.KEY_BYTES), tmp_path / "room"
    variables.Keeper(path, key, "2.16.1", room).keep("one", manager(a=os.urandom(5000)))
    variables.Keeper(path, key, "2.16.1", room).reserve()
    assert room.stat().st_size == variables.RESERVE_BYTES + path.stat().st_size
