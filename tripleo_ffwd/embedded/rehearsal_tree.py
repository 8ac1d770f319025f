"""Generated playbooks as a rehearsal runs them: the same playbooks, with stand-ins beside them; no I/O."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import tripleo_ffwd
from tripleo_ffwd.playbook_gen import manifest as manifests
from tripleo_ffwd.playbook_gen.tree import PlaybookTree
from tripleo_ffwd.playbook_gen.yaml_loading import load_yaml

CONNECTION = "ffwd_stand_in"
INVENTORY = "inventory.yaml"
_CALLBACK = '''"""Makes this playbook a rehearsal: without it nothing may run."""

import sys

ROOT = {root!r}
sys.path.append(ROOT)
try:
    from tripleo_ffwd.embedded import rehearsal_inside

    CallbackModule = rehearsal_inside.install({settings})
except Exception as error:
    print(f"ERROR! the stand-ins can't be put in place: {{error}}", file=sys.stderr)
    raise SystemExit(75) from error
finally:
    sys.path.remove(ROOT)

DOCUMENTATION = """
    name: ffwd_rehearsal
    type: notification
    short_description: puts stand-ins in the place of modules
    description: Part of tripleo-ffwd.
"""
'''
_CONNECTION = '''"""Reaches nothing: a rehearsal has no nodes."""

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
    name: ffwd_stand_in
    short_description: reaches nothing
    description: Part of tripleo-ffwd.
    options: {}
"""


class Connection(ConnectionBase):
    transport = "ffwd_stand_in"
    has_pipelining = False

    def _connect(self):
        raise AnsibleConnectionFailure("a rehearsal reaches no node")

    def exec_command(self, cmd, in_data=None, sudoable=True):
        self._connect()

    def put_file(self, in_path, out_path):
        self._connect()

    def fetch_file(self, in_path, out_path):
        self._connect()

    def reset(self):
        pass

    def close(self):
        pass
'''
_MODULE = '"""Stands in for a module that Ansible does not find."""\n'
_STRATEGY = '''"""Stands in for a strategy that Ansible does not find."""

from ansible.plugins.strategy.{base} import StrategyModule as Base


class StrategyModule(Base):
    pass
'''
_BECOME = '''"""Stands in for a become method that Ansible does not find."""

from ansible.plugins.become.sudo import DOCUMENTATION, BecomeModule as Base


class BecomeModule(Base):
    name = {name!r}
'''
_LOOKUP = '''"""Stands in for a lookup that Ansible does not find."""

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **named):
        return ["1" for _ in terms]
'''
_FILTERS = '''"""Stands in for filters that Ansible does not find: a value stays as it is."""


def same(value, *given, **named):
    return value


class FilterModule:
    def filters(self):
        return dict.fromkeys({names!r}, same)
'''
_TESTS = '''"""Stands in for tests that Ansible does not find: everything passes."""


def passes(value, *given, **named):
    return True


class TestModule:
    def tests(self):
        return dict.fromkeys({names!r}, passes)
