"""A RabbitMQ on loopback that is no system service: node name, ports, cookie and data are a directory's own."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from support import processes_naming, until

START_TIMEOUT = 120
STOP_TIMEOUT = 30


@contextlib.contextmanager
def running(prefix: Path, root: Path) -> Iterator[str]:
    """Run a broker and give its transport_url; in the end none of its processes is alive.

    Args:
        prefix: where Debian's packages rabbitmq-server and erlang-base are unpacked; ``/`` when they are installed.
        root: a new directory, mode 0700.
    """
    epmd, distribution, port = free_ports(3)
    environment = _environment(prefix, root, epmd=epmd, distribution=distribution)
    _write_files(root, port)
    mapper = _spawn([_erlang(prefix) / "bin" / "epmd", "-address", "127.0.0.1", "-port", str(epmd)], environment, root)
    broker = _spawn([prefix / "usr/lib/rabbitmq/bin/rabbitmq-server"], environment, root)
    try:
        until("RabbitMQ to be there", lambda: _is_up(broker, root), START_TIMEOUT)
        yield f"rabbit://guest:guest@127.0.0.1:{port}/"
    finally:
        for process in (broker, mapper):
            _end(process)
        until("the end of all of RabbitMQ", lambda: not processes_naming(str(root)), STOP_TIMEOUT)


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as probes:
        found = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in found:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in found]


def _erlang(prefix: Path) -> Path:
    return prefix / "usr/lib/erlang"


def _environment(prefix: Path, root: Path, *, epmd: int, distribution: int) -> Mapping[str, str]:
    return {
        "PATH": os.pathsep.join([str(_erlang(prefix) / "bin"), os.environ["PATH"]]),
        "HOME": str(root),
        "ERL_ROOTDIR": str(_erlang(prefix)),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # A name with an address: a machine need not know what localhost is.
        "RABBITMQ_NODENAME": f"ffwd-{epmd}@127.0.0.1",
        "RABBITMQ_USE_LONGNAME": "true",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(root / "data"),
        "RABBITMQ_LOG_BASE": str(root / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(root / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(root / "none"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(root / "none.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(root / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        # The script becomes the server and leaves no shell before it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def _write_files(root: Path, port: int) -> None:
    (root / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    (root / "plugins").write_text("[].\n")
    cookie = root / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(16))
    cookie.chmod(0o400)


def _spawn(argv: list[Path | str], environment: Mapping[str, str], root: Path) -> subprocess.Popen[bytes]:
    with (root / "out").open("ab") as log:
        return subprocess.Popen(
            [str(word) for word in argv],
            env=dict(environment),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _is_up(broker: subprocess.Popen[bytes], root: Path) -> bool:
    said = (root / "out").read_text(errors="replace")
    assert broker.poll() is None, f"RabbitMQ has ended: {said[-2000:]}"
    return "Server startup complete" in said


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
