from __future__ import annotations

from pathlib import Path

from tripleo_ffwd.ansible_run import ledger
from tripleo_ffwd.ansible_run.ledger import Ledger


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
    writer.append({"event": "task_end", "message": "a\n" * 5000})
    assert path.read_bytes().count(b"\n") == 1
    assert len(path.read_bytes()) < 1500
    assert path.stat().st_mode & 0o777 == 0o600


def test_full_ledger_still_takes_stages_and_failures(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writer = Ledger(path, limit=200)
    for number in range(50):
        writer.append({"event": "task_end", "status": "ok", "task": f"task {number}"})
    writer.append({"event": "task_end", "status": "failed", "task": "the one"})
    writer.append({"event": "stage_end", "stage": "s"})
    events = [(record["event"], record.get("task")) for record in ledger.read(path)]
    assert events[-3:] == [("limit", None), ("task_end", "the one"), ("stage_end", None)]
    assert len(events) < 10


def test_missing_ledger_is_empty(tmp_path: Path) -> None:
    assert list(ledger.read(tmp_path / "none")) == []
