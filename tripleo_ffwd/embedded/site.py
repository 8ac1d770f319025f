"""The state directory of an embedded undercloud and its nodes: where things are, and what is chosen once and kept."""

from __future__ import annotations

import dataclasses
import os
import random
import socket
from pathlib import Path

from filelock import FileLock

from tripleo_ffwd.files import read_json, write_json

NODE_NAMES = (
    "overcloud-controller-0",
    "overcloud-controller-1",
    "overcloud-controller-2",
    "overcloud-novacompute-0",
    "overcloud-novacompute-1",
)


@dataclasses.dataclass(frozen=True)
class Site:
    """A state directory.

    Attributes:
        root: the directory, absolute.
        network: first three octets of the nodes' loopback addresses; its own for each state directory.
        ssh_port: port on which every node of the site listens, each on its own address.
    """

    root: Path
    network: str
    ssh_port: int

    @property
    def mistral(self) -> Path:
        """Directory of the embedded Mistral: configuration, database, log, pid."""
        return self.root / "mistral"

    @property
    def heat(self) -> Path:
        """Directory of the embedded Heat."""
        return self.root / "heat"

    @property
    def nodes(self) -> Path:
        """Directory of the nodes: nodes.json, keys, known_hosts, and one directory a node."""
        return self.root / "nodes"

    @property
    def work(self) -> Path:
        """The [ffwd] work_dir of the embedded Mistral."""
        return self.root / "work"

    @property
    def ssh_key_file(self) -> Path:
        """Private key that every node accepts."""
        return self.nodes / "id_ed25519"

    def address(self, index: int) -> str:
        """Return the loopback address of node number `index`, from 0."""
        return f"{self.network}.{10 + index}"


def default_root() -> Path:
    """Return the state directory that commands use without ``--dir``."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "tripleo-ffwd"


def open_site(root: Path) -> Site:
    """Return the site at `root`, made (0700) when it is not there; network and port are chosen then and kept."""
    root = root.expanduser().resolve()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = root / "site.json"
    with FileLock(root / "site.lock", mode=0o600):
        if not record.exists():
            network = f"127.{random.randint(64, 254)}.{random.randint(0, 254)}"
            with socket.socket() as probe:
                probe.bind((f"{network}.10", 0))
                port = probe.getsockname()[1]
            write_json(record, {"network": network, "ssh_port": port})
    data = read_json(record)
    return Site(root=root, network=data["network"], ssh_port=data["ssh_port"])
