"""The plan store: named, versioned sets of files, in one of two backends.

A version never changes once it is there, and one of them is the plan's current one: that is decided in one step. What
was current before stays, up to the number kept; to go back to it makes a new version of the same content, so that the
versions in their order tell what happened.

Executors work on a version's files in a directory of their machine, whatever the backend.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tripleo_ffwd.exceptions import InvalidInput, NotFound, PlanLocked
from tripleo_ffwd.files import make_private_dir
from tripleo_ffwd.plan import filling, sources, tree
from tripleo_ffwd.plan.backends import Backend, open_places
from tripleo_ffwd.plan.directory_backend import DirectoryBackend
from tripleo_ffwd.plan.version import TEMPLATE, PlanVersion, absent, check_name, other_version

__all__ = ["TEMPLATE", "PlanStore", "PlanVersion", "check_name", "open_store"]

KEEP = 10


class PlanStore:
    """The plans of a backend.

    Args:
        work_dir: [ffwd] work_dir.
        keep: how many versions of a plan are kept; the current one and the newest always are.
        backend: where they are; the work directory by default.
        download: puts the files of a Swift container into a directory; without it containers are no source.
    """

    def __init__(
        self,
        work_dir: Path,
        *,
        keep: int = KEEP,
        backend: Backend | None = None,
        download: Callable[[str, Path], None] | None = None,
    ) -> None:
        self.backend: Backend = DirectoryBackend(work_dir) if backend is None else backend
        self._keep = max(keep, 1)
        self._download = download or _no_containers

    def create_version(
        self,
        plan: str,
        *,
        templates: Path | str | None = None,
        environments: Sequence[Path | str] | None = None,
        phase: str = "",
        switch: bool = True,
        known: Callable[[], Mapping[str, Any]] = dict,
    ) -> PlanVersion:
        """Make a new version the plan's current one; the same content for the same phase gives the version that is.

        Args:
            plan: name of the plan; it is made when there is none.
            templates: directory, tarball or ``swift:CONTAINER`` of the templates; None takes those of the current
                version again.
            environments: the operator's environments, in order: names within the templates, or absolute paths; None
                takes those of the current version again.
            phase: the phase whose lifecycle environment is put before them; empty for none.
            switch: False makes the version without making it the current one: for a look at it.
            known: parameters of the stack, asked for when a password would have to be made otherwise.

        Raises:
            InvalidInput: the name can't be a plan's.
            NotFound: `templates` is None and the plan has no version.
            InvalidTemplates: a file is missing, or can't be rendered or read; names it, and the line.
            PlanLocked: another process is writing the plan.
            WriteRefused: a write failed.
            Unavailable: Swift did not answer.
            In each case the plan's current version is as it was; only where Swift fails behind the switch, in the copy
            for TripleO, it is the new one already, and the next write finishes the copy.
        """
        check_name(plan)
        with self._locked(plan):
            current = self._settled(plan)
            if templates is None and current is None:
                raise NotFound(f"Plan {plan} has no files yet", remedy="Give `templates`, where the heat templates are")
            with self._staging(plan) as staging, self._source(templates, staging) as source:
                newest = self._newest(plan)
                ahead = newest is not None and (current is None or newest.number != current.number)
                unused = self.backend.fetch(newest) if newest is not None and ahead else None
                draft = filling.fill(
                    _inner(staging), current, plan, source, environments, phase, unused=unused, known=known
                )
                same = next((found for found in (current, newest) if found and draft.same_as(found)), None)
                version = same or self.backend.add(draft.path, dataclasses.replace(draft, created=_now()))
            if switch and (current is None or version.number != current.number):
                self.backend.switch(version)
            self._prune(plan)
            return self.backend.fetch(version)

    def restore(self, plan: str, number: int) -> PlanVersion:
        """Make the content of an older version current again, as a new version that says so.

        Raises:
            NotFound: there is no such version.
            InvalidInput: it is the current one, or its files are not what they were.
            PlanLocked, WriteRefused, Unavailable: see `create_version`.
        """
        check_name(plan)
        with self._locked(plan):
            current = self._settled(plan) if self._has_current(plan) else None
            old = self.backend.fetch(self._read(plan, number))
            if current is not None and current.number == number:
                raise InvalidInput(
                    f"Version {number} of plan {plan} is the current one",
                    remedy=f"Choose an older one of `tripleo-ffwd plan list {plan}`",
                )
            with self._staging(plan) as staging:
                inner = _inner(staging)
                tree.copy_files(old.files_dir, inner / "files", tree.list_files(old.files_dir))
                if tree.digest(inner / "files", old.environments)[0] != old.digest:
                    raise InvalidInput(
                        f"The files of version {number} were changed after it was made",
                        where=str(old.path),
                        remedy="Choose another version",
                    )
                draft = dataclasses.replace(
                    old, path=inner, created=_now(), origin=f"version {number}", restored_from=number
                )
                version = self.backend.add(inner, draft)
            self.backend.switch(version)
            self._prune(plan)
            return self.backend.fetch(version)

    def switch(self, plan: str, number: int) -> PlanVersion:
        """Make a version that is there the current one and return it; again changes nothing.

        Raises:
            NotFound: there is no such version.
            PlanLocked, Unavailable: see `create_version`.
        """
        check_name(plan)
        with self._locked(plan):
            version = self.backend.read(plan, number)
            if self.backend.current(plan) != number:
                self.backend.switch(version)
            return self.backend.fetch(version)

    def current(self, plan: str) -> PlanVersion:
        """Return the plan's current version, its files on this machine.

        Raises:
            NotFound: there is no such plan.
        """
        check_name(plan)
        number = self.backend.current(plan)
        if number is None:
            raise absent(plan, self.backend.where)
        return self.version(plan, number)

    def version(self, plan: str, number: int) -> PlanVersion:
        """Return a version of the plan, its files on this machine.

        Raises:
            NotFound: there is no such version.
        """
        check_name(plan)
        found = self._read(plan, number)
        if found.files_dir.is_dir():
            return self.backend.fetch(found)
        with self._locked(plan):
            return self.backend.fetch(found)

    def versions(self, plan: str) -> tuple[PlanVersion, ...]:
        """Return the versions that are kept, oldest first, not all with their files here; none for an unknown plan."""
        check_name(plan)
        return tuple(self.backend.read(plan, number) for number in self.backend.numbers(plan))

    def current_number(self, plan: str) -> int | None:
        """Return the number of the current version, 0 for a plan of TripleO's without one, None for no plan."""
        check_name(plan)
        return self.backend.current(plan)

    def plans(self) -> tuple[str, ...]:
        """Return the names of the plans, sorted."""
        return self.backend.plans()

    def foreign(self, plan: str) -> tuple[str, ...]:
        """Return the names of files that somebody else changed since the current version was put in its place."""
        check_name(plan)
        return self.backend.foreign(plan)

    def _settled(self, plan: str) -> PlanVersion | None:
        """Return the current version after what a crash or another client left behind was taken care of.

        What another client made or changed becomes a version of its own first: nothing of it is lost, and what is not
        given anew is taken from it.
        """
        number = self.backend.current(plan)
        if number is None:
            return None
        current = self.backend.fetch(self._read(plan, number))
        if number and not self.backend.foreign(plan):
            self.backend.switch(current)
            return current
        found = self.backend.fetch(self.backend.read(plan, 0))
        with self._staging(plan) as staging:
            inner = _inner(staging)
            tree.copy_files(found.files_dir, inner / "files", tree.list_files(found.files_dir))
            adopted = self.backend.add(inner, dataclasses.replace(found, path=inner, created=_now()))
        self.backend.switch(adopted)
        return self.backend.fetch(adopted)

    def _read(self, plan: str, number: int) -> PlanVersion:
        try:
            return self.backend.read(plan, number)
        except NotFound as error:
            numbers, current = self.backend.numbers(plan), self.backend.current(plan)
            if current is None and not numbers:
                raise absent(plan, self.backend.where) from error
            if number != current:
                raise
            what = f"Version {number} of plan {plan}, the current one, is gone"
            raise NotFound(what, where=self.backend.where, remedy=other_version(plan, numbers)) from error

    def _has_current(self, plan: str) -> bool:
        """Return whether the current version can be read, or there is none; to restore another must go without."""
        number = self.backend.current(plan)
        try:
            return not number or bool(self.backend.fetch(self.backend.read(plan, number)))
        except (NotFound, InvalidInput):
            return False

    def _newest(self, plan: str) -> PlanVersion | None:
        numbers = self.backend.numbers(plan)
        return self.backend.read(plan, numbers[-1]) if numbers else None

    def _prune(self, plan: str) -> None:
        numbers = self.backend.numbers(plan)
        current = self.backend.current(plan)
        for number in numbers[: max(0, len(numbers) - self._keep)]:
            # What is damaged stays until somebody has looked at it.
            with contextlib.suppress(InvalidInput):
                if number != current:
                    self.backend.remove(self.backend.read(plan, number))

    @contextlib.contextmanager
    def _locked(self, plan: str) -> Iterator[None]:
        directory = make_private_dir(self.backend.directory(plan))
        try:
            with FileLock(directory / "store.lock", mode=0o600, timeout=60):
                yield
        except Timeout as error:
            raise PlanLocked(
                f"Another process has been writing plan {plan} for a minute", where=str(directory), remedy="Try again"
            ) from error

    @contextlib.contextmanager
    def _staging(self, plan: str) -> Iterator[Path]:
        """Yield an empty directory that is gone afterwards; a write that fails in it is one error of ours."""
        versions = self.backend.directory(plan) / "versions"
        for remnant in versions.glob(".staging-*"):
            shutil.rmtree(remnant, ignore_errors=True)
        with tree.staging(versions, "The new version") as staging:
            yield staging

    @contextlib.contextmanager
    def _source(self, templates: Path | str | None, staging: Path) -> Iterator[sources.Source | None]:
        if templates is None:
            yield None
            return
        with sources.opened(templates, staging / "source", self._download) as source:
            yield source


def open_store(conf: Any, security: Any = None, work_dir: Path | None = None) -> PlanStore:
    """Return the store that [ffwd] names; see `backends.open_places`."""
    places = open_places(conf, security, work_dir)
    keep = conf.plan_versions_kept
    return PlanStore(places.backend.work_dir, keep=keep, backend=places.backend, download=places.download)


def _inner(staging: Path) -> Path:
    inner = staging / "version"
    inner.mkdir(mode=0o700)
    return inner


def _no_containers(container: str, target: Path) -> None:
    raise InvalidInput(f"Container {container} can't be read: Swift is not configured", remedy="Set [ffwd] swift_url")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
