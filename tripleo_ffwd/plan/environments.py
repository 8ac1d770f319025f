"""A plan's environment files: copied into the plan together with the files that they use, and put in order."""

from __future__ import annotations

import dataclasses
import os
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import yaml

from tripleo_ffwd.plan import references
from tripleo_ffwd.plan.lifecycle import TEMPLATES_OWN
from tripleo_ffwd.plan.places import NotReadable, compose, line_of, parse
from tripleo_ffwd.plan.problems import Problem
from tripleo_ffwd.plan.shapes import find_problems

USER_ENVIRONMENTS = "user-environments"
USER_FILES = "user-files"


@dataclasses.dataclass(frozen=True)
class Placed:
    """The operator's environments within a plan.

    Attributes:
        names: of those that could be placed, in order.
        copied: files that were put into the plan for them, sorted.
        given: what the operator calls a file of theirs, by its name in the plan.
        problems: what is missing or can't be read.
    """

    names: tuple[str, ...]
    copied: tuple[str, ...]
    given: Mapping[str, str] = dataclasses.field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def place(root: Path, source: Path | None, given: Sequence[Path | str]) -> Placed:
    """Find the operator's environments in the templates, or copy them into the plan.

    Args:
        root: directory of the plan's files, where the templates already are, rendered.
        source: directory that the templates came from; None when they did not come from a directory.
        given: names within the templates, or absolute paths, in order.

    Raises:
        OSError: a file can't be written.
    """
    importer = Importer(root, source)
    names = []
    for position, item in enumerate(given, 1):
        path = Path(item)
        if path.is_absolute():
            path = Path(importer.inside(Path(os.path.normpath(path))) or path)
        if path.is_absolute():
            name = importer.add(path, position)
        else:
            name = Path(os.path.normpath(path)).as_posix()
            if name.startswith("..") or not (root / name).is_file():
                told = f"Environment {item} is not in the templates"
                remedy = "Give a name within the templates, or an absolute path"
                importer.problems.append(Problem("missing_file", told, f"environment {position}", remedy))
                continue
        if (root / name).is_file():
            names.append(name)
    return Placed(tuple(names), importer.copied, importer.given, tuple(importer.problems))


def order(own: Sequence[str], given: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the operator's environments as they come after the plan's own, and those that are left out.

    Args:
        own: names of the plan's own environments. Those at the head of `given` are not taken twice.
        given: names of the operator's. Lifecycle environments among them are left out: that of the phase is there
            already, and another phase's would undo this one's.
    """
    rest = [name for name in given if name not in TEMPLATES_OWN.values()]
    while rest and rest[0] in own:
        rest.pop(0)
    return tuple(rest), tuple(name for name in given if name in TEMPLATES_OWN.values())


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
        self.given: dict[str, str] = {}
        self.problems: list[Problem] = []

    @property
    def copied(self) -> tuple[str, ...]:
        """Names of the files that were put into the plan, sorted."""
        return tuple(sorted(self._copied))

    def inside(self, path: Path) -> str:
        """Return the name in the plan of a file of the templates, told by where these are or where TripleO puts them.

        Empty when it is none. A file of this machine in TripleO's place is meant itself.
        """
        places = (self._source, None if path.is_file() else references.DEFAULT_PLACE)
        names = (path.relative_to(place).as_posix() for place in places if place and path.is_relative_to(place))
        return next((name for name in names if (self._root / name).is_file()), "")

    def add(self, path: Path, position: int) -> str:
        """Copy environment number `position` and what it uses; return its name in the plan.

        What is missing, or can't be read, becomes one of `problems`; of the environment itself, it is not there then.
        """
        name = f"{USER_ENVIRONMENTS}/{position:02d}-{path.name}"
        data = self._read(path, f"environment {position}")
        if data is None:
            return name
        try:
            node = compose(data)
            found = find_problems(parse(data), lambda *keys: f"{path}, line {line_of(node, keys)}")
        except NotReadable as error:
            found = [Problem("shape", str(error), str(path))]
        self.problems += found
        if not found:
            self._place(name, self._adapted(data, path, name, references.registry_references(node)), path)
        return name

    def _adapted(self, data: bytes, path: Path, name: str, nodes: Iterable[yaml.ScalarNode]) -> bytes:
        """Return `data` with every reference pointing at the plan's copy of the file it names, which is made."""
        return references.renamed(data, name, nodes, lambda node: self._locate(node, path))

    def _locate(self, node: yaml.ScalarNode, path: Path) -> str:
        """Return the plan's name of a file that is referred to; empty when it can't be had."""
        where = f"{path}, line {node.start_mark.line + 1}"
        value = node.value.removeprefix("file://")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", value):
            remedy = "Copy it beside the environment and name it so"
            self.problems.append(Problem("missing_file", f"{node.value} is not a local file", where, remedy))
            return ""
        target = Path(posixpath.normpath(path.parent / unquote(value)))
        inside = self.inside(target)
        if inside:
            return inside
        name = f"{USER_FILES}{target.as_posix()}"
        if name not in self._copied:
            data = self._read(target, where)
            if data is None:
                return ""
            self._copied[name] = data
            self._place(name, self._adapted(data, target, name, references.template_references(data)), target)
        return name

    def _place(self, name: str, data: bytes, path: Path) -> None:
        target = self._root / name
        if target.exists():
            remedy = f"Move {name.partition('/')[0]}/ out of the templates"
            told = f"The templates have a file {name} of their own"
            self.problems.append(Problem("missing_file", told, name, remedy))
            return
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_bytes(data)
        self._copied[name] = data
        self.given[name] = str(path)

    def _read(self, path: Path, where: str) -> bytes | None:
        try:
            return path.read_bytes()
        except OSError as error:
            remedy = "Mend the path, or make the file readable"
            self.problems.append(Problem("missing_file", f"{path} can't be read: {error.strerror}", where, remedy))
            return None
