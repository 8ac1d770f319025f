"""Whole trees as they are expected, text beside text: UPDATE_GOLDEN=1 writes them anew, for the eyes of a reviewer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from support import queens_outputs

from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions

GOLDEN = Path(__file__).parent / "golden"
DEMO = Path(__file__).parents[1] / "embedded" / "samples" / "prepare_outputs.json"


def check(name: str, found: str) -> None:
    golden = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


def test_the_demo_plans_tree() -> None:
    """Playbooks, inventory and what the stages include; the templates' own task files stand in the plan."""
    tree = pipeline.compile_playbooks(json.loads(DEMO.read_text(encoding="utf-8")), GenerateOptions(ssh_user="stack"))
    shown = {path: text for path, text in tree.files if path.endswith(("_playbook.yaml", "inventory.yaml"))}
    shown |= {path: text for path, text in tree.files if "ffwd_" in path}
    check("demo_tree.txt", "".join(f"### {path}\n{text}\n" for path, text in sorted(shown.items())))


def test_the_real_overclouds_manifest() -> None:
    """All but the hashes, which change with each word; a stage, a module and a note on a line of its own."""
    manifest = dict(pipeline.compile_playbooks(queens_outputs(), GenerateOptions()).manifest)
    del manifest["files"], manifest["digest"]
    check("queens_manifest.txt", "".join(f"{key}\n{_lines(value)}\n" for key, value in manifest.items()))


def _lines(value: Any) -> str:
    items = (
        value
        if isinstance(value, list)
        else [[key, item] for key, item in value.items()]
        if isinstance(value, dict)
        else [value]
    )
    return "".join(f"  {json.dumps(item, ensure_ascii=False)}\n" for item in items)
