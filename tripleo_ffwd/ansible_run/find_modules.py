"""A process that says which modules and roles Ansible can't find: ``python -m tripleo_ffwd.ansible_run.find_modules``.

It reads ``{"modules": [names], "roles": [names]}`` from stdin, with Ansible's settings in its environment, and ends
its output with a line of the same shape: those that can't be found. A process of its own, because Ansible reads its
settings once and changes the import system of whatever loads it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def _role_path(name: str) -> Path | None:
    from ansible import constants

    if name.count(".") >= 2:
        from ansible.utils.collection_loader._collection_finder import _get_collection_role_path

        found = _get_collection_role_path(name)
        return Path(found[1]) if found else None
    if Path(name).is_absolute():
        return Path(name) if Path(name).is_dir() else None
    return next((path for base in constants.DEFAULT_ROLES_PATH if (path := Path(base) / name).is_dir()), None)


def main() -> int:
    """Answer one question; return 0."""
    from ansible.plugins.loader import action_loader, init_plugin_loader, module_loader

    init_plugin_loader()
    asked = json.load(sys.stdin)
    roles = {name: _role_path(name) for name in asked["roles"]}
    for path in roles.values():
        if path is not None:  # a role brings modules of its own
            for loader, directory in ((module_loader, "library"), (action_loader, "action_plugins")):
                if (path / directory).is_dir():
                    loader.add_directory(str(path / directory))
    loaders = (module_loader, action_loader)
    modules = [
        name
        for name in asked["modules"]
        if not any(loader.find_plugin_with_context(name).resolved for loader in loaders)
    ]
    missing = {"modules": modules, "roles": [name for name, path in roles.items() if path is None]}
    print("\n" + json.dumps(missing))
    return 0


if __name__ == "__main__":
    sys.exit(main())
