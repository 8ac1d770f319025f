"""Directories of files: list, copy, digest and flush them; stdlib only."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tripleo_ffwd.exceptions import InvalidTemplates, WriteRefused
from tripleo_ffwd.files import make_private_dir, sync_dir

_SKIPPED = ("__pycache__",)


@contextlib.contextmanager
def staging(parent: Path, refused: str) -> Iterator[Path]:
    """Yield an empty directory in `parent`, which is made, that is gone afterwards unless it was renamed.

    Args:
        parent: on the file system of what is to be written.
        refused: what can't be written, for the error.

    Raises:
        WriteRefused: a write in it, or the directory itself, failed.
    """
    directory = None
    try:
        directory = Path(tempfile.mkdtemp(prefix=".staging-", dir=make_private_dir(parent)))
        yield directory
    except OSError as error:
        raise WriteRefused(
            f"{refused} can't be written: {error.strerror}",
            where=str(parent),
            remedy="Make room or mend the modes; the plan is as it was",
        ) from error
    finally:
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)


def copy_files(source: Path, root: Path, names: Sequence[str]) -> None:
    """Copy files by name from one directory to another; directories that are missing are made 0700."""
    for folder in sorted({(root / name).parent for name in names}):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(source / name, root / name)


def list_files(root: Path, *, skip: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of all files below `root`, sorted; hidden ones are no part of the templates.

    Links to files are followed; a link to a directory, or what is neither file nor directory, is refused.
    """
    found: list[str] = []
    left_out = set(skip)
    pending = [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _SKIPPED:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif stat.S_ISREG(entry.stat().st_mode):
                    name = Path(entry.path).relative_to(root).as_posix()
                    found += [name] if name not in left_out else []
                else:
                    raise InvalidTemplates(
                        "It is no regular file, and no directory of its own", where=entry.path, remedy="Replace it"
                    )
    return tuple(sorted(found))


def counts(name: str) -> bool:
    """Return whether a file of this name, relative to the templates, is one of theirs: see `list_files`."""
    return not any(part.startswith(".") or part in _SKIPPED for part in name.split("/"))


def digest(root: Path, environments: Sequence[str]) -> tuple[str, int]:
    """Return the SHA-256 over the names and contents of all files and `environments`, and how many files there are."""
    total = hashlib.sha256()
    found = digests(root)
    for name, content in found.items():
        total.update(f"{content} {name}\n".encode())
    total.update(json.dumps(list(environments)).encode())
    return total.hexdigest(), len(found)


def contents(root: Path) -> dict[str, bytes]:
    """Return the content of each file by its name, sorted."""
    return {name: (root / name).read_bytes() for name in list_files(root)}


def digests(root: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by its name, sorted."""
    return {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in list_files(root)}


def protect(staging: Path) -> None:
    """Make every file and directory the owner's alone."""
    for folder, _, files in os.walk(staging, topdown=False):
        for name in files:
            Path(folder, name).chmod(0o600)
        Path(folder).chmod(0o700)


def flush(staging: Path) -> None:
    """Make every file and directory the owner's alone and put it on disk."""
    protect(staging)
    for folder, _, files in os.walk(staging, topdown=False):
        for path in (Path(folder, name) for name in files):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_dir(Path(folder))
