"""An inventory of the caller's own: kept as it came, looked at by Ansible itself, compared with the playbooks' hosts.

It is used beside the one of the generated tree, whose groups the playbooks are for: what it says of a host or a group
goes before what that says. It holds tokens and passwords: the file is for its owner alone, and no message quotes it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import connections
from tripleo_ffwd.ansible_run.command import clean_environment, require_ansible
from tripleo_ffwd.ansible_run.redaction import read_settings
from tripleo_ffwd.ansible_run.tree import Tree
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.files import make_private_dir, read_json, write_atomic, write_json
from tripleo_ffwd.model import RunSpec
from tripleo_ffwd.redaction import values

DIRECTORY = "inventories"
TIMEOUT = 60
# Seconds for which an inventory that nobody gives again is kept: a run may be gone on with for so long.
KEPT = 30 * 86400
# Hosts that an inventory may have besides the overcloud's nodes.
OTHERS = frozenset({"undercloud", "localhost"})


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What Ansible finds in an inventory.

    Attributes:
        hosts: names of its hosts.
        groups: names of the hosts of each group, also of those below it.
        plan: name of the plan that it was made for, as TripleO's inventories say it of the undercloud; or empty.
        ways: by host, the variables that say how it is reached, passwords among them.
        secrets: values in it that no log may show and that only Ansible finds; those of a YAML file stay there.
    """

    hosts: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    plan: str = ""
    ways: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    secrets: tuple[str, ...] = ()


def store(work_dir: Path, text: str) -> Path:
    """Keep an inventory as it came, in whatever form Ansible reads, and return its path; again gives the same path.

    Raises:
        InvalidInput: Ansible can't read it, or it has no hosts.
        ConfigurationError: there is no Ansible.
        WriteRefused: work_dir can't be written.
    """
    return keep(work_dir, text, _listed)


def keep(work_dir: Path, text: str, look_at: Any = None) -> Path:
    """Keep a text of the caller's in a file for its owner alone, by its content; those of long ago are removed.

    Args:
        work_dir: of [ffwd].
        text: the content.
        look_at: makes of the file what is kept beside it; nothing by default.
    """
    directory = make_private_dir(work_dir.resolve() / DIRECTORY)
    _prune(directory)
    data = text.encode()
    # No suffix: Ansible then tries one form after the other.
    path = directory / hashlib.sha256(data).hexdigest()
    if path.is_file():
        path.touch()
        return path
    if look_at is not None:
        with tempfile.TemporaryDirectory(dir=directory) as scratch:
            tried = Path(scratch) / "inventory"
            write_atomic(tried, data)
            seen = look_at(tried)
            hidden = tuple(sorted(set(seen.secrets) - set(values("", read_settings(tried)))))
            write_json(_beside(path), dataclasses.asdict(dataclasses.replace(seen, secrets=hidden)))
    write_atomic(path, data)
    return path


def look(path: Path) -> Inventory:
    """Return what was found in a stored inventory.

    Raises:
        InvalidInput: it is not one that `store` has kept.
    """
    found = read_json(_beside(path))
    if not isinstance(found, dict) or not path.is_file():
        raise InvalidInput("There is no such inventory", where=str(path), remedy="Give its text again")
    groups = {name: tuple(hosts) for name, hosts in found["groups"].items()}
    return Inventory(
        tuple(found["hosts"]), groups, found["plan"], found.get("ways", {}), tuple(found.get("secrets", ()))
    )


def secrets(path: str) -> set[str]:
    """Return the values in an inventory that no log may show; none for an empty path."""
    return {*values("", read_settings(Path(path))), *look(Path(path)).secrets} if path else set()


def check(spec: RunSpec, tree: Tree) -> None:
    """Refuse an inventory that lacks a host of the run, or has one that the playbooks were not generated for.

    Raises:
        InvalidInput: names the hosts.
    """
    if not spec.inventory_file:
        return
    hosts = set(look(Path(spec.inventory_file)).hosts)
    for what, found in (
        ("lacks", (set(spec.targets) or set(tree.overcloud)) - hosts),
        ("has what is no node of the overcloud:", hosts - set(tree.hosts) - OTHERS),
    ):
        if found:
            raise InvalidInput(
                f"The inventory that was given {what} {', '.join(sorted(found))}",
                remedy="Make it anew from the stack, or leave it out: the generated one has every node",
            )


def _listed(path: Path) -> Inventory:
    require_ansible()
    settings = path.with_name("ansible.cfg")
    settings.touch(mode=0o600)
    environment = {
        **clean_environment(""),
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_LOCAL_TEMP": str(path.parent),
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS": "ignore",
        "ANSIBLE_NOCOLOR": "1",
    }
    words = ["ansible-inventory", "-i", str(path), "--list"]
    try:
        done = subprocess.run(words, env=environment, capture_output=True, timeout=TIMEOUT, cwd=path.parent)
        listed = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        listed = None
    found = _of_listing(listed) if isinstance(listed, dict) else None
    if found is None or not found.hosts:
        # Ansible's own words would quote it.
        raise InvalidInput(
            "The inventory that was given can't be read by Ansible, or has no hosts",
            remedy="See what `ansible-inventory -i FILE --list` says of it",
        )
    return found


def _of_listing(listed: Mapping[str, Any]) -> Inventory:
    hostvars = listed.get("_meta", {}).get("hostvars", {})
    plans = {str(known["plan"]) for known in hostvars.values() if known.get("plan")}
    names = [name for name in listed if name != "_meta"]
    groups = {name: tuple(sorted(_members(listed, name, ()))) for name in names}
    hosts = sorted({*hostvars, *(host for members in groups.values() for host in members)})
    ways = {
        host: {name: known[name] for name in connections.VARIABLES if name in known} for host, known in hostvars.items()
    }
    plan = plans.pop() if len(plans) == 1 else ""
    return Inventory(tuple(hosts), groups, plan, ways, tuple(values("", listed)))


def _members(listed: Mapping[str, Any], group: str, above: tuple[str, ...]) -> set[str]:
    entry = listed.get(group) or {}
    below = [name for name in entry.get("children", ()) if name not in (*above, group)]
    return set(entry.get("hosts", ())).union(*(_members(listed, name, (*above, group)) for name in below))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.hosts.json")


def _prune(directory: Path) -> None:
    oldest = time.time() - KEPT
    for path in directory.glob("[0-9a-f]*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and path.suffix == "" and path.stat().st_mtime < oldest:
                path.unlink()
                _beside(path).unlink(missing_ok=True)
