"""An HTTP server that answers like Heat 27 for an overcloud of any size, and a proxy that makes the way to it long.

A fake, because a real Heat with the 80,000 stacks of a thousand servers does not fit on one machine; what it answers
was copied from a real one, and tests/functional run the same code on a real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Rows = list[dict[str, Any]]


@dataclasses.dataclass
class Stack:
    name: str
    id: str
    parent: str = ""
    parent_resource: str = ""
    rows: Rows = dataclasses.field(default_factory=list)

    @property
    def path(self) -> str:
        return f"{self.name}/{self.id}"


class Overcloud:
    """Stacks, configs and deployments in the shape that TripleO's Queens templates give them with config-download.

    Each server has some deployments in a stack of its own; three come from groups of deployments over all servers,
    one of them with a list of all hosts among its inputs.
    """

    def __init__(self, servers: int, own: int = 17) -> None:
        self.stacks: dict[str, Stack] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.deployments: dict[str, dict[str, Any]] = {}
        self.servers = [f"server-{index:06d}" for index in range(servers)]
        self._count = 0
        self.top = self._stack("overcloud")
        hosts = "\n".join(
            f"10.0.{index // 250}.{index % 250 + 1} overcloud-compute-{index}" for index in range(servers)
        )
        group = self._nested(self.top, "Compute", "OS::Heat::ResourceGroup")
        for index, server in enumerate(self.servers):
            member = self._nested(group, str(index), "OS::TripleO::Compute")
            for number in range(own):
                content = f"#!/bin/sh\necho {server}\n" if number % 4 == 0 else f"#!/bin/sh\necho {number}\n"
                config = self._config(member, f"Config{number}", content)
                self._deployment(member, f"Deployment{number:02d}", "", server, config, {"number": str(number)}, number)
        shared: list[tuple[str, dict[str, Any]]] = [
            ("ComputeHostsDeployment", {"hosts": hosts}),
            ("ComputeAllNodesDeployment", {"bootstrap_nodeid": "overcloud-compute-0"}),
            ("ComputeAllNodesValidationDeployment", {"ping_test_ips": "10.0.0.1"}),
        ]
        for number, (name, inputs) in enumerate(shared):
            config = self._config(self.top, f"{name}Config", f"#!/bin/sh\necho {name}\n")
            members = self._nested(self.top, name, "OS::Heat::SoftwareDeploymentGroup")
            for index, server in enumerate(self.servers):
                self._deployment(members, str(index), name, server, config, inputs, own + number)

    def outputs(self) -> dict[str, Any]:
        return {"ServerIdData": {"server_ids": {"Compute": self.servers}, "bootstrap_server_id": self.servers[0]}}

    def resources(self, stack: Stack, query: dict[str, list[str]]) -> Rows:
        depth = int(query.get("nested_depth", ["0"])[0])
        detail = "with_detail" in query
        found: Rows = []
        for row in stack.rows:
            if self._wanted(row, query):
                found.append(row if detail else {key: value for key, value in row.items() if key != "attributes"})
        for row in stack.rows if depth else ():
            nested = next((link["href"] for link in row["links"] if link["rel"] == "nested"), "")
            if nested:
                below = {**query, "nested_depth": [str(depth - 1)]}
                found += self.resources(self.stacks[nested.rsplit("/", 1)[-1]], below)
        return found

    @staticmethod
    def _wanted(row: dict[str, Any], query: dict[str, list[str]]) -> bool:
        names, ids, types = (query.get(key) for key in ("name", "physical_resource_id", "type"))
        return not (
            (names and row["resource_name"] not in names)
            or (ids and row["physical_resource_id"] not in ids)
            or (types and types[0] not in row["resource_type"])
        )

    def _id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count:08d}-0000-0000-0000-000000000000"

    def _stack(self, name: str, parent: str = "", resource: str = "") -> Stack:
        made = Stack(name, self._id("a"), parent, resource)
        self.stacks[made.id] = made
        return made

    def _row(
        self, stack: Stack, name: str, kind: str, physical: str, attributes: Any, second: int = 0
    ) -> dict[str, Any]:
        row = {
            "resource_name": name,
            "logical_resource_id": name,
            "resource_type": kind,
            "physical_resource_id": physical,
            "resource_status": "CREATE_COMPLETE",
            "resource_status_reason": "state changed",
            "creation_time": f"2026-01-01T00:00:{second:02d}Z",
            "updated_time": f"2026-01-01T00:00:{second:02d}Z",
            "required_by": [],
            "links": [{"rel": "stack", "href": f"http://heat/v1/admin/stacks/{stack.path}"}],
            "attributes": attributes,
        }
        if stack.parent_resource:
            row["parent_resource"] = stack.parent_resource
        stack.rows.append(row)
        return row

    def _nested(self, stack: Stack, name: str, kind: str) -> Stack:
        made = self._stack(f"{stack.name}-{name}"[:120], stack.id, name)
        row = self._row(stack, name, kind, made.id, {})
        row["links"].append({"rel": "nested", "href": f"http://heat/v1/admin/stacks/{made.path}"})
        return made

    def _config(self, stack: Stack, name: str, content: str) -> str:
        config = {
            "id": self._id("c"),
            "name": f"{stack.name}-{name}",
            "group": "script",
            "creation_time": "2026-01-01T00:00:00Z",
            "config": content,
            "inputs": [],
            "outputs": [],
            "options": {},
        }
        self.configs[config["id"]] = config
        self._row(stack, name, "OS::Heat::SoftwareConfig", str(config["id"]), config)
        return str(config["id"])

    def _deployment(
        self, stack: Stack, name: str, title: str, server: str, config: str, inputs: dict[str, Any], second: int
    ) -> None:
        nested = self._nested(stack, name, "OS::Heat::SoftwareDeployment")
        derived = self._id("d")
        record = {
            "id": self._id("e"),
            "server_id": "dummy",
            "config_id": derived,
            "input_values": inputs,
            "output_values": None,
            "action": "CREATE",
            "status": "COMPLETE",
            "status_reason": "Not waiting for outputs signal",
            "creation_time": f"2026-01-01T00:00:{second:02d}Z",
        }
        self.deployments[str(record["id"])] = record
        own = {
            **inputs,
            "deploy_server_id": "dummy",
            "deploy_action": "CREATE",
            "deploy_stack_id": nested.path,
            "deploy_resource_name": "TripleOSoftwareDeployment",
            "deploy_signal_transport": "NO_SIGNAL",
        }
        derived_inputs = [{"name": key, "type": "String", "value": value} for key, value in own.items()]
        self.configs[derived] = {
            **self.configs[config],
            "id": derived,
            "name": "deployment_resource",
            "inputs": derived_inputs,
        }
        value = {"name": title or name, "server": server, "config": config, "input_values": inputs}
        value["deployment"] = record["id"]
        physical = f"{nested.name}-TripleODeployment-abcdefghijkl"
        self._row(nested, "TripleODeployment", "OS::Heat::Value", physical, {"value": value}, second)
        kind = "OS::Heat::SoftwareDeployment"
        self._row(nested, "TripleOSoftwareDeployment", kind, str(record["id"]), record, second)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StubServer

    def do_GET(self) -> None:
        stub = self.server
        stub.requests += 1
        parts = urlsplit(self.path)
        place = parts.path.removeprefix("/v1/admin/").split("/")
        status, body = stub.respond(place, parse_qs(parts.query))
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 302:
            query = f"?{parts.query}" if parts.query else ""
            self.send_header("Location", f"http://{self.headers['Host']}/v1/admin/{body}{query}")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class StubServer(ThreadingHTTPServer):
    """Counts the requests.

    `broken` maps the beginning of a place to the answer that it gives instead; `intercept` is asked first.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, overcloud: Overcloud) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.overcloud = overcloud
        self.requests = 0
        self.broken: dict[str, tuple[int, Any]] = {}
        self.intercept: Callable[[list[str], dict[str, list[str]]], tuple[int, Any] | None] = lambda place, query: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/admin"

    def respond(self, place: list[str], query: dict[str, list[str]]) -> tuple[int, Any]:
        if intercepted := self.intercept(place, query):
            return intercepted
        for start, answer in self.broken.items():
            if "/".join(place).startswith(start):
                return answer
        cloud = self.overcloud
        if place[0] in ("software_configs", "software_deployments"):
            known: dict[str, Any] = cloud.configs if place[0] == "software_configs" else cloud.deployments
            found = known.get(place[1])
            return (200, {place[0][:-1]: found}) if found else _not_found(place[1])
        if len(place) == 2 or place[2] == "resources":
            # By its name or its id alone a stack is looked up first.
            stack = cloud.top if place[1] == cloud.top.name else cloud.stacks.get(place[1])
            return (302, "/".join(["stacks", stack.path, *place[2:]])) if stack else _not_found(place[1])
        stack = cloud.stacks.get(place[2])
        if stack is None:
            return _not_found(place[2])
        if place[3:] == ["resources"]:
            return 200, {"resources": cloud.resources(stack, query)}
        told = {"id": stack.id, "stack_name": stack.name, "stack_status": "CREATE_COMPLETE", "parent": stack.parent}
        return 200, {"stack": {**told, "action": "CREATE", "stack_status_reason": "", "outputs": []}}


def _not_found(what: str) -> tuple[int, Any]:
    return 404, {
        "code": 404,
        "title": "Not Found",
        "error": {"message": f"{what} could not be found", "type": "NotFound"},
    }


@contextlib.contextmanager
def serving(overcloud: Overcloud) -> Iterator[StubServer]:
    """Serve an overcloud on a free port of the loopback."""
    server = StubServer(overcloud)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def far_away(url: str, seconds: float) -> Iterator[str]:
    """Yield a URL at which each request to `url` takes so much longer: a small proxy on the loopback."""
    target = urlsplit(url)
    loop = asyncio.new_event_loop()
    ready: list[int] = []
    started = threading.Event()
    stopping = asyncio.Event()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await asyncio.sleep(pause)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(pump(reader, inner_writer, seconds), pump(inner_reader, writer, 0))

    async def serve() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        ready.append(server.sockets[0].getsockname()[1])
        started.set()
        await stopping.wait()
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield target._replace(netloc=f"127.0.0.1:{ready[0]}").geturl()
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
