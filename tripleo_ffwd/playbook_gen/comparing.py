"""Two generated trees compared by stage and task; imports model, reading, comparing_tasks and loading, no I/O."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Mapping
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import PHASE_PLAYBOOKS
from tripleo_ffwd.playbook_gen import comparing_tasks
from tripleo_ffwd.playbook_gen.loading import load_yaml
from tripleo_ffwd.playbook_gen.reading import StagePlay, TreeReader

# What of a manifest is compared as a whole; the rest is files and stages.
_FACTS = ("version", "releases", "roles", "bootstrap", "task_order")
_REGENERATE = "Generate the playbooks again"
_PHASES = {phase: frozenset(names) for phase, names in PHASE_PLAYBOOKS.items() if names}


@dataclasses.dataclass(frozen=True)
class Generated:
    """A generated tree: its manifest, and the texts of its files by path."""

    manifest: Mapping[str, Any]
    files: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class _Stage:
    stage: Mapping[str, Any]
    play: StagePlay


def compare(old: Generated, new: Generated) -> dict[str, Any]:
    """Return what differs between two trees, as JSON values.

    Of trees of different phases only what both have is compared: the playbooks that are in both, and the files. A point
    of no return is of a whole tree, and is not.

    Returns:
        ``{equal, phases, facts, hosts, stages, files}``. `phases`: None, or if they differ ``{old, new, playbooks}``:
        the phases whose playbooks a tree has, and the playbooks in both. `facts`: ``[{what, old, new}]`` of the
        manifest. `hosts`: ``{added, removed}``, of all stages. `stages`: ``[{playbook, stage, change, after, tasks,
        hosts, play, task_changes}]`` of those that differ, in the order of the new tree: `change` is ``added``,
        ``removed``, ``moved`` or ``changed``, `play` what differs in the play's keywords, `task_changes` what
        `comparing_tasks.compare` returns. `files`: ``[{path, change, keys}]`` of all other files, `keys` naming the
        variables that differ in a file of variables, never their values.

    Raises:
        InvalidInput: a tree's playbooks are not those that its manifest tells of.
    """
    first, second = _stages(old), _stages(new)
    phases = _phases(old, new)
    if phases is not None:
        playbooks = phases["playbooks"]
        first, second = ({name: found[name] for name in playbooks if name in found} for found in (first, second))
        both = old.files.keys() & new.files.keys()
        old, new = (_narrowed(tree, playbooks, both) for tree in (old, new))
    stages: list[dict[str, Any]] = []
    for playbook in dict.fromkeys([*first, *second]):
        stages += _compare_stages(playbook, first.get(playbook, {}), second.get(playbook, {}))
    facts = comparing_tasks.between(_facts(old.manifest), _facts(new.manifest))
    found = {
        "facts": facts,
        "hosts": _hosts(_all_hosts(first), _all_hosts(second)),
        "stages": stages,
        "files": _files(old, new, _files_of(first), _files_of(second), stages),
    }
    equal = not (phases or facts or stages or found["files"])
    return {"equal": equal, "phases": phases, **found}


def _phases(old: Generated, new: Generated) -> dict[str, list[str]] | None:
    before, after = ([phase for phase, names in _PHASES.items() if names <= tree.files.keys()] for tree in (old, new))
    if before == after:
        return None
    playbooks = dict.fromkeys(itertools.chain(*PHASE_PLAYBOOKS.values()))
    both = [name for name in playbooks if name in old.files and name in new.files]
    return {"old": before, "new": after, "playbooks": both}


def _narrowed(tree: Generated, playbooks: Collection[str], paths: Collection[str]) -> Generated:
    """Return a tree of some of its files, whose manifest tells only what is missing for some playbooks."""
    missing = [item for item in tree.manifest.get("missing_inputs") or [] if item["playbook"] in playbooks]
    manifest = {**tree.manifest, "missing_inputs": missing, "point_of_no_return": None}
    return Generated(manifest, {path: text for path, text in tree.files.items() if path in paths})


def _facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is compared as a whole, mappings as texts."""
    found = {what: manifest[what] for what in _FACTS if what in manifest}
    point = manifest.get("point_of_no_return")
    found["point_of_no_return"] = f"{point['playbook']}: {point['stage']}" if point else None
    found["missing_inputs"] = [f"{item['playbook']}: {item['what']}" for item in manifest.get("missing_inputs") or []]
    return found


