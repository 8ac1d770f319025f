"""Releases of tripleo-heat-templates, got from the package index by pip into a directory that is kept.

The packages' wheels are empty; the source distributions have the templates, and can be read by pip only with an
old setuptools, in a virtual environment of their own.
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
    """The templates can't be had here; says why."""


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
    target = cache() / f"{_PACKAGE}-{version}"
    with FileLock(cache() / ".lock"):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=cache()) as scratch:
                archive = _download(version, Path(scratch))
                with tarfile.open(archive) as opened:
                    _extract(opened, Path(scratch))
                (Path(scratch) / target.name).rename(target)
    return target


def _extract(opened: tarfile.TarFile, target: Path) -> None:
    if hasattr(tarfile, "data_filter"):
        opened.extractall(target, filter="data")
    else:
        opened.extractall(target)


def _download(version: str, target: Path) -> Path:
    pip = [str(_environment() / "bin" / "python"), "-m", "pip", *_PIP_OPTIONS]
    how = ["--no-deps", "--no-build-isolation", "--no-binary", _PACKAGE, "--dest", str(target)]
    _run([*pip, "download", *how, f"{_PACKAGE}=={version}"], f"{_PACKAGE} {version}")
    return next(target.glob(f"{_PACKAGE}-{version}.tar.gz"))


def _environment() -> Path:
    root = cache() / "env"
    if not (root / "ready").is_file():
        shutil.rmtree(root, ignore_errors=True)
        venv.create(root, with_pip=True)
        python = str(root / "bin" / "python")
        _run([python, "-m", "pip", *_PIP_OPTIONS, "install", *_BUILD_TOOLS], " and ".join(_BUILD_TOOLS))
        (root / "ready").touch()
    return root


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"pip had not got {what} after {_TIMEOUT} s") from error
    if done.returncode:
        version = ".".join(str(part) for part in sys.version_info[:2])
        told = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
        raise Unavailable(f"pip on Python {version} can't get {what}: {' '.join(told[-1:])}")
