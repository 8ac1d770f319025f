"""Outputs of Heat templates without a stack: Heat's own template classes and functions, resources made up.

Only what an output asks for is evaluated. Nested templates, ``OS::Heat::Value`` and ``OS::Heat::ResourceChain`` are
evaluated; any other resource has only the attributes that it is given, else None.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from heat.common import exception
from heat.engine import attributes, environment, function, stk_defn, template
from heat.engine.hot import functions as hot_functions
from oslo_config import cfg

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MADE_UP = {"number": 1, "json": {}, "comma_delimited_list": [], "boolean": False}


class Library:
    """A directory of rendered templates with the environments' registry and parameters.

    Args:
        root: directory of the templates.
        registry: resource type → type, or path of a template relative to `root`.
        defaults: parameter_defaults.
        given: resource of the topmost template → its attributes, instead of what its type would give.
        missing: gives the value of a parameter that nobody gives, from its name and type.
    """

    def __init__(
        self,
        root: Path,
        registry: Mapping[str, str],
        defaults: Mapping[str, Any],
        given: Mapping[str, Mapping[str, Any]],
        missing: Callable[[str, str], Any] | None = None,
    ) -> None:
        # Heat's own limits are for untrusted tenants; TripleO raises them.
        cfg.CONF.set_override("limit_iterators", 100000, group="yaql")
        cfg.CONF.set_override("memory_quota", 100_000_000, group="yaql")
        assert hot_functions.yaql_group.name == "yaql"
        self.root = root
        self.registry = registry
        self.defaults = defaults
        self.given = given
        self._missing = missing or (lambda name, kind: _MADE_UP.get(kind, f"made-up-{name}"))
        self._parsed: dict[str, Any] = {}

    def output(self, path: str, name: str) -> Any:
        """Return one output of a template."""
        return Nested(self, path, {}, self.given).output(name)

    def working(self, role: str, services: Iterable[str]) -> list[str]:
        """Return the service templates that Heat's functions can evaluate with what a role's services are given."""
        top = Nested(self, "overcloud.yaml", {}, self.given)
        inputs = top.value(top.t.t["resources"][f"{role}ServiceChain"]["properties"])
        found = []
        for path in services:
            # RuntimeError: what an error of YAQL becomes on its way through Heat's generators.
            with contextlib.suppress(exception.HeatException, TypeError, ValueError, KeyError, RuntimeError, OSError):
                Nested(self, path, inputs).output("role_data")
                found.append(path)
        return found

    def parse(self, path: str) -> dict[str, Any]:
        """Return the data of a template, files inserted."""
        if path not in self._parsed:
            data = yaml.load((self.root / path).read_text(encoding="utf-8"), Loader=_LOADER)
            self._parsed[path] = self._with_files(data, posixpath.dirname(path))
        found: dict[str, Any] = self._parsed[path]
        return found

    def resolve_type(self, name: str, folder: str) -> str:
        """Return a resource type, or the path of a template, for the type that a template in `folder` names."""
        while name in self.registry:
            name = self.registry[name]
            folder = ""
        if name.endswith((".yaml", ".template")):
            return posixpath.normpath(posixpath.join(folder, name))
        return name

    def parameters(self, schemata: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return values for the parameters of a template; those that nobody gives are made up."""
        values = {name: value for name, value in properties.items() if name in schemata and value is not None}
        for name, schema in schemata.items():
            if name not in values and name not in self.defaults and "default" not in schema:
                values[name] = self._missing(name, schema.get("type", "string"))
        return values

    def _with_files(self, data: Any, folder: str) -> Any:
        if isinstance(data, dict):
            if list(data) == ["get_file"] and isinstance(data["get_file"], str):
                return (self.root / folder / data["get_file"]).read_text(encoding="utf-8")
            return {key: self._with_files(value, folder) for key, value in data.items()}
        if isinstance(data, list):
            return [self._with_files(item, folder) for item in data]
        return data


