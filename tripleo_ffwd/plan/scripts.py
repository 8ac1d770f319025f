"""Scripts that servers were sent through Heat: what is waited for, one file for each execution that has sent one."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.files import make_private_dir, write_json
from tripleo_ffwd.plan import records

# Seconds for which the result of a script is remembered.
KEPT = 7 * 86400


@dataclasses.dataclass(frozen=True)
class Sent:
    """A server that was sent a script.

    Attributes:
        server, config, deployment: ids that Heat has of the three.
        result: what its agent has said of the script; none as long as it has not.
    """

    server: str
    config: str
    deployment: str
    result: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Sending:
    """A script on its way.

    Attributes:
        name: of the script.
        container: in Swift, where the results are put.
        key: signs the URLs of the results.
        until: when it is waited for no longer, in seconds since the epoch.
        servers: ids of all servers.
        sent: those that were sent it.
    """

    name: str
    container: str
    key: str
    until: float
    servers: tuple[str, ...]
    sent: tuple[Sent, ...] = ()

    @property
    def left(self) -> tuple[str, ...]:
        """The servers that were not sent it yet."""
        there = {one.server for one in self.sent}
        return tuple(server for server in self.servers if server not in there)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The servers that have said nothing yet."""
        return (*self.left, *(one.server for one in self.sent if one.result is None))

    @property
    def failed(self) -> dict[str, str]:
        """Why the script failed, by server."""
        return {
            one.server: str(one.result.get("deploy_stderr") or "").strip()[-300:]
            for one in self.sent
            if one.result is not None and str(one.result.get("deploy_status_code")) != "0"
        }


def read(work_dir: Path, execution: str) -> Sending | None:
    """Return what an execution has sent; None when it has not begun.

    Raises:
        InvalidInput: the file is damaged.
    """
    return records.read(_path(work_dir, execution), _of_record, "Remove it")


def write(work_dir: Path, execution: str, sending: Sending) -> None:
    """Record what an execution has sent; older records go."""
    path = _path(work_dir, execution)
    make_private_dir(path.parent)
    for other in path.parent.glob("*.json"):
        if other != path and other.stat().st_mtime < time.time() - KEPT:
            other.unlink(missing_ok=True)
    write_json(path, dataclasses.asdict(sending))


def _path(work_dir: Path, execution: str) -> Path:
    if not re.fullmatch(r"[\w-]+", execution):
        raise InvalidInput(f"{execution!r} is no id of an execution")
    return work_dir / "scripts" / f"{execution}.json"


def _of_record(data: Mapping[str, Any]) -> Sending:
    sent = tuple(Sent(**one) for one in data["sent"])
    return Sending(**{**data, "servers": tuple(data["servers"]), "sent": sent})
