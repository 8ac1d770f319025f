"""The plan store: named, versioned sets of files in the work directory.

::

    plans/<plan>/versions/000001/files/…      the templates, rendered, and the environments
    plans/<plan>/versions/000001/plan.json    what the version is; written last
    plans/<plan>/current -> versions/000001   switched in one step

A version never changes once it is there. It is built in a directory of its own, which is flushed to disk and then
renamed, so that a crash leaves either the version or a remnant that the next writer removes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tripleo_ffwd.exceptions import InvalidInput, InvalidTemplates, NotFound, PlanLocked, WriteRefused
from tripleo_ffwd.files import make_private_dir, read_json, sync_dir
from tripleo_ffwd.plan import environments as plan_environments
from tripleo_ffwd.plan import tree
from tripleo_ffwd.plan.rendering import render_tree

TEMPLATE = "overcloud.yaml"
_PLAN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")
_VERSION_NAME = re.compile(r"[0-9]{6,}\Z")


@dataclasses.dataclass(frozen=True)
class PlanVersion:
    """One version of a plan; nothing in it ever changes.

    Attributes:
        plan: name of the plan.
        number: from 1, one up with each version.
        path: directory of the version.
        digest: SHA-256 over names and contents of all files and the order of the environments, in hexadecimal.
        phase: the phase that it was made for.
        environments: names relative to `files_dir`, in the order that Heat gets them.
        files: how many files it has.
        lifecycle: the phase's environment among them; empty when the templates have none.
        user_environments: those that the operator gave, in order: what a later version takes over.
        user_files: files that came with them from outside the templates.
    """

    plan: str
    number: int
    path: Path
    digest: str
    phase: str
    environments: tuple[str, ...]
    files: int
    lifecycle: str = ""
    user_environments: tuple[str, ...] = ()
    user_files: tuple[str, ...] = ()

    @property
    def files_dir(self) -> Path:
        """Directory of the files."""
        return self.path / "files"

    @property
    def template_path(self) -> Path:
        """The template of the stack."""
        return self.files_dir / TEMPLATE

    @property
    def environment_paths(self) -> tuple[Path, ...]:
        """The environment files, in the order that Heat gets them."""
        return tuple(self.files_dir / name for name in self.environments)


class PlanStore:
    """The plans of a work directory.

    Args:
        work_dir: [ffwd] work_dir.
        keep: how many versions of a plan are kept; the current one always is.
    """

    def __init__(self, work_dir: Path, *, keep: int = 10) -> None:
        self._root = work_dir.absolute() / "plans"
        self._keep = max(keep, 1)

    def create_version(
        self,
        plan: str,
        *,
        templates: Path | None = None,
        environments: Sequence[Path | str] | None = None,
        phase: str,
    ) -> PlanVersion:
        """Make a new version the plan's current one; the same content for the same phase gives the version that is.

        Args:
            plan: name of the plan; it is made when there is none.
            templates: directory of the templates; None takes those of the current version again.
            environments: the operator's environments, in order: names within the templates, or absolute paths; None
                takes those of the current version again.
            phase: the phase whose lifecycle environment is put before them.

        Raises:
            InvalidInput: the name can't be a plan's.
            NotFound: `templates` is None and the plan has no version.
            InvalidTemplates: a file is missing, or can't be rendered or read; names it, and the line.
            PlanLocked: another process is writing the plan.
            WriteRefused: a write failed.
            In each case the plan is as it was.
        """
        check_name(plan)
        with self._locked(plan) as directory, _staging(directory / "versions") as staging:
            current = self._find_current(plan)
            if templates is None and current is None:
                raise NotFound(
                    f"Plan {plan} has no files yet", remedy="Give `templates`, the directory of the heat templates"
                )
            draft = _fill(staging, current, plan, templates, environments, phase)
            if current is not None and (draft.digest, draft.phase) == (current.digest, current.phase):
                return current
            return self._publish(directory, staging, draft, current)

    def current(self, plan: str) -> PlanVersion:
        """Return the plan's current version.

        Raises:
            NotFound: there is no such plan.
        """
        check_name(plan)
        found = self._find_current(plan)
        if found is None:
            raise NotFound(
                f"Plan {plan} does not exist",
                where=str(self._root),
                remedy="Run the phase prepare with `templates` first",
            )
        return found

    def versions(self, plan: str) -> tuple[PlanVersion, ...]:
        """Return the versions that are kept, oldest first; none for an unknown plan."""
        check_name(plan)
        return tuple(_read_version(path) for path in _version_dirs(self._root / plan))

    def _find_current(self, plan: str) -> PlanVersion | None:
        link = self._root / plan / "current"
        return _read_version(link.parent / link.readlink()) if link.is_symlink() else None

    @contextlib.contextmanager
    def _locked(self, plan: str) -> Iterator[Path]:
        directory = self._root / plan
        make_private_dir(directory / "versions")
        try:
            with FileLock(directory / "store.lock", mode=0o600, timeout=60):
                yield directory
        except Timeout as error:
            raise PlanLocked(
                f"Another process has been writing plan {plan} for a minute", where=str(directory), remedy="Try again"
            ) from error

    def _publish(self, directory: Path, staging: Path, draft: PlanVersion, current: PlanVersion | None) -> PlanVersion:
        kept = _version_dirs(directory)
        number = max([int(path.name) for path in kept], default=current.number if current else 0) + 1
        target = directory / "versions" / f"{number:06d}"
        version = dataclasses.replace(draft, number=number, path=target)
        record = dataclasses.asdict(version)
        del record["path"]
        record["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        (staging / "plan.json").write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
        tree.flush(staging)
        staging.rename(target)
        sync_dir(target.parent)
        link = directory / ".current.new"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("versions") / target.name)
        link.replace(directory / "current")
        sync_dir(directory)
        for old in kept[: max(0, len(kept) + 1 - self._keep)]:
            shutil.rmtree(old, ignore_errors=True)
        return version


def check_name(plan: str) -> None:
    """Refuse what can't be the name of a plan: it becomes a directory.

    Raises:
        InvalidInput: it is empty, too long, or has other characters than letters, digits, ``_``, ``.``, ``-``.
    """
    if not isinstance(plan, str) or not _PLAN_NAME.match(plan):
        raise InvalidInput(
            f"{str(plan)[:80]!r} can't be the name of a plan",
            remedy="Use letters, digits, '_', '.' and '-', a letter or digit first, at most 63 in all",
        )


@contextlib.contextmanager
def _staging(versions: Path) -> Iterator[Path]:
    """Yield an empty directory that is gone afterwards unless it was renamed; its files are the owner's alone."""
    for remnant in versions.glob(".staging-*"):
        shutil.rmtree(remnant, ignore_errors=True)
    staging = None
    try:
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=versions))
        yield staging
    except OSError as error:
        raise WriteRefused(
            f"The new version can't be written: {error.strerror}",
            where=str(versions),
            remedy="Make room or mend the modes; the plan is as it was",
        ) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _fill(
    staging: Path,
    current: PlanVersion | None,
    plan: str,
    templates: Path | None,
    given: Sequence[Path | str] | None,
    phase: str,
) -> PlanVersion:
    """Put all files of a new version into `staging` and return it, unnumbered."""
    root = staging / "files"
    root.mkdir(mode=0o700)
    source = templates.absolute() if templates is not None else None
    carried = current.user_files if current is not None and given is None else ()
    if source is not None:
        _copy_templates(source, root)
    elif current is not None:
        tree.copy_files(current.files_dir, root, tree.list_files(current.files_dir, skip=current.user_files))
    if current is not None:
        tree.copy_files(current.files_dir, root, carried)
    render_tree(root, tree.list_files(root, skip=carried))
    if not (root / TEMPLATE).is_file():
        raise InvalidTemplates(
            f"There is no {TEMPLATE}", where=str(source or root), remedy="Give the directory that has it as `templates`"
        )
    if given is None:
        user = current.user_environments if current is not None else ()
        copied = carried
    else:
        user, copied = _place_environments(root, source, given)
    names, lifecycle = plan_environments.order(root, phase, user)
    plan_environments.check(root, names)
    digest, count = tree.digest(root, names)
    return PlanVersion(
        plan, 0, staging, digest, phase, names, count, lifecycle=lifecycle, user_environments=user, user_files=copied
    )


