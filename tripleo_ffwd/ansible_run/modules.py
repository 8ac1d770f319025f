"""Whether Ansible has the modules and roles that a tree uses, asked of Ansible itself before anything is started."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tripleo_ffwd.ansible_run.command import clean_environment, plugin_paths
from tripleo_ffwd.ansible_run.tree import Tree
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import RunSpec

LOG = logging.getLogger("tripleo_ffwd.runs")

SECONDS = 30
ROLE = "role "
NAME = re.compile(r"[A-Za-z_][\w.]*")
UNNAMED = "unknown"  # the manifest's word for a task whose module it can't tell

# What was found, by the paths that were searched. What was missing is looked for again: it may have been installed.
_found: dict[tuple[tuple[str, str], ...], set[str]] = {}


def require_modules(spec: RunSpec, tree: Tree) -> None:
    """Check that Ansible finds every module and role of a tree; about half a second the first time.

    Raises:
        InvalidInput: it doesn't find some; names them.
    """
    paths = plugin_paths(spec.ansible_library, spec.ansible_roles_path, spec.ansible_collections_path)
    known = _found.setdefault(tuple(sorted(paths.items())), set())
    # A module may come with a role of the tree: what is asked is asked together.
    if tree.modules <= known:
        return
    lacking = find_missing(tree.modules, paths)
    if lacking is None:
        return
    if lacking:
        raise InvalidInput(
            f"Ansible does not find {', '.join(lacking)}, which the playbooks use",
            where=str(tree.path),
            remedy="Install what is missing, and name its directories in [ffwd] ansible_library, ansible_roles_path "
            "and ansible_collections_path",
            missing=lacking,
        )
    known |= tree.modules


def find_missing(names: Iterable[str], paths: Mapping[str, str]) -> list[str] | None:
    """Return which modules and roles (``role NAME``) Ansible doesn't find; None when it couldn't be asked.

    Args:
        names: what a tree needs, as its manifest has it. Names that only the run can tell are passed over.
        paths: where to look, as `command.plugin_paths` returns it.
    """
    wanted = sorted(names)
    modules = [name for name in wanted if NAME.fullmatch(name) and name != UNNAMED]
    roles = [name.removeprefix(ROLE) for name in wanted if name.startswith(ROLE) and "{{" not in name]
    if not modules and not roles:
        return []
    missing = _ask({"modules": modules, "roles": roles}, paths)
    return None if missing is None else [*missing["modules"], *(ROLE + name for name in missing["roles"])]


def _ask(question: dict[str, list[str]], paths: Mapping[str, str]) -> dict[str, list[str]] | None:
    """Return what is missing of `question`; None when Ansible couldn't be asked: then the run itself shows it."""
    with tempfile.TemporaryDirectory(prefix="ffwd-modules-") as private:
        config = Path(private) / "ansible.cfg"
        config.touch()
        settings = {"ANSIBLE_CONFIG": str(config), "ANSIBLE_LOCAL_TEMP": private, "ANSIBLE_NOCOLOR": "1"}
        try:
            answer = subprocess.run(
                [sys.executable, "-m", "tripleo_ffwd.ansible_run.find_modules"],
                input=json.dumps(question),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                cwd="/",
                env={**clean_environment(""), **settings, **paths},
                check=True,
            )
            missing: dict[str, list[str]] = json.loads(answer.stdout.splitlines()[-1])
        except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
            LOG.warning(
                "Ansible can't be asked for modules: %s: %s", type(error).__name__, getattr(error, "stderr", "")
            )
            return None
    return missing
