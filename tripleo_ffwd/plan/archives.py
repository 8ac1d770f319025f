"""Files as one compressed archive, the same bytes for the same files; and a version handed out for use elsewhere."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tripleo_ffwd.exceptions import WriteRefused
from tripleo_ffwd.files import make_private_dir, sync_dir, write_atomic
from tripleo_ffwd.plan import sources, tree, tripleo_files
from tripleo_ffwd.plan.version import PlanVersion


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return files, content by name, as a gzipped tarball; owners, times and modes are left out."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, compresslevel=6) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def unpack(data: bytes, target: Path, where: str) -> None:
    """Write the files of such an archive into a new directory; raises InvalidTemplates as `sources.unpack` does."""
    target.mkdir(mode=0o700)
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as content:
        sources.unpack_stream(content, target, where)


def export(version: PlanVersion, target: Path) -> int:
    """Write a version as TripleO reads it into a new directory or tarball, whole or not at all; return how many files.

    Args:
        version: with its files on this machine.
        target: a path that does not exist, or an empty directory; a name that ends in ``.tar.gz`` or ``.tgz`` becomes
            a tarball.

    Raises:
        WriteRefused: there is something else, or a write failed.
    """
    target = target.absolute()
    contents = tripleo_files.contents(version)
    packed = target.name.endswith((".tar.gz", ".tgz"))
    if target.is_symlink() or target.is_file() or (target.is_dir() and (packed or any(target.iterdir()))):
        raise WriteRefused(
            "It exists already", where=str(target), remedy="Give a path that does not exist, or an empty directory"
        )
    if packed:
        write_atomic(target, pack(contents))
    else:
        _write_directory(contents, target)
    return len(contents)


def _write_directory(contents: Mapping[str, bytes], target: Path) -> None:
    staging = None
    try:
        make_private_dir(target.parent)
        staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        for name, data in contents.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(data)
        tree.flush(staging)
        staging.rename(target)
        sync_dir(target.parent)
    except OSError as error:
        raise WriteRefused(
            f"The directory can't be written: {error.strerror}", where=str(target), remedy="Make room or mend its modes"
        ) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
