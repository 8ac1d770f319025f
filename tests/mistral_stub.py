"""An HTTP server that answers like Mistral about its executions, for actions that ask for the state of one."""

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
    """Its executions.

    Attributes:
        url: what [ffwd] mistral_url must be.
        executions: ``{state, input, output}`` by id; what is started is here too.
    """

    url: str = ""
    executions: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)


@contextlib.contextmanager
def serving() -> Iterator[Stub]:
    """Serve on a free port."""
    stub = Stub()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(stub)) as server:
        stub.url = f"http://127.0.0.1:{server.server_port}/v2"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
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

        def _serve(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
            name = self.path.split("?")[0].removeprefix("/v2/executions").strip("/")
            if self.command == "POST":
                name = f"started-{len(stub.executions)}"
                stub.executions[name] = {"state": "RUNNING"}
            elif self.command == "PUT" and name in stub.executions:
                stub.executions[name].update(state=sent["state"])
            found = stub.executions.get(name)
            if found is None:
                return self._answer(404, {"faultstring": f"Execution {name} not found"})
            told = {key: json.dumps(found.get(key, {})) for key in ("input", "output")}
            self._answer(201 if self.command == "POST" else 200, {"id": name, **found, **told})

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._serve
            raise AttributeError(name)

        def _answer(self, code: int, body: Any) -> None:
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    return Handler
