"""Messages to receivers that are there, dead, slow, or refuse: nobody waits, and what can still be sent is."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from support import until

from tripleo_ffwd.notifying import receivers, sending, spool

PLAN = "overcloud"


def settings(**given):
    defaults = {
        "notify_queue": "",
        "notify_webhook_url": "",
        "notify_webhook_hosts": ["127.0.0.1"],
        "notify_command": "",
        "notify_timeout": 1,
        "notify_keep": 3600,
    }
    return SimpleNamespace(**{**defaults, **given})


def message(number: int) -> dict:
    return {"event": "stage", "plan": PLAN, "phase": "run", "number": number}


def put(work_dir: Path, receiver: str, *numbers: int) -> spool.Box:
    box = spool.Box(work_dir, PLAN, receiver)
    for number in numbers:
        assert box.put(message(number), dispensable=True)
    return box


class Hook:
    """A webhook that keeps what it gets, and answers with `status`."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                outer.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook?token=s3cr3t-t0ken"


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def kick(work_dir: Path, conf) -> None:
    sending.kick(work_dir, PLAN, receivers.receivers(conf), conf.notify_keep)


def test_messages_come_in_their_order(tmp_path, hook):
    box = put(tmp_path, "webhook", 1, 2, 3)
    kick(tmp_path, settings(notify_webhook_url=hook.url))
    until("all messages", lambda: not box.waiting())
    assert [one["number"] for one in hook.got] == [1, 2, 3]
    assert spool.late(tmp_path, PLAN) == []


def test_a_receiver_that_is_dead_holds_nobody_up_and_gets_all_when_it_is_back(tmp_path, hook):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/?token=s3cr3t-t0ken"
    box = put(tmp_path, "webhook", 1, 2)
    begun = time.monotonic()
    kick(tmp_path, settings(notify_webhook_url=dead))
    assert time.monotonic() - begun < 0.5
    (late,) = until("the first try", lambda: spool.late(tmp_path, PLAN))
    assert (late.receiver, late.waiting, late.lost) == ("webhook", 2, 0)
    assert late.error == "127.0.0.1: Connection refused" and "s3cr3t" not in repr(late)
    conf = settings(notify_webhook_url=hook.url)
    assert sending.deliver(box, receivers.receivers(conf)["webhook"], conf.notify_keep)
    assert [one["number"] for one in hook.got] == [1, 2]
    assert spool.late(tmp_path, PLAN) == []


def test_a_receiver_that_answers_byte_by_byte_is_given_up(tmp_path):
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                while not ended.wait(0.2):
                    connection.sendall(b"H")

        threading.Thread(target=drip, daemon=True).start()
        conf = settings(notify_webhook_url=f"http://127.0.0.1:{server.getsockname()[1]}/")
        begun = time.monotonic()
        with pytest.raises(receivers.NotTaken):
            receivers.receivers(conf)["webhook"](message(1))
        assert time.monotonic() - begun < 4
        ended.set()


def test_a_refusal_is_final_and_the_next_message_is_sent(tmp_path, hook):
    box = put(tmp_path, "webhook", 1, 2)
    conf = settings(notify_webhook_url=hook.url)
    hook.status = 400
    assert sending.deliver(box, receivers.receivers(conf)["webhook"], conf.notify_keep)
    assert len(hook.got) == 2
    (late,) = spool.late(tmp_path, PLAN)
    assert (late.waiting, late.lost, late.error) == (0, 2, "127.0.0.1 answers 400")


def test_a_redirect_is_not_followed_and_may_be_mended(tmp_path, hook):
    hook.status, hook.headers = 302, {"Location": "http://127.0.0.1:1/"}
    box = put(tmp_path, "webhook", 1)
    conf = settings(notify_webhook_url=hook.url)
    assert not sending.deliver(box, receivers.receivers(conf)["webhook"], conf.notify_keep)
    assert box.late().error == "127.0.0.1 answers 302"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"notify_webhook_hosts": []}, "notify_webhook_hosts does not name 127.0.0.1"),
        ({"notify_webhook_hosts": ["*.example.com"]}, "notify_webhook_hosts does not name 127.0.0.1"),
        ({"notify_webhook_url": "file:///etc/passwd"}, "notify_webhook_url is no URL of http or https"),
    ],
)
def test_what_is_not_allowed_is_not_called(tmp_path, hook, given, told):
    conf = settings(**{"notify_webhook_url": hook.url, **given})
    with pytest.raises(receivers.NotTaken, match=told):
        receivers.receivers(conf)["webhook"](message(1))
    assert hook.got == []


def test_a_message_that_is_too_old_is_dropped_and_counted(tmp_path, hook):
    hook.status = 503
    box = put(tmp_path, "webhook", 1)
    assert sending.deliver(box, receivers.receivers(settings(notify_webhook_url=hook.url))["webhook"], keep=0)
    assert (box.waiting(), box.late().lost) == ([], 1)


def test_there_is_a_bound_and_only_what_nobody_will_miss_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "MOST", 3)
    box = put(tmp_path, "command", 1, 2, 3)
    assert not box.put(message(4), dispensable=True)
    assert box.put(message(5), dispensable=False)
    assert [json.loads(path.read_text())["number"] for path in box.waiting()] == [2, 3, 5]
    assert box.state()["lost"] == 2


def test_a_command_reads_the_message_and_one_that_hangs_is_killed(tmp_path):
    told, pid = tmp_path / "told", tmp_path / "pid"
    script = tmp_path / "notify.sh"
    script.write_text(f'cat > {told}; echo "$FFWD_EVENT $FFWD_PLAN" >> {told}\n')
    send = receivers.receivers(settings(notify_command=f"sh {script}"))["command"]
    send(message(7))
    first, second = told.read_text().replace("}", "}\n").splitlines()
    assert (json.loads(first)["number"], second) == (7, "stage overcloud")
    script.write_text(f"sleep 60 & echo $! > {pid}; wait\n")
    with pytest.raises(receivers.NotTaken, match="has not ended after 1 s and was killed"):
        send(message(8))
    until("the end of its child", lambda: not _alive(int(pid.read_text())))
    script.write_text("exit 3\n")
    with pytest.raises(receivers.NotTaken, match="ended with 3"):
        send(message(9))
    with pytest.raises(receivers.NotTaken, match="can't be run: No such file"):
        receivers.receivers(settings(notify_command="/nonexistent/program x"))["command"](message(10))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_message_that_is_damaged_holds_up_no_other(tmp_path, hook):
    box = put(tmp_path, "webhook", 1, 2)
    box.waiting()[0].write_text("{")
    conf = settings(notify_webhook_url=hook.url)
    assert sending.deliver(box, receivers.receivers(conf)["webhook"], conf.notify_keep)
    assert [one["number"] for one in hook.got] == [2]


def test_two_executors_send_a_message_once(tmp_path, hook):
    from filelock import FileLock

    box = put(tmp_path, "webhook", 1)
    with FileLock(box.path / "lock"):
        kick(tmp_path, settings(notify_webhook_url=hook.url))
        until("the thread's end", lambda: not sending._threads[box.path].is_alive())
    assert hook.got == [] and len(box.waiting()) == 1
