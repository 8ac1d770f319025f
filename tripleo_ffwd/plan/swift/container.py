"""TripleO's plan container: read as it is, and made equal to a version of ours.

What TripleO reads of a plan (tripleo-common, Queens) are the files at the top of a container that has the plan's name
and the metadata ``X-Container-Meta-Usage-Tripleo: plan``; ``plan-environment.yaml`` names the template and the
environments in order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput, InvalidTemplates, NotFound, Unavailable
from tripleo_ffwd.plan import tree, tripleo_files
from tripleo_ffwd.plan.swift.account import SwiftAccount, md5
from tripleo_ffwd.plan.version import PlanVersion

USAGE = "x-container-meta-usage-tripleo"
PUBLISHED = "published.json"


class PlanContainer:
    """One plan's container.

    Args:
        account: where it is.
        name: the container.
        ours: the container that has our records of it.
    """

    def __init__(self, account: SwiftAccount, name: str, ours: str) -> None:
        self._account = account
        self._name = name
        self._ours = ours

    def has_plan(self) -> bool:
        """Return whether there is such a container, TripleO takes it for a plan, and it has files."""
        headers = self._account.container_headers(self._name)
        return headers is not None and headers.get(USAGE) == "plan" and bool(self._listing())

    def check_writable(self) -> None:
        """Refuse a container that holds something else than a plan.

        Raises:
            InvalidInput: it is there and not marked as a plan.
        """
        headers = self._account.container_headers(self._name)
        if headers is not None and headers.get(USAGE) != "plan":
            raise InvalidInput(
                f"Container {self._name} is there and is no plan of TripleO's",
                where=self._account.where,
                remedy="Choose another name for the plan, or mark the container as a plan: "
                f"swift post -m Usage-Tripleo:plan {self._name}",
            )

    def download(self, target: Path) -> None:
        """Put its files into a new or empty directory, those whose names begin with a dot excepted.

        Raises:
            NotFound: there is no such container, or it is empty.
            InvalidTemplates: a name in it can't be a file's.
        """
        names = sorted(self._listing())
        if not names:
            raise NotFound(f"Container {self._name} does not exist, or is empty", where=self._account.where)
        taken = set(names)
        for name in names:
            parts = name.split("/")
            above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
            if "" in parts or "\0" in name or any(folder in taken for folder in above):
                raise InvalidTemplates("The name can't be a file's", where=f"container {self._name}, {name!r}")
        target.mkdir(mode=0o700, exist_ok=True)
        self._account.each(lambda name: self._download(name, target), names)

    def fingerprint(self) -> str:
        """Return a digest of names and checksums of what it has."""
        return hashlib.sha256(json.dumps(sorted(self._listing().items())).encode()).hexdigest()

    def foreign(self) -> tuple[str, ...]:
        """Return the names of files that are not as we put them there.

        None while our own copying is not finished, and none when there is nothing at all: who deletes a plan changes
        none of its files.
        """
        record = self._record()
        if record is None or record["copying"]:
            return ()
        expected: Mapping[str, str] = record["files"]
        there = self._listing()
        if not there:
            return ()
        differing = sorted(name for name in {*expected, *there} if expected.get(name) != there.get(name))
        # A listing may lag behind: the object itself decides.
        found = self._account.each(lambda name: self._account.checksum(self._name, name), differing)
        return tuple(name for name, checksum in zip(differing, found, strict=True) if checksum != expected.get(name))

    def publish(self, version: PlanVersion) -> None:
        """Make the container a copy of a version, unless it is one already.

        plan-environment.yaml, which names the rest, is written last.
        """
        contents = tripleo_files.contents(version)
        wanted = {name: md5(data) for name, data in contents.items()}
        record = self._record()
        if record == {"number": version.number, "copying": False, "files": wanted} and self._listing():
            return
        self.check_writable()
        self._account.make_container(self._name, {USAGE: "plan"})
        self._write_record(version.number, wanted, copying=True)
        there = self._listing()
        changed = [name for name in sorted(wanted) if wanted[name] != there.get(name) and name != tripleo_files.NAME]
        self._account.each(lambda name: self._account.put(self._name, name, contents[name]), changed)
        self._account.put(self._name, tripleo_files.NAME, contents[tripleo_files.NAME])
        surplus = sorted({*there, *(record["files"] if record else ())} - set(wanted))
        self._account.each(lambda name: self._account.delete(self._name, name), surplus)
        self._write_record(version.number, wanted, copying=False)

    def _download(self, name: str, target: Path) -> None:
        data = self._account.get(self._name, name)
        if data is None:
            raise Unavailable(
                f"Object {self._name}/{name} is listed and not there: another client changes the container",
                where=self._account.where,
            )
        path = target / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)

    def _listing(self) -> dict[str, str]:
        """Return name → MD5 of what counts as a file of a plan."""
        listed = self._account.listing(self._name)
        return {name: found for name, found in listed.items() if not name.endswith("/") and tree.counts(name)}

    def _record(self) -> dict[str, Any] | None:
        remedy = f"Delete it, `swift delete {self._ours} {PUBLISHED}`: the next write of the plan makes it anew"
        return self._account.get_json(self._ours, PUBLISHED, _record, remedy)

    def _write_record(self, number: int, files: Mapping[str, str], *, copying: bool) -> None:
        record = {"number": number, "copying": copying, "files": dict(files)}
        self._account.put(self._ours, PUBLISHED, json.dumps(record, sort_keys=True).encode())


def _record(data: Any) -> dict[str, Any]:
    return {"number": int(data["number"]), "copying": bool(data["copying"]), "files": dict(data["files"])}
