"""The worked example of the documentation: what it shows is what the generator makes."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions

PAGE = Path(__file__).parents[3] / "doc" / "source" / "evaluator.rst"
BLOCK = re.compile(r"^\.\. code-block:: yaml\n   :caption: (?P<caption>.+)\n\n(?P<text>(?:   .*\n|\n)+)", re.MULTILINE)
PLAYBOOK = "fast_forward_upgrade_playbook.yaml"


def blocks() -> dict[str, str]:
    return {found["caption"]: textwrap.dedent(found["text"]) for found in BLOCK.finditer(PAGE.read_text())}


def without_gates(value: Any) -> Any:
    """The plays without the tasks and plays that only stop a run."""
    plays = [play for play in value if not str(play.get("name")).startswith("gate ")]
    return [
        {**play, "tasks": [task for task in play["tasks"] if "fail" not in task]} if "tasks" in play else play
        for play in plays
    ]


@pytest.fixture()
def files(outputs: dict[str, Any]) -> dict[str, str]:
    shown = blocks()
    outputs["RoleConfig"] = {}
    for role, data in outputs["RoleData"].items():
        data["fast_forward_upgrade_tasks"] = yaml.safe_load(shown[f"{role}/fast_forward_upgrade_tasks.yaml"])
    for path, text in shown.items():
        if "/" not in path and " " not in path:
            outputs["RoleConfig"][path.removesuffix(".yaml")] = text
    return dict(pipeline.compile_playbooks(outputs, GenerateOptions(phase="run")).files)


def test_the_page_shows_a_program_and_what_becomes_of_it() -> None:
    assert sum(caption.startswith("the generated ") for caption in blocks()) == 3
    assert sum(not caption.startswith("the generated ") for caption in blocks()) == 6


def test_what_the_page_shows_is_what_is_generated(files: dict[str, str]) -> None:
    for caption, text in blocks().items():
        if caption.startswith("the generated "):
            path = caption.removeprefix("the generated ")
            assert without_gates(yaml.safe_load(files[path])) == yaml.safe_load(text), path
