"""The imports of the package run one way; read from the source, so that a wrong one fails before it is run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tripleo_ffwd"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "node_tools" not in path.parts)

# What each part of the package may import of the package; each part may import itself.
BASE = {"exceptions", "files", "model", "redaction"}
MAY_IMPORT = {
    "exceptions": set(),
    "files": {"exceptions"},
    "model": {"exceptions"},
    "redaction": set(),
    "config": {"config_checks", "config_notify", "exceptions"},
    "config_checks": set(),
    "config_notify": set(),
    "playbook_gen": BASE,
    "plan": BASE,
    "stack": BASE,
    "software": BASE,
    "heat": BASE | {"stack", "software"},
    "ansible_run": BASE,
    "reporting": BASE | {"ansible_run", "plan", "preflight", ""},
    "preflight": BASE | {"ansible_run", "stack"},
    "mistral": BASE,
    "zaqar": {"config", "exceptions"},
    "notifying": BASE | {"config", "config_notify", "plan", "zaqar"},
    "actions": BASE
    | {"config", "playbook_gen", "plan", "heat", "ansible_run", "mistral", "preflight", "reporting", "zaqar"}
    | {"config_notify", "notifying"},
    "embedded": BASE | {"config", "playbook_gen", "plan", "heat", "ansible_run", "mistral", "cli"},
    "cli": BASE | {"config", "playbook_gen", "plan", "heat", "ansible_run", "mistral", "embedded", "reporting", ""},
}
# Libraries that one part alone may import.
ONLY_IMPORTER = {
    "heatclient": {"heat"},
    "keystoneauth1": {"heat", "plan", "zaqar"},
    "mistralclient": {"mistral"},
    "ansible": {"ansible_run", "embedded", "preflight"},
    "mistral": {"embedded"},
    "heat": {"embedded"},
    "asyncssh": {"embedded"},
    "swiftclient": {"plan"},
    "osc_lib": {"cli"},
    "cliff": {"cli"},
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            if node.module == "tripleo_ffwd":
                yield from (f"tripleo_ffwd.{alias.name}" for alias in node.names)


def top_names(names: Iterable[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def part(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem.replace("__init__", "")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    here = part(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "tripleo_ffwd" and len(parts) > 1 and not parts[1].startswith("__"):
            assert parts[1] == here or parts[1] in MAY_IMPORT.get(here, set()), f"{here} may not import {name}"
        elif parts[0] in ONLY_IMPORTER:
            assert here in ONLY_IMPORTER[parts[0]], f"only {ONLY_IMPORTER[parts[0]]} may import {parts[0]}"


def module_name(path: Path) -> str:
    return ".".join(("tripleo_ffwd", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def test_no_module_imports_one_that_imports_it() -> None:
    modules = {module_name(path): path for path in MODULES}
    imports: dict[str, set[str]] = {}
    for name, path in modules.items():
        found = imports.setdefault(name, set())
        # What a function imports when it is called makes no circle at import.
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                longer = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
                found |= {one if one in modules else str(node.module) for one in longer.values()}
        imports[name] = found & set(modules) - {name}
    TopologicalSorter(imports).prepare()


def test_one_file_imports_the_client_of_swift_and_only_when_swift_is_asked_for() -> None:
    for library in ("swiftclient", "keystoneauth1", "requests"):
        importers = [path for path in MODULES if part(path) == "plan" and library in top_names(imported(path))]
        assert [path.relative_to(PACKAGE).as_posix() for path in importers] == ["plan/swift/account.py"]
    tree = ast.parse((PACKAGE / "plan" / "swift" / "account.py").read_text(encoding="utf-8"))
    at_import = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not {"swiftclient", "keystoneauth1", "requests"} & top_names(
        ast.unparse(node).split()[1] for node in at_import
    )


@pytest.mark.parametrize("path", sorted((PACKAGE / "actions").glob("*.py")), ids=lambda path: path.name)
def test_actions_do_no_input_or_output_of_their_own(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not {"yaml", "ansible", "heatclient", "subprocess"} & {name.split(".")[0] for name in imported(path)}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert "open" not in called


def test_what_all_share_needs_only_the_standard_library() -> None:
    for name in ("exceptions", "model", "redaction"):
        assert top_names(imported(PACKAGE / f"{name}.py")) <= sys.stdlib_module_names
