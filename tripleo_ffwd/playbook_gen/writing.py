"""A tree to a directory, whole or not at all: the compiler's only I/O; imports manifest, tree and files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from tripleo_ffwd.exceptions import WriteRefused
from tripleo_ffwd.files import sync_dir, sync_filesystem
from tripleo_ffwd.playbook_gen import manifest
from tripleo_ffwd.playbook_gen.tree import PlaybookTree

# As many files are synced with all else that waits for the disk; for fewer it would be the longer way.
_MANY = 500


def write_tree(tree: PlaybookTree, directory: Path) -> None:
    """Write a tree: beside its place first, then with one rename into it.

    Args:
        tree: what to write.
        directory: new, empty, or a tree that we wrote and nobody added to.

    Raises:
        WriteRefused: the directory is somebody else's, or can't be written; what was there is as it was.
    """
    directory = Path(os.path.abspath(directory))  # noqa: PTH100 - a symlink must stay one, to be refused
    check_target(directory)
    try:
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
        try:
            _fill(tree, beside / "new")
            _switch(beside / "new", directory, beside / "old")
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise WriteRefused(f"can't be written: {error.strerror or error}", where=str(directory)) from error


def check_target(directory: Path) -> None:
    """Refuse a directory that we may not write to.

    Raises:
        WriteRefused: it is no directory, or holds anything that we did not write.
    """
    remedy = "Name a new or an empty directory"
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise WriteRefused("is not a directory", where=str(directory), remedy=remedy)
    if not directory.exists():
        return
    try:
        found = {
            str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_symlink() or not path.is_dir()
        }
        empty = not any(directory.iterdir())
    except OSError as error:
        raise WriteRefused(f"can't be read: {error.strerror}", where=str(directory)) from error
    if empty:
        return
    strange = sorted(found - _ours(directory))
    if strange:
        raise WriteRefused(f"holds {strange[0]}, which we did not write", where=str(directory), remedy=remedy)


def is_written(directory: Path, digest: str) -> bool:
    """Return whether a directory holds the whole tree of that digest, as its manifest and its files say."""
    try:
        data = json.loads((directory / manifest.MANIFEST).read_text(encoding="utf-8"))
        texts = tuple((item["path"], (directory / item["path"]).read_text(encoding="utf-8")) for item in data["files"])
        return bool(data["digest"] == digest and manifest.digest_of(texts)[0] == digest)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _ours(directory: Path) -> set[str]:
    try:
        data = json.loads((directory / manifest.MANIFEST).read_text(encoding="utf-8"))
        return {manifest.MANIFEST, *(item["path"] for item in data["files"] if data["digest"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _fill(tree: PlaybookTree, root: Path) -> None:
    files = (*tree.files, (manifest.MANIFEST, manifest.dump(tree.manifest)))
    folders = {path.rpartition("/")[0] for path, _ in files}
    inner = {root / parent for folder in folders for parent in PurePosixPath(folder).parents}
    directories = sorted({root, *inner, *(root / folder for folder in folders)})
    for directory in directories:
        directory.mkdir(mode=0o700, exist_ok=True)
    for path, text in files:
        _write(f"{root}/{path}", text)
    if len(files) < _MANY or not sync_filesystem(root):
        for path, _ in files:
            _sync(f"{root}/{path}")
        for directory in directories:
            sync_dir(directory)


def _write(path: str, text: str) -> None:
    # Plain calls: there are some files for each server.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        data = memoryview(text.encode("utf-8"))
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _switch(new: Path, directory: Path, old: Path) -> None:
    """Put `new` in the place of `directory`; on an error put back what was there."""
    if directory.exists():
        directory.rename(old)
    try:
        new.rename(directory)
    except OSError:
        if old.exists():
            old.rename(directory)
        raise
    sync_dir(directory.parent)
