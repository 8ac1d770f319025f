"""A plan's environment files: checked, put in order, and copied into the plan together with the files that they use.

The order that Heat gets is TripleO's: the environments of the templates' own plan (the resource registry first), the
lifecycle environment of the phase, then the operator's, so that each can change what the ones before it say.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import yaml

from tripleo_ffwd.exceptions import InvalidTemplates
from tripleo_ffwd.plan.rendering import yaml_problem

# Phase → its lifecycle environment, when the templates have one.
LIFECYCLE = {
    "prepare": "environments/lifecycle/ffwd-upgrade-prepare.yaml",
    "converge": "environments/lifecycle/ffwd-upgrade-converge.yaml",
}
PLAN_ENVIRONMENT = "plan-environment.yaml"
REGISTRIES = ("overcloud-resource-registry-puppet.yaml", "overcloud-resource-registry.yaml")
USER_ENVIRONMENTS = "user-environments"
USER_FILES = "user-files"

# What Heat knows at the top of an environment.
SECTIONS = (
    "parameter_defaults",
    "parameters",
    "resource_registry",
    "encrypted_param_names",
    "event_sinks",
    "parameter_merge_strategies",
)
_NO_FILES = ("base_url", "hooks", "restricted_actions")


def order(root: Path, phase: str, given: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the environments in the order that Heat gets them, and the phase's lifecycle environment or ``""``.

    Args:
        root: directory of the plan's files.
        phase: name of the phase.
        given: the operator's environments, relative to `root`. Root environments at their head are not taken twice;
            lifecycle environments among them are left out: another phase's would undo this one's.
    """
    roots = _root_environments(root)
    rest = [name for name in given if name not in LIFECYCLE.values()]
    while rest and rest[0] in roots:
        rest.pop(0)
    lifecycle = LIFECYCLE.get(phase, "")
    if not (lifecycle and (root / lifecycle).is_file()):
        lifecycle = ""
    return (*roots, *([lifecycle] if lifecycle else []), *rest), lifecycle


def check(root: Path, names: Iterable[str]) -> None:
    """Check that each environment is there, is YAML, and has the sections and shapes that Heat knows.

    Raises:
        InvalidTemplates: one is not so; names the file and the line.
    """
    for name in dict.fromkeys(names):
        if not (root / name).is_file():
            raise InvalidTemplates("There is no such environment in the plan", where=name)
        _check_shape(_compose((root / name).read_bytes(), name), name)


class Importer:
    """Copies environments from outside the templates into a plan, with every file that they use.

    An environment becomes ``user-environments/NN-name.yaml``; what it uses becomes ``user-files/<its absolute path>``,
    so that relative references among those files hold as they are. A reference into the templates' directory points at
    the plan's own file. References that would not hold are rewritten in place; all else is kept byte for byte.

    Args:
        root: directory of the plan's files, where the templates already are, rendered.
        source: directory that the templates came from; None when they did not come from a directory.
    """

    def __init__(self, root: Path, source: Path | None) -> None:
        self._root = root
        self._source = source
        self._copied: dict[str, bytes] = {}

    @property
    def copied(self) -> tuple[str, ...]:
        """Names of the files that were put into the plan, sorted."""
        return tuple(sorted(self._copied))

    def add(self, path: Path, position: int) -> str:
        """Copy environment number `position` and what it uses; return its name in the plan.

        Raises:
            InvalidTemplates: it, or a file that it uses, is missing or can't be read.
        """
        name = f"{USER_ENVIRONMENTS}/{position:02d}-{path.name}"
        data = _read(path, f"environment {position}")
        node = _compose(data, str(path))
        _check_shape(node, str(path))
        self._place(name, self._adapted(data, path, name, _registry_references(node, str(path))))
        return name

    def _adapted(self, data: bytes, path: Path, name: str, references: Iterable[yaml.ScalarNode]) -> bytes:
        """Return `data` with every reference pointing at the plan's copy of the file it names, which is made."""
        changes = {}
        for node in references:
            target = self._locate(node, path)
            wanted = quote(posixpath.relpath(target, posixpath.dirname(name)))
            if posixpath.normpath(node.value) != wanted:
                changes[node.start_mark.index] = (node.end_mark.index, wanted)
        text = data.decode("utf-8")
        for start, (end, wanted) in sorted(changes.items(), reverse=True):
            properties = re.match(r"(?:[&!]\S*\s+)*", text[start:end])
            kept = properties.group() if properties else ""
            text = f'{text[:start]}{kept}"{wanted}"{text[end:]}'
        return text.encode()

    def _locate(self, node: yaml.ScalarNode, path: Path) -> str:
        where = f"{path}, line {node.start_mark.line + 1}"
        value = node.value.removeprefix("file://")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", value):
            raise InvalidTemplates(
                f"{node.value} is not a local file", where=where, remedy="Copy it beside the environment and name it so"
            )
        target = Path(posixpath.normpath(path.parent / unquote(value)))
        if self._source is not None and target.is_relative_to(self._source):
            inside = target.relative_to(self._source).as_posix()
            if (self._root / inside).is_file():
                return inside
        name = f"{USER_FILES}{target.as_posix()}"
        if name not in self._copied:
            data = _read(target, where)
            self._copied[name] = data
            self._place(name, self._adapted(data, target, name, _template_references(data)))
        return name

    def _place(self, name: str, data: bytes) -> None:
        target = self._root / name
        if target.exists():
            raise InvalidTemplates(
                f"The templates have a file {name} of their own",
                where=name,
                remedy=f"Move {name.partition('/')[0]}/ out of the templates",
            )
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_bytes(data)
        self._copied[name] = data


