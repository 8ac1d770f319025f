"""Reading a tree of generated playbooks: its manifest and the hosts of its inventory; imports no playbook_gen."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import NOTHING_LEFT, UNSELECTED_GROUP, RunSpec

INVENTORY = "inventory.yaml"
MANIFEST = "manifest.json"
REGENERATE = "Generate the playbooks again"
# What the generator always gives fixed values, for a manifest that does not say what it did.
FOLDED = ("step", "release", "tripleo_role_name")


@dataclasses.dataclass(frozen=True)
class StagePlan:
    """What a run needs of a stage: its id, the hosts that must finish it, how many tasks it has, and its role."""

    id: str
    hosts: tuple[str, ...]
    tasks: int
    role: str = ""


@dataclasses.dataclass(frozen=True)
class Tree:
    """A tree of generated playbooks.

    Attributes:
        path: its directory.
        digest: as in the manifest.
        stages: by playbook, in order.
        missing: what is missing, by playbook; such a playbook can't be started.
        hosts: every host of the inventory.
        overcloud: the hosts that a run may leave out.
        files: sha256 by path, of every file but the manifest.
        folded: variables that the playbooks were generated for fixed values of.
        rolling: roles that the control plane does not stand on.
        modules: names of the modules, roles as ``role NAME``, plugins as ``strategy NAME``, ``filter NAME`` and so on.
        releases: those of the journey after the first one, in order.
    """

    path: Path
    digest: str
    stages: Mapping[str, tuple[StagePlan, ...]]
    missing: Mapping[str, str]
    hosts: frozenset[str]
    overcloud: frozenset[str]
    files: Mapping[str, str]
    folded: frozenset[str]
    rolling: frozenset[str]
    modules: frozenset[str]
    releases: tuple[str, ...] = ()

    def unselected(self, targets: tuple[str, ...]) -> tuple[str, ...]:
        """Return the hosts that a run on `targets` leaves out, sorted; none when there are no targets."""
        return tuple(sorted(self.overcloud - set(targets))) if targets else ()

    def required(self, spec: RunSpec) -> tuple[StagePlan, ...]:
        """Return the stages of the spec's playbook, each with the hosts that must finish it in this run."""
        left_out = set(self.unselected(spec.targets))
        return tuple(
            dataclasses.replace(stage, hosts=tuple(host for host in stage.hosts if host not in left_out))
            for stage in self.stages.get(spec.playbook, ())
        )

    def done_before(self, spec: RunSpec) -> frozenset[str]:
        """Return the stages that were finished before a run that goes on where another has stopped."""
        names = [stage.id for stage in self.stages.get(spec.playbook, ())]
        if spec.first_stage == NOTHING_LEFT:
            return frozenset(names)
        return frozenset(names[: names.index(spec.first_stage)] if spec.first_stage in names else ())


def load(path: Path) -> Tree:
    """Read a tree.

    Raises:
        InvalidInput: the tree, its manifest or its inventory is missing or can't be understood.
    """
    manifest = _load_manifest(path / MANIFEST)
    groups = _load_groups(path / INVENTORY)
    hosts = frozenset().union(*(_members(groups, name) for name in groups))
    overcloud = _members(groups, "overcloud") if "overcloud" in groups else hosts - _members(groups, "undercloud")
    stages: dict[str, list[StagePlan]] = {}
    try:
        for entry in manifest.get("stages", ()):
            tasks, role = int(entry.get("tasks") or 0), str(entry.get("role") or "")
            stage = StagePlan(str(entry["id"]), tuple(entry["hosts"]), tasks, role)
            stages.setdefault(str(entry["playbook"]), []).append(stage)
        files = {str(entry["path"]): str(entry["sha256"]) for entry in manifest.get("files", ())}
        folded = frozenset(map(str, manifest.get("folded", FOLDED)))
        rolling = frozenset(map(str, manifest.get("rolling", ())))
        modules = frozenset(map(str, manifest.get("modules", ())))
        releases = tuple(map(str, manifest.get("releases", ())))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("the manifest can't be understood", where=str(path / MANIFEST), remedy=REGENERATE) from error
    return Tree(
        path=path,
        digest=str(manifest.get("digest", "")),
        stages={name: tuple(entries) for name, entries in stages.items()},
        missing=_missing(manifest.get("missing_inputs")),
        hosts=hosts,
        overcloud=frozenset(overcloud),
        files=files,
        folded=folded,
        rolling=rolling,
        modules=modules,
        releases=releases,
    )


