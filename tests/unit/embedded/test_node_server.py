"""The server of the nodes: what it needs to listen."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tripleo_ffwd.embedded import node_files, node_server, nodes
from tripleo_ffwd.embedded.site import open_site


def test_nodes_listen_where_the_machines_own_name_cannot_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = open_site(tmp_path / "site")
    monkeypatch.setattr(nodes, "_launch", lambda site: None)
    nodes.start(site, node_files.names(1, 1))

    def asked(*_: object) -> str:
        raise AssertionError("a name server was asked")

    monkeypatch.setattr(socket, "getfqdn", asked)
    monkeypatch.setattr(socket, "gethostname", lambda: "nowhere")

    async def listen() -> None:
        for files in node_files.registered(site):
            node = node_server.ServedNode(site, files)
            await node.listen()
            with socket.create_connection((files.address, site.ssh_port), timeout=10) as connection:
                greeting = await asyncio.to_thread(connection.recv, 4)
            assert greeting == b"SSH-"
            await node.stop()

    asyncio.run(listen())
