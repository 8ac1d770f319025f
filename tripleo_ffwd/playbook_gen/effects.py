"""What a task reads and writes, as far as its text tells; imports tasks only, no I/O.

Reading is told too often rather than too seldom: each word in a task's templates, conditions and arguments counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tripleo_ffwd.playbook_gen.tasks import BLOCK_KEYS, include_of

# Stands for the names of all variables.
EVERYTHING = "*"
_WORD = re.compile(r"[A-Za-z_]\w*")
_TEMPLATE = re.compile(r"\{\{|\{%")
# Words of templates behind which a name stands that only the run knows, or a whole file of names.
_DYNAMIC = frozenset(("vars", "varnames", "hostvars", "template"))
# What is looked at when the task has run and has written its register.
_LOOK_AT_RESULT = ("until", "failed_when", "changed_when")
# Actions that read more than their text shows: files with templates in them, tasks of roles.
_OPAQUE = frozenset(("template", "win_template", "include_role", "import_role", "assemble"))


def reads_of(task: Mapping[str, Any]) -> frozenset[str]:
    """Return the variables that a task, without those in its blocks, may read; `EVERYTHING` among them for any."""
    words: set[str] = set()
    after: set[str] = set()
    for key, value in task.items():
        if key in ("register", *BLOCK_KEYS):
            continue
        if key in _LOOK_AT_RESULT:
            after.update(_words(value))
            continue
        action = key.rpartition(".")[2]
        words.update(_DYNAMIC & {key.removeprefix("with_")})
        if action in _OPAQUE or (key in ("action", "local_action") and _OPAQUE & set(_WORD.findall(str(value)))):
            words.add(EVERYTHING)
        if action == "set_fact" and isinstance(value, Mapping):
            words.update(_words([name for name in value if "{{" in str(name)]))
            words.update(_words(list(value.values())))
        elif key != "name" or _TEMPLATE.search(str(value)):
            words.update(_words(value))
    words |= after - {task.get("register")}
    if (include_of(task) is None and words & _DYNAMIC) or "delegate_facts" in task:
        words.add(EVERYTHING)
    return frozenset(words)


def reads_own_result(task: Mapping[str, Any]) -> bool:
    """Return whether a task's own conditions on its result look at the variable that it registers."""
    name = task.get("register")
    return isinstance(name, str) and any(name in set(_words(task[key])) for key in _LOOK_AT_RESULT if key in task)


def template_words(text: str) -> frozenset[str]:
    """Return the words of a text that has templates in it; none for one that has not."""
    return frozenset(_WORD.findall(text)) if _TEMPLATE.search(text) else frozenset()


def _words(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _words(key)
            yield from _words(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _words(item)
    elif isinstance(value, str):
        yield from _WORD.findall(value)
