"""The SSH server of all nodes of a site: one detached process, started by `nodes.start` and ended by SIGTERM.

SIGUSR1 makes it look at every node's faults again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import asyncssh

from tripleo_ffwd.embedded import faults, node_files, node_processes
from tripleo_ffwd.embedded.node_files import NodeFiles
from tripleo_ffwd.embedded.node_session import Command
from tripleo_ffwd.embedded.node_tools.node import locked, write_json
from tripleo_ffwd.embedded.site import Site, open_site

LOG = logging.getLogger(__name__)
CUT_TIMEOUT = 10.0
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ServedNode:
    """A node while it is served: its listener, connections and commands, and what its faults do to them."""

    def __init__(self, site: Site, files: NodeFiles) -> None:
        self.files = files
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.commands: set[Command] = set()
        self._site = site
        self._listener: asyncssh.SSHAcceptor | None = None
        self._changed = asyncio.Event()
        self._applying = asyncio.Lock()

    async def listen(self) -> None:
        """Listen on the node's address; OSError when the port is taken."""
        self._listener = await asyncssh.create_server(
            lambda: NodeAuthentication(self),
            self.files.address,
            self._site.ssh_port,
            server_host_keys=[str(self.files.host_key)],
            authorized_client_keys=asyncssh.import_authorized_keys(
                asyncssh.read_private_key(self._site.ssh_key_file).export_public_key().decode()
            ),
            process_factory=self.handle,
            sftp_factory=lambda channel: NodeFileServer(channel, self.files.root),
            allow_scp=True,
            encoding=None,
            line_editor=False,
            login_timeout=0,
            agent_forwarding=False,
            # Else the machine's name is looked up for each node, which takes seconds where no name server answers.
            gss_host=None,
        )

    def is_off(self) -> bool:
        """Tell whether the node has no power."""
        return "off" in faults.read(self.files)

    async def wait_answering(self) -> None:
        """Wait as long as the node hangs."""
        while "hang" in faults.read(self.files):
            await self._changed.wait()

    async def cut(self) -> None:
        """Cut all connections and kill everything on the node, until nothing is left."""
        for connection in tuple(self.connections):
            connection.abort()
        sessions = {command.pid for command in self.commands if command.pid is not None}
        deadline = time.monotonic() + CUT_TIMEOUT
        while not node_processes.kill(self.files.root, sessions):
            if time.monotonic() > deadline:
                LOG.error("%s: something does not end", self.files.name)
                return
            await asyncio.sleep(0.01)

    async def apply(self) -> None:
        """Act on the faults as they are now, then say so."""
        async with self._applying:
            if self.files.drop_request.exists():
                self.files.drop_request.unlink()
                await self.drop()
            current = faults.read(self.files)
            if "off" in current:
                if self._listener:
                    # Not waited for: newer Pythons wait for the connections too, which are cut below.
                    self._listener.close()
                    self._listener = None
                await self.cut()
            elif self._listener is None:
                await self.listen()
            self._changed.set()
            self._changed = asyncio.Event()
            write_json(self.files.fault_applied, current)

    async def drop(self) -> None:
        """Cut all once: the fault is gone first, so that what comes after finds a node that works."""
        with locked(self.files.fault) as current:
            current.pop("drop", None)
        write_json(self.files.fault_applied, faults.read(self.files))
        LOG.info("%s: dropped", self.files.name)
        await self.cut()

    async def stop(self) -> None:
        """Listen no more, and end everything on the node."""
        if self._listener:
            self._listener.close()
        await self.cut()

    def environment(self, client: asyncssh.SSHServerProcess[bytes], user: str) -> dict[str, str]:
        """Return the environment of a command; nothing of the server's own gets into it."""
        root = str(self.files.root)
        env = {
            "PATH": f"{root}/bin:{SYSTEM_PATH}",
            "LANG": "C.UTF-8",
            **{key: value for key, value in client.env.items() if key.startswith(("LC_", "LANG"))},
            "HOME": root,
            "USER": user,
            "LOGNAME": user,
            "SHELL": "/bin/sh",
            "TMPDIR": f"{root}/tmp",
            "PYTHONPATH": str(node_files.NODE_SITE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SSH_CONNECTION": f"127.0.0.1 0 {self.files.address} {self._site.ssh_port}",
            "NODE_NAME": self.files.name,
            "NODE_ROOT": root,
            "NODE_SERVER_PID": str(os.getpid()),
        }
        return {**env, "TERM": client.term_type} if client.term_type else env

    async def handle(self, client: asyncssh.SSHServerProcess[bytes]) -> None:
        """Run one command for a client."""
        user = str(client.get_extra_info("username"))
        text = client.command or ""
        await self.wait_answering()
        current = faults.read(self.files)
        if "slow" in current:
            await asyncio.sleep(float(current["slow"]))
        if client.is_closing():
            return
        argument = current.get("drop")
        if argument is not None and not faults.is_seconds(argument) and re.search(argument, text):
            await self.drop()
            return
        command = Command(client, node_files.home_relative(text, user), self.environment(client, user), self.files.root)
        self.commands.add(command)
        dropping = None
        if argument is not None and faults.is_seconds(argument):
            dropping = asyncio.create_task(self._drop_after(float(argument)))
        try:
            await command.run()
        finally:
            self.commands.discard(command)
        if dropping:
            await dropping

    async def _drop_after(self, seconds: float) -> None:
        # Gone at once, so that a second command does not start a second countdown.
        with locked(self.files.fault) as current:
            current.pop("drop", None)
        await asyncio.sleep(seconds)
        await self.drop()


class NodeAuthentication(asyncssh.SSHServer):  # type: ignore[misc]
    """Who may come in: whoever has the site's key, as any user, unless the node is off or hangs."""

    def __init__(self, node: ServedNode) -> None:
        self._node = node
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Keep the connection, to cut it when the node is dropped."""
        self._connection = conn
        self._node.connections.add(conn)
        if self._node.is_off():
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._connection:
            self._node.connections.discard(self._connection)

    async def begin_auth(self, username: str) -> bool:
        """Ask for a key, which a node that hangs never does."""
        await self._node.wait_answering()
        return True


class NodeFileServer(asyncssh.SFTPServer):  # type: ignore[misc]
    """Files over SFTP and scp: relative paths are below the node's root, absolute ones as they are."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], root: Path) -> None:
        super().__init__(channel)
        self._root = os.fsencode(root)

    def map_path(self, path: bytes) -> bytes:
        """Return where a path that the client names is."""
        return os.path.normpath(os.path.join(self._root, path))  # noqa: PTH118

    def exit(self) -> None:
        """Tell the client that all went well: scp fails when its file server ends without an exit code."""
        self.channel.exit(0)


async def serve(site: Site, ready: int) -> None:
    """Serve all nodes until SIGTERM; say on the descriptor `ready` that all listen, or why one does not."""
    nodes = [ServedNode(site, files) for files in node_files.registered(site)]
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    def apply_all() -> None:
        for node in nodes:
            task = asyncio.create_task(node.apply())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    for node in nodes:
        try:
            await node.listen()
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            text = f"{node.files.address}:{site.ssh_port}, the address of {node.files.name}: {reason}"
            os.write(ready, json.dumps({"error": text}).encode())
            return
    for node in nodes:
        await node.apply()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGUSR1, apply_all)
    pid = os.getpid()
    write_json(site.nodes / "server.json", {"pid": pid, "started": node_processes.start_time(pid)})
    os.write(ready, json.dumps({"pid": pid}).encode())
    os.close(ready)
    await stopping.wait()
    for node in nodes:
        await node.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Detach from whoever started us, then serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--ready", type=int, required=True, help="file descriptor to say on that all nodes listen")
    args = parser.parse_args(argv)
    # The one that was started ends at once: its starter waits for it, and no zombie is left when we end.
    if os.fork():
        os._exit(0)
    os.setsid()
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    asyncio.run(serve(open_site(args.dir), args.ready))
    return 0


if __name__ == "__main__":
    sys.exit(main())
