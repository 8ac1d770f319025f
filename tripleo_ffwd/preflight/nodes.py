"""The nodes that are looked at: from the inventory of generated playbooks, with ssh as runs use it."""

from __future__ import annotations

import dataclasses
import json
import os
import pwd
import shlex
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from tripleo_ffwd.ansible_run import command, connections, inventories, validation
from tripleo_ffwd.ansible_run.connections import Way
from tripleo_ffwd.ansible_run.tree import INVENTORY, REGENERATE
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import RunSpec

OVERCLOUD = "overcloud"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# No connection is kept or taken from others, nobody is asked; before ours, as ssh takes what it is given first.
_OURS = ("ControlMaster=no", "ControlPath=none", "BatchMode=yes", "ConnectionAttempts=1")


@dataclasses.dataclass(frozen=True)
class Node:
    """A node that is looked at.

    Attributes:
        name, role: as in the inventory.
        control: whether it is one of the control plane.
        way: how it is reached, and who becomes root there how.
        command: what runs a script there that it reads.
    """

    name: str
    role: str
    control: bool
    way: Way
    command: tuple[str, ...]


def read(
    tree: Path,
    targets: Collection[str],
    rolling: Collection[str],
    spec: RunSpec,
    private: Path,
    seconds: float = inventories.TIMEOUT,
) -> tuple[Node, ...]:
    """Return the overcloud's nodes in the inventory of a tree.

    Args:
        tree: directory of generated playbooks.
        targets: names of the nodes that are meant; empty for all.
        rolling: the roles that the control plane does not stand on.
        spec: how a run would reach them.
        private: a directory for what Ansible is given to read.
        seconds: that Ansible may take.

    Raises:
        InvalidInput: an inventory, or the file of the run's variables, can't be read.
        ConfigurationError: an inventory is given, and there is no Ansible that reads it.
    """
    path = tree / INVENTORY
    try:
        children = _load(path)["all"]["children"]
        common = {**_variables(tree / "group_vars" / f"{OVERCLOUD}.yaml"), **(children[OVERCLOUD].get("vars") or {})}
        merged = _merged(tree, Path(spec.inventory_file), private, seconds) if spec.inventory_file else None
        given = variables(spec)
        found = []
        for role in children[OVERCLOUD]["children"]:
            ours = {**common, **_variables(tree / "group_vars" / f"{role}.yaml"), **(children[role].get("vars") or {})}
            for name, here in (children[role].get("hosts") or {}).items():
                if not targets or name in targets:
                    if merged is None:
                        known = {**ours, **(here or {}), **_variables(tree / "host_vars" / f"{name}.yaml")}
                    else:
                        known = {**merged.get(name, {})}
                    found.append(_node(name, role, role not in rolling, {**known, **given}, spec))
    except (KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise InvalidInput("the inventory can't be understood", where=str(path), remedy=REGENERATE) from error
    except OSError as error:
        raise InvalidInput(
            f"the inventory can't be read: {error.strerror}", where=str(path), remedy=REGENERATE
        ) from error
    return tuple(found)


def _merged(tree: Path, given: Path, private: Path, seconds: float) -> Mapping[str, Mapping[str, Any]]:
    """Return the variables of hosts as Ansible takes them from the inventory of a tree and another beside it.

    Ansible lists all variables of a group once for each of its hosts: it is given those about connections alone.
    """
    with tempfile.TemporaryDirectory(dir=private) as scratch:
        ours = Path(scratch) / INVENTORY
        shutil.copyfile(tree / INVENTORY, ours)
        for directory in ("group_vars", "host_vars"):
            (ours.parent / directory).mkdir()
            for path in (tree / directory).glob("*.yaml"):
                if known := _variables(path):
                    (ours.parent / directory / path.name).write_text(json.dumps(known, default=str), encoding="utf-8")
        return inventories.hostvars([ours, given], Path(scratch), seconds)


def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)


def _variables(path: Path) -> Mapping[str, Any]:
    """Return the variables of a file that are about connections; of most files there are none, and none is parsed."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    found = yaml.load(text, Loader=_LOADER) if "ansible_" in text else {}
    return {key: value for key, value in (found or {}).items() if str(key).startswith("ansible_")}


def variables(spec: RunSpec) -> Mapping[str, Any]:
    """Return the variables that a run is given, which go before those of inventories; a file's go before all.

    Raises:
        InvalidInput: the file can't be read.
    """
    return {**spec.extra_vars, **(validation.read_variables(spec.extra_vars_file) if spec.extra_vars_file else {})}


def _node(name: str, role: str, control: bool, known: Mapping[str, Any], spec: RunSpec) -> Node:
    way = connections.way(name, known, spec, pwd.getpwuid(os.geteuid()).pw_name)
    return Node(name, role, control, way, ("sh", "-s") if way.local else _ssh(way, spec))


def _ssh(way: Way, spec: RunSpec) -> tuple[str, ...]:
    words = ["ssh", "-T"]
    for option in (*_OURS, f"ConnectTimeout={spec.connect_timeout}"):
        words += ["-o", option]
    words += shlex.split(command.ssh_args(spec)) if way.ssh_args is None else way.ssh_args
    # Ansible adds it to whatever options it has.
    words += [] if spec.host_key_checking else ["-o", "StrictHostKeyChecking=no"]
    for option, value in (("-i", way.key_file), ("-p", way.port), ("-l", way.user)):
        words += [option, value] if value else []
    return (*words, *way.more_args, "--", way.address, "sh -s")
