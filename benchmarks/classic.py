"""The real tripleo-common of some releases, got from the package index and kept; imports the tests' fetching."""

from __future__ import annotations

from pathlib import Path

from overclouds import sdist

CACHE = Path(__file__).parents[1] / ".bench"
# What its utils/config.py imports.
_TOOLS = ("six", "jinja2", "pyyaml")


def python() -> Path:
    """Return the Python of a virtual environment that has what the classic code needs, and nothing of ours.

    Raises:
        sdist.Unavailable: pip can't make it.
    """
    return sdist.environment(CACHE, _TOOLS)


def sources(version: str) -> Path:
    """Return the directory with the code of a release.

    Raises:
        sdist.Unavailable: pip can't get it.
    """
    return sdist.fetch("tripleo-common", version, CACHE, _TOOLS)
