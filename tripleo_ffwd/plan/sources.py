"""Where the templates of a new version come from: a directory, a tarball, or a Swift container.

A tarball is taken apart by our own hand: names that lead elsewhere, links, devices and what is too much are refused
before anything of them is written.
"""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tripleo_ffwd.exceptions import InvalidTemplates

CONTAINER_PREFIX = "swift:"
MAX_FILES = 20_000
MAX_FILE = 64 * 2**20
MAX_TOTAL = 256 * 2**20
_TOP_FILES = ("overcloud.yaml", "overcloud.j2.yaml")
_OPENERS: tuple[tuple[bytes, Callable[[Path], Any]], ...] = (
    (b"\x1f\x8b", gzip.GzipFile),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ", lzma.LZMAFile),
)
_UNPACKING_ERRORS = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, UnicodeError)


@dataclasses.dataclass(frozen=True)
class Source:
    """Templates in a directory of this machine.

    Attributes:
        name: what the operator called them.
        path: the directory.
        directory: the same, when the operator's own files refer to it by its path; None for a copy.
    """

    name: str
    path: Path
    directory: Path | None = None


@contextlib.contextmanager
def opened(templates: Path | str, scratch: Path, download: Callable[[str, Path], None]) -> Iterator[Source]:
    """Yield the templates as a directory.

    Args:
        templates: a directory, a tarball, or ``swift:CONTAINER``.
        scratch: a directory that does not exist yet; it may be made and written to, the caller removes it.
        download: puts the files of a container, by its name, into a directory.

    Raises:
        InvalidTemplates: there are no such templates, or the tarball can't be taken apart.
    """
    name = str(templates)
    if name.startswith(CONTAINER_PREFIX):
        scratch.mkdir(mode=0o700)
        download(name.removeprefix(CONTAINER_PREFIX), scratch)
        yield Source(name, scratch)
        return
    path = Path(templates).absolute()
    if path.is_file():
        scratch.mkdir(mode=0o700)
        unpack(path, scratch)
        yield Source(str(path), _top(scratch))
    else:
        yield Source(str(path), path, path)


def unpack(archive: Path, target: Path) -> None:
    """Write the regular files of a tarball (plain, gzip, bzip2 or xz) into an empty directory.

    Raises:
        InvalidTemplates: it is no tarball, is damaged, or has a member that is neither file nor directory, that leads
            out of it, or that is too much.
    """
    try:
        with archive.open("rb") as stream:
            magic = stream.read(6)
        opener = next((found for start, found in _OPENERS if magic.startswith(start)), None)
        with opener(archive) if opener else archive.open("rb") as content:
            unpack_stream(content, target, str(archive))
    except PermissionError as error:
        raise InvalidTemplates(f"The tarball can't be read: {error.strerror}", where=str(archive)) from error


def unpack_stream(content: Any, target: Path, where: str) -> None:
    """Write the regular files of an uncompressed tarball, read from a stream, into a directory; see `unpack`."""
    bounded: Any = _Bounded(content, where)
    try:
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            for count, member in enumerate(archive, 1):
                if count > MAX_FILES:
                    raise _refused(where, f"it has more than {MAX_FILES} members")
                _write_member(archive, member, target, where)
    except _UNPACKING_ERRORS as error:
        raise InvalidTemplates(
            f"It is no tarball, or a damaged one: {error}",
            where=where,
            remedy="Give a directory, or a tarball of the templates' plain files",
        ) from error


class _Bounded:
    """A stream that ends in an error where an archive has more in it than any templates: a bomb."""

    def __init__(self, stream: Any, where: str) -> None:
        self._stream = stream
        self._where = where
        self._left = MAX_TOTAL

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._stream.read(size)
        except OSError as error:
            if error.errno is None:  # bz2's word for a damaged stream
                raise tarfile.ReadError(str(error)) from error
            raise
        self._left -= len(data)
        if self._left < 0:
            raise _refused(self._where, f"it has more than {MAX_TOTAL >> 20} MiB in it")
        return data


def _write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, where: str) -> None:
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or ".." in parts or "\0" in member.name:
        raise _refused(where, f"member {member.name!r} leads out of it")
    if member.isdir():
        return
    if not member.isreg() or member.issparse():
        kind = "a link" if member.islnk() or member.issym() else "no regular file"
        raise _refused(where, f"member {member.name!r} is {kind}")
    if member.size > MAX_FILE:
        raise _refused(where, f"member {member.name!r} has more than {MAX_FILE >> 20} MiB")
    path = target.joinpath(*parts)
    content = archive.extractfile(member)
    if content is None or path == target or path.is_dir():
        raise _refused(where, f"member {member.name!r} is file and directory at once")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise _refused(where, f"member {member.name!r} is below a file") from error
    path.write_bytes(content.read())


def _top(root: Path) -> Path:
    """Return the directory of the templates: below the one that all members of a release's tarball are in."""
    inside = [path for path in root.iterdir() if not path.name.startswith(".")]
    if len(inside) == 1 and inside[0].is_dir() and not any((root / name).is_file() for name in _TOP_FILES):
        return inside[0]
    return root


def _refused(where: str, what: str) -> InvalidTemplates:
    return InvalidTemplates(
        f"The tarball is refused: {what}", where=where, remedy="Pack the templates' plain files, and nothing else"
    )
