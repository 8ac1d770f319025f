"""The form of environment files: what Heat knows at their top, and what must be a mapping or a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tripleo_ffwd.plan.problems import Problem

# What Heat knows at the top of an environment.
SECTIONS = (
    "parameter_defaults",
    "parameters",
    "resource_registry",
    "encrypted_param_names",
    "event_sinks",
    "parameter_merge_strategies",
)
# Keys of a registry whose values are no files.
NO_FILES = ("base_url", "hooks", "restricted_actions")
_MAPPINGS = ("parameter_defaults", "parameters", "resource_registry")


def find_problems(content: Any, where: Callable[..., str]) -> list[Problem]:
    """Return all that is wrong with the form of an environment.

    Args:
        content: parsed; None for an empty file.
        where: file and line of the key at a path of keys.
    """
    if content is None:
        return []
    if not isinstance(content, dict):
        return [Problem("shape", "An environment must be a mapping", where())]
    return list(_section_problems(content, where))


def _section_problems(content: Mapping[Any, Any], where: Callable[..., str]) -> Iterator[Problem]:
    for key, value in content.items():
        if key not in SECTIONS:
            told = f"{str(key)!r} is no section of an environment"
            yield Problem("shape", told, where(key), f"Known are {', '.join(SECTIONS)}")
        elif key in _MAPPINGS and value is not None and not isinstance(value, dict):
            yield Problem("shape", f"{key} must be a mapping", where(key))
        elif key == "resource_registry":
            yield from _registry_problems(value or {}, where)


def _registry_problems(registry: Mapping[Any, Any], where: Callable[..., str]) -> Iterator[Problem]:
    for key, value in registry.items():
        place = where("resource_registry", key) if key == "base_url" or not isinstance(value, str) else ""
        if key == "base_url":
            told = "base_url is not supported"
            yield Problem("shape", told, place, "Write file names relative to the environment")
        elif key not in NO_FILES and not (value is None or isinstance(value, str | dict)):
            yield Problem("shape", f"{key} must be a file name or a resource type", place)
    resources = registry.get("resources")
    if resources is not None and not isinstance(resources, dict):
        yield Problem("shape", "resources must be a mapping", where("resource_registry", "resources"))
