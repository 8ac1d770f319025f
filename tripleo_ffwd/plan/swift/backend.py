"""Plans in Swift: TripleO's own plan container, and one of ours beside it.

::

    <plan>                      TripleO's container: the files of the current version at its top, plan-environment.yaml
                                among them, marked as TripleO marks a plan
    <plan>-ffwd/current.json    the pointer: one PUT of it decides which version is current
    <plan>-ffwd/versions/000001.json    what a version is; it is there from the moment that this object is
    <plan>-ffwd/files/<digest>.tar.gz   the files of a version: one object, so that none is ever there in part
    <plan>-ffwd/published.json  what was put into TripleO's container, and whether that is under way
    <plan>-ffwd/lock/000001.json        the plan's lock, see `claims`

Swift changes one object at a time. So what counts are single objects; TripleO's container is a copy of the current
version, made file by file after the pointer was switched. A copy that broke off is finished by the next operation that
writes the plan; a reader of the pointer never sees it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput, NotFound, Unavailable
from tripleo_ffwd.files import make_private_dir, write_json
from tripleo_ffwd.plan import archives, filling, records, sources, tree, tripleo_files
from tripleo_ffwd.plan.swift.account import SwiftAccount
from tripleo_ffwd.plan.swift.claims import SETTLE, Claims
from tripleo_ffwd.plan.swift.container import PlanContainer
from tripleo_ffwd.plan.version import PlanVersion, absent, other_version

SUFFIX = "-ffwd"
POINTER = "current.json"
# Seconds that a local copy of a version stays after it was last asked for.
_COPY_LIVES = 7 * 86400


class SwiftBackend:
    """See `backends.Backend`.

    Args:
        work_dir: [ffwd] work_dir, for local copies: ``plans/<plan>/copies/<digest>/``.
        account: the account that has the containers.
        settle: seconds that a claim waits for others who claim the same, see `claims`.
    """

    def __init__(self, work_dir: Path, account: SwiftAccount, *, settle: float = SETTLE) -> None:
        self.work_dir = work_dir
        self.account = account
        self.where = account.where
        self._root = work_dir.absolute() / "plans"
        self._settle = settle

    def plans(self) -> tuple[str, ...]:
        """Return the names of the plans, sorted: containers of ours, and those that TripleO marks as a plan."""
        names = self.account.containers()
        ours = {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
        other = [name for name in names if name not in ours and not name.endswith(SUFFIX)]
        filled = self.account.each(lambda name: self._container(name).has_plan(), other)
        kept = [name for name in sorted(ours) if self._pointer(name) is not None]
        return tuple(sorted({*kept, *(name for name, has_plan in zip(other, filled, strict=True) if has_plan)}))

    def directory(self, plan: str) -> Path:
        """Return the plan's directory on this machine."""
        _check(plan)
        return self._root / plan

    def numbers(self, plan: str) -> tuple[int, ...]:
        """Return the numbers of the versions, ascending; a listing that lags is made up for."""
        return self._claims(plan, "versions").numbers(also=self._pointer(plan) or 0)

    def current(self, plan: str) -> int | None:
        """Return the number that the pointer names; 0 for a plan of TripleO's that has none; None for no plan."""
        found = self._pointer(plan)
        if found is None and self._container(plan).has_plan():
            return 0
        return found

    def read(self, plan: str, number: int) -> PlanVersion:
        """Return a version; number 0 is what TripleO's container has now, and is put on this machine for that.

        Raises:
            NotFound: there is none of that number.
        """
        if number == 0:
            return self._read_container(plan)
        record = self._claims(plan, "versions").read(number)
        if record is None:
            raise absent(plan, self.where, number)
        try:
            return PlanVersion.of_record(record, self._copy(plan, str(record["digest"])))
        except records.WRONG as error:
            where = f"{self.where}, {_ours(plan)}/versions/{number:06d}.json"
            raise records.damaged(where, other_version(plan, self.numbers(plan))) from error

    def fetch(self, version: PlanVersion) -> PlanVersion:
        """Return the version with its files in the local copy, made anew unless it is whole.

        A copy is not flushed to disk: what a power failure spoils has another digest, and comes from Swift again.

        Raises:
            NotFound: Swift has lost the files.
            InvalidInput: Swift has not what the version's digest says.
        """
        if version.number == 0 or self._is_whole(version):
            os.utime(version.path)
            return version
        name = _archive(version.digest)
        data = self.account.get(_ours(version.plan), name)
        where = f"{self.where}, {_ours(version.plan)}/{name}"
        if data is None:
            what = f"The files of version {version.number} of plan {version.plan} are not in Swift"
            raise NotFound(what, where=where, remedy=other_version(version.plan, self.numbers(version.plan)))
        with self._staging(version.plan) as staging:
            archives.unpack(data, staging / "files", name)
            if tree.digest(staging / "files", version.environments)[0] != version.digest:
                raise records.damaged(where, other_version(version.plan, self.numbers(version.plan)))
            self._keep_copy(staging, version.path)
            self._drop_old_copies(version.plan)
        return version

    def foreign(self, plan: str) -> tuple[str, ...]:
        """Return the names of files in TripleO's container that another client changed since we filled it."""
        return self._container(plan).foreign() if self._pointer(plan) is not None else ()

    def add(self, staging: Path, draft: PlanVersion) -> PlanVersion:
        """Store the archive, then claim the next number with the version's record."""
        self.account.make_container(_ours(draft.plan))
        self._container(draft.plan).check_writable()
        name, data = _archive(draft.digest), archives.pack(tree.contents(staging / "files"))
        self.account.put(_ours(draft.plan), name, data)
        path = self._copy(draft.plan, draft.digest)
        claims = self._claims(draft.plan, "versions")
        number = max((*self.numbers(draft.plan), 0))
        claimed = False
        while not claimed:
            number += 1
            version = dataclasses.replace(draft, number=number, path=path)
            claimed = claims.claim(number, version.to_record())
        if self.account.checksum(_ours(draft.plan), name) is None:
            # Somebody removed the last other version with these files in between.
            self.account.put(_ours(draft.plan), name, data)
        if not self._is_whole(version):
            self._keep_copy(staging, path)
        return version

    def switch(self, version: PlanVersion) -> None:
        """Point at a version, then make TripleO's container a copy of it, unless it is."""
        if self._pointer(version.plan) != version.number:
            self.account.put(_ours(version.plan), POINTER, json.dumps({"number": version.number}).encode())
        self._container(version.plan).publish(self.fetch(version))

    def remove(self, version: PlanVersion) -> None:
        """Forget a version; its archive goes with the last version that has these files."""
        self._claims(version.plan, "versions").forget(version.number)
        left = [self.read(version.plan, number).digest for number in self.numbers(version.plan)]
        if version.digest not in left:
            self.account.delete(_ours(version.plan), _archive(version.digest))
            shutil.rmtree(version.path, ignore_errors=True)

    def read_lock(self, plan: str) -> tuple[int, dict[str, Any] | None]:
        """Return the newest entry of the lock's log: its number, and who holds the plan."""
        claims = self._claims(plan, "lock")
        number = claims.newest()
        return number, (claims.read(number) or {}).get("holder") if number else None

    def write_lock(self, plan: str, seen: int, value: dict[str, Any] | None) -> bool:
        """Append to the lock's log, unless somebody else did since it was `seen`."""
        if seen == 0:
            self.account.make_container(_ours(plan))
        return self._claims(plan, "lock").append(seen, {"holder": value})

    def download(self, container: str, target: Path) -> None:
        """Put the files of any container into a directory, those whose names begin with a dot excepted.

        Raises:
            NotFound: there is no such container, or it is empty.
            InvalidTemplates: a name in it can't be a file's.
        """
        PlanContainer(self.account, container, "").download(target)

    def _read_container(self, plan: str) -> PlanVersion:
        """Return what TripleO's container has now as a version, made on this machine only."""
        container, number = self._container(plan), self._pointer(plan)
        path = self._copy(plan, f"container-{number or 0}-{container.fingerprint()}")
        if not path.is_dir():
            current = None if number is None else self.fetch(self.read(plan, number))
            with self._staging(plan) as staging:
                source = sources.Source(f"container {plan}, written by another client", staging / "files")
                container.download(source.path)
                if current is not None:
                    _take_back(source.path / tripleo_files.NAME, current)
                    current = _moved(current, source.path)
                inner = staging / "version"
                inner.mkdir(mode=0o700)
                given = None if current is not None else ()
                draft = filling.fill(inner, current, plan, source, given, current.phase if current else "")
                write_json(inner / "plan.json", draft.to_record())
                self._keep_copy(inner, path)
        remedy = f"Remove {path}: it is a copy, which is made anew"
        found = records.read(path / "plan.json", lambda record: PlanVersion.of_record(record, path), remedy)
        if found is None:
            raise records.damaged(str(path), remedy)
        return found

    def _pointer(self, plan: str) -> int | None:
        remedy = f'Put {{"number": N}} there, with the number of a version that {_ours(plan)} has'
        return self.account.get_json(_ours(plan), POINTER, lambda data: int(data["number"]), remedy)

    def _claims(self, plan: str, prefix: str) -> Claims:
        remedy = (
            records.LOCK_REMEDY
            if prefix == "lock"
            else f"Restore another version: `tripleo-ffwd plan restore {plan} N`"
        )
        return Claims(self.account, _ours(plan), prefix, self._settle, remedy)

    def _container(self, plan: str) -> PlanContainer:
        return PlanContainer(self.account, plan, _ours(plan))

    def _copy(self, plan: str, digest: str) -> Path:
        if not digest.replace("-", "").isalnum():
            raise Unavailable(f"{digest[:64]!r} is no digest", where=self.where)
        return self._root / plan / "copies" / digest

    def _staging(self, plan: str) -> contextlib.AbstractContextManager[Path]:
        return tree.staging(self._root / plan / "copies", "The local copy of a version")

    def _keep_copy(self, staging: Path, path: Path) -> None:
        tree.protect(staging)
        make_private_dir(path.parent)
        if path.is_dir():
            aside = Path(tempfile.mkdtemp(prefix=".staging-", dir=path.parent))
            path.rename(aside / "spoilt")
            shutil.rmtree(aside, ignore_errors=True)
        staging.rename(path)

    def _is_whole(self, version: PlanVersion) -> bool:
        there = version.files_dir.is_dir()
        return there and tree.digest(version.files_dir, version.environments)[0] == version.digest

    def _drop_old_copies(self, plan: str) -> None:
        """Remove local copies, and remnants, that nobody asked for in a while."""
        for path in (self._root / plan / "copies").iterdir():
            if path.stat().st_mtime < time.time() - _COPY_LIVES:
                shutil.rmtree(path, ignore_errors=True)


def _take_back(path: Path, current: PlanVersion) -> None:
    """Undo in a copy of the container what we had done to the plan environment for TripleO."""
    if path.is_file():
        kept = tripleo_files.taken_back(path.read_bytes(), current)
        path.unlink() if kept is None else path.write_bytes(kept)


def _moved(current: PlanVersion, files: Path) -> PlanVersion:
    """Return the current version with the operator's environments as they are in another directory of files."""
    there = {name for name in (*current.user_files, *current.user_environments) if (files / name).is_file()}
    return dataclasses.replace(
        current,
        path=files.parent,
        user_files=tuple(name for name in current.user_files if name in there),
        user_environments=tuple(name for name in current.user_environments if name in there),
    )


def _check(plan: str) -> None:
    if plan.endswith(SUFFIX):
        raise InvalidInput(f"The name of a plan in Swift can't end in {SUFFIX}", where=plan)


def _ours(plan: str) -> str:
    _check(plan)
    return plan + SUFFIX


def _archive(digest: str) -> str:
    return f"files/{digest}.tar.gz"
