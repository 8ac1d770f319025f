"""Whether Ansible has the modules, roles and plugins that a tree uses, asked of Ansible before anything is started."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run.command import clean_environment, plugin_paths
from tripleo_ffwd.ansible_run.tree import Tree
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import RunSpec

LOG = logging.getLogger("tripleo_ffwd.runs")

SECONDS = 30
# What a name begins with that is no module's.
KINDS = ("role", "strategy", "filter", "test", "lookup", "connection", "become")
NAME = re.compile(r"[A-Za-z_][\w.]*")
UNNAMED = "unknown"  # the manifest's word for a task whose module it can't tell

# What was found, by the paths that were searched. What was missing is looked for again: it may have been installed.
_found: dict[tuple[tuple[str, str], ...], set[str]] = {}


def require_modules(spec: RunSpec, tree: Tree) -> None:
    """Check that Ansible finds every module, role and plugin of a tree, and the become method of a spec.

    It takes about half a second the first time.

    Raises:
        InvalidInput: it doesn't find some; names them.
    """
    paths = plugin_paths(spec.ansible_library, spec.ansible_roles_path, spec.ansible_collections_path)
    needed = tree.modules | ({f"become {spec.become_method}"} if spec.become_method else set())
    own = str(tree.path) if any(_brings_plugins(path) for path in tree.files) else ""
    known = _found.setdefault((("tree", own), *sorted(paths.items())), set())
    # A module may come with a role of the tree: what is asked is asked together.
    if needed <= known:
        return
    lacking = find_missing(needed, paths, own)
    if lacking is None:
        return
    if lacking:
        raise InvalidInput(
            f"Ansible does not find {', '.join(lacking)}, which the playbooks use",
            where=str(tree.path),
            remedy="Install what is missing, and name its directories in [ffwd] ansible_library, ansible_roles_path "
            "and ansible_collections_path; plugins are found in collections, roles and /usr/share/ansible/plugins",
            missing=lacking,
        )
    known |= needed


def find_missing(names: Iterable[str], paths: Mapping[str, str], tree: str = "") -> list[str] | None:
    """Return, sorted, which modules, roles and plugins Ansible doesn't find; None when it couldn't be asked.

    Args:
        names: what a tree needs, as its manifest has it. Names that only the run can tell are passed over.
        paths: where to look, as `command.plugin_paths` returns it.
        tree: the directory of a tree that has modules, roles or plugins of its own; empty for none.
    """
    wanted: dict[str, list[str]] = {}
    for name in sorted(names):
        kind, _, plugin = name.partition(" ")
        if kind not in KINDS or not plugin:
            kind, plugin = "module", name
        if "{{" not in plugin if kind == "role" else NAME.fullmatch(plugin) and name != UNNAMED:
            wanted.setdefault(kind, []).append(plugin)
    if not wanted:
        return []
    missing = _ask({"tree": tree, "names": wanted}, paths)
    if missing is None:
        return None
    return sorted(name if kind == "module" else f"{kind} {name}" for kind, found in missing.items() for name in found)


def _brings_plugins(path: str) -> bool:
    head = path.partition("/")[0]
    return head in ("library", "roles") or head.endswith("_plugins")


def _ask(question: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, list[str]] | None:
    """Return what is missing, by kind; None when Ansible couldn't be asked: then the run itself shows it."""
    with tempfile.TemporaryDirectory(prefix="ffwd-modules-") as private:
        config = Path(private) / "ansible.cfg"
        config.touch()
        settings = {"ANSIBLE_CONFIG": str(config), "ANSIBLE_LOCAL_TEMP": private, "ANSIBLE_NOCOLOR": "1"}
        settings["PYTHONDONTWRITEBYTECODE"] = "1"  # a tree's own plugins are loaded, and nothing may be added to it
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
