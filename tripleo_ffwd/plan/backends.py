"""Where plans are kept: the interface of the two backends, and the choice between them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol

from tripleo_ffwd.exceptions import ConfigurationError
from tripleo_ffwd.plan.directory_backend import DirectoryBackend
from tripleo_ffwd.plan.swift import account as swift_account
from tripleo_ffwd.plan.swift.backend import SwiftBackend
from tripleo_ffwd.plan.version import PlanVersion

DIRECTORY, SWIFT = "directory", "swift"


class Backend(Protocol):
    """What the store and the lock need of a place for plans.

    The store holds a lock of this machine around everything that writes, `fetch` included. Versions are only ever
    added and removed as a whole; what `switch` decides, it decides in one step.
    """

    @property
    def work_dir(self) -> Path:
        """The work directory: local copies, and the phases' records."""

    @property
    def where(self) -> str:
        """Names the place in errors."""

    def plans(self) -> tuple[str, ...]:
        """Return the names of the plans, sorted."""

    def directory(self, plan: str) -> Path:
        """Return the plan's directory on this machine, on the file system of its versions; it may not be there."""

    def numbers(self, plan: str) -> tuple[int, ...]:
        """Return the numbers of the versions that are there, ascending."""

    def current(self, plan: str) -> int | None:
        """Return the number of the current version, 0 for a plan without versions, None for no plan."""

    def read(self, plan: str, number: int) -> PlanVersion:
        """Return a version; its files need not be on this machine. Raises NotFound."""

    def fetch(self, version: PlanVersion) -> PlanVersion:
        """Return the version with its files on this machine."""

    def foreign(self, plan: str) -> tuple[str, ...]:
        """Return the names of files that somebody else changed in the current version's place since it was made so."""

    def add(self, staging: Path, draft: PlanVersion) -> PlanVersion:
        """Make what is in `staging` a version with the next number, not current; `staging` is used up."""

    def switch(self, version: PlanVersion) -> None:
        """Make a version the current one; again mends what a crash left half-done."""

    def remove(self, version: PlanVersion) -> None:
        """Forget a version that is not current."""

    def read_lock(self, plan: str) -> tuple[int, dict[str, Any] | None]:
        """Return the plan's lock and what to give `write_lock`."""

    def write_lock(self, plan: str, seen: int, value: dict[str, Any] | None) -> bool:
        """Replace the lock; False, and nothing done, when it is not the one that was `seen` any more."""


@dataclasses.dataclass(frozen=True)
class Places:
    """The backend that the configuration names, and the way to containers as sources of templates."""

    backend: Backend
    conf: Any
    security: Any = None

    def download(self, container: str, target: Path) -> None:
        """Put the files of a Swift container into a directory; see `SwiftBackend.download`."""
        backend = self.backend
        account = backend.account if isinstance(backend, SwiftBackend) else None
        swift = SwiftBackend(backend.work_dir, account or swift_account.connect(self.conf, self.security))
        swift.download(container, target)


def open_places(conf: Any, security: Any = None, work_dir: Path | None = None) -> Places:
    """Return where [ffwd] plan_backend says that plans are.

    Args:
        conf: the values of [ffwd].
        security: Mistral's security context, for Swift; None when there is none.
        work_dir: instead of the configured one.

    Raises:
        ConfigurationError: Swift is wanted and can't be reached with what is configured.
    """
    directory = Path(conf.work_dir) if work_dir is None else work_dir
    if conf.plan_backend == SWIFT:
        return Places(SwiftBackend(directory, swift_account.connect(conf, security)), conf, security)
    if conf.plan_backend != DIRECTORY:
        raise ConfigurationError(f"There is no backend {conf.plan_backend!r}", where="[ffwd] plan_backend")
    return Places(DirectoryBackend(directory), conf, security)
