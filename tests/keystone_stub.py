"""An HTTP server that answers like keystone, to whoever asks for a token: `make test-keystone` has a real one."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextlib.contextmanager
def serving(token: str) -> Iterator[str]:
    """Serve on a free port, and give `token` to everybody; yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args: Any) -> None:
            pass

        def _answer(self, code: int, body: Any) -> None:
            text = json.dumps(body).encode()
            self.send_response(code)
            for name, value in {"X-Subject-Token": token, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            links = [{"rel": "self", "href": url}]
            self._answer(200, {"version": {"id": "v3.14", "status": "stable", "links": links}})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            one = {"id": "one", "name": "one", "domain": {"id": "default", "name": "Default"}}
            times = {"issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2099-01-01T00:00:00.000000Z"}
            self._answer(201, {"token": {"methods": ["password"], "user": one, "project": one, "catalog": [], **times}})

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/v3"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield url
        finally:
            server.shutdown()
            thread.join()
