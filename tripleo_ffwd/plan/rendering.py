"""TripleO's Jinja passes over a directory of templates, in a sandbox.

Names, variables and the three passes are those of ``tools/process-templates.py`` of tripleo-heat-templates, so that
what the templates expect is what they get. May not import heatclient; knows nothing of plans and versions.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

from tripleo_ffwd.exceptions import InvalidTemplates
from tripleo_ffwd.plan.quick_jinja import Sandbox

ROLES_FILE = "roles_data.yaml"
NETWORKS_FILE = "network_data.yaml"
EXCLUDES_FILE = "j2_excludes.yaml"

# Names of roles and networks become file names.
_SAFE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")
# What code in a template may raise, beside Jinja's own errors.
_CODE_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclasses.dataclass(frozen=True)
class RenderInput:
    """What the templates are rendered with: roles and networks as their files have them; names never rendered."""

    roles: tuple[dict[str, Any], ...]
    networks: tuple[dict[str, Any], ...]
    excludes: frozenset[str]


@dataclasses.dataclass(frozen=True)
class _Job:
    source: str
    target: str
    variables: Mapping[str, Any]


class _Templates(jinja2.BaseLoader):
    """The templates of a directory as those of one folder find them: beside themselves first, then at the top."""

    def __init__(self, root: Path, folder: str, texts: dict[str, str]) -> None:
        self._root = root
        self._places = dict.fromkeys((folder, ""))
        self._texts = texts

    def get_source(self, _: jinja2.Environment, template: str) -> tuple[str, str, None]:
        parts = jinja2.loaders.split_template_path(template)
        for place in self._places:
            name = posixpath.join(place, *parts)
            text = self._texts.get(name)
            if text is None and (self._root / name).is_file():
                text = self._texts[name] = _read(self._root / name, name)
            if text is not None:
                return text, str(self._root / name), None
        raise jinja2.TemplateNotFound(template)


def render_tree(root: Path, sources: Iterable[str]) -> tuple[str, ...]:
    """Render every ``*.j2.yaml`` of `sources` into `root`, beside its source.

    Args:
        root: directory of the templates; it is written to.
        sources: their names relative to `root`, with ``/``.

    Returns:
        The names of the files written, sorted. A file that a template renders to replaces one of the same name.

    Raises:
        InvalidTemplates: a template, or the roles or networks, can't be used; names the file and the line.
    """
    given = load_input(root)
    # Each file is read once and compiled once: that is most of the time that rendering takes.
    texts: dict[str, str] = {}
    sandbox = Sandbox()
    environments: dict[str, jinja2.Environment] = {}
    written = []
    for name in sorted(sources):
        if not name.endswith(".j2.yaml"):
            continue
        folder = posixpath.dirname(name)
        if folder not in environments:
            environments[folder] = sandbox.overlay(loader=_Templates(root, folder, texts))
        texts[name] = _read(root / name, name)
        for job in _jobs(name, texts[name], given):
            text = _render(environments[folder], root, job)
            (root / job.target).write_bytes(text.encode())
            written.append(job.target)
    return tuple(sorted(set(written)))


def load_input(root: Path) -> RenderInput:
    """Read ``roles_data.yaml``, ``network_data.yaml`` and ``j2_excludes.yaml``; each may be missing.

    Raises:
        InvalidTemplates: a file is no YAML, or has not the shape or the names that it must have.
    """
    roles = _named_items(root, ROLES_FILE)
    networks = _named_items(root, NETWORKS_FILE)
    for index, network in enumerate(networks):
        # From Stein on each network has its place in the list, which becomes a tag of its resources.
        network["idx"] = index
        if network.get("enabled") is not False and not network.get("name_lower"):
            network["name_lower"] = network["name"].lower()
        if not _SAFE_NAME.match(str(network.get("name_lower") or network["name"])):
            raise InvalidTemplates(
                f"Network {network['name']} has the bad name_lower {network['name_lower']!r}", where=NETWORKS_FILE
            )
    excludes = _load(root, EXCLUDES_FILE) or {}
    listed = excludes.get("name") if isinstance(excludes, dict) else None
    if excludes and not isinstance(listed, list):
        raise InvalidTemplates("It must be a mapping with the list `name`", where=EXCLUDES_FILE)
    return RenderInput(roles=roles, networks=networks, excludes=frozenset(str(item) for item in listed or ()))


def load_yaml(data: bytes | str) -> Any:
    """Return the value of a YAML text, as Heat and TripleO read it.

    libyaml is quick, and refuses a few texts that PyYAML's own parser takes: released templates have
    ``{get_attr:[Controller, name]}``.

    Raises:
        yaml.YAMLError: neither takes it.
    """
    try:
        return yaml.load(data, Loader=_LOADER)
    except yaml.YAMLError:
        return yaml.load(data, Loader=yaml.SafeLoader)


def yaml_problem(error: yaml.YAMLError) -> str:
    """Return what is wrong with a YAML text, with the line when it is known, in one line."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def _load(root: Path, name: str) -> Any:
    path = root / name
    if not path.is_file():
        return None
    try:
        return load_yaml(path.read_bytes())
    except yaml.YAMLError as error:
        raise InvalidTemplates(f"The file is not YAML: {yaml_problem(error)}", where=name) from error


