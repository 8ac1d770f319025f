"""What a new version of a plan changes for Heat: templates, environments, parameters and resource types."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from tripleo_ffwd import redaction
from tripleo_ffwd.plan import effective, hidden, tree
from tripleo_ffwd.plan.arrangement import REPORT
from tripleo_ffwd.plan.places import Files
from tripleo_ffwd.plan.version import PlanVersion


def compare(old: PlanVersion | None, new: PlanVersion) -> dict[str, Any]:
    """Return what is different between two versions, as JSON, secrets covered.

    Parameters and types are compared as Heat gets them: all environments merged in their order. A secret that changed
    is named, and both of its values are covered.

    Args:
        old: the version before; None when there was none.
        new: the version after; both with their files on this machine.

    Returns:
        ``equal``; ``old``, ``new``: the versions' numbers, old is None when there was none; ``templates``: ``{added,
        removed, changed}``, names of all files but the environments; ``environments``: ``{before, after, changed}``,
        names in order; ``parameters``: ``{added: {name: value}, removed: {name: value}, changed: {name: [old,
        new]}, covered: [names]}``, covered: what changed and is covered on both sides, ``Parameter.key[0].key``;
        ``types``: added, removed and changed of the resource registry.
    """
    sides = [_Side(old), _Side(new)]
    known = sides[0].hidden | sides[1].hidden
    before, after = sides
    environments = {*before.environments, *after.environments}
    files = _names(before.digests, after.digests)
    found: dict[str, Any] = {
        "templates": {kind: [name for name in names if name not in environments] for kind, names in files.items()},
        "environments": {
            "before": list(before.environments),
            "after": list(after.environments),
            "changed": [name for name in files["changed"] if name in environments],
        },
        "parameters": _parameters(before.parameters, after.parameters, known),
        "types": _settings(before.types, after.types, lambda name, value: value),
    }
    order = before.environments == after.environments
    equal = order and not any(files.values()) and not any(found["parameters"].values())
    numbers = {"old": old.number if old is not None else None, "new": new.number}
    return {"equal": equal and not any(found["types"].values()), **numbers, **found}


class _Side:
    """One of the two versions; all empty when there is none."""

    def __init__(self, version: PlanVersion | None) -> None:
        self.environments: tuple[str, ...] = version.environments if version is not None else ()
        self.digests: dict[str, str] = {}
        self.parameters: dict[str, Any] = {}
        self.types: dict[str, Any] = {}
        self.hidden: set[str] = set()
        if version is not None:
            self._read(version)

    def _read(self, version: PlanVersion) -> None:
        self.digests = tree.digests(version.files_dir)
        # What was noted when the version was made is nothing that Heat gets.
        self.digests.pop(REPORT, None)
        files = Files(version.files_dir)
        merged = effective.merge(files, version.environments)
        self.parameters = {name: setting.value for name, setting in {**merged.defaults, **merged.parameters}.items()}
        self.types = {name: setting.value for name, setting in merged.types.items()}
        self.types |= {" ".join(("resources", *path)): setting.value for path, setting in merged.single.items()}
        self.hidden = set(hidden.parameters(files, self.digests))


def _names(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[str]]:
    return {
        "added": sorted(set(after) - set(before)),
        "removed": sorted(set(before) - set(after)),
        "changed": sorted(name for name in set(before) & set(after) if before[name] != after[name]),
    }


def _parameters(before: Mapping[str, Any], after: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    found = _settings(before, after, lambda name, value: redaction.masked(name, value, known))
    covered: list[str] = []
    for name, shown in found["changed"].items():
        covered += _covered(name, (before[name], after[name]), shown)
    return {**found, "covered": sorted(covered)}


def _covered(name: str, values: Sequence[Any], shown: Sequence[Any]) -> Iterator[str]:
    """Yield the innermost parts of a value that are different, and look the same now that secrets are covered."""
    if values[0] == values[1]:
        return
    if all(isinstance(value, dict) for value in (*values, *shown)):
        old, new = ({str(key): value for key, value in side.items()} for side in values)
        for key in (key for key in old if key in new):
            yield from _covered(f"{name}.{key}", (old[key], new[key]), [side[key] for side in shown])
    elif all(isinstance(value, list) for value in (*values, *shown)) and len(values[0]) == len(values[1]):
        for place, pair in enumerate(zip(*values, strict=True)):
            yield from _covered(f"{name}[{place}]", pair, [side[place] for side in shown])
    elif shown[0] == shown[1]:
        yield name


def _settings(
    before: Mapping[str, Any], after: Mapping[str, Any], shown: Callable[[str, Any], Any]
) -> dict[str, dict[str, Any]]:
    names = sorted({*before, *after})
    return {
        "added": {name: shown(name, after[name]) for name in names if name not in before},
        "removed": {name: shown(name, before[name]) for name in names if name not in after},
        "changed": {
            name: [shown(name, before[name]), shown(name, after[name])]
            for name in names
            if name in before and name in after and before[name] != after[name]
        },
    }
