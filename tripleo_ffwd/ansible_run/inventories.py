"""An inventory of the caller's own: kept as it came, looked at by Ansible itself, compared with the playbooks' hosts.

It is used beside the one of the generated tree, whose groups the playbooks are for: what it says of a host or a group
goes before what that says of the same, but for files of variables. It holds tokens and passwords: the file is for its
owner alone, and no message quotes it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
# What TripleO's inventory has anew each time that it is made, and where the caller has put a key.
FLEETING = frozenset({"os_auth_token", "ansible_ssh_private_key_file", "ansible_private_key_file"})
MOST_NAMED = 5
DIGEST_LENGTH = 16


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What Ansible finds in an inventory.

    Attributes:
        hosts: names of its hosts.
        groups: names of the hosts of each group, also of those below it.
        plan: name of the plan that it was made for, as TripleO's inventories say it of the undercloud; or empty.
        secrets: values in it that no log may show and that only Ansible finds; those of a YAML file stay there.
        variables: a digest of each variable of each host, but for those that differ each time it is made.
    """

    hosts: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    plan: str = ""
    secrets: tuple[str, ...] = ()
    variables: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)


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
    # An older release has not kept as much of what it saw.
    if path.is_file() and (look_at is None or "variables" in (read_json(_beside(path)) or {})):
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
    variables = found.get("variables", {})
    return Inventory(tuple(found["hosts"]), groups, found["plan"], tuple(found.get("secrets", ())), variables)


def changes(now: str, before: str) -> str:
    """Return in words what is otherwise in an inventory than in the one before it; empty when nothing is.

    Args:
        now: the path of a stored inventory, or empty for none.
        before: likewise; one that is not there any more can't be the same.
    """
    if now == before:
        return ""
    if not now or not before:
        return "an inventory of the caller's is given now" if now else "an inventory of the caller's was given then"
    try:
        ours, theirs = look(Path(now)), look(Path(before))
    except InvalidInput as error:
        return f"the inventory {error.where} is gone"
    groups = sorted(name for name in {*ours.groups, *theirs.groups} if ours.groups.get(name) != theirs.groups.get(name))
    found = [
        ("new hosts", sorted({*ours.hosts} - {*theirs.hosts})),
        ("hosts gone", sorted({*theirs.hosts} - {*ours.hosts})),
        ("other members of groups", groups),
        ("other variables of hosts", _other_variables(ours, theirs)),
    ]
    return "; ".join(f"{what} {_some(names)}" for what, names in found if names)


def _other_variables(ours: Inventory, theirs: Inventory) -> list[str]:
    found = []
    for host in sorted({*ours.hosts} & {*theirs.hosts}):
        one, other = ours.variables.get(host, {}), theirs.variables.get(host, {})
        names = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
        if names:
            found.append(f"{host} ({_some(names)})")
    return found


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


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


def hostvars(paths: Sequence[Path], scratch: Path, seconds: float = TIMEOUT) -> Mapping[str, Mapping[str, Any]]:
    """Return the variables of each host, as a run has them that is given these inventories in this order.

    Args:
        paths: the inventories.
        scratch: a private directory for Ansible's files.
        seconds: after which it is ended.

    Raises:
        InvalidInput: Ansible can't read them, or not in time.
        ConfigurationError: there is no Ansible.
    """
    listed = _listing(paths, scratch, seconds)
    if listed is None:
        raise InvalidInput(
            "The inventory that was given can't be read by Ansible together with that of the playbooks",
            where=str(paths[-1]),
            remedy="See what `ansible-inventory -i INVENTORY -i FILE --list` says of them",
        )
    found: Mapping[str, Mapping[str, Any]] = listed.get("_meta", {}).get("hostvars", {})
    return found


def _listed(path: Path) -> Inventory:
    listed = _listing([path], path.parent, TIMEOUT)
    found = _of_listing(listed) if listed is not None else None
    if found is None or not found.hosts:
        # Ansible's own words would quote it.
        raise InvalidInput(
            "The inventory that was given can't be read by Ansible, or has no hosts",
            remedy="See what `ansible-inventory -i FILE --list` says of it",
        )
    return found


def _listing(paths: Sequence[Path], scratch: Path, seconds: float) -> dict[str, Any] | None:
    """Return what Ansible makes of inventories; None when it can't read them."""
    require_ansible()
    settings = scratch / "ansible.cfg"
    settings.touch(mode=0o600)
    environment = {
        **clean_environment(""),
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_LOCAL_TEMP": str(scratch),
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS": "ignore",
        "ANSIBLE_NOCOLOR": "1",
    }
    words = ["ansible-inventory", *(word for path in paths for word in ("-i", str(path))), "--list"]
    try:
        done = subprocess.run(words, env=environment, capture_output=True, timeout=seconds, cwd=scratch)
        listed = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        listed = None
    return listed if isinstance(listed, dict) else None


def _of_listing(listed: Mapping[str, Any]) -> Inventory:
    theirs = listed.get("_meta", {}).get("hostvars", {})
    plans = {str(known["plan"]) for known in theirs.values() if known.get("plan")}
    names = [name for name in listed if name != "_meta"]
    groups = {name: tuple(sorted(_members(listed, name, ()))) for name in names}
    hosts = sorted({*theirs, *(host for members in groups.values() for host in members)})
    plan = plans.pop() if len(plans) == 1 else ""
    variables = {host: _digests(known) for host, known in theirs.items()}
    return Inventory(tuple(hosts), groups, plan, tuple(values("", listed)), variables)


def _digests(variables: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of each variable: one of a secret tells nobody more than the inventory that it lies beside."""
    texts = {name: json.dumps(value, sort_keys=True) for name, value in variables.items() if name not in FLEETING}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH] for name, text in texts.items()}


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
