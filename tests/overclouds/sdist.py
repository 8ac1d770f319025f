"""Source distributions of TripleO's releases, got from the package index by pip into directories that are kept.

The templates' wheels are empty; the source distributions have them, and can be read by pip only with an old setuptools,
in a virtual environment of their own. The benchmarks get tripleo-common here, too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

from filelock import FileLock

_PACKAGE = "tripleo-heat-templates"
# Newer ones take the directories of templates for Python packages, and refuse.
_BUILD_TOOLS = ("setuptools<60", "pbr", "wheel")
_PIP_OPTIONS = ("--disable-pip-version-check", "--quiet", "--retries", "1")
_TIMEOUT = 300


class Unavailable(Exception):
    """A release can't be had here; says why."""


def cache() -> Path:
    """Return the directory in which templates and what is made of them are kept; FFWD_TEST_TEMPLATES moves it."""
    given = os.environ.get("FFWD_TEST_TEMPLATES")
    root = Path(given) if given else Path(__file__).parents[2] / ".venv-templates"
    root.mkdir(parents=True, exist_ok=True)
    return root


def templates(version: str) -> Path:
    """Return the directory of one release's templates, as they were released: not rendered.

    Raises:
        Unavailable: pip can't get it.
    """
    return fetch(_PACKAGE, version, cache())


def fetch(package: str, version: str, root: Path, tools: tuple[str, ...] = ()) -> Path:
    """Return the directory with the source distribution of a release.

    Args:
        package: its name in the index.
        version: the release.
        root: where it is kept, with the environment that gets it.
        tools: as for `environment`.

    Raises:
        Unavailable: pip can't get it.
    """
    target = root / f"{package}-{version}"
    with FileLock(root / ".lock"):
        if not target.is_dir():
            python = _environment(root, tools)
            with tempfile.TemporaryDirectory(dir=root) as scratch:
                archive = _download(python, f"{package}=={version}", Path(scratch))
                with tarfile.open(archive) as opened:
                    _extract(opened, Path(scratch))
                (Path(scratch) / target.name).rename(target)
    return target


def environment(root: Path, tools: tuple[str, ...] = ()) -> Path:
    """Return the Python of the virtual environment in `root` that gets source distributions, and nothing of ours.

    Args:
        root: a directory.
        tools: what it has besides; the same for each call with this `root`.

    Raises:
        Unavailable: pip can't make it.
    """
    with FileLock(root / ".lock"):
        return _environment(root, tools)


def _extract(opened: tarfile.TarFile, target: Path) -> None:
    if hasattr(tarfile, "data_filter"):
        opened.extractall(target, filter="data")
    else:
        opened.extractall(target)


def _download(python: Path, release: str, target: Path) -> Path:
    package = release.partition("==")[0]
    how = ["--no-deps", "--no-build-isolation", "--no-binary", package, "--dest", str(target)]
    _run([str(python), "-m", "pip", *_PIP_OPTIONS, "download", *how, release], release)
    return next(target.glob("*.tar.gz"))


def _environment(root: Path, tools: tuple[str, ...]) -> Path:
    made = root / "env"
    python = made / "bin" / "python"
    if not (made / "ready").is_file():
        shutil.rmtree(made, ignore_errors=True)
        venv.create(made, with_pip=True)
        wanted = (*_BUILD_TOOLS, *tools)
        _run([str(python), "-m", "pip", *_PIP_OPTIONS, "install", *wanted], ", ".join(wanted))
        (made / "ready").touch()
    return python


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"pip had not got {what} after {_TIMEOUT} s") from error
    if done.returncode:
        version = ".".join(str(part) for part in sys.version_info[:2])
        told = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
        raise Unavailable(f"pip on Python {version} can't get {what}: {' '.join(told[-1:])}")