def _stages(tree: Generated) -> dict[str, dict[str, _Stage]]:
    """Return the stages by playbook and id."""
    reader = TreeReader(tree.files.get)
    known: dict[str, dict[str, Mapping[str, Any]]] = {}
    for stage in tree.manifest["stages"]:
        known.setdefault(stage["playbook"], {})[stage["id"]] = stage
    found: dict[str, dict[str, _Stage]] = {}
    for playbook, stages in known.items():
        plays = {play.id: play for play in reader.stages(playbook)}
        if list(plays) != list(stages):
            raise InvalidInput("the plays are not the stages of the manifest", where=playbook, remedy=_REGENERATE)
        found[playbook] = {name: _Stage(stage, plays[name]) for name, stage in stages.items()}
    return found


def _compare_stages(playbook: str, old: Mapping[str, _Stage], new: Mapping[str, _Stage]) -> list[dict[str, Any]]:
    before, after = list(old), list(new)
    common = comparing_tasks.longest_common(before, after)
    stay = {before[origin] for origin, _ in common}
    found: list[tuple[int, int, dict[str, Any]]] = []
    last = -1
    for index, name in enumerate(before):
        if name in new:
            last = max(last, after.index(name)) if name in stay else last
        else:
            entry = _entry(playbook, name, "removed", before[index - 1] if index else "")
            found.append((last, 0, {**entry, "tasks": len(old[name].play.tasks)}))
    for index, name in enumerate(after):
        change = "added" if name not in old else "changed" if name in stay else "moved"
        entry = _entry(playbook, name, change, after[index - 1] if index else "")
        entry["tasks"] = len(new[name].play.tasks)
        if change != "added":
            entry |= _inside(old[name], new[name])
            if change == "changed" and not (entry["play"] or entry["task_changes"] or any(entry["hosts"].values())):
                continue
        found.append((index, 1, entry))
    return [entry for *_, entry in sorted(found, key=lambda item: item[:2])]


def _entry(playbook: str, name: str, change: str, after: str) -> dict[str, Any]:
    empty: dict[str, Any] = {"hosts": {"added": [], "removed": []}, "play": [], "task_changes": []}
    return {"playbook": playbook, "stage": name, "change": change, "after": after, "tasks": 0, **empty}


def _inside(old: _Stage, new: _Stage) -> dict[str, Any]:
    return {
        "hosts": _hosts(old.stage["hosts"], new.stage["hosts"]),
        "play": comparing_tasks.between(old.play.keywords, new.play.keywords),
        "task_changes": comparing_tasks.compare(old.play.tasks, new.play.tasks),
    }


def _hosts(old: list[str], new: list[str]) -> dict[str, list[str]]:
    return {
        "added": [host for host in new if host not in set(old)],
        "removed": [host for host in old if host not in set(new)],
    }


def _all_hosts(stages: Mapping[str, Mapping[str, _Stage]]) -> list[str]:
    hosts = (host for found in stages.values() for item in found.values() for host in item.stage["hosts"])
    return list(dict.fromkeys(hosts))


def _files_of(stages: Mapping[str, Mapping[str, _Stage]]) -> dict[str, set[tuple[str, str]]]:
    """Return the playbooks and their task files, each with the stages (playbook, id) that are made of it."""
    found: dict[str, set[tuple[str, str]]] = {}
    for playbook, items in stages.items():
        found.setdefault(playbook, set())
        for name, item in items.items():
            for path in (playbook, *item.play.files):
                found.setdefault(path, set()).add((playbook, name))
    return found


def _files(
    old: Generated,
    new: Generated,
    first: Mapping[str, set[tuple[str, str]]],
    second: Mapping[str, set[tuple[str, str]]],
    stages: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return the files that differ and whose difference no stage has shown."""
    shown = {(stage["playbook"], stage["stage"]) for stage in stages}
    found = []
    for path in sorted({*old.files, *new.files}):
        before, after = old.files.get(path), new.files.get(path)
        if before == after or shown & (first.get(path, set()) | second.get(path, set())):
            continue
        change = "added" if before is None else "removed" if after is None else "changed"
        keys = _keys(path, before, after) if before is not None and after is not None else []
        found.append({"path": path, "change": change, "keys": keys})
    return found


def _keys(path: str, old: str, new: str) -> list[str]:
    """Return the variables that differ between two texts of a file; nothing for a file that holds no variables."""
    if not path.endswith((".yaml", ".yml", ".json")) or path.endswith("_playbook.yaml"):
        return []
    try:
        before, after = load_yaml(old, path), load_yaml(new, path)
    except InvalidInput:
        return []
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    absent = object()
    keys = dict.fromkeys([*before, *after])
    return [str(key) for key in keys if before.get(key, absent) != after.get(key, absent)]