def _place_environments(
    root: Path, source: Path | None, given: Sequence[Path | str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    importer = plan_environments.Importer(root, source)
    names = []
    for position, item in enumerate(given, 1):
        path = Path(item)
        if path.is_absolute() and source is not None and path.is_relative_to(source):
            path = path.relative_to(source)
        if path.is_absolute():
            names.append(importer.add(path, position))
            continue
        name = Path(os.path.normpath(path)).as_posix()
        if name.startswith("..") or not (root / name).is_file():
            raise InvalidTemplates(
                f"Environment {item} is not in the templates",
                where=f"environment {position}",
                remedy="Give a name within the templates, or an absolute path",
            )
        names.append(name)
    return tuple(names), importer.copied


def _copy_templates(source: Path, root: Path) -> None:
    try:
        names = tree.list_files(source)
        if not names:
            raise InvalidTemplates("The directory of the templates is empty", where=str(source))
        tree.copy_files(source, root, names)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise InvalidTemplates(
            f"The templates can't be read: {error.filename}: {error.strerror}",
            where=str(source),
            remedy="Give a directory that the executor's user can read, on the executor's machine",
        ) from error


def _version_dirs(directory: Path) -> list[Path]:
    versions = directory / "versions"
    found = versions.iterdir() if versions.is_dir() else ()
    return sorted((path for path in found if _VERSION_NAME.match(path.name)), key=lambda path: int(path.name))


def _read_version(path: Path) -> PlanVersion:
    record: dict[str, Any] | None = read_json(path / "plan.json")
    if record is None:
        raise NotFound("The version has no plan.json", where=str(path), remedy="Run prepare with `templates` again")
    del record["created"]
    lists = ("environments", "user_environments", "user_files")
    return PlanVersion(**{**record, **{key: tuple(record[key]) for key in lists}, "path": path})
