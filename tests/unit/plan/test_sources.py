"""Tarballs as sources of templates: what is taken, and what is refused before anything of it is written."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tripleo_ffwd.exceptions import InvalidTemplates
from tripleo_ffwd.plan import sources


def member(name: str, data: bytes = b"a: 1\n", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def tarball(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return path


def taken(archive: Path, scratch: Path) -> set[str]:
    with sources.opened(archive, scratch, lambda *_: None) as source:
        return {path.relative_to(source.path).as_posix() for path in source.path.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tarballs_of_all_kinds_are_taken(tmp_path, mode):
    archive = tarball(tmp_path / "t", member("overcloud.yaml"), member("./network/x.yaml"), mode=mode)
    assert taken(archive, tmp_path / "scratch") == {"overcloud.yaml", "network/x.yaml"}


def test_the_directory_that_a_release_is_packed_in_is_left_out(tmp_path):
    archive = tarball(tmp_path / "t", member("tht-8.4.1/overcloud.j2.yaml"), member("tht-8.4.1/a/b.yaml"))
    assert taken(archive, tmp_path / "scratch") == {"overcloud.j2.yaml", "a/b.yaml"}


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ([member("../outside.yaml")], r"'\.\./outside.yaml' leads out"),
        ([member("a/../../outside.yaml")], "leads out"),
        ([member("/tmp/outside.yaml")], "leads out"),
        ([member("link.yaml", b"", **LINK)], "'link.yaml' is a link"),
        ([member("d", b"", type=tarfile.SYMTYPE, linkname=".."), member("d/outside.yaml")], "'d' is a link"),
        ([member("hard", b"", type=tarfile.LNKTYPE, linkname="/etc/shadow")], "'hard' is a link"),
        ([member("null", b"", type=tarfile.CHRTYPE)], "'null' is no regular file"),
        ([member("pipe", b"", type=tarfile.FIFOTYPE)], "'pipe' is no regular file"),
        ([member("a"), member("a/b")], "'a/b' is below a file"),
        ([member("a/b"), member("a")], "'a' is file and directory at once"),
    ],
)
def test_members_that_could_do_harm_are_refused(tmp_path, members, told):
    archive = tarball(tmp_path / "evil.tar.gz", *members)
    with pytest.raises(InvalidTemplates, match=told):
        taken(archive, tmp_path / "scratch")
    assert {path.name for path in tmp_path.rglob("outside*")} == set()
    assert not Path("/tmp/outside.yaml").exists()


def zeros(opener: Callable[..., object], path: Path, size: int) -> Path:
    """Write a compressed tarball of which one member is `size` zeros: small on disk."""
    info = tarfile.TarInfo("overcloud.yaml")
    info.size = size
    with opener(path, "wb") as stream:
        stream.write(info.tobuf())
        for _ in range(size >> 20):
            stream.write(bytes(2**20))
    return path


@pytest.mark.parametrize("opener", [gzip.open, bz2.open, lzma.open])
def test_a_file_that_unpacks_to_more_than_any_template_is_refused(tmp_path, opener):
    archive = zeros(opener, tmp_path / "bomb", 65 << 20)
    assert archive.stat().st_size < 2**18
    with pytest.raises(InvalidTemplates, match=r"'overcloud\.yaml' has more than 64 MiB"):
        taken(archive, tmp_path / "scratch")


def test_an_archive_that_unpacks_to_more_than_any_templates_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_TOTAL", 2**20)
    archive = tarball(tmp_path / "bomb", *[member(f"{number}", bytes(2**18)) for number in range(5)])
    with pytest.raises(InvalidTemplates, match="more than 1 MiB in it"):
        taken(archive, tmp_path / "scratch")


def test_a_header_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_TOTAL", 2**20)
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**30
    with gzip.open(tmp_path / "bomb", "wb") as stream:
        stream.write(info.tobuf() + bytes(2**22))
    with pytest.raises(InvalidTemplates, match="is refused"):
        taken(tmp_path / "bomb", tmp_path / "scratch")


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FILES", 5)
    with pytest.raises(InvalidTemplates, match="more than 5 members"):
        taken(tarball(tmp_path / "t", *[member(str(number)) for number in range(6)]), tmp_path / "scratch")


def damaged(path: Path) -> bytes:
    return tarball(path, member("overcloud.yaml", b"x" * 9000)).read_bytes()[:60]


@pytest.mark.parametrize("data", [b"", b"no tarball at all", b"\x1f\x8bbad", b"BZh9bad", b"\xfd7zXZ\0bad", b"cut"])
def test_what_is_no_tarball_is_told_so(tmp_path, data):
    path = tmp_path / "t.tar.gz"
    path.write_bytes(damaged(path) if data == b"cut" else data)
    with pytest.raises(InvalidTemplates, match=r"t\.tar\.gz: It is no tarball, or a damaged one"):
        taken(path, tmp_path / "scratch")
