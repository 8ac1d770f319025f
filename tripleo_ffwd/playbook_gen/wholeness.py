"""Which plays may be cut into stages, and what holds of a playbook as a whole; imports program, effects and tasks.

Looked at are all tasks that a play may reach, as text: what would see that a play was cut, end it early, or hide such a
thing from us.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE
from tripleo_ffwd.playbook_gen.effects import EVERYTHING, reads_of, template_words
from tripleo_ffwd.playbook_gen.patterns import OVERCLOUD
from tripleo_ffwd.playbook_gen.program import Program
from tripleo_ffwd.playbook_gen.tasks import flatten, include_of, included_variables

SECTIONS = ("pre_tasks", "tasks", "post_tasks")
# Keywords that a play may have and be cut; with any other it stays whole.
_CUTTABLE = frozenset(
    ("hosts", "name", "tasks", "become", "become_user", "become_method", "vars", "environment", "tags", "remote_user")
) | frozenset(
    ("gather_facts", "gather_subset", "gather_timeout", "any_errors_fatal", "ignore_errors", "no_log", "port")
)
# What sees the hosts of its whole play: a stage then holds all of them.
_SEES_PLAY = re.compile(r"ansible_play_(hosts|batch|hosts_all|name)|\bplay_hosts\b|\"run_once\"|\bhostvars\b")
_SEES_PLAY_WORDS = ("ansible_play_", "play_hosts", "run_once", "hostvars")
_META = re.compile(r"\"(ansible\.\w+\.)?meta\"|\b(action|local_action)\": \"(ansible\.\w+\.)?meta\b")
# Without handlers, which no play that may be cut has, the others do nothing that a cut would change.
_ENDS_PLAY = re.compile(r"\"(ansible\.\w+\.)?meta\": (?!\"(flush_handlers|noop|reset_connection)\")")
_HIDES = re.compile(
    r"\b(include|import)_role\b|\"(local_)?action\": (\{\"module\": )?\"(ansible\.\w+\.)?(meta|include|import)"
)
_REGROUPS = re.compile(r"\b(group_by|add_host)\b")
# A role that tasks or variables set is not the inventory's.
_ROLE_IS_SET = re.compile(rf"{ROLE_VARIABLE}(\":|=(?!=))")
_SETS_ELSEWHERE = re.compile(r"\"delegate_facts\":")
_PLAY_NAME = re.compile(r"\bansible_play_name\b")


def sections_of(play: Mapping[str, Any], *, handlers: bool = False) -> list[Any]:
    """Return the tasks of a play's sections, in order; its handlers last where they are asked for."""
    names = (*SECTIONS, "handlers") if handlers else SECTIONS
    return [task for key in names for task in play.get(key) or []]


