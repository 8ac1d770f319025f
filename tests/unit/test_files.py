"""Files that are on disk before anybody sees them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tripleo_ffwd import files

RELEASE = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
pytestmark = pytest.mark.skipif(RELEASE < (5, 8), reason="this kernel does not tell of errors")


def test_a_filesystem_is_synced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text", encoding="utf-8")
    assert files.sync_filesystem(tmp_path)


def test_what_is_no_directory_is_not_taken_for_synced(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        files.sync_filesystem(tmp_path / "missing")
