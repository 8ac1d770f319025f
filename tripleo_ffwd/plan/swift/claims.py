"""Numbered objects in Swift of which each has one writer: versions of a plan, and the log that is its lock.

Swift can refuse a PUT when the object is there (``If-None-Match: *``), and nothing more: it compares no content, and it
looks before it writes, so two who create at the same moment may both be told that they did, and the later one stays. A
claim therefore waits longer than Swift takes between looking and writing, and reads what stayed, from the newest of all
replicas: that one has won, and everybody else sees it. An object is never written again after that; what changes is
written under the next number.

What this guarantees: as long as a majority of an object's replicas answers and no PUT takes longer than the wait from
Swift's look to its write, one writer has a number. Processes that share a work directory are kept apart by a file lock
before they come here, so that it matters only between several work directories. A Swift that is cut into halves, each
with enough servers to accept a PUT, can give the same number twice until the halves meet again.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import uuid
from typing import Any

from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.plan.swift.account import SwiftAccount

SETTLE = 1.0
# Entries of a log that stay, so that who was away for a while finds that others went on.
_KEPT = 20


class Claims:
    """The numbered objects below one prefix of a container.

    Args:
        account, container, prefix: where they are.
        settle: seconds between a claim and the look at who won.
        remedy: what to do about one of them that is damaged.
    """

    def __init__(
        self, account: SwiftAccount, container: str, prefix: str, settle: float, remedy: str = "Put back what was there"
    ) -> None:
        self._remedy = remedy
        self._account = account
        self._container = container
        self._prefix = prefix
        self._settle = settle

    def numbers(self, *, also: int = 0) -> tuple[int, ...]:
        """Return the numbers there are, ascending: those listed, and newer ones that a listing may lag behind.

        Args:
            also: a number that is known to be there; 0 for none.
        """
        pattern = re.compile(rf"{self._prefix}/([0-9]{{6,}})\.json\Z")
        found = {
            int(match[1])
            for name in self._account.listing(self._container, self._prefix + "/")
            if (match := pattern.match(name))
        }
        found |= {also} if also else set()
        newest = max(found, default=0)
        while self._account.checksum(self._container, self._name(newest + 1)) is not None:
            newest += 1
            found.add(newest)
        return tuple(sorted(found))

    def newest(self) -> int:
        """Return the highest number; 0 for none."""
        return max(self.numbers(), default=0)

    def read(self, number: int) -> dict[str, Any] | None:
        """Return what was claimed with a number; None for nothing."""
        return self._account.get_json(
            self._container, self._name(number), lambda data: dict(data["value"]), self._remedy
        )

    def claim(self, number: int, value: dict[str, Any]) -> bool:
        """Write a number's object; False when it is, or becomes, somebody else's."""
        data = json.dumps({"claim": uuid.uuid4().hex, "value": value}, indent=1, sort_keys=True).encode()
        name = self._name(number)
        created = self._account.put(self._container, name, data, create=True)
        if not created and self._account.get(self._container, name) != data:
            # When it is ours, the answer to a first try was lost and the client asked again.
            return False
        time.sleep(self._settle)
        return self._account.get(self._container, name) == data

    def append(self, seen: int, value: dict[str, Any]) -> bool:
        """Claim the number after `seen`; False when somebody else went on from there."""
        if not self.claim(seen + 1, value):
            return False
        newest = self.newest()
        if newest > seen + 1:
            # We were away so long that the entry after `seen` had been cleared away.
            self.forget(seen + 1)
            return False
        for number in self.numbers():
            if number <= newest - _KEPT:
                with contextlib.suppress(FfwdError):
                    self.forget(number)
        return True

    def forget(self, number: int) -> None:
        """Remove a number's object."""
        self._account.delete(self._container, self._name(number))

    def _name(self, number: int) -> str:
        return f"{self._prefix}/{number:06d}.json"
