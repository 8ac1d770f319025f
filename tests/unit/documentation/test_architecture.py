"""The page about the architecture names every part of the package, and every file of a run's work directory."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "doc" / "source" / "architecture.rst").read_text(encoding="utf-8")


def test_every_part_of_the_package_is_named() -> None:
    parts = {path.stem for path in (ROOT / "tripleo_ffwd").iterdir() if path.is_dir() or path.suffix == ".py"}
    parts -= {"__init__", "__pycache__"}
    assert [part for part in sorted(parts) if f"``{part}``" not in PAGE] == []


def test_every_page_is_reached_from_the_index() -> None:
    index = (ROOT / "doc" / "source" / "index.rst").read_text(encoding="utf-8")
    pages = {path.stem for path in (ROOT / "doc" / "source").glob("*.rst")} - {"index"}
    assert [page for page in sorted(pages) if f"\n   {page}\n" not in f"{index}\n"] == []
