"""The reference is made from the code: no action, no input and no option is missing in it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from tripleo_ffwd import config
from tripleo_ffwd.cli import main

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_action_is_there_with_its_inputs_explained(reference: ModuleType) -> None:
    text = reference.actions()
    declared = reference.action_classes()
    assert len(declared) >= 25
    for name in declared:
        found = re.search(
            rf"^{re.escape(name)}\n~+\n\n\.\. py:function:: {re.escape(name)}\((.*)\)\n\n((?:   .*\n|\n)+)", text, re.M
        )
        assert found, name
        inputs = re.findall(r"(?:^|, )(\w+)(?==|,|$)", found[1])
        unexplained = [key for key in inputs if f":param {key}:" not in found[2]]
        assert not unexplained, f"{name}: {unexplained}"


def test_every_workflow_is_there_with_its_inputs_and_defaults(reference: ModuleType) -> None:
    text = reference.workflows()
    for book, workbook in reference.workbooks().items():
        for name, workflow in workbook["workflows"].items():
            _, heading, section = text.partition(f"\n{book}.{name}\n~")
            assert heading, name
            section = re.split(r"\n~~~+\n", section.partition("\n\n")[2])[0]
            for item in workflow.get("input") or ():
                key = next(iter(item)) if isinstance(item, dict) else item
                assert re.search(rf"^``{key}`` \((default ``.+``|must be given)\)\n   \S", section, re.M), (
                    f"{name}: {key}"
                )
    assert "``timeout`` (default ``240``)" in text


def test_every_option_is_there_with_its_default_and_help(reference: ModuleType) -> None:
    text = reference.options()
    for _, group in config.list_opts():
        for option in group:
            assert re.search(
                rf"^``{option.name}``\n   \*.*default.*\n\n   {re.escape(option.help[:40])}", text, re.M
            ), option.name


def test_every_command_is_there_with_its_options(reference: ModuleType) -> None:
    text = reference.commands()
    for name in main.COMMANDS:
        assert re.search(rf"^tripleo-ffwd {name}\b.*\n~+$", text, re.M), name
    assert "--hosts-per-role N" in text
    assert "tripleo-ffwd run pause\n~~~" in text


@pytest.mark.parametrize("page", ["cli", "actions", "workflows", "configuration"])
def test_pages_have_the_generated_parts(page: str) -> None:
    part = {"configuration": "options", "cli": "commands"}.get(page, page)
    assert f".. ffwd-reference:: {part}" in (ROOT / "doc" / "source" / f"{page}.rst").read_text(encoding="utf-8")
