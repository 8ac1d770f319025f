"""An HTTP server that answers like Swift, for what a plan needs: `make test` has no other one.

It follows the documented object storage API: listings in pages, checksums, conditional creation. `make test-swift`
runs the same tests on a real Swift. What only a fake can do on demand are its faults.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ACCOUNT = "/v1/AUTH_test"
TOKEN = "token-4b1d"


class Container:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.meta: dict[str, str] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: SwiftStub

    def _serve(self) -> None:
        stub, parts = self.server, urlsplit(self.path)
        body = self._body()
        container, _, name = unquote(parts.path.removeprefix(ACCOUNT).lstrip("/")).partition("/")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        with stub.mutex:
            stub.requests.append(f"{self.command} {container}/{name}".rstrip("/"))
            fault = stub.fault(self.command, container, name)
        if fault == "cut":
            self.close_connection = True
            return
        if fault:
            return self._answer(int(fault))
        if parts.path == "/info":
            return self._answer(200, json.dumps(stub.capabilities).encode())
        if "temp_url_sig" in query:
            if not stub.signed(container, parts.path, query, self.command):
                return self._answer(401)
        elif stub.token and self.headers.get("X-Auth-Token") != stub.token:
            return self._answer(401)
        if not container:
            return self._listing(dict.fromkeys(stub.containers, b""), query)
        if not name:
            return self._container(container, query)
        return self._object(container, name, body)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _container(self, name: str, query: dict[str, str]) -> None:
        stub = self.server
        with stub.mutex:
            found = stub.containers.get(name)
            if self.command == "PUT":
                made = stub.containers.setdefault(name, Container())
                given = {key.lower(): value for key, value in self.headers.items()}
                made.meta |= {key: value for key, value in given.items() if key.startswith("x-container-meta-")}
                return self._answer(202 if found else 201)
            if found is None:
                return self._answer(404)
            if self.command == "HEAD":
                return self._answer(204, headers=found.meta)
            if self.command == "DELETE":
                if found.objects:
                    return self._answer(409)
                del stub.containers[name]
                return self._answer(204)
            shown = stub.stale.get(name)
            return self._listing(dict(found.objects) if shown is None else shown, query, found.meta)

    def _listing(self, there: dict[str, bytes], query: dict[str, str], headers: dict[str, str] | None = None) -> None:
        start, marker = query.get("prefix", ""), query.get("marker", "")
        names = [name for name in sorted(there) if name.startswith(start) and name > marker]
        page = names[: min(int(query.get("limit", 10_000)), self.server.page)]
        rows = [{"name": name, "hash": md5(there[name]), "bytes": len(there[name])} for name in page]
        self._answer(200, json.dumps(rows).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _object(self, container: str, name: str, body: bytes) -> None:
        stub = self.server
        found = stub.containers.get(container)
        if found is None:
            return self._answer(404)
        if self.command == "PUT":
            return self._put(found, container, name, body)
        data = found.objects.get(name)
        if data is None:
            return self._answer(404)
        if self.command == "DELETE":
            found.objects.pop(name, None)
            return self._answer(204)
        self._answer(200, data if self.command == "GET" else b"", {"Etag": md5(data)}, length=len(data))

    def _put(self, found: Container, container: str, name: str, body: bytes) -> None:
        if self.headers.get("If-None-Match") == "*" and name in found.objects:
            return self._answer(412)
        # A real Swift looks, then writes: what happens in between is seen by nobody.
        self.server.between(container, name)
        if self.headers.get("Etag", md5(body)) != md5(body):
            return self._answer(422)
        found.objects[name] = body
        self.server.written(container, name)
        self._answer(201, headers={"Etag": md5(body)})

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class SwiftStub(ThreadingHTTPServer):
    """One account.

    `fault` is asked before each request for a status to answer with, or ``cut`` to end the connection; `between` is
    called between a PUT's look and its write, `written` after it; `stale` has listings that lag; `page` rows fit a
    listing; `capabilities` is what ``/info`` says.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mutex = threading.RLock()
        self.containers: dict[str, Container] = {}
        self.requests: list[str] = []
        self.token = TOKEN
        self.page = 7
        self.capabilities: dict[str, Any] = {"tempurl": {"allowed_digests": ["sha1", "sha256"]}}
        self.stale: dict[str, dict[str, bytes]] = {}
        self.fault: Callable[[str, str, str], str] = lambda method, container, name: ""
        self.between: Callable[[str, str], object] = lambda container, name: None
        self.written: Callable[[str, str], object] = lambda container, name: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{ACCOUNT}"

    def signed(self, container: str, path: str, query: dict[str, str], method: str) -> bool:
        """True when the container's key has signed the request."""
        there, ends = self.containers.get(container), query["temp_url_expires"]
        key = there.meta.get("x-container-meta-temp-url-key", "") if there else ""
        made = hmac.new(key.encode(), f"{method}\n{ends}\n{path}".encode(), "sha256").hexdigest()
        return bool(key) and int(ends) > time.time() and made == query["temp_url_sig"]

    def files(self, container: str) -> dict[str, bytes]:
        return dict(self.containers[container].objects)

    def handle_error(self, *_: Any) -> None:
        """A client that was killed in the middle of a request is no news."""


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def caller(token: str = TOKEN) -> SimpleNamespace:
    """Return a security context as Mistral's, with nothing but a token."""
    return SimpleNamespace(auth_token=token, service_catalog=None, region_name=None, auth_cacert=None, insecure=False)


@contextlib.contextmanager
def serving() -> Iterator[SwiftStub]:
    """Serve an empty account on a free port of the loopback."""
    server = SwiftStub()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