class Nested(stk_defn.StackDefinition):  # type: ignore[misc]
    """One template with its parameters' values, as Heat's functions want to see a stack."""

    def __init__(
        self,
        library: Library,
        path: str,
        properties: Mapping[str, Any],
        given: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.library = library
        self.path = path
        self._given = given or {}
        data = library.parse(path)
        params = library.parameters(data.get("parameters") or {}, properties)
        env = environment.Environment({"parameters": params, "parameter_defaults": dict(library.defaults)})
        # The class is Heat's for this version of the language; it changes its data.
        parsed = template.Template(json.loads(json.dumps(data, default=str)), env=env)
        identifier = SimpleNamespace(stack_id="", stack_name="overcloud", tenant="")
        super().__init__(None, parsed, identifier, {})
        self._members: dict[str, Resource] = {}
        self._outputs: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Resource:
        if name not in self._members:
            self._members[name] = Resource(self, name, self._given.get(name))
        return self._members[name]

    def output(self, name: str) -> Any:
        """Return the value of an output, None when the template has no such output."""
        if name not in self._outputs:
            found = self.t.t.get("outputs", {}).get(name)
            self._outputs[name] = None if found is None else self.value(found.get("value"))
        return self._outputs[name]

    def value(self, snippet: Any) -> Any:
        """Return a snippet of the template with its functions resolved."""
        return function.resolve(self.t.parse(self, snippet))


class Resource:
    """A resource as Heat's functions want to see it."""

    CREATE, ADOPT, SUSPEND, RESUME, UPDATE, ROLLBACK, SNAPSHOT, CHECK = range(8)
    COMPLETE, IN_PROGRESS = "COMPLETE", "IN_PROGRESS"
    action, status = CREATE, COMPLETE

    def __init__(self, stack: Nested, name: str, given: Mapping[str, Any] | None) -> None:
        self._stack = stack
        self._name = name
        self._given = given
        self._chain: list[Nested | None] | None = None
        self._value: Any = None

    def FnGetRefId(self) -> str:  # noqa: N802 - Heat's name
        return f"id-of-{self._name}"

    def FnGetAtt(self, key: str, *path: Any) -> Any:  # noqa: N802 - Heat's name
        if self._given is not None:
            return attributes.select_from_attribute(self._given.get(key), path)
        snippet = self._stack.t.t["resources"].get(self._name)
        if snippet is None or not self._enabled(snippet):
            return None
        kind = self._stack.library.resolve_type(snippet["type"], posixpath.dirname(self._stack.path))
        if kind == "OS::Heat::ResourceChain":
            members = self._members(snippet)
            return [attributes.select_from_attribute(m and m.output(key), path) for m in members]
        if kind == "OS::Heat::Value":
            return attributes.select_from_attribute(self._resolved(snippet).get(key), path)
        if kind.endswith(".yaml"):
            if self._value is None:
                self._value = Nested(self._stack.library, kind, self._resolved(snippet))
            return attributes.select_from_attribute(self._value.output(key), path)
        return None

    def _enabled(self, snippet: Mapping[str, Any]) -> bool:
        condition = snippet.get("condition")
        if condition is None:
            return True
        found = function.resolve(self._stack.t.parse_condition(self._stack, condition))
        return bool(self._stack.t.conditions(self._stack).is_enabled(found))

    def _resolved(self, snippet: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(self._value, dict):
            self._value = self._stack.value(snippet.get("properties") or {})
        found: Mapping[str, Any] = self._value
        return found

    def _members(self, snippet: Mapping[str, Any]) -> Iterable[Nested | None]:
        if self._chain is None:
            properties = self._stack.value(snippet["properties"])
            library = self._stack.library
            kinds = [library.resolve_type(name, "") for name in properties["resources"]]
            inner = properties.get("resource_properties") or {}
            self._chain = [Nested(library, kind, inner) if kind.endswith(".yaml") else None for kind in kinds]
        return self._chain
