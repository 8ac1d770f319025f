"""Examples of the documentation that are marked: their commands are run, in order, and say what the page says.

A block ``.. code-block:: console`` with ``:class: tested`` is a session: lines that begin with ``$`` are commands of
ours, the lines below them what they print. ``…`` stands for any text, alone in a line for any lines. A block with
``:class: tested-file`` is a file, named by its caption. A page begins with the outputs of a real overcloud in
``outputs.json``.
"""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import queens_outputs

from tripleo_ffwd.cli.main import main

SOURCE = Path(__file__).parents[3] / "doc" / "source"
BLOCK = re.compile(r"^\.\. code-block:: \w+\n(?P<options>(?:   :.*\n)+)\n(?P<text>(?:   .*\n|\n)+)", re.MULTILINE)


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (class, caption, text) of each block that is marked."""
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        options = dict(re.findall(r":(\w+): (.+)", found["options"]))
        if options.get("class") in ("tested", "tested-file"):
            yield options["class"], options.get("caption", ""), textwrap.dedent(found["text"]).strip("\n")


PAGES = sorted(page for page in SOURCE.glob("*.rst") if any(blocks(page)))


def as_pattern(told: str) -> str:
    """Return a pattern for what a page says of an output, blanks being all the same."""
    lines = [" ".join(line.split()) for line in told.splitlines()]
    parts = [r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in lines]
    return "".join(parts)


def plain(text: str) -> str:
    return "".join(f"{' '.join(line.split())}\n" for line in text.splitlines())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_say_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("outputs.json").write_text(json.dumps(queens_outputs()), encoding="utf-8")
    for kind, caption, text in blocks(page):
        if kind == "tested-file":
            Path(caption).write_text(text, encoding="utf-8")
            continue
        _, *commands = f"\n{text}".split("\n$ ")
        for one in commands:
            command, _, told = one.partition("\n")
            program, *words = shlex.split(command)
            assert (program, main(words)) == ("tripleo-ffwd", 0), capsys.readouterr().err
            out = plain(capsys.readouterr().out)
            assert re.fullmatch(as_pattern(told), out), f"{page.name}: $ {command}\n{out}"


def test_pages_that_promise_examples_have_them() -> None:
    assert {"getting_started", "service_tasks"} <= {page.stem for page in PAGES}
