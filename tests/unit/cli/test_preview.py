"""`tripleo-ffwd preview` as an operator sees it: table, JSON and page."""

from __future__ import annotations

import contextlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import support

from tripleo_ffwd.cli import preview_html
from tripleo_ffwd.cli.main import main
from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions

TURN = "ocata/step4/Controller/bootstrap"
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Checks that elements are closed in turn, and keeps the texts of elements by tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style" and data.strip():
            self.texts.append((self.open[-1], data.strip()))


@pytest.fixture(scope="module")
def outputs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outputs") / "outputs.json"
    path.write_text(json.dumps(support.queens_outputs()))
    return path


def preview(path: Path, form: str, phase: str = "run") -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["preview", "--outputs", str(path), "--phase", phase, "--format", form]) == 0
    return out.getvalue()


@pytest.fixture(scope="module", params=["run", "upgrade", "converge"])
def shown(request: pytest.FixtureRequest, outputs_file: Path) -> tuple[str, list[dict[str, Any]]]:
    """The page of a phase, and what the JSON format has of its stages."""
    phase = str(request.param)
    return preview(outputs_file, "html", phase), json.loads(preview(outputs_file, "json", phase))


def test_the_table_has_stages_down_and_roles_across(outputs_file: Path) -> None:
    lines = preview(outputs_file, "table").splitlines()
    head = next(line for line in lines if "Controller" in line)
    assert re.findall(r"\w+", head) == ["Controller", "Compute", "CephStorage"]
    (row,) = [line for line in lines if "ocata/step3/Compute/all" in line]
    cells = [cell.strip() for cell in row.strip("│ ").split("│")]
    assert cells[1] == "" and int(cells[2]) > 0 and cells[3] == "" and int(cells[4]) > 0
    order = [index for index, line in enumerate(lines) if "release ocata" in line or "release pike" in line]
    assert len(order) == 2
    (mark,) = [index for index, line in enumerate(lines) if "POINT OF NO RETURN" in line]
    assert TURN in lines[mark + 1] and order[0] < mark < order[1]
    assert any(line.startswith(f"point of no return: {TURN}: ") for line in lines)
    assert any(line.startswith("module: pacemaker_resource (not found)") for line in lines)


def test_the_json_is_the_stages_with_the_marks(outputs_file: Path) -> None:
    stages = json.loads(preview(outputs_file, "json"))
    manifest = pipeline.compile_playbooks(support.queens_outputs(), GenerateOptions(phase="run")).manifest
    assert [stage["id"] for stage in stages] == [stage["id"] for stage in manifest["stages"]]
    assert [stage["release"] for stage in stages if stage["release_begins"]] == ["ocata", "pike", "queens"]
    (turn,) = [stage for stage in stages if stage["point_of_no_return"]]
    assert turn["id"] == TURN and turn["point_of_no_return"]["why"]


def test_the_page_needs_nothing_else_and_holds_every_stage(shown: tuple[str, list[dict[str, Any]]]) -> None:
    text, stages = shown
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"https?://|url\(|@import|\bsrc=", text)
    assert ("html", {"lang": "en"}) in page.tags
    ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
    assert len(ids) == len(set(ids))
    targets = [str(attrs["href"]) for tag, attrs in page.tags if tag == "a"]
    assert targets and all(target.startswith("#") and target[1:] in ids for target in targets)
    assert "point-of-no-return" in ids
    codes = [data for tag, data in page.texts if tag == "code"]
    for stage in stages:
        assert stage["id"] in codes
        assert set(stage["residual"]) <= set(codes)


@pytest.mark.parametrize("shown", ["run"], indirect=True)
def test_the_page_marks_releases_and_the_turn_in_order(shown: tuple[str, list[dict[str, Any]]]) -> None:
    texts = [data for _, data in Page(shown[0]).texts]
    marks = ["Release ocata", "ocata/step3/CephStorage/all", "POINT OF NO RETURN", TURN, "Release pike"]
    places = [texts.index(mark) for mark in marks]
    assert places == sorted(places)
    assert texts.count("POINT OF NO RETURN") == 1


def test_what_the_templates_say_is_text_on_the_page() -> None:
    outputs: dict[str, Any] = support.queens_outputs()
    nasty = "x != '<script>alert(1)</script>' and y == '\"&amp;'"
    outputs["RoleData"]["Controller"]["fast_forward_upgrade_tasks"].append(
        {"name": "<b>bold", "pacemaker_resource": {}, "when": ["step|int == 1", nasty]}
    )
    manifest = pipeline.compile_playbooks(outputs, GenerateOptions(phase="run")).manifest
    text = preview_html.page(manifest)
    page = Page(text)
    assert "<script" not in text and "<b>bold" not in text
    assert nasty in [data for tag, data in page.texts if tag == "code"]


def test_stages_without_a_turn_say_so(tmp_path: Path) -> None:
    outputs = support.queens_outputs()
    play = {"hosts": "overcloud", "gather_facts": False, "tasks": [{"name": "t", "command": "true"}]}
    outputs["RoleConfig"]["deploy_steps_playbook"] = [play]
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs))
    assert "point of no return: none" in preview(path, "table", "converge")
    assert "POINT OF NO RETURN" not in preview(path, "html", "converge")
    assert all(stage["point_of_no_return"] is None for stage in json.loads(preview(path, "json", "converge")))