def _root_environments(root: Path) -> tuple[str, ...]:
    path = root / PLAN_ENVIRONMENT
    if path.is_file():
        try:
            plan = yaml.safe_load(path.read_bytes())
            return tuple(str(item["path"]) for item in plan.get("environments") or () if "path" in item)
        except yaml.YAMLError as error:
            raise InvalidTemplates(f"The file is not YAML: {yaml_problem(error)}", where=PLAN_ENVIRONMENT) from error
        except (AttributeError, TypeError) as error:
            raise InvalidTemplates("`environments` must be a list of {path: …}", where=PLAN_ENVIRONMENT) from error
    return tuple(name for name in REGISTRIES if (root / name).is_file())[:1]


def _read(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidTemplates(
            f"{path} can't be read: {error.strerror}", where=where, remedy="Mend the path, or make the file readable"
        ) from error


def _compose(data: bytes, name: str) -> yaml.Node | None:
    """Return the YAML tree of a text with the places of its parts; None for an empty one."""
    try:
        node: yaml.Node | None = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise InvalidTemplates(f"The file is not UTF-8: {error.reason} at byte {error.start}", where=name) from error
    except yaml.YAMLError as error:
        raise InvalidTemplates(f"The file is not YAML: {yaml_problem(error)}", where=name) from error
    return node


def _check_shape(node: yaml.Node | None, name: str) -> None:
    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
        return
    if not isinstance(node, yaml.MappingNode):
        raise InvalidTemplates("An environment must be a mapping", where=f"{name}, line {node.start_mark.line + 1}")
    for key, value in node.value:
        line = f"{name}, line {key.start_mark.line + 1}"
        if key.value not in SECTIONS:
            raise InvalidTemplates(
                f"{key.value!r} is no section of an environment", where=line, remedy=f"Known are {', '.join(SECTIONS)}"
            )
        mapping = key.value in ("parameter_defaults", "parameters", "resource_registry")
        if mapping and not (isinstance(value, yaml.MappingNode) or value.tag.endswith(":null")):
            raise InvalidTemplates(f"{key.value} must be a mapping", where=line)
        if key.value == "resource_registry" and isinstance(value, yaml.MappingNode):
            _check_registry(value, name)


def _check_registry(registry: yaml.MappingNode, name: str) -> None:
    for key, value in registry.value:
        named = key.value in _NO_FILES or isinstance(value, yaml.MappingNode)
        if not named and not (isinstance(value, yaml.ScalarNode) and value.tag.endswith(":str")):
            raise InvalidTemplates(
                f"{key.value} must be a file name or a resource type", where=f"{name}, line {key.start_mark.line + 1}"
            )


def _registry_references(node: yaml.Node | None, name: str) -> Iterator[yaml.ScalarNode]:
    """Yield the file names in an environment's resource_registry, as Heat's client finds them."""
    for key, registry in _items(node):
        if key.value == "resource_registry":
            yield from _mapped_files(registry, name)
            for section, resources in _items(registry):
                if section.value == "resources":
                    for _, types in _items(resources):
                        yield from _mapped_files(types, name)


def _mapped_files(mapping: yaml.Node, name: str) -> Iterator[yaml.ScalarNode]:
    for key, value in _items(mapping):
        if key.value == "base_url":
            raise InvalidTemplates(
                "base_url is not supported",
                where=f"{name}, line {key.start_mark.line + 1}",
                remedy="Write file names relative to the environment",
            )
        if isinstance(value, yaml.ScalarNode) and "::" not in value.value and key.value not in _NO_FILES:
            yield value


def _template_references(data: bytes) -> Iterator[yaml.ScalarNode]:
    """Yield the file names in a Heat template; nothing for any other file."""
    try:
        node = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
    except (UnicodeDecodeError, yaml.YAMLError):
        return
    if any(key.value == "heat_template_version" for key, _ in _items(node)):
        yield from _nested_references(node)


def _nested_references(node: Any) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _nested_references(item)
    for key, value in _items(node):
        if not isinstance(value, yaml.ScalarNode):
            yield from _nested_references(value)
        elif key.value == "get_file" or (key.value == "type" and value.value.endswith((".yaml", ".template"))):
            yield value


def _items(node: Any) -> list[tuple[yaml.Node, yaml.Node]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []
