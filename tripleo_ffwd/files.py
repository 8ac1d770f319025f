"""Files that appear whole or not at all, for the owner alone; stdlib only."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import WriteRefused

# Linux before this says nothing of what could not be written when a whole filesystem is synced.
_TELLS_OF_ERRORS = (5, 8)


def make_private_dir(path: Path) -> Path:
    """Make a directory (and the ones above it) with mode 0700 and return it.

    Raises:
        WriteRefused: it can't be made.
    """
    try:
        for missing in reversed([p for p in (path, *path.parents) if not p.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise WriteRefused(
            f"The directory can't be made: {error.strerror}",
            where=str(path),
            remedy="Make it writable for the user that Mistral's executor runs as, or set [ffwd] work_dir",
        ) from error
    return path


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file by `data` in one step, mode 0600, on disk before it is seen.

    Raises:
        WriteRefused: the write failed; the old file is as it was.
    """
    make_private_dir(path.parent)
    partial = None
    try:
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(partial).replace(path)
        sync_dir(path.parent)
    except OSError as error:
        if partial is not None:
            with contextlib.suppress(OSError):
                Path(partial).unlink()
        raise WriteRefused(
            f"The file can't be written: {error.strerror}", where=str(path), remedy="Make room or mend its modes"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Replace a file by the JSON of `value`, as `write_atomic` does."""
    write_atomic(path, json.dumps(value, indent=1, sort_keys=True).encode())


def read_json(path: Path) -> Any:
    """Return the JSON value of a file; None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def sync_dir(path: Path) -> None:
    """Make a directory's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_filesystem(directory: Path) -> bool:
    """Make all that was written to a directory's filesystem durable: for thousands of files a tenth of syncing each.

    Returns:
        False when this system can't do that, or could not tell of errors.

    Raises:
        OSError: something can't be written.
    """
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs") or version is None or tuple(map(int, version.groups())) < _TELLS_OF_ERRORS:
        return False
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(directory))
    finally:
        os.close(descriptor)
    return True
