"""The commands on the page about plans: run as they stand there, in a checkout, they say what it says."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tripleo_ffwd.cli.main import main

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "doc" / "source" / "plans.rst"
BLOCK = re.compile(r"::\n\n(?P<text>(?:    .*\n|\n)+)")
# What differs from run to run: times, digests, and where the checkout is.
VARIABLE = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
    (r"/\S*/(tripleo_ffwd/)?(?=embedded/|\.plans/)", "…/"),
)


def session() -> Iterator[tuple[str, str]]:
    """Yield each command of the page and what it shows below."""
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        _, *commands = f"\n{textwrap.dedent(block['text'])}".split("\n$ ")
        for one in commands:
            command, _, told = one.partition("\n")
            yield command, told


def plain(text: str) -> list[str]:
    for pattern, name in VARIABLE:
        text = re.sub(pattern, name, text)
    return [" ".join(line.split()) for line in text.strip().splitlines()]


def test_the_page_s_commands_say_what_it_says(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "tripleo_ffwd").symlink_to(ROOT / "tripleo_ffwd")
    monkeypatch.chdir(tmp_path)
    verbs = []
    for command, told in session():
        program, *words = shlex.split(command)
        assert (program, main(words)) == ("tripleo-ffwd", 0), capsys.readouterr().err
        assert plain(capsys.readouterr().out) == plain(told), command
        verbs.append(words[1])
    assert {"import", "list", "show", "diff"} <= set(verbs)
