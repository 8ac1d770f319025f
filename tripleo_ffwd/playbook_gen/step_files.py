"""Task lists cut into files of one step each, as the writers of Stein and later cut them; imports only stdlib.

From Stein on the templates' playbooks import ``<Role>/upgrade_tasks_step0.yaml`` and the like, files that stand in no
output: the writer makes them of the list. Which tasks it puts into which file decides what runs, also where its reading
of a condition is odd.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_NAME = re.compile(r"^(?P<list>.*_tasks)_step(?P<step>\d{1,9})\.yaml$")
# The end of such a name, and from there back what it has before it: a long text costs no more than its length.
_NAME_END = re.compile(r"_tasks_step\d{1,9}\.yaml")
_NAME_START = re.compile(r"[\w./-]*$")
_LONGEST = 255
# Train's writer: all texts of a `when`, blanks left out, are looked through; Stein's: one item at a time, at its end.
_ANYWHERE = re.compile(r"\(?step(?:\|int)?\)?==(\d+)")
_AT_THE_END = re.compile(r"step(?:\|int)? == ([0-9]+)$")


def split_name(path: str) -> tuple[str, int] | None:
    """Return the path of the whole list and the step that a file of one step is named for; None for other files."""
    match = _NAME.match(path)
    return (f"{match['list']}.yaml", int(match["step"])) if match else None


def named_in(text: str) -> list[str]:
    """Return the files of one step that a text names, in whatever part of it; each once."""
    found: dict[str, None] = {}
    for match in _NAME_END.finditer(text):
        start = _NAME_START.search(text[max(0, match.start() - _LONGEST) : match.start()])
        found[f"{start[0] if start else ''}{match[0]}".lstrip("/")] = None
    return list(found)


def reads_anywhere(texts: Iterable[str]) -> bool:
    """Return whether playbooks are of a release, Train or later, whose writer looks through whole conditions."""
    return any(re.search(r"\b(deploy_steps|update)_tasks_step\d", text) for text in texts)


def of_step(tasks: list[Any], step: int, *, anywhere: bool) -> list[Any]:
    """Return the tasks that the writer puts into the file of a step.

    Args:
        tasks: the whole list.
        step: the step.
        anywhere: the writer looks through whole conditions.
    """
    return [task for task in tasks if not (found := _steps(task, anywhere)) or step in found]


def _steps(task: Mapping[str, Any], anywhere: bool) -> set[int]:
    when = task.get("when")
    items = [item for item in (when if isinstance(when, list) else [when]) if isinstance(item, str)]
    if anywhere:
        text = "".join("".join(item.split()) for item in items)
        return {int(number) for number in _ANYWHERE.findall(text)}
    for item in items:
        match = _AT_THE_END.search(item)
        if match:
            return {int(match[1])}
    return set()
