"""The Heat templates of a plan: which parameters they declare, which types and files they use."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Any

from tripleo_ffwd.plan.effective import resolve
from tripleo_ffwd.plan.places import Files, NotReadable

_TEMPLATE = re.compile(r"^[\"']?heat_template_version\b", re.MULTILINE)
# The section as nearly all files have it: names alone on their lines, all at one depth.
_SECTION = re.compile(r"^parameters:[ \t]*(?:#.*)?\n((?:(?:[ \t]+.*|[ \t]*#.*)?\n)+)", re.MULTILINE)
_NAME = re.compile(r"^( +)([A-Za-z0-9_]+):(?:\s|$)", re.MULTILINE)
_ANY_SECTION = re.compile(r"^[\"']?parameters[\"']?\s*:", re.MULTILINE)
_FILES = (".yaml", ".template")


@dataclasses.dataclass(frozen=True)
class Use:
    """Something that a template uses.

    Attributes:
        kind: ``type``, ``template`` (a file as a type) or ``file`` (``get_file``).
        value: the type, or the file's name within the plan.
        name: the template.
        path: where in it.
        resource: name of the resource that is of the type; may be empty.
        conditional: the resource has a condition, which may leave it out.
    """

    kind: str
    value: str
    name: str
    path: tuple[str | int, ...]
    resource: str = ""
    conditional: bool = False


class Library:
    """The Heat templates among a plan's files.

    Args:
        files: the plan's files.
        names: of all of them.
    """

    def __init__(self, files: Files, names: Iterable[str]) -> None:
        self._files = files
        self._names = [name for name in names if name.endswith(_FILES) and ".j2." not in name]
        self._declared: dict[str, list[str]] | None = None

    @property
    def declared(self) -> dict[str, list[str]]:
        """Return the parameters that any template declares, each with the templates that do."""
        if self._declared is None:
            self._declared = {}
            for name in self._names:
                for parameter in self._parameters_of(name):
                    self._declared.setdefault(parameter, []).append(name)
        return self._declared

    def mentions(self, text: str) -> bool:
        """Return whether a template has a text, in whatever place."""
        return any(text in self._text(name) for name in self._names if _TEMPLATE.search(self._text(name)))

    def parameter(self, name: str, template: str) -> dict[str, Any]:
        """Return the declaration of a parameter in a template; empty when it has none."""
        found = self.section(template).get(name)
        return found if isinstance(found, dict) else {}

    def section(self, name: str) -> dict[str, Any]:
        """Return the parameters that a template declares; empty for what can't be read."""
        try:
            content = self._files.load(name)
        except NotReadable:
            return {}
        found = content.get("parameters") if isinstance(content, dict) else None
        return found if isinstance(found, dict) else {}

    def uses(self, name: str) -> Iterator[Use]:
        """Yield the types and files that a template uses; nothing for what is no template.

        Raises:
            NotReadable: it is not YAML.
        """
        content = self._files.load(name)
        if not isinstance(content, dict) or "heat_template_version" not in content:
            return
        for section, value in content.items():
            if section == "resources" and isinstance(value, dict):
                for resource, described in value.items():
                    conditional = isinstance(described, dict) and "condition" in described
                    for use in _uses(described, name, ("resources", str(resource)), str(resource)):
                        yield dataclasses.replace(use, conditional=conditional)
            else:
                yield from (use for use in _uses(value, name, (str(section),)) if use.kind != "type")

    def uses_of(self, name: str) -> list[Use]:
        """Return what `uses` yields; nothing when the template can't be read."""
        try:
            return list(self.uses(name))
        except NotReadable:
            return []

    def _text(self, name: str) -> str:
        try:
            return self._files.text(name)
        except NotReadable:
            return ""

    def _parameters_of(self, name: str) -> Iterable[str]:
        text = self._text(name)
        if not _TEMPLATE.search(text) or not _ANY_SECTION.search(text):
            return ()
        section = _SECTION.search(f"{text}\n")
        names = _NAME.findall(section[1]) if section else []
        if names:
            return [parameter for depth, parameter in names if len(depth) <= len(names[0][0])]
        return [str(parameter) for parameter in self.section(name)]


def _uses(value: Any, name: str, path: tuple[str | int, ...], resource: str = "") -> Iterator[Use]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _uses(item, name, (*path, number))
    elif isinstance(value, dict):
        for key, item in value.items():
            here = (*path, str(key))
            if not isinstance(item, str):
                yield from _uses(item, name, here)
            elif key == "get_file":
                yield Use("file", resolve(item, name), name, here)
            elif key == "type" and item.endswith(_FILES):
                yield Use("template", resolve(item, name), name, here)
            elif key == "type" and "::" in item:
                yield Use("type", item, name, here, resource)
