from __future__ import annotations

import json
import resource
import signal
from pathlib import Path

import pytest

from tripleo_ffwd.ansible_run import ledger
from tripleo_ffwd.ansible_run.ledger import Ledger


class LimitedFileSize:
    """Within it no file grows beyond some bytes, as on a full disk."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)
        signal.signal(signal.SIGXFSZ, self.handler)


def test_torn_last_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writer = Ledger(path)
    writer.append({"event": "task_end", "task": "stop the database", "host": "ctl-0", "status": "ok"})
    writer.append({"event": "task_end", "task": "migrate", "host": "ctl-0", "status": "changed"})
    writer.close()
    path.write_bytes(path.read_bytes()[:-15])
    assert [record["task"] for record in ledger.read(path)] == ["stop the database"]


def test_records_after_a_torn_line_of_a_former_writer_are_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b'{"event":"stage_start"}\n{"event":"task_st')
    writer = Ledger(path)
    writer.append({"event": "run_start"})
    writer.append({"event": "run_end"})
    assert [record["event"] for record in ledger.read(path)] == ["stage_start", "run_start", "run_end"]


def test_long_texts_are_cut_and_every_record_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writer = Ledger(path)
    writer.append({"event": "run_end", "message": "a\n" * 5000})
    assert path.read_bytes().count(b"\n") == 1
    assert len(path.read_bytes()) < 1500
    assert path.stat().st_mode & 0o777 == 0o600


def test_full_ledger_still_takes_stages_and_failures(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writer = Ledger(path, limit=200)
    writer.append({"event": "play_start", "play": "s"})
    for number in range(50):
        writer.append_start(number, "ctl-0")
        writer.append_end(number, "ctl-0", "ok")
    writer.append_end(50, "ctl-0", "failed", "no space")
    writer.append({"event": "run_end"})
    records = list(ledger.read(path))
    assert [record["event"] for record in records[-3:]] == ["limit", "task_end", "run_end"]
    assert (records[-2]["status"], records[-2]["message"]) == ("failed", "no space")
    assert len(records) < 15


def test_task_on_a_host_is_read_with_all_that_was_said_of_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writer = Ledger(path)
    writer.append({"event": "ansible_start"})
    writer.append({"event": "play_start", "play": "ocata/step1/Controller/all"})
    writer.append({"event": "task", "number": 7, "task": "stop the database"})
    writer.append_start(7, "ctl-0")
    writer.append_end(7, "ctl-0", "changed")
    started, ended = list(ledger.read(path))[-2:]
    of = {"stage": "ocata/step1/Controller/all", "task": "stop the database", "task_id": 7, "host": "ctl-0"}
    assert {**started, "t": ""} == {"t": "", "event": "task_start", **of}
    told = {"event": "task_end", **of, "status": "changed", "changed": True, "seconds": ended["seconds"]}
    assert {**ended, "t": ""} == {"t": "", **told}
    assert 0 <= ended["seconds"] < 5 and ended["t"].startswith("20") and ended["t"].endswith("+00:00")


def test_task_on_a_host_takes_less_than_fifty_bytes(tmp_path: Path) -> None:
    writer = Ledger(tmp_path / "ledger.jsonl")
    for number in range(1000):
        writer.append_start(number, "overcloud-controller-0")
        writer.append_end(number, "overcloud-controller-0", "changed")
    assert (tmp_path / "ledger.jsonl").stat().st_size < 50 * 1000


def test_missing_ledger_is_empty(tmp_path: Path) -> None:
    assert list(ledger.read(tmp_path / "none")) == []


def test_record_after_one_that_the_disk_did_not_take_whole_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writer = Ledger(path)
    writer.append_end(1, "ctl-0", "ok")
    with LimitedFileSize(path.stat().st_size + 10), pytest.raises(OSError):
        writer.append_end(1, "ctl-1", "failed", "a message")
    writer.append({"event": "stopped", "why": "the ledger can't be written"})
    assert [record["event"] for record in ledger.read(path)] == ["task_end", "stopped"]


def test_host_is_named_once_and_where_something_fails_and_is_read_by_name_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writer = Ledger(path)
    writer.append({"event": "ansible_start"})
    for number, status, message in ((1, "ok", ""), (2, "failed", 'no "service"'), (3, "skipped", "")):
        for host in ("ctl-0", 'ctl-"1"'):
            writer.append_start(number, host)
            writer.append_end(number, host, status, message)
    lines = [json.loads(line) for line in path.read_text().splitlines()][1:]
    assert [line[2] for line in lines] == [
        *([1, "ctl-0"], 1, [2, 'ctl-"1"'], 2),
        *(1, "ctl-0", 2, 'ctl-"1"'),
        *(1, 1, 2, 2),
    ]
    records = [record for record in ledger.read(path) if record["event"] == "task_end"]
    assert [(record["host"], record["status"]) for record in records] == [
        (host, status) for status in ("ok", "failed", "skipped") for host in ("ctl-0", 'ctl-"1"')
    ]
    assert {record.get("message") for record in records} == {None, 'no "service"'}


def test_host_whose_first_line_the_disk_did_not_take_is_named_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writer = Ledger(path)
    writer.append({"event": "ansible_start"})
    for missing in (10, 1):  # half of the line, and all of it but for its end
        with LimitedFileSize(path.stat().st_size + len('[0.000,1,[1,"ctl-0"]]\n') - missing), pytest.raises(OSError):
            writer.append_start(1, "ctl-0")
    writer.append_start(1, "ctl-1")
    writer.append_start(1, "ctl-0")
    writer.append_end(1, "ctl-0", "ok")
    writer.append_end(1, "ctl-1", "changed")
    ends = [(record["host"], record["status"]) for record in ledger.read(path) if record["event"] == "task_end"]
    assert ends == [("ctl-0", "ok"), ("ctl-1", "changed")]


def test_line_of_a_host_that_nothing_names_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(
        '{"t":"2026-11-23T06:00:48.120+00:00","event":"ansible_start"}\n[1.5,1,7,"ok"]\n[1.6,1,"ctl-0","ok"]\n'
    )
    assert [record.get("host") for record in ledger.read(path)] == [None, "ctl-0"]
