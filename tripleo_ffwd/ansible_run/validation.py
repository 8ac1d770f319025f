"""Whether a run can be as its spec says, before anything is made or started; starts nothing but a look at modules."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tripleo_ffwd.ansible_run import inventories, keys, pace
from tripleo_ffwd.ansible_run.command import require_ansible, unreadable_directory
from tripleo_ffwd.ansible_run.modules import NAME, require_modules
from tripleo_ffwd.ansible_run.tree import Tree, load, verify
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import RunSpec

TAG = re.compile(r"\w[\w.:-]*")
# Each of them would leave out the gates between the stages, or everything but them.
GATE_TAGS = frozenset({"always", "tagged", "all"})
# With one of them a run would work on other hosts than it says.
CONNECTION = frozenset({"ansible_host", "ansible_ssh_host", "ansible_connection", "inventory_hostname"})


def validate(spec: RunSpec) -> None:
    """Check all that can be checked before a run.

    Raises:
        InvalidInput: the run can't be as its spec says; nothing was made.
        ConfigurationError: there is no Ansible to run.
    """
    require_ansible()
    _check_files(spec)
    _check_ssh(spec)
    _check_directories(spec)
    _check_tags(spec)
    _check_become(spec)
    pace.check(spec)
    tree = load(Path(spec.tree))
    _check_tree(spec, tree)
    check_variables(spec, tree)
    inventories.check(spec, tree)
    require_modules(spec, tree)


def _check_files(spec: RunSpec) -> None:
    for name, value in (
        ("ssh_key_file", spec.ssh_key_file),
        ("known_hosts_file", spec.known_hosts_file),
        ("extra_vars_file", spec.extra_vars_file),
        ("inventory_file", spec.inventory_file),
    ):
        if value and not Path(value).is_absolute():
            raise InvalidInput(
                f"{name} {value} is no absolute path",
                remedy="Give the whole path, as it is where Mistral's executor runs",
            )
        if value and not (Path(value).is_file() and os.access(value, os.R_OK)):
            raise InvalidInput(f"{name} {value} can't be read by this user", remedy="Check its path, owner and mode")
    if spec.ssh_key_file:
        info = Path(spec.ssh_key_file).stat()
        if info.st_uid == os.getuid() and stat.S_IMODE(info.st_mode) & 0o077:
            raise InvalidInput(
                f"ssh_key_file {spec.ssh_key_file} is open to others: ssh refuses it",
                remedy=f"chmod 600 {spec.ssh_key_file}",
            )
        keys.check_file(spec.ssh_key_file)


def _check_ssh(spec: RunSpec) -> None:
    try:
        shlex.split(spec.ssh_extra_args)
    except ValueError as error:
        raise InvalidInput(
            f"ssh_extra_args can't be split into words: {error}",
            where="[ffwd] ssh_extra_args",
            remedy="Quote it as for a shell",
        ) from error


def _check_directories(spec: RunSpec) -> None:
    for name in ("ansible_library", "ansible_roles_path", "ansible_collections_path"):
        wrong = unreadable_directory(getattr(spec, name))
        if wrong is not None:
            raise InvalidInput(
                f"{name}: {wrong} is not a directory that can be read",
                remedy=f"Correct {name} in [ffwd], or make the directory",
            )


def _check_tags(spec: RunSpec) -> None:
    for name, value in (("tags", spec.tags), ("skip_tags", spec.skip_tags)):
        words = [word.strip() for word in value.split(",")] if value else []
        wrong = next((word for word in words if not TAG.fullmatch(word)), None)
        if wrong is not None:
            raise InvalidInput(
                f"{name} {value!r} is no list of words separated by commas", remedy="Give tags as in one,two"
            )
        gates = sorted(GATE_TAGS.intersection(words)) if name == "skip_tags" else []
        if gates:
            raise InvalidInput(
                f"skip_tags {gates[0]} is refused: the gates, which keep a stage from beginning before the one before "
                "it is finished everywhere, would be left out, or all but them",
                remedy="Name the tags of the tasks that you want to leave out",
            )


def _check_become(spec: RunSpec) -> None:
    if spec.become_method and not NAME.fullmatch(spec.become_method):
        raise InvalidInput(
            f"become_method {spec.become_method!r} is no name of a plugin", remedy="Give one, such as sudo"
        )
    if any(character.isspace() or not character.isprintable() for character in spec.become_user):
        raise InvalidInput(f"become_user {spec.become_user!r} is no name of a user", remedy="Give one, such as root")


def _check_tree(spec: RunSpec, tree: Tree) -> None:
    if tree.digest != spec.digest:
        raise InvalidInput(
            f"the playbooks' digest is {tree.digest}, not {spec.digest}", where=spec.tree, remedy="Generate them again"
        )
    if Path(spec.playbook).name != spec.playbook or not (tree.path / spec.playbook).is_file():
        raise InvalidInput(f"there is no playbook {spec.playbook}", where=spec.tree)
    if spec.playbook in tree.missing:
        raise InvalidInput(
            f"{spec.playbook} can't be started: {tree.missing[spec.playbook]}",
            where=spec.tree,
            remedy="Query the outputs with what is missing and generate the playbooks again",
        )
    unknown = sorted(set(spec.targets) - tree.hosts)
    if unknown:
        raise InvalidInput(f"the inventory has no host {', '.join(unknown)}", where=spec.tree, unknown=unknown)
    verify(tree)


def check_variables(spec: RunSpec, tree: Tree) -> None:
    """Refuse variables that a run can't be given.

    Raises:
        InvalidInput: names them, or the file that can't be read.
    """
    _check_names(spec.extra_vars, tree, "extra_vars")
    if spec.extra_vars_file:
        _check_names(read_variables(spec.extra_vars_file), tree, spec.extra_vars_file)


def read_variables(path: str) -> Mapping[str, Any]:
    """Return the variables in a file; what can't be looked into can't be let through.

    Raises:
        InvalidInput: it can't be read, or is no mapping in plain YAML or JSON.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        data = None if text.startswith("$ANSIBLE_VAULT") else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        # Its text may quote a secret: only the kind of the error is told.
        raise InvalidInput(
            f"extra_vars_file {path} is no plain YAML or JSON ({type(error).__name__})",
            remedy="Give a mapping of variables, without vault or other tags",
        ) from None
    if text.startswith("$ANSIBLE_VAULT"):
        raise InvalidInput(
            f"extra_vars_file {path} is an Ansible vault, which a run has no password for",
            remedy="Give it decrypted, with mode 0600, owned by the user that Mistral's executor runs as",
        )
    if data is not None and not isinstance(data, dict):
        raise InvalidInput(f"extra_vars_file {path} is no mapping", remedy="Give a YAML or JSON mapping of variables")
    return data or {}


def _check_names(names: Iterable[Any], tree: Tree, where: str) -> None:
    given = {str(name) for name in names}
    folded = sorted(given & tree.folded)
    if folded:
        raise InvalidInput(
            f"{', '.join(folded)} can't be given: the playbooks were generated for fixed values of it, with another "
            "one their tasks would be left out without a word",
            where=where,
            remedy="Leave it out; to change it, change the plan and generate the playbooks again",
            refused=folded,
        )
    connection = sorted(given & CONNECTION)
    if connection:
        raise InvalidInput(
            f"{', '.join(connection)} can't be given: every host would be reached as the same one",
            where=where,
            remedy="Leave it out; the inventory says how each host is reached",
            refused=connection,
        )