def verify(tree: Tree) -> None:
    """Check that a tree holds the very files that its manifest names, and nothing else that Ansible might pick up.

    Raises:
        InvalidInput: a file was changed, added or removed, or can't be read.
    """
    try:
        found = set(_walk(tree.path)) - {MANIFEST}
        for name in sorted(found ^ set(tree.files)):
            what = "is not one of the generated files" if name in found else "is missing"
            raise InvalidInput(f"{name} {what}", where=str(tree.path), remedy=REGENERATE)
        for name, digest in tree.files.items():
            if hashlib.sha256((tree.path / name).read_bytes()).hexdigest() != digest:
                raise InvalidInput(
                    f"{name} was changed after it was generated", where=str(tree.path), remedy=REGENERATE
                )
    except OSError as error:
        raise InvalidInput(
            f"the generated files can't be read: {error.strerror}", where=str(error.filename), remedy=REGENERATE
        ) from error


def _walk(root: Path) -> Iterator[str]:
    """Yield the paths of all that is no directory, and of links to directories, within `root`."""

    def fail(error: OSError) -> None:
        raise error

    for directory, directories, names in os.walk(root, onerror=fail):
        here = Path(directory)
        links = [name for name in directories if (here / name).is_symlink()]
        for name in (*names, *links):
            yield str((here / name).relative_to(root))


def _load_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(
            f"there is no tree of generated playbooks: {error.strerror}", where=str(path), remedy=REGENERATE
        ) from error
    except ValueError as error:
        raise InvalidInput("the manifest is no JSON", where=str(path), remedy=REGENERATE) from error
    if not isinstance(manifest, dict):
        raise InvalidInput("the manifest is no mapping", where=str(path), remedy=REGENERATE)
    return manifest


def _missing(entries: Any) -> dict[str, str]:
    """Return what is missing by playbook; entries are ``{playbook, what}``, or just text without a playbook."""
    found: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("playbook"):
            text = str(entry.get("what") or "an input is missing")
            known = found.get(str(entry["playbook"]))
            found[str(entry["playbook"])] = f"{known}; {text}" if known else text
    return found


def _load_groups(path: Path) -> dict[str, tuple[set[str], set[str]]]:
    """Return ``{group: (hosts, child groups)}`` of a YAML inventory."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except OSError as error:
        raise InvalidInput(
            f"the inventory can't be read: {error.strerror}", where=str(path), remedy=REGENERATE
        ) from error
    except yaml.YAMLError as error:
        raise InvalidInput("the inventory is no YAML", where=str(path), remedy=REGENERATE) from error
    groups: dict[str, tuple[set[str], set[str]]] = {}
    pending: list[tuple[str, Any]] = list(data.items()) if isinstance(data, dict) else []
    while pending:
        name, body = pending.pop()
        hosts, children = groups.setdefault(str(name), (set(), set()))
        if not isinstance(body, dict):
            continue
        hosts.update(str(host) for host in body.get("hosts") or ())
        for child, child_body in (body.get("children") or {}).items():
            children.add(str(child))
            pending.append((child, child_body))
    groups.pop(UNSELECTED_GROUP, None)
    return groups


def _members(groups: Mapping[str, tuple[set[str], set[str]]], name: str) -> frozenset[str]:
    seen: set[str] = set()
    found: set[str] = set()
    pending = [name]
    while pending:
        group = pending.pop()
        if group in seen or group not in groups:
            continue
        seen.add(group)
        hosts, children = groups[group]
        found |= hosts
        pending.extend(children)
    return frozenset(found)
