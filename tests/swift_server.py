"""A real Swift on the loopback, one process for each of its four servers, and accounts in it; see `make test-swift`.

Without ``FFWD_TEST_SWIFT``, the directory of Swift's programs, accounts are in a stand-in, `swift_stub`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import requests
import swift_stub
from support import until

PROGRAMS = os.environ.get("FFWD_TEST_SWIFT", "")
_KINDS = ("account", "container", "object")

_COMMON = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {root}
devices = {root}/devices
mount_check = false
disable_fallocate = true
workers = 0
user = {user}
log_udp_host = 127.0.0.1
log_udp_port = {port}
"""
_STORAGE = """
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
fallocate_reserve = 0
"""
_PROXY = """
[pipeline:main]
pipeline = catch_errors cache tempurl tempauth proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
paste.filter_factory = swift_cache:filter_factory
[filter:tempurl]
use = egg:swift#tempurl
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin .reseller_admin
"""
# With keystone instead, and with what TripleO's client and Heat's deployments need besides: archives, signed URLs.
_WITH_KEYSTONE = """
[pipeline:main]
pipeline = catch_errors cache tempurl bulk authtoken keystoneauth proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
paste.filter_factory = swift_cache:filter_factory
[filter:tempurl]
use = egg:swift#tempurl
[filter:bulk]
use = egg:swift#bulk
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
"""
_HASH = """
[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = tests
[storage-policy:0]
name = default
default = yes
"""


@dataclasses.dataclass(frozen=True)
class Account:
    """An account of its own for a test."""

    url: str
    token: str

    @property
    def environ(self) -> dict[str, str]:
        return {"OS_STORAGE_URL": self.url, "OS_AUTH_TOKEN": self.token}


@contextlib.contextmanager
def accounts(root: Path) -> Iterator[Swift]:
    """Start what there is, the real Swift or the stand-in."""
    with _real(root) if PROGRAMS else _stand_in() as swift:
        yield swift


class Swift:
    """Where accounts are made."""

    def __init__(self, url: str, token: str, stub: swift_stub.SwiftStub | None = None) -> None:
        self._url = url
        self._token = token
        self._stub = stub

    def account(self) -> Account:
        if self._stub is not None:
            self._stub.containers.clear()
            return Account(self._stub.url, self._token)
        return Account(f"{self._url}/v1/AUTH_{uuid.uuid4().hex}", self._token)


@contextlib.contextmanager
def _stand_in() -> Iterator[Swift]:
    with swift_stub.serving() as stub:
        yield Swift("", swift_stub.TOKEN, stub)


@contextlib.contextmanager
def with_keystone(root: Path, authtoken: Mapping[str, object]) -> Iterator[str]:
    """Serve the account of each project of a keystone.

    Args:
        root: a new directory.
        authtoken: options of keystonemiddleware.

    Yields:
        The endpoint for a catalog.
    """
    section = "".join(f"{name} = {value}\n" for name, value in authtoken.items())
    with _servers(root, _WITH_KEYSTONE + section) as url:
        yield f"{url}/v1/AUTH_%(tenant_id)s"


@contextlib.contextmanager
def _real(root: Path) -> Iterator[Swift]:
    with _servers(root, _PROXY) as url:
        yield Swift(url, until("a token", lambda: _sign_in(url), 60)["X-Auth-Token"])


@contextlib.contextmanager
def _servers(root: Path, proxy: str) -> Iterator[str]:
    """Start the four servers with a pipeline of the proxy; yields the proxy's URL."""
    ports = {kind: _free_port() for kind in (*_KINDS, "proxy")}
    (root / "devices" / "d1").mkdir(parents=True)
    (root / "swift.conf").write_text(_HASH)
    user = os.environ.get("USER") or subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout
    for kind, port in ports.items():
        text = _COMMON.format(port=port, root=root, user=user.strip())
        text += proxy if kind == "proxy" else _STORAGE.format(kind=kind)
        (root / f"{kind}.conf").write_text(text)
    for kind in _KINDS:
        for words in (["create", "4", "1", "0"], ["add", f"r1z1-127.0.0.1:{ports[kind]}/d1", "1"], ["rebalance"]):
            subprocess.run([f"{PROGRAMS}/swift-ring-builder", f"{root}/{kind}.builder", *words], capture_output=True)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    servers = []
    try:
        for kind in ports:
            with (root / f"{kind}.log").open("wb") as log:
                command = [f"{PROGRAMS}/swift-{kind}-server", f"{root}/{kind}.conf"]
                servers.append(subprocess.Popen(command, stdout=log, stderr=log, env=environ, start_new_session=True))
        url = f"http://127.0.0.1:{ports['proxy']}"
        until("Swift", lambda: all(server.poll() is None for server in servers) and _answers(f"{url}/info"), 60)
        yield url
    finally:
        for server in servers:
            server.kill()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.ConnectionError:
        return False


def _sign_in(url: str) -> dict[str, str] | None:
    try:
        response = requests.get(
            f"{url}/auth/v1.0", headers={"X-Auth-User": "test:tester", "X-Auth-Key": "testing"}, timeout=10
        )
    except requests.ConnectionError:
        return None
    return dict(response.headers) if response.ok else None
