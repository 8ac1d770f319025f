"""A command on an embedded node ends with its client, also when the nodes were started by nohup."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from tripleo_ffwd.embedded.node_session import Command

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


class _Open(asyncssh.SSHServer):
    """Lets anybody in."""

    def begin_auth(self, username: str) -> bool:
        return False


@pytest.fixture
def hang_ups_ignored() -> Iterator[None]:
    """As nohup leaves it; the processes that are started now inherit it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


async def ends_with_its_client(directory: Path, text: str, term_type: str | None = None) -> bool:
    """Serve a command, whose first line is its pid, to a client that goes away; return whether it ends then."""
    commands: list[asyncio.Task[None]] = []

    async def serve(client: asyncssh.SSHServerProcess[bytes]) -> None:
        running = Command(client, client.command or "", ENVIRONMENT, directory).run()
        commands.append(asyncio.create_task(running))

    key = asyncssh.generate_private_key("ssh-ed25519")
    listener = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=_Open, server_host_keys=[key], process_factory=serve, encoding=None
    )
    async with listener:
        client = await asyncssh.connect(
            "127.0.0.1", listener.get_port(), known_hosts=None, username="heat-admin", client_keys=None, config=None
        )
        process = await client.create_process(text, term_type=term_type)
        pid = int(await process.stdout.readline())
        client.abort()
        done, left = await asyncio.wait(commands, timeout=5)
        if left:
            os.killpg(pid, signal.SIGKILL)
            await asyncio.wait(left)
    return bool(done)


@pytest.mark.parametrize("term_type", [None, "xterm"], ids=["pipes", "terminal"])
@pytest.mark.usefixtures("hang_ups_ignored")
def test_a_command_ends_with_its_client_although_the_server_ignores_hang_ups(tmp_path, term_type):
    assert asyncio.run(ends_with_its_client(tmp_path, "echo $$; exec sleep 300", term_type))


@pytest.mark.usefixtures("hang_ups_ignored")
def test_a_command_that_ignores_hang_ups_itself_goes_on(tmp_path):
    assert asyncio.run(ends_with_its_client(tmp_path, "trap '' HUP; echo $$; sleep 1; touch done"))
    assert (tmp_path / "done").exists()
