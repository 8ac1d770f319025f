"""A process that says which modules, roles and plugins Ansible can't find.

``python -m tripleo_ffwd.ansible_run.find_modules`` reads ``{"tree": path or "", "names": {kind: [names]}}`` from stdin,
with Ansible's settings in its environment, and ends its output with a line ``{kind: [names]}``: those that can't be
found, in the tree or elsewhere. Kinds are ``module``, ``role`` and those of Ansible's plugins, such as ``filter``. A
process of its own, because Ansible reads its settings once and changes the import system of whatever loads it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def _role_path(name: str, tree: str) -> Path | None:
    from ansible import constants

    if name.count(".") >= 2:
        from ansible.utils.collection_loader._collection_finder import _get_collection_role_path

        found = _get_collection_role_path(name)
        return Path(found[1]) if found else None
    if Path(name).is_absolute():
        return Path(name) if Path(name).is_dir() else None
    places = [*([Path(tree) / "roles"] if tree else []), *constants.DEFAULT_ROLES_PATH]
    return next((path for base in places if (path := Path(base) / name).is_dir()), None)


def _is_found(kind: str, name: str) -> bool:
    from ansible.errors import AnsibleError
    from ansible.plugins import loader

    if kind == "module":
        found = (loader.module_loader, loader.action_loader)
        return any(item.find_plugin_with_context(name).resolved for item in found)
    plugins = getattr(loader, f"{kind}_loader")
    try:
        if kind in ("filter", "test"):  # a file has several, under names of their own
            return plugins.get(name) is not None
        return bool(plugins.find_plugin_with_context(name).resolved)
    except (AnsibleError, ImportError, KeyError):
        return False


def main() -> int:
    """Answer one question; return 0."""
    from ansible.plugins.loader import add_all_plugin_dirs, init_plugin_loader

    init_plugin_loader()
    asked = json.load(sys.stdin)
    tree, names = asked["tree"], asked["names"]
    roles = {name: _role_path(name, tree) for name in names.pop("role", ())}
    # A role brings modules and plugins of its own, and so may the tree.
    for path in (tree, *roles.values()):
        if path:
            add_all_plugin_dirs(str(path))
    missing = {kind: [name for name in found if not _is_found(kind, name)] for kind, found in names.items()}
    missing["role"] = [name for name, path in roles.items() if path is None]
    print("\n" + json.dumps(missing))
    return 0


if __name__ == "__main__":
    sys.exit(main())
