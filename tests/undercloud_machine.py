"""What the machine of an undercloud has, and a client looks at: its name in the hosts file, nodes at the usual port."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

_GETENT = """#!/bin/sh
# The machine has no address in an overcloud's network; an undercloud has.
[ "$1" = hosts ] && case "$2" in *.ctlplane) echo "127.0.0.1 $2"; exit 0;; esac
exec {getent} "$@"
"""


def path_with_host_entry(directory: Path, getent: str) -> str:
    """Return a PATH with a `getent` that knows the machine in the overcloud's network."""
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "getent"
    program.write_text(_GETENT.format(getent=getent))
    program.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


@contextlib.contextmanager
def at_port_22(addresses: Sequence[str], port: int) -> Iterator[None]:
    """Serve what listens on `port` of each address on port 22 too.

    Raises:
        PermissionError: only an administrator may.
    """
    with contextlib.ExitStack() as stack:
        servers = {address: stack.enter_context(socket.create_server((address, 22))) for address in addresses}
        for address, server in servers.items():
            threading.Thread(target=_serve, args=(server, (address, port)), daemon=True).start()
        yield


def _serve(server: socket.socket, to: tuple[str, int]) -> None:
    with contextlib.suppress(OSError):  # it is closed
        while True:
            one, _ = server.accept()
            other = socket.create_connection(to)
            for source, target in ((one, other), (other, one)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
