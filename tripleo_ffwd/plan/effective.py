"""What environments come to when Heat gets them one after the other, and which of them said it."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from tripleo_ffwd.plan.places import Files

NONE = "OS::Heat::None"
_NO_TYPES = ("base_url", "hooks", "restricted_actions", "resources")


@dataclasses.dataclass(frozen=True)
class Setting:
    """A value, and the environment that set it last.

    Attributes:
        value: of a parameter; or what a resource type stands for: a file within the plan, a type, or None, which takes
            the type out.
        origin: name of the environment.
        path: where in the environment it stands.
    """

    value: Any
    origin: str
    path: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Effective:
    """What environments come to.

    Attributes:
        defaults: parameter_defaults by name.
        parameters: parameters of the root template by name.
        types: what resource types stand for, by type or pattern (``OS::TripleO::Tasks::*``).
        single: the same for one resource each, by pattern of names and type.
        files: every file that the environments name, also where a later one names another.
    """

    defaults: dict[str, Setting] = dataclasses.field(default_factory=dict)
    parameters: dict[str, Setting] = dataclasses.field(default_factory=dict)
    types: dict[str, Setting] = dataclasses.field(default_factory=dict)
    single: dict[tuple[str, ...], Setting] = dataclasses.field(default_factory=dict)
    files: list[Setting] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, name: str, content: Mapping[str, Any]) -> Effective:
        """Return what one environment comes to."""
        found = cls()
        _add(found, name, content)
        return found

    def target(self, kind: str) -> Setting | None:
        """Return what a resource type stands for, following types that stand for types; None when nothing says it."""
        found = self.types.get(kind)
        seen = {kind}
        while found is not None and found.value in self.types and found.value not in seen:
            seen.add(found.value)
            found = self.types[found.value]
        return found or self._by_pattern(kind)

    def value_of(self, kind: str) -> Any:
        """Return what a type stands for directly, or None."""
        found = self.types.get(kind)
        return found.value if found else None

    def _by_pattern(self, kind: str) -> Setting | None:
        patterns = (name for name in self.types if name.endswith("*") and kind.startswith(name[:-1]))
        return next((self.types[name] for name in patterns), None)


def is_file(target: Any) -> bool:
    """Return whether what a resource type stands for is a file: Heat's client takes all that has no ``::`` for one."""
    return isinstance(target, str) and "::" not in target


def merge(files: Files, names: Iterable[str]) -> Effective:
    """Return what environments, whose shapes were checked, come to in their order."""
    found = Effective()
    for name in names:
        content = files.load(name)
        if isinstance(content, dict):
            _add(found, name, content)
    return found


def resolve(value: str, name: str) -> str:
    """Return the name within the plan of a file that the file `name` refers to as `value`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(value.removeprefix("file://"))))


def deep_update(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge of two mappings as Heat's client does it: mappings within them are merged, all else replaced."""
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        if isinstance(value, Mapping):
            merged[key] = deep_update(before if isinstance(before, Mapping) else {}, value)
        elif not (value is None and isinstance(before, Mapping)):
            merged[key] = value
    return merged


def _add(found: Effective, name: str, content: Mapping[str, Any]) -> None:
    sections = {"parameter_defaults": found.defaults, "parameters": found.parameters}
    for section, target in sections.items():
        for key, value in (content.get(section) or {}).items():
            before = target.get(str(key))
            if before is not None and isinstance(before.value, dict) and isinstance(value, dict):
                value = deep_update(before.value, value)
            target[str(key)] = Setting(value, name, (section, str(key)))
    registry = content.get("resource_registry") or {}
    for key, value in registry.items():
        if key not in _NO_TYPES and not isinstance(value, dict):
            found.types[str(key)] = _target(found, value, name, ("resource_registry", str(key)))
    _add_single(found, name, registry.get("resources") or {}, ("resource_registry", "resources"))


def _add_single(found: Effective, name: str, section: Mapping[str, Any], path: tuple[str, ...]) -> None:
    for key, value in section.items():
        here = (*path, str(key))
        if isinstance(value, dict):
            _add_single(found, name, value, here)
        elif key not in _NO_TYPES:
            found.single[here[2:]] = _target(found, value, name, here)


def _target(found: Effective, value: Any, name: str, path: tuple[str, ...]) -> Setting:
    setting = Setting(resolve(value, name) if is_file(value) else value, name, path)
    if is_file(setting.value):
        found.files.append(setting)
    return setting
