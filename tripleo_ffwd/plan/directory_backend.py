"""Plans in the work directory, the default.

::

    plans/<plan>/versions/000001/files/…      the templates, rendered, and the environments
    plans/<plan>/versions/000001/plan.json    what the version is; written last
    plans/<plan>/current -> versions/000001   switched in one step
    records/<plan>/lock.json                  who holds the plan

A version is built in a directory of its own, which is flushed to disk and then renamed, so that a crash leaves either
the version or a remnant that the next writer removes.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

from tripleo_ffwd.files import sync_dir, write_json
from tripleo_ffwd.plan import records, tree
from tripleo_ffwd.plan.records import LOCK_REMEDY
from tripleo_ffwd.plan.version import PlanVersion, absent, other_version

_VERSION_NAME = re.compile(r"[0-9]{6,}\Z")


class DirectoryBackend:
    """See `backends.Backend`; for processes that share the work directory all is as strong as its file system.

    Args:
        work_dir: [ffwd] work_dir.
    """

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir
        self._root = work_dir.absolute() / "plans"
        self.where = str(self._root)

    def plans(self) -> tuple[str, ...]:
        """Return the names of the plans, sorted."""
        found = self._root.iterdir() if self._root.is_dir() else ()
        return tuple(sorted(path.name for path in found if (path / "current").is_symlink()))

    def directory(self, plan: str) -> Path:
        """Return the plan's directory."""
        return self._root / plan

    def numbers(self, plan: str) -> tuple[int, ...]:
        """Return the numbers of the versions, ascending."""
        versions = self._root / plan / "versions"
        found = versions.iterdir() if versions.is_dir() else ()
        return tuple(sorted(int(path.name) for path in found if _VERSION_NAME.match(path.name)))

    def current(self, plan: str) -> int | None:
        """Return the number that the link names; None for no plan."""
        link = self._root / plan / "current"
        return int(link.readlink().name) if link.is_symlink() else None

    def read(self, plan: str, number: int) -> PlanVersion:
        """Return a version.

        Raises:
            NotFound: there is none of that number.
            InvalidInput: its record is damaged.
        """
        path = self._path(plan, number)
        remedy = other_version(plan, self.numbers(plan))
        found = records.read(path / "plan.json", lambda record: PlanVersion.of_record(record, path), remedy)
        if found is None:
            raise absent(plan, self.where, number)
        return found

    def fetch(self, version: PlanVersion) -> PlanVersion:
        """Return the version: its files are where they are."""
        return version

    def foreign(self, plan: str) -> tuple[str, ...]:
        """Return nothing: nobody else writes here."""
        return ()

    def add(self, staging: Path, draft: PlanVersion) -> PlanVersion:
        """Number what is in `staging`, put it on disk, and rename it to its place."""
        number = max((*self.numbers(draft.plan), self.current(draft.plan) or 0)) + 1
        target = self._path(draft.plan, number)
        version = dataclasses.replace(draft, number=number, path=target)
        record = json.dumps(version.to_record(), indent=1, sort_keys=True)
        (staging / "plan.json").write_text(record, encoding="utf-8")
        tree.flush(staging)
        staging.rename(target)
        sync_dir(target.parent)
        return version

    def switch(self, version: PlanVersion) -> None:
        """Point the link at a version."""
        if self.current(version.plan) == version.number:
            return
        directory = self._root / version.plan
        link = directory / ".current.new"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("versions") / version.path.name)
        link.replace(directory / "current")
        sync_dir(directory)

    def remove(self, version: PlanVersion) -> None:
        """Remove a version: under another name first, so that none is ever seen in part."""
        doomed = version.path.with_name(f".staging-old-{version.number}")
        version.path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def read_lock(self, plan: str) -> tuple[int, dict[str, Any] | None]:
        """Return the plan's lock."""
        return 0, records.read(self._lock(plan), records.mapping, LOCK_REMEDY)

    def write_lock(self, plan: str, seen: int, value: dict[str, Any] | None) -> bool:
        """Replace the lock; `lock.guarded` keeps others away."""
        if value is None:
            self._lock(plan).unlink(missing_ok=True)
        else:
            write_json(self._lock(plan), value)
        return True

    def _lock(self, plan: str) -> Path:
        return self.work_dir / "records" / plan / "lock.json"

    def _path(self, plan: str, number: int) -> Path:
        return self._root / plan / "versions" / f"{number:06d}"
