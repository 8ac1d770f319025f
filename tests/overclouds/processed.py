"""The templates' own rendering: ``tools/process-templates.py`` of a release, run on a copy of its templates."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from overclouds import sdist

from tripleo_ffwd.plan.rendering import render_tree

SCRIPT = "tools/process-templates.py"


def copy(version: str, target: Path, changes: Mapping[str, Any] | None = None) -> Path:
    """Copy a release's templates and return the copy.

    Args:
        changes: file names and the text or the value that they get instead.

    Raises:
        sdist.Unavailable: the templates can't be had.
    """
    shutil.copytree(sdist.templates(version), target)
    for name, content in (changes or {}).items():
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        (target / name).write_text(text)
    return target


def sources(root: Path) -> list[str]:
    """Return the names of the templates that are to be rendered."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.j2.yaml"))


def by_script(root: Path, python: str = sys.executable) -> None:
    """Render the templates in place with their own script.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    done = subprocess.run([python, SCRIPT], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{SCRIPT} ended with {done.returncode}:\n{done.stdout[-500:]}{done.stderr[-1500:]}")


def by_us(root: Path) -> tuple[str, ...]:
    """Render the templates in place, and return what was written."""
    return render_tree(root, sources(root))


def differences(one: Path, other: Path) -> dict[str, str]:
    """Return the files that two directories don't have alike, and how they differ."""
    trees = [_files(root) for root in (one, other)]
    found = {}
    for name in sorted(trees[0].keys() | trees[1].keys()):
        contents = [tree.get(name) for tree in trees]
        if contents[0] != contents[1]:
            found[name] = "differs" if all(content is not None for content in contents) else "is in one only"
    return found


def roles(root: Path, names: Sequence[str], **more: Any) -> list[dict[str, Any]]:
    """Return roles of a release's ``roles`` directory by name, each with `more`."""
    return [{**yaml.safe_load((root / "roles" / f"{name}.yaml").read_text())[0], **more} for name in names]


def _files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
