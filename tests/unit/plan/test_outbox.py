"""Messages that wait for a queue: in order, each once, the last one last."""

from __future__ import annotations

import time

import pytest

from tripleo_ffwd.exceptions import InvalidInput, Unavailable
from tripleo_ffwd.plan import outbox

EXECUTION = "0c6f-1"


def put(work_dir, text: str, **more) -> bool:
    return outbox.put(work_dir, EXECUTION, "tripleo", {"payload": text}, **more)


class Queue:
    def __init__(self, takes: int = 1000) -> None:
        self.takes = takes
        self.took: list[str] = []

    def post(self, box, messages) -> None:
        for message in messages:
            if self.takes == 0:
                raise Unavailable("Zaqar does not answer")
            self.takes -= 1
            self.took.append(message["payload"])


def test_what_is_not_taken_stays_in_order_and_the_reason_is_told(tmp_path):
    for text in ("one", "two", "three"):
        put(tmp_path, text, plan="p")
    queue = Queue(takes=1)
    box = outbox.empty(tmp_path, EXECUTION, queue.post)
    assert (len(box.waiting), box.sent) == (2, 1)
    assert box.error.startswith("Zaqar does not answer")
    assert [found.execution for found in outbox.boxes(tmp_path, "p")] == [EXECUTION]
    assert outbox.boxes(tmp_path, "other") == ()
    queue.takes = 1000
    box = outbox.empty(tmp_path, EXECUTION, queue.post)
    assert (box.waiting, box.error, queue.took) == ((), "", ["one", "two", "three"])
    assert outbox.boxes(tmp_path) == ()


def test_progress_that_is_refused_for_good_does_not_hold_up_the_end(tmp_path):
    took: list[str] = []

    def post(box, messages) -> None:
        for message in messages:
            if message["payload"] == "too long":
                raise InvalidInput("Zaqar refuses: Message collection size is too large")
            took.append(message["payload"])

    put(tmp_path, "too long")
    put(tmp_path, "end", last=True)
    box = outbox.empty(tmp_path, EXECUTION, post)
    assert (took, box.waiting, box.sent) == (["end"], (), 1)


def test_an_end_that_is_refused_is_kept_and_the_reason_told(tmp_path):
    def post(box, messages) -> None:
        raise InvalidInput("Zaqar refuses: no such queue")

    put(tmp_path, "end", last=True)
    box = outbox.empty(tmp_path, EXECUTION, post)
    assert (len(box.waiting), box.error) == (1, "Zaqar refuses: no such queue")


def test_nothing_comes_after_the_last_message_whoever_puts_it_in(tmp_path):
    assert put(tmp_path, "one", key="task-1")
    assert not put(tmp_path, "one", key="task-1"), "Mistral has sent the action twice"
    assert put(tmp_path, "end", last=True)
    assert not put(tmp_path, "end of the watcher", last=True)
    assert not put(tmp_path, "two")
    queue = Queue()
    outbox.empty(tmp_path, EXECUTION, queue.post)
    assert queue.took == ["one", "end"]


def test_a_queue_that_is_away_for_long_does_not_fill_the_disk_and_the_end_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_WAITING", 3)
    kept = [put(tmp_path, str(number)) for number in range(5)]
    assert kept == [True, True, True, False, False]
    assert put(tmp_path, "end", last=True)


def test_files_are_for_their_owner_and_go_after_a_day(tmp_path):
    put(tmp_path, "one")
    (file,) = (tmp_path / "messages").glob("*.json")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    outbox.prune(tmp_path)
    assert file.exists()
    outbox.prune(tmp_path, time.time() + outbox.KEPT + 60)
    assert list((tmp_path / "messages").iterdir()) == []


def test_what_is_no_id_is_no_path(tmp_path):
    with pytest.raises(InvalidInput):
        outbox.read(tmp_path, "../records/p/lock")
