from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tripleo_ffwd.ansible_run import outputs
from tripleo_ffwd.ansible_run.outputs import Log, gathered


class Writer:
    """A pipe whose one end is written by a thread, some bytes at a time."""

    def __init__(self, parts: list[bytes], pause: float = 0.0) -> None:
        read, self.end = os.pipe()
        self.output = os.fdopen(read, "rb")
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._write, args=(parts, pause))
        self.thread.start()

    def _write(self, parts: list[bytes], pause: float) -> None:
        for part in parts:
            while part:
                part = part[os.write(self.end, part) :]
            time.sleep(pause)
        os.close(self.end)
        self.ended.set()


def test_lines_come_whole_and_as_they_were_whatever_they_are_written_in() -> None:
    parts = [b"a", b"b\nc", b"", b"\xff\r", b"d\n", b"\n\n", b"x" * 3_000_000, b"\n", b"no end"]
    writer = Writer(parts)
    found = [line for read in gathered(writer.output, writer.ended) for line in read]
    assert b"".join(found) == b"".join(parts)
    assert found == [b"ab\n", b"c\xff\rd\n", b"\n", b"\n", b"x" * 3_000_000 + b"\n", b"no end"]


def test_what_comes_within_a_moment_comes_together() -> None:
    writer = Writer([b"ok: [ctl-0]\n"] * 60, pause=outputs.PAUSE / 10)
    reads = list(gathered(writer.output, writer.ended))
    assert sum(map(len, reads)) == 60
    assert len(reads) < 30


def test_end_of_the_writer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "PAUSE", 60)
    began = time.monotonic()
    writer = Writer([b"one\n", b"two\n"])
    assert sum(map(len, gathered(writer.output, writer.ended))) == 2
    assert time.monotonic() - began < 30


def test_pipe_holds_more_where_the_system_lets_it() -> None:
    read, write = os.pipe()
    outputs.widen(read)
    os.set_blocking(write, False)
    assert os.write(write, bytes(outputs.PIPE_BYTES)) in (outputs.PIPE_BYTES, 1 << 16)
    os.close(read)
    os.close(write)


def test_what_is_no_pipe_is_left_as_it_is(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        outputs.widen(file.fileno())


def test_log_is_for_its_owner_alone_and_begins_with_the_first_text(tmp_path: Path) -> None:
    log = Log(tmp_path / "ansible.log")
    log.append("")
    assert not (tmp_path / "ansible.log").exists()
    log.append("PLAY é\n")
    log.append("TASK\n")
    log.close()
    assert (tmp_path / "ansible.log").read_text(encoding="utf-8") == "PLAY é\nTASK\n"
    assert (tmp_path / "ansible.log").stat().st_mode & 0o777 == 0o600
    Log(tmp_path).append("a directory takes nothing, and nothing is raised")
