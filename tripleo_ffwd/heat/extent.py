"""How big a bundle is, by the measures that Heat has limits for; read from its texts, stdlib only.

Depth and number of resources are lower bounds: resources with a condition, and groups whose size only Heat can work
out, are not counted. So what these numbers forbid, Heat forbids.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.stack import Bundle

GROUP, CHAIN = "OS::Heat::ResourceGroup", "OS::Heat::ResourceChain"
# What a request has besides the bundle: the tags, the timeout, the names of its parts.
_ENVELOPE = 1024
# So often a type may stand for another one.
_MAX_ALIASES = 20


@dataclasses.dataclass(frozen=True)
class Extent:
    """How big an update is.

    Attributes:
        size: bytes of the request.
        largest: bytes of the largest file that is a template.
        depth: how many levels of nested stacks there are below the stack, at least.
        resources: how many resources there are in all of them, at least.
    """

    size: int
    largest: int
    depth: int
    resources: int

    def __str__(self) -> str:
        return (
            f"{self.size} bytes, the largest template {self.largest}, {self.depth} levels of nested stacks, "
            f"at least {self.resources} resources"
        )


def measure(bundle: Bundle) -> Extent:
    """Return how big an update with a bundle is."""
    reader = _Reader(bundle)
    own = bundle.environment.get("parameters") or {}
    depth, resources = reader.below(bundle.template, reader.parameters(bundle.template, own))
    largest = max((len(text.encode()) for name, text in bundle.files.items() if reader.template(name)), default=0)
    return Extent(size=bundle.size + _ENVELOPE, largest=largest, depth=depth, resources=resources)


class _Reader:
    """Follows the types of resources through the registry to the templates that they stand for."""

    def __init__(self, bundle: Bundle) -> None:
        self._files = bundle.files
        self._environment = bundle.environment
        registry = bundle.environment.get("resource_registry") or {}
        self._registry = {name: target for name, target in registry.items() if isinstance(target, str)}
        self._wildcards = {name[:-1]: target for name, target in self._registry.items() if name.endswith("*")}
        self._templates: dict[str, Mapping[str, Any]] = {}
        self._found: dict[tuple[str, str], tuple[int, int]] = {}

    def template(self, name: str) -> Mapping[str, Any]:
        """Return a file as a template; empty when it is none."""
        if name not in self._templates:
            text = self._files.get(name, "")
            try:
                # Heat's client writes templates as JSON.
                parsed = json.loads(text) if text.startswith("{") else {}
            except ValueError:
                parsed = {}
            self._templates[name] = parsed if isinstance(parsed, dict) and "heat_template_version" in parsed else {}
        return self._templates[name]

    def parameters(self, template: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a template's parameters, as far as they are plain."""
        declared = template.get("parameters") or {}
        values = {name: one["default"] for name, one in declared.items() if isinstance(one, dict) and "default" in one}
        defaults = self._environment.get("parameter_defaults") or {}
        return values | {name: defaults[name] for name in declared if name in defaults} | dict(given)

    def below(
        self, template: Mapping[str, Any], values: Mapping[str, Any], above: tuple[str, ...] = ()
    ) -> tuple[int, int]:
        """Return how many levels are below a template and how many resources it has with all that is below."""
        depth = count = 0
        for resource in (template.get("resources") or {}).values():
            if not isinstance(resource, dict) or resource.get("condition", True) is not True:
                continue
            inner_depth, inner_count = self._nested(resource, values, above)
            depth, count = max(depth, inner_depth), count + 1 + inner_count
        return depth, count

    def _nested(
        self, resource: Mapping[str, Any], values: Mapping[str, Any], above: tuple[str, ...]
    ) -> tuple[int, int]:
        kind = resource.get("type")
        given = resource.get("properties")
        properties = {name: _plain(value, values) for name, value in given.items()} if isinstance(given, dict) else {}
        if kind in self._registry or kind not in (GROUP, CHAIN):
            return self._of_type(kind, properties, above)
        if kind == CHAIN:
            kinds = properties.get("resources")
            inner = [self._of_type(one, {}, above) for one in kinds] if isinstance(kinds, list) else []
            return 1 + max((depth for depth, _ in inner), default=0), sum(count + 1 for _, count in inner)
        definition = (given or {}).get("resource_def")
        members = _number(properties.get("count", 1))
        if not isinstance(definition, dict) or not members:
            return 1, 0
        inner_given = definition.get("properties")
        inner_given = inner_given if isinstance(inner_given, dict) else {}
        resolved = {name: _plain(value, values) for name, value in inner_given.items()}
        depth, count = self._of_type(definition.get("type"), resolved, above)
        return depth + 1, members * (count + 1)

    def _of_type(self, kind: Any, given: Mapping[str, Any], above: tuple[str, ...]) -> tuple[int, int]:
        name = self._file_of(kind) if isinstance(kind, str) else ""
        # Within the template that stands for a type, the type is Heat's own.
        if not name or name in above:
            return 0, 0
        template = self.template(name)
        known = {key: value for key, value in given.items() if value is not None}
        values = self.parameters(template, known)
        key = (name, json.dumps(values, sort_keys=True, default=str))
        if key not in self._found:
            depth, count = self.below(template, values, (*above, name))
            self._found[key] = (depth + 1, count)
        return self._found[key]

    def _file_of(self, kind: str) -> str:
        for _ in range(_MAX_ALIASES):
            if kind in self._files:
                return kind
            target = self._registry.get(kind)
            for prefix, wild in self._wildcards.items() if target is None else ():
                if kind.startswith(prefix):
                    target = wild[:-1] + kind.removeprefix(prefix) if wild.endswith("*") else wild
            if not target or target == kind:
                return ""
            kind = target
        return ""


def _plain(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a plain value, or that of the parameter which it names; None when only Heat can work it out."""
    if isinstance(value, dict):
        name = value.get("get_param")
        name = name[0] if isinstance(name, list) and len(name) == 1 else name
        return values.get(name) if len(value) == 1 and isinstance(name, str) else None
    if isinstance(value, list):
        return value if all(isinstance(item, (str, int)) for item in value) else None
    return value


def _number(value: Any) -> int:
    """Return a group's size; 0 when only Heat can work it out."""
    try:
        return max(int(value), 0) if isinstance(value, (int, str)) else 0
    except ValueError:
        return 0
