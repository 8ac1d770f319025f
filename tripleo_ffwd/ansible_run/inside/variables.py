"""What Ansible knows of its hosts by registering, setting and gathering, kept at the ends of stages; encrypted.

A run that goes on later needs it as it was, types included: a record holds what has changed since the one before, as
Python's own serialisation of Ansible's own objects, compressed, encrypted and signed. The key lies in no run's
directory, so that one shows nothing of what `no_log` hides, and nobody without the key can make Ansible load anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import pickle
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
# Room for what a stage leaves is taken before it begins, on top of what the largest one before it took.
RESERVE_BYTES = 1 << 19
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# What else says that room can't be had. Any other error is that of a file system which can't take it beforehand.
_TOO_SMALL = (*_NO_ROOM, errno.EFBIG)
_PATIENCE, _PAUSE = 10.0, 0.5

# What the three stores of Ansible's variable manager are called there, by what they hold.
_STORES = {"facts": "_fact_cache", "set": "_nonpersistent_fact_cache", "included": "_vars_cache"}

# store → host → variable → value
Values = dict[str, dict[str, dict[str, Any]]]


class Unreadable(Exception):
    """Kept variables can't be read: another key, a damaged file, another Ansible."""


def collect(manager: Any) -> Values:
    """Return all that a variable manager knows of its hosts; raises AttributeError when it keeps it otherwise."""
    found: Values = {}
    for name, attribute in _STORES.items():
        store = getattr(manager, attribute)
        found[name] = {str(host): dict(store.get(host) or {}) for host in list(store.keys())}
    return found


def changes(before: Values, after: Values) -> tuple[Values, dict[str, dict[str, list[str]]]]:
    """Return what is new or other in `after`, and the names that are gone; the same object is the same value."""
    new: Values = {}
    gone: dict[str, dict[str, list[str]]] = {}
    for store, hosts in after.items():
        known = before.get(store, {})
        for host, values in hosts.items():
            old = known.get(host, {})
            fresh = {name: value for name, value in values.items() if name not in old or old[name] is not value}
            if fresh:
                new.setdefault(store, {})[host] = fresh
            lost = [name for name in old if name not in values]
            if lost:
                gone.setdefault(store, {})[host] = lost
        for host in known.keys() - hosts.keys():
            gone.setdefault(store, {})[host] = list(known[host])
    return new, gone


def _cipher(key: bytes) -> Any:
    # Supervisors and status calls, which only list what is kept, need not load it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


