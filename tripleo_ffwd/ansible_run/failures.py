"""What failed tasks have said, found again in Ansible's log, which has no secrets in it, and told for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

MOST_CHARACTERS = 4000
MOST_LINES = 200

_HEADING = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(.*)\] \**$|^PLAY[ \[]")
# One line for a task, one for each item of a loop.
_FAILED = re.compile(
    r"^(?:fatal|failed): \[([^\]\s]+)(?: -> [^\]]*)?\](?:: [A-Z]+!)?(?: \(item=(.*?)\))? => (.*)", re.DOTALL
)
# What a line begins with that is no part of a failure's output.
_NEXT = re.compile(r"^(?:NO MORE HOSTS|\[(?:ERROR|WARNING)\]|(?:ok|changed|skipping|included|fatal|failed): ?\[)")
_IGNORED = "...ignoring"
# Of a result: what tells why, in this order.
_TELLING = ("msg", "censored", "reason", "rc", "stdout", "stderr", "module_stdout", "module_stderr", "exception", "cmd")


def with_output(failed: Sequence[Mapping[str, Any]], log: Path) -> list[dict[str, Any]]:
    """Return failed tasks with their ``output``: what the log has of it, empty where it has nothing.

    Args:
        failed: failed tasks, in the order in which they failed.
        log: Ansible's log.
    """
    wanted: dict[tuple[str, str], list[int]] = {}
    for number, task in enumerate(failed):
        wanted.setdefault((str(task["host"]), str(task["task"])), []).append(number)
    outputs: dict[int, str] = {}
    if wanted:
        try:
            with log.open(encoding="utf-8", errors="replace") as file:
                for host, name, text in _said(file):
                    # A task of a role is told with the role's name there.
                    known = wanted.get((host, name)) or wanted.get((host, name.partition(" : ")[2]))
                    if known:
                        outputs[known.pop(0)] = text
        except OSError:
            pass  # a run that ended before Ansible said anything has none
    return [{**task, "output": outputs.get(number, "")} for number, task in enumerate(failed)]


def _said(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield host, task and text of each failure in a log that was not ignored."""
    task, last = "", ""
    said: dict[str, list[str]] = {}
    block: list[str] = []

    def take() -> None:
        if block:
            said.setdefault(last, []).append(_readable("".join(block)))
            block.clear()

    for line in lines:
        heading = _HEADING.match(line)
        if heading or line.startswith(_IGNORED) or _NEXT.match(line) or len(block) >= MOST_LINES:
            take()
        if line.startswith(_IGNORED):
            said.pop(last, None)
        elif heading:
            yield from ((host, task, _cut("\n\n".join(texts))) for host, texts in said.items())
            said.clear()
            task = heading[1] or ""
        elif found := _FAILED.match(line):
            last = found[1]
            block.append(line)
        elif block:
            block.append(line)
    take()
    yield from ((host, task, _cut("\n\n".join(texts))) for host, texts in said.items())


def _readable(block: str) -> str:
    """Return a failure as people read it: what the module says, line by line; as it stands when it is no JSON."""
    found = _FAILED.match(block.strip())
    if found is None:
        return block.strip()
    try:
        result = json.loads(found[3])
    except ValueError:
        return found[3]
    if not isinstance(result, dict):
        return found[3]
    told = [f"item: {found[2]}"] if found[2] else []
    told += [_line(name, result[name]) for name in _TELLING if result.get(name) not in (None, "", [])]
    return "\n".join(told) or found[3]


def _line(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    lines = text.rstrip().splitlines()
    return f"{name}: {text.rstrip()}" if len(lines) < 2 else "\n".join([f"{name}:", *(f"  {line}" for line in lines)])


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
