"""Requests are looked for, and small files written, by a thread that may be held up without holding up others."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from support import until

from tripleo_ffwd.ansible_run.requests import Request, Requests, Where
from tripleo_ffwd.ansible_run.rundir import RunDir, write_json


def nothing() -> None:
    pass


def test_the_strongest_request_is_seen_and_told(tmp_path: Path) -> None:
    run, told = RunDir(tmp_path), threading.Event()
    requests = Requests(run, nothing, told.set)
    requests.start()
    try:
        write_json(run.pause, {"by": "by the operator"})
        assert told.wait(20)
        assert requests.asked == Request(Where.STAGE, "paused", "paused by the operator")
        write_json(run.cancel, {"by": "by the operator", "now": False})
        until("the cancel", lambda: requests.asked == Request(Where.TASK, "cancelled", "cancelled by the operator"), 20)
        run.cancel.unlink()
        run.pause.unlink()
        until("that all is taken back", lambda: requests.asked.where is Where.NOWHERE, 20)
    finally:
        requests.stop()


def test_the_newest_of_what_is_put_is_written(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    requests = Requests(run, nothing, nothing)
    for number in range(3):
        requests.put(run.stop, {"at": number})
    requests.start()
    try:
        until("the file", lambda: run.stop.exists() and json.loads(run.stop.read_text()) == {"at": 2}, 20)
        requests.put(run.stop, None)
        until("its end", lambda: not run.stop.exists(), 20)
    finally:
        requests.stop()


def test_nothing_is_written_into_another_directory_of_the_name(tmp_path: Path) -> None:
    looked = threading.Event()

    def gone() -> None:
        looked.set()
        raise OSError("it is gone")

    run = RunDir(tmp_path)
    requests = Requests(run, gone, nothing)
    requests.put(run.stop, {"at": "stage"})
    requests.start()
    assert looked.wait(20)
    requests.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_read_that_never_returns_holds_up_nobody_else(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    os.mkfifo(run.cancel)
    requests = Requests(run, nothing, nothing)
    requests.start()
    requests.put(run.stop, {"at": "task"})
    requests.stop()
    assert requests.asked.where is Where.NOWHERE
