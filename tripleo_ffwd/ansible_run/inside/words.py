"""What a task's result says to people, in one line; stdlib only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

HIDDEN = "(hidden by no_log)"
MESSAGE_LENGTH = 300


def describe(result: Mapping[str, Any], mask: Callable[[str], str] = str) -> str:
    """Return why a task failed, in one line, from its result; never what no_log hides.

    Args:
        result: of the task.
        mask: covers secrets; before the text is cut, for the half of one would not be known any more.
    """
    if "censored" in result or result.get("_ansible_no_log"):
        return HIDDEN
    for item in result.get("results") or ():
        if isinstance(item, dict) and (item.get("failed") or item.get("unreachable")):
            return describe(item, mask)
    text = str(result.get("msg") or result.get("exception") or result.get("stdout") or "no message")
    detail = str(result.get("stderr") or result.get("module_stderr") or "").strip()
    if detail and detail not in text:
        text = f"{text}: {detail.splitlines()[-1]}"
    return shorten(mask(text))


def shorten(text: str) -> str:
    """Return a text as one line of some three hundred characters at most."""
    line = " ".join(word for word in text.split() if not word.startswith("@@@"))  # ssh's banners
    if len(line) <= MESSAGE_LENGTH:
        return line
    # The first words say what was tried, the last ones most often why it failed.
    return f"{line[: MESSAGE_LENGTH // 3]} … {line[-MESSAGE_LENGTH * 2 // 3 :]}"