def _named_items(root: Path, name: str) -> tuple[dict[str, Any], ...]:
    items = _load(root, name)
    if items is None:
        return ()
    if not isinstance(items, list):
        raise InvalidTemplates("It must be a list of mappings with `name`", where=name)
    seen = set()
    for number, item in enumerate(items, 1):
        label = item.get("name") if isinstance(item, dict) else None
        if not isinstance(label, str) or not _SAFE_NAME.match(label):
            raise InvalidTemplates(f"Item {number} has no usable name: {label!r}", where=name)
        if label in seen:
            raise InvalidTemplates(f"{label} is there twice", where=name)
        seen.add(label)
    return tuple(items)


def _jobs(name: str, text: str, given: RenderInput) -> Iterator[_Job]:
    if name.endswith(".role.j2.yaml"):
        jobs = _role_jobs(name, text, given)
    elif name.endswith(".network.j2.yaml"):
        jobs = _network_jobs(name, given)
    else:
        # Like TripleO, which leaves out only what is made for a role or a network.
        target = f"{name.removesuffix('.j2.yaml')}.yaml"
        yield _Job(name, target, {"roles": list(given.roles), "networks": list(given.networks)})
        return
    for job in jobs:
        if job.target not in given.excludes:
            yield job


def _role_jobs(name: str, text: str, given: RenderInput) -> Iterator[_Job]:
    folder, base = posixpath.split(name)
    networks = list(given.networks)
    # Templates of before Pike say {{role}} and mean its name.
    by_name = "{{role.name}}" not in text
    for role in given.roles:
        lower = role["name"].lower()
        target = f"{lower}-{base.removesuffix('.role.j2.yaml')}.yaml"
        if "network/config" in name:
            target = str(role.get("deprecated_nic_config_name") or f"{lower}.yaml")
            if posixpath.basename(target) != target:
                raise InvalidTemplates(
                    f"Role {role['name']} has the bad deprecated_nic_config_name {target!r}", where=ROLES_FILE
                )
        variables: dict[str, Any] = {"role": role["name"] if by_name else role, "networks": networks}
        if by_name and role.get("disable_constraints", False):
            variables["disable_constraints"] = True
        yield _Job(name, posixpath.join(folder, target), variables)


def _network_jobs(name: str, given: RenderInput) -> Iterator[_Job]:
    folder, base = posixpath.split(name)
    replaced = "port" if folder.endswith("ports") else "network"
    for network in given.networks:
        if network.get("enabled") is not False:
            target = f"{base.removesuffix('.network.j2.yaml')}.yaml".replace(replaced, network["name_lower"])
            yield _Job(name, posixpath.join(folder, target), {"network": network})


def _read(path: Path, name: str) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InvalidTemplates(
            f"The template is not UTF-8: {error.reason} at byte {error.start}", where=name
        ) from error


def _render(environment: jinja2.Environment, root: Path, job: _Job) -> str:
    try:
        return environment.get_template(posixpath.basename(job.source)).render(job.variables)
    except jinja2.TemplateSyntaxError as error:
        name = _relative(root, error.filename) or job.source
        raise InvalidTemplates(f"line {error.lineno}: {error.message}", where=name, remedy=_remedy(job)) from error
    except jinja2.TemplateNotFound as error:
        name, line = _position(root, error, job)
        raise InvalidTemplates(f"line {line}: there is no template {error.name}", where=name) from error
    except (jinja2.TemplateError, *_CODE_ERRORS) as error:
        name, line = _position(root, error, job)
        told = str(error) or type(error).__name__
        raise InvalidTemplates(f"line {line}: {told}", where=name, remedy=_remedy(job)) from error


def _remedy(job: _Job) -> str:
    role = job.variables.get("role")
    who = role["name"] if isinstance(role, dict) else role
    return f"It was being rendered for role {who}, to {job.target}" if who else ""


def _position(root: Path, error: BaseException, job: _Job) -> tuple[str, int]:
    """Return the template and the line where an error came up: Jinja puts them into the traceback."""
    found = (job.source, 1)
    trace = error.__traceback__
    while trace is not None:
        name = _relative(root, trace.tb_frame.f_code.co_filename)
        if name:
            found = (name, trace.tb_lineno)
        trace = trace.tb_next
    return found


def _relative(root: Path, filename: str | None) -> str:
    path = Path(filename or "")
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else ""