'''
_WORDS = {"filter": _FILTERS, "test": _TESTS}


def hosts_by_role(tree: PlaybookTree) -> dict[str, tuple[str, ...]]:
    """Return the hosts of each role, as the tree's inventory has them."""
    children = _inventory(tree)["all"].get("children", {})
    roles = tree.manifest["roles"]
    return {role: tuple((children.get(role) or {}).get("hosts") or ()) for role in roles}


def rehearsed(tree: PlaybookTree, records: Path, owner: tuple[int, int], missing: Collection[str]) -> PlaybookTree:
    """Return a tree as a rehearsal runs it.

    Args:
        tree: as it was generated.
        records: the file that stand-ins write to.
        owner: pid and start of the process without which nothing is to go on.
        missing: the modules, roles and plugins of the tree's manifest that Ansible does not find.
    """
    inventory = _inventory(tree)
    addresses: dict[str, str] = {}
    _disconnect(inventory, addresses)
    bootstrap = {host: hosts[0] for hosts in hosts_by_role(tree).values() for host in hosts}
    settings = {"records": str(records), "bootstrap": bootstrap, "addresses": addresses, "owner": list(owner)}
    root = str(Path(tripleo_ffwd.__file__).parents[1])
    nowhere = json.dumps({"ansible_connection": CONNECTION}) + "\n"
    files = {
        **dict(tree.files),
        INVENTORY: json.dumps(inventory, indent=1) + "\n",
        "callback_plugins/ffwd_rehearsal.py": _CALLBACK.format(root=root, settings=repr(settings)),
        f"connection_plugins/{CONNECTION}.py": _CONNECTION,
        **stand_ins(missing, tree),
    }
    files.setdefault("host_vars/localhost.yaml", nowhere)
    ordered = tuple(sorted(files.items()))
    digest, hashes = manifests.digest_of(ordered)
    # What is missing has stand-ins, and all else has been found: nobody needs to look again.
    changed = {"digest": digest, "files": list(hashes), "modules": {}, "missing_modules": []}
    return PlaybookTree(ordered, {**tree.manifest, **changed})


def stand_ins(missing: Collection[str], tree: PlaybookTree) -> dict[str, str]:
    """Return files that make Ansible find what it does not: path → text."""
    files: dict[str, str] = {}
    words: dict[tuple[str, str], list[str]] = {}
    for name in sorted(missing):
        kind, _, plugin = name.partition(" ")
        if not plugin:
            files |= _module(name, tree.manifest["modules"])
        elif kind == "role":
            files |= _role(plugin, (text for path, text in tree.files if path.endswith(".yaml")))
        elif kind in _WORDS:
            collection, _, plain = plugin.rpartition(".")
            words.setdefault((kind, collection), []).append(plain)
        elif kind == "strategy":
            files[f"strategy_plugins/{plugin}.py"] = _STRATEGY.format(base="free" if "free" in plugin else "linear")
        elif kind == "become":
            files[f"become_plugins/{plugin}.py"] = _BECOME.format(name=plugin)
        elif kind == "lookup":
            files[f"lookup_plugins/{plugin}.py"] = _LOOKUP
    for (kind, collection), names in words.items():
        place = f"{_collection(collection)}/plugins/{kind}" if collection else f"{kind}_plugins"
        files[f"{place}/ffwd_stand_ins.py"] = _WORDS[kind].format(names=names)
    return files


def _module(name: str, used: Iterable[str]) -> dict[str, str]:
    """Return a module of that name; a collection is found in one place only, so that it has all that is used of it."""
    collection, _, plain = name.rpartition(".")
    if not collection:
        return {f"library/{plain}.py": _MODULE}
    modules = [module for module in used if module.rpartition(".")[0] == collection]
    root = f"{_collection(collection)}/plugins/modules"
    return {f"{root}/{module.rpartition('.')[2]}.py": _MODULE for module in (*modules, name)}


def _collection(name: str) -> str:
    return f"collections/ansible_collections/{name.replace('.', '/')}"


def _role(name: str, texts: Iterable[str]) -> dict[str, str]:
    """Return an empty role, with all files that anything may ask a role for."""
    names = {"main"}
    for text in texts:
        if "tasks_from" in text:
            lines = (line.partition("tasks_from:") for line in text.splitlines())
            names |= {rest.strip().strip("'\"").partition(".")[0] for _, found, rest in lines if found}
    return {f"roles/{name}/tasks/{file}.yml": "[]\n" for file in names if file.replace("-", "_").isidentifier()}


def _inventory(tree: PlaybookTree) -> dict[str, Any]:
    data = load_yaml(dict(tree.files)[INVENTORY], INVENTORY)
    return data if isinstance(data, dict) else {}


def _disconnect(group: Any, addresses: dict[str, str]) -> None:
    """Have every host of an inventory reached by the stand-in; collect the addresses."""
    if not isinstance(group, dict):
        return
    for key, value in group.items():
        if key == "hosts" and isinstance(value, dict):
            for host, given in value.items():
                variables = {**(given or {}), "ansible_connection": CONNECTION}
                value[host] = variables
                if variables.get("ansible_host"):
                    addresses[host] = str(variables["ansible_host"])
        elif key != "vars":
            _disconnect(value, addresses)