class Wholeness:
    """What holds of the plays of one playbook.

    Args:
        program: the program.
        playbook: the playbook's file name.

    Attributes:
        by_role: whether any play may be cut by role: the inventory alone says which hosts have one.
        trusts_facts: no host sets facts of another.

    Raises:
        UnsupportedConstruct: something looks at the name of its play.
    """

    def __init__(self, program: Program, playbook: str) -> None:
        self._program = program
        self._playbook = playbook
        self._plays = program.playbooks[playbook]
        below: dict[str, list[Any]] = {}
        for play in self._plays:
            self.below(sections_of(play, handlers=True), playbook, below)
        self._tasks = below
        texts = {path: json.dumps(value, default=str) for path, value in {playbook: self._plays, **below}.items()}
        for path, text in texts.items():
            if _PLAY_NAME.search(text):
                raise UnsupportedConstruct(
                    "ansible_play_name is looked at, and generated plays have the names of their stages",
                    where=path,
                    remedy="Take the play's name out of the tasks' conditions and arguments",
                )
        self.by_role = not any(_REGROUPS.search(text) or _ROLE_IS_SET.search(text) for text in texts.values())
        self.trusts_facts = not any(_SETS_ELSEWHERE.search(text) for text in texts.values())
        self.by_role = self.by_role and self.trusts_facts

    def below(self, tasks: list[Any], current: str, seen: dict[str, list[Any]]) -> bool:
        """Collect the tasks of all files below; return False when an include's file is for the run to tell."""
        followed = True
        for task in flatten(tasks):
            include = include_of(task)
            if include is None:
                continue
            path = self._program.resolve(include[1], current) if "{{" not in include[1] else None
            if path is None:
                self._program.check_role_file(include[1], current)
                followed = False
            elif path not in seen:
                seen[path] = self._program.tasks[path]
                followed = self.below(seen[path], path, seen) and followed
        return followed

    def is_sure(self, play: Mapping[str, Any]) -> bool:
        """Return whether no host ends the play before its end and goes on with the next one."""
        followed, text = self._text(sections_of(play, handlers=True))
        return followed and not _HIDES.search(text) and not _META.search(text)

    def mode(self, play: Mapping[str, Any], pattern: str) -> tuple[str, str]:
        """Return ``role`` or ``step`` for what a play may be cut by, or nothing and why it must stay whole."""
        tasks = play.get("tasks") or []
        if not any(include_of(task) for task in tasks):
            return "", ""
        others = sorted(set(play) - _CUTTABLE)
        followed, text = self._text(tasks)
        hidden = _HIDES.search(text) or _ENDS_PLAY.search(text)
        if others or not followed or hidden:
            found = hidden.group().strip('"') if hidden else ""
            named = f"it has {', '.join(others)}" if others else f"a task has {found}" if found else ""
            return "", named or "a file that a task includes is for the run to tell"
        keywords = {key: value for key, value in play.items() if key not in ("name", "tasks")}
        seen = [text, json.dumps(keywords, default=str), *self._variable_texts(tasks)]
        sees_play = EVERYTHING in seen or any(_sees_play(part) for part in seen)
        by_role = pattern == OVERCLOUD and self.by_role and not sees_play
        return ("role" if by_role else "step"), ""

    def pinned(self) -> frozenset[str]:
        """Return the names in templates of variables: they are read whenever such a variable is."""
        found: set[str] = set()
        for play in self._plays:
            hidden = (*SECTIONS, "handlers", "hosts", "name", "roles")
            found |= reads_of({key: value for key, value in play.items() if key not in hidden})
            for name in _variable_files(play):
                text = self._program.texts.get(name)
                found |= {EVERYTHING} if text is None else template_words(text)
        tasks = [task for play in self._plays for task in sections_of(play, handlers=True)]
        for text in self._variable_texts([*tasks, *(task for items in self._tasks.values() for task in items)]):
            found |= template_words(text) if text != EVERYTHING else {EVERYTHING}
        return frozenset(found)

    def _text(self, tasks: list[Any]) -> tuple[bool, str]:
        """Return whether all files below are known, and all tasks as one text."""
        below: dict[str, list[Any]] = {}
        followed = self.below(tasks, self._playbook, below)
        return followed, json.dumps([tasks, *below.values()], default=str)

    def _variable_texts(self, tasks: list[Any]) -> list[str]:
        """Return the texts of variables' files whose templates tasks may look at; `EVERYTHING` for one not at hand."""
        found = [
            text
            for path, text in self._program.texts.items()
            if path.startswith(("group_vars/", "host_vars/")) or path == "global_vars.yaml"
        ]
        below: dict[str, list[Any]] = {}
        self.below(tasks, self._playbook, below)
        names: set[str] = set()
        for task in flatten([*tasks, *(task for items in below.values() for task in items)]):
            names |= included_variables(task)
        return found + [self._program.texts.get(name, EVERYTHING) for name in sorted(names)]


def _sees_play(text: str) -> bool:
    # Variables' files grow with the overcloud: their words are looked for before the expression is.
    return any(word in text for word in _SEES_PLAY_WORDS) and _SEES_PLAY.search(text) is not None


def _variable_files(play: Mapping[str, Any]) -> set[str]:
    files = play.get("vars_files") or []
    return {str(item) for item in (files if isinstance(files, list) else [files])}
