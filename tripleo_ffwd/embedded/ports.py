"""Ports of the embedded services: chosen once, kept in a file; stdlib only."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection, Mapping
from pathlib import Path

from tripleo_ffwd import files
from tripleo_ffwd.exceptions import ConfigurationError, InvalidInput

Ports = Mapping[str, int]

# Below the range from which Linux takes ports of outgoing connections: none of those can sit on a kept port.
_RANGE = range(20000, 32000)


def read(path: Path) -> Ports | None:
    """Return the kept ports by service, or None before the first start."""
    data: dict[str, int] | None = files.read_json(path)
    return data


def choose(path: Path, asked: Mapping[str, int | None], *, running: Collection[str]) -> Ports:
    """Return the ports of Mistral and Heat and keep them in `path`.

    Args:
        path: file of the kept ports.
        asked: ports by service that must be used; None or absent: the kept one, else a free one.
        running: services that sit on their kept ports now.

    Raises:
        InvalidInput: a running service sits on another port than the one asked for, or both got the same.
        ConfigurationError: a port that was asked for or is kept is taken by another program.
    """
    kept = read(path) or {}
    chosen: dict[str, int] = {}
    for service in ("mistral", "heat"):
        port = asked.get(service)
        if service in running:
            if port not in (None, kept[service]):
                raise InvalidInput(
                    f"{service.capitalize()} runs on port {kept[service]}, not on {port}",
                    remedy="Stop the undercloud first: tripleo-ffwd undercloud stop",
                )
            chosen[service] = kept[service]
            continue
        port = port or kept.get(service) or _free(chosen.values())
        if port in chosen.values():
            raise InvalidInput(f"Port {port} is given to both services", remedy="Give each a port of its own")
        if not _is_free(port):
            raise ConfigurationError(
                f"Port {port} for {service.capitalize()} is taken by another program",
                where=f"127.0.0.1:{port}",
                remedy=f"End that program, or choose another port with --{service}-port",
            )
        chosen[service] = port
    if chosen != kept:
        files.write_json(path, chosen)
    return chosen


def _free(taken: Collection[int]) -> int:
    for port in random.sample(_RANGE, 200):
        if port not in taken and _is_free(port):
            return port
    raise ConfigurationError("No free port was found", where="127.0.0.1", remedy="Name one with --mistral-port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: connections of an earlier server that linger don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
