"""Every message that the page of errors quotes is one that the code has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "doc" / "source" / "troubleshooting.rst").read_text(encoding="utf-8")
QUOTED = re.findall(r"^``(.+)``$", PAGE, re.MULTILINE)
DOTS = "…"


def texts() -> Iterator[str]:
    """Yield every text of the package, what is filled in replaced by three dots."""
    for path in (ROOT / "tripleo_ffwd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else DOTS for part in node.values)
                yield re.sub(f"{DOTS}+", DOTS, "".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


TEXTS = tuple(texts())


@pytest.mark.parametrize("message", QUOTED)
def test_message_is_in_the_code(message: str) -> None:
    wanted = re.compile(re.escape(message).replace(DOTS, ".*"), re.DOTALL)
    assert any(wanted.fullmatch(text) for text in TEXTS), message


def test_page_quotes_messages_with_what_to_do() -> None:
    assert len(QUOTED) > 40
    assert len(QUOTED) == len(set(QUOTED))
    assert all(re.search(rf"^``{re.escape(message)}``\n    \S", PAGE, re.MULTILINE) for message in QUOTED)
