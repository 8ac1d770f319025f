"""An HTTP server that takes messages like Zaqar, and forgets none: `make test-tripleoclient` has a real one."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclasses.dataclass
class Stub:
    """What arrived, in order.

    Attributes:
        url: what [ffwd] zaqar_url must be.
        bodies: ``(queue, body)`` of each message.
        headers: those of the last request.
        refuse: HTTP status that every request gets; 0 when all is well.
        tokens: those that are taken; None takes any, and none.
        subscriptions: seconds that each lasts, by id; of every queue.
    """

    url: str = ""
    bodies: list[tuple[str, dict[str, Any]]] = dataclasses.field(default_factory=list)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    refuse: int = 0
    tokens: set[str] | None = None
    subscriptions: dict[str, int] = dataclasses.field(default_factory=dict)

    def verdict(self, path: str, token: str | None, what: str) -> int:
        """Return the HTTP status with which a request is refused; 0 when it is not."""
        words = path.split("/")
        if words[:3] != ["", "v2", "queues"] or words[4:5] != [what]:
            return 404
        return 401 if self.tokens is not None and token not in self.tokens else self.refuse

    def payloads(self, execution: str, queue: str = "tripleo") -> list[dict[str, Any]]:
        """Return the payloads that a client that waits for an execution takes for its own."""
        return [
            body["payload"]
            for name, body in list(self.bodies)
            if name == queue
            and execution in (body["payload"].get("execution_id"), body["payload"].get("root_execution_id"))
        ]

    def ended(self, execution: str, queue: str = "tripleo") -> bool:
        """True when the last message has come."""
        return any(payload["status"] != "RUNNING" for payload in self.payloads(execution, queue))


@contextlib.contextmanager
def serving() -> Iterator[Stub]:
    """Serve on a free port."""
    stub = Stub()

    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(stub)) as server:
        stub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()


def _handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args: Any) -> None:
            pass

        def _answer(self, code: int, body: Any) -> None:
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self) -> None:
            sent, words = self._asked("messages")
            if words:
                stub.bodies += [(words[0], message["body"]) for message in sent["messages"]]
                self._answer(201, {"resources": [f"{self.path}/{len(stub.bodies)}"]})

        def do_GET(self) -> None:
            if self._asked("subscriptions")[1]:
                self._answer(200, {"subscriptions": [{"id": name} for name in stub.subscriptions]})

        def do_PATCH(self) -> None:
            sent, words = self._asked("subscriptions")
            if words:
                stub.subscriptions[words[2]] = sent["ttl"]
                self._answer(200, {})

        def _asked(self, what: str) -> tuple[dict[str, Any], list[str]]:
            """Return the request's body, and the words of its path behind ``queues``; none when it was refused."""
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stub.headers = dict(self.headers)
            code = stub.verdict(self.path, self.headers.get("X-Auth-Token"), what)
            if code:
                self._answer(code, {"title": "It is not so"})
                return {}, []
            return json.loads(data) if data else {}, self.path.split("/")[3:]

    return Handler
