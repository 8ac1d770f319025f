"""Start and stop the SSH nodes of a site."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from tripleo_ffwd.embedded import faults, node_files, node_processes
from tripleo_ffwd.embedded.site import Site
from tripleo_ffwd.exceptions import Busy, NotFound, Unavailable

READY_TIMEOUT = 30.0
STOP_TIMEOUT = 15.0


def start(site: Site, names: Sequence[str] | None = None, *, reset: bool = False) -> dict[str, Any]:
    """Start the nodes and wait until all of them listen; nodes that run already are left as they are.

    Args:
        site: the state directory.
        names: names of the nodes; those that the site has, or ``site.NODE_NAMES``, by default.
        reset: make fresh nodes at newton, with the keys that they had; nodes that run are stopped first.

    Returns:
        The content of nodes.json.

    Raises:
        Busy: other nodes run there, or another program has a node's port.
        Unavailable: the server did not come up.
    """
    site.nodes.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(site.nodes / "start.lock", mode=0o600):
        wanted = tuple(names or node_files.default_names(site))
        if reset:
            _stop(site)
        if faults.server(site) is not None:
            running = node_files.default_names(site)
            if wanted != running:
                raise Busy(
                    f"other nodes run: {', '.join(running)}", remedy="Stop them first: `tripleo-ffwd nodes stop`"
                )
            return read(site)
        if not reset and wanted != node_files.default_names(site):
            _remove_others(site, wanted)
        node_files.make_site(site, wanted, reset)
        _launch(site)
        return read(site)


def read(site: Site) -> dict[str, Any]:
    """Return the content of nodes.json: how the nodes are reached.

    Raises:
        NotFound: nodes were never started there.
    """
    node_files.registered(site)
    data: dict[str, Any] = json.loads((site.nodes / "nodes.json").read_text(encoding="utf-8"))
    return data


def stop(site: Site) -> bool:
    """End the server and everything that runs on the nodes; return whether anything ran.

    Raises:
        FfwdError: something is still alive.
    """
    if not site.nodes.exists():
        return False
    with FileLock(site.nodes / "start.lock", mode=0o600):
        return _stop(site)


def _stop(site: Site) -> bool:
    pid = faults.server(site)
    if pid is not None:
        started = node_processes.start_time(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            if not node_processes.wait_gone(pid, started, STOP_TIMEOUT):
                os.kill(pid, signal.SIGKILL)
                node_processes.wait_gone(pid, started, STOP_TIMEOUT)
    with contextlib.suppress(NotFound):
        for node in node_files.registered(site):
            node_processes.end(node.root, node.name)
            for record in node.blocked.glob("*.json"):
                record.unlink(missing_ok=True)
    (site.nodes / "server.json").unlink(missing_ok=True)
    return pid is not None


def _remove_others(site: Site, wanted: Sequence[str]) -> None:
    """Remove nodes that the site no longer has, and the cluster's record, which lists its members."""
    with contextlib.suppress(NotFound):
        for node in node_files.registered(site):
            if node.name not in wanted:
                shutil.rmtree(node.directory)
    (site.nodes / "cluster.json").unlink(missing_ok=True)


def _launch(site: Site) -> None:
    reader, writer = os.pipe()
    log = site.nodes / "server.log"
    try:
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
            argv = [sys.executable, "-m", "tripleo_ffwd.embedded.node_server", "--dir", str(site.root)]
            subprocess.run(
                [*argv, "--ready", str(writer)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(writer,),
                cwd=site.root,
                check=False,
            )
        os.close(writer)
        writer = -1
        answer = _read_answer(reader, log)
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    if "error" in answer:
        raise Busy(
            f"a node can't listen on {answer['error']}",
            remedy="End the program that has the port, or use another state directory with --dir",
        )


def _read_answer(reader: int, log: Path) -> dict[str, Any]:
    """Return what the server says when it is ready; the end of the pipe means that it died."""
    readable, _, _ = select.select([reader], [], [], READY_TIMEOUT)
    data = os.read(reader, 65536) if readable else b""
    if not data:
        raise Unavailable("the nodes' server did not come up", where=str(log), remedy="Look at its log")
    answer: dict[str, Any] = json.loads(data)
    return answer