class Keeper:
    """Keeps the variables of one run; a single process writes them.

    Args:
        path: the file, made with mode 0600.
        key: 32 bytes.
        version: of ansible-core, whose objects they are.
        room: a file beside it that does nothing but take the room that the next record will need.
    """

    def __init__(self, path: Path, key: bytes, version: str, room: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._cipher = _cipher(key)
        self._version = version
        self._known: Values = {}
        self._largest = max((kept.size for kept in index(path)), default=0)  # of the run that this one goes on with
        self._room = room

    def begin(self, state: Values) -> None:
        """Take a state for what is kept already."""
        self._known = state

    def reserve(self) -> None:
        """Take room for what the next stage leaves: without it a run could not be gone on with there.

        A file system that can't do that takes none: the run goes on without.

        Raises:
            OSError: there is none.
        """
        self.release()
        try:
            # Where the file system has no call for it, the C library reads and writes the file.
            descriptor = os.open(self._room, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES + self._largest)
            finally:
                os.close(descriptor)
        except OSError as error:
            self.release()
            if error.errno in _TOO_SMALL:
                raise

    def release(self) -> None:
        """Give the room back."""
        with contextlib.suppress(OSError):
            self._room.unlink(missing_ok=True)

    def keep(self, stage: str, manager: Any) -> None:
        """Keep what has changed until the end of a stage, durably, in the room that was taken for it.

        Where there is none it waits a moment: what Ansible knows is nowhere else.

        Raises:
            OSError: it isn't there, or not whole.
        """
        now = collect(manager)
        new, gone = changes(self._known, now)
        data = zlib.compress(pickle.dumps({"new": new, "gone": gone}, protocol=4), 1)
        size = len(data) + _NONCE_BYTES + _TAG_BYTES
        head = json.dumps({"stage": stage, "version": self._version, "bytes": size}).encode() + b"\n"
        nonce = os.urandom(_NONCE_BYTES)
        record = head + nonce + self._cipher.encrypt(nonce, data, head)
        self.release()
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._append(memoryview(record))
                break
            except OSError as error:
                if error.errno not in _NO_ROOM or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
        self._largest = max(self._largest, len(record))
        self._known = now

    def _append(self, data: memoryview) -> None:
        before = os.fstat(self._fd).st_size
        try:
            while data:
                data = data[os.write(self._fd, data) :]
            os.fdatasync(self._fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, before)  # half a record would hide those after it
            raise


@dataclasses.dataclass(frozen=True)
class Kept:
    """One record: the stage at whose end it was made, ansible-core's version, its head, and where its data lie."""

    stage: str
    version: str
    head: bytes
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes that it takes in the file."""
        return len(self.head) + self.end - self.start


def index(path: Path) -> tuple[Kept, ...]:
    """Return the whole records of a file in order, without what is in them; a missing file has none."""
    found: list[Kept] = []
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return ()
    with file:
        total = os.fstat(file.fileno()).st_size
        while head := file.readline():
            try:
                data = json.loads(head)
                start, end = file.tell(), file.tell() + int(data["bytes"])
                one = Kept(str(data["stage"]), str(data["version"]), head, start, end)
            except (ValueError, TypeError, KeyError):
                break
            if end > total:
                break  # a crash tore it
            found.append(one)
            file.seek(end)
    return tuple(found)


def up_to(found: Sequence[Kept], stage: str) -> Sequence[Kept]:
    """Return the records up to the last one of a stage (each batch of a play with `serial` has one); () without one."""
    last = max((number for number, kept in enumerate(found, 1) if kept.stage == stage), default=0)
    return found[:last]


def state_at(path: Path, key: bytes, stage: str, version: str) -> Values:
    """Return what was known at the end of a stage, as far as it is in the file.

    Raises:
        Unreadable: another key, a damaged file, or objects of another ansible-core than `version`.
    """
    from cryptography.exceptions import InvalidTag

    state: Values = {}
    cipher = _cipher(key)
    with path.open("rb") as file:
        for kept in up_to(index(path), stage):
            if kept.version.split(".")[:2] != version.split(".")[:2]:
                text = f"the variables of the end of {kept.stage} are those of ansible-core {kept.version}"
                raise Unreadable(f"{text}, and this is {version}")
            file.seek(kept.start)
            sealed = file.read(kept.end - kept.start)
            try:
                data = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], kept.head)
                apply(state, pickle.loads(zlib.decompress(data)))
            except (InvalidTag, zlib.error, pickle.UnpicklingError, AttributeError, ImportError, EOFError) as error:
                text = f"the variables of the end of {kept.stage} in {path} can't be read: {type(error).__name__}"
                raise Unreadable(text) from error
    return state


def apply(state: Values, record: Mapping[str, Any]) -> None:
    """Bring a state from the record before to this one."""
    for store, hosts in record["gone"].items():
        for host, names in hosts.items():
            for name in names:
                state.get(store, {}).get(host, {}).pop(name, None)
    for store, hosts in record["new"].items():
        for host, values in hosts.items():
            state.setdefault(store, {}).setdefault(host, {}).update(values)


def with_hosts(state: Values, later: Values, hosts: Sequence[str]) -> Values:
    """Return a state in which some hosts are as they were in a later one."""
    stores = state.keys() | later.keys()
    mixed = {store: dict(state.get(store, {})) for store in stores}
    for store in stores:
        mixed[store] |= {host: later.get(store, {}).get(host, {}) for host in hosts}
    return mixed


def restore(state: Values, manager: Any) -> None:
    """Give a variable manager what is in a state, each thing at its own precedence."""
    for host, values in state.get("facts", {}).items():
        manager.set_host_facts(host, values)
    for host, values in state.get("set", {}).items():
        manager.set_nonpersistent_facts(host, values)
    for host, values in state.get("included", {}).items():
        for name, value in values.items():
            manager.set_host_variable(host, name, value)
