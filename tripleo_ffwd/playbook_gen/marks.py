"""What the texts of tasks and of files of variables show of them, each looked at once for all plays; no I/O.

Imports atoms, effects, tasks, program and worded.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any

from tripleo_ffwd.playbook_gen.atoms import ROLE_VARIABLE
from tripleo_ffwd.playbook_gen.effects import template_words
from tripleo_ffwd.playbook_gen.program import Program
from tripleo_ffwd.playbook_gen.tasks import flatten, include_of, included_variables
from tripleo_ffwd.playbook_gen.worded import worded

# What sees the hosts of its whole play: a stage then holds all of them.
_SEES_PLAY = worded(
    r"ansible_play_(hosts|batch|hosts_all|name)|\bplay_hosts\b|\"run_once\"|\bhostvars\b",
    *("ansible_play_", "play_hosts", "run_once", "hostvars"),
)
_META = worded(r"\"(ansible\.\w+\.)?meta\"|\b(action|local_action)\": \"(ansible\.\w+\.)?meta\b", "meta")
# Without handlers, which no play that may be cut has, the others do nothing that a cut would change.
_ENDS_PLAY = worded(r"\"(ansible\.\w+\.)?meta\": (?!\"(flush_handlers|noop|reset_connection)\")", 'meta": ')
_HIDES = worded(
    r"\b(include|import)_role\b|\"(local_)?action\": (\{\"module\": )?\"(ansible\.\w+\.)?(meta|include|import)",
    *("_role", 'action": '),
)
_RESCUES = worded(r"\"rescue\":", "rescue")
_FATAL = worded(r"\"any_errors_fatal\":", "any_errors_fatal")
_REGROUPS = worded(r"\b(group_by|add_host)\b", "group_by", "add_host")
# A role that tasks or variables set is not the inventory's.
_ROLE_IS_SET = worded(rf"{ROLE_VARIABLE}(\":|=(?!=))", ROLE_VARIABLE)
_SETS_ELSEWHERE = worded(r"\"delegate_facts\":", "delegate_facts")
_PLAY_NAME = worded(r"\bansible_play_name\b", "ansible_play_name")


@dataclasses.dataclass(frozen=True)
class Mark:
    """What the text of plays or tasks shows.

    Attributes:
        hides: the first thing that hides tasks from us; empty for none.
        ends_play: the first thing that may end the play early; empty for none.
        has_meta: there are meta tasks.
        rescues: a failure may be rescued.
        fatal: a host's failure may be one of all hosts.
        sees_play: something sees the hosts of its whole play.
        names_play: something looks at the play's name.
        regroups: something gives hosts other groups, or another role.
        sets_elsewhere: a host may set facts of another.
        includes: the files that tasks include, as they name them.
        variable_files: the files of variables that they include; `ANY_VARIABLE` among them for one that can't be told.
    """

    hides: str
    ends_play: str
    has_meta: bool
    rescues: bool
    fatal: bool
    sees_play: bool
    names_play: bool
    regroups: bool
    sets_elsewhere: bool
    includes: tuple[str, ...]
    variable_files: frozenset[str]


class Marks:
    """The marks of a program's files.

    Args:
        program: the program.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._found: dict[str, Mark] = {}

    def of_file(self, path: str) -> Mark:
        """Return the mark of a task file."""
        if path not in self._found:
            tasks = self._program.tasks[path]
            self._found[path] = mark(tasks, tasks)
        return self._found[path]

    @functools.cached_property
    def variables_see_play(self) -> bool:
        """Whether a variable of all hosts, of a role or of a host sees the hosts of its whole play."""
        return any(map(sees_play, self._variables()))

    @functools.cached_property
    def variable_words(self) -> frozenset[str]:
        """The words in templates of the variables of all hosts, of roles and of hosts."""
        return frozenset().union(*map(template_words, self._variables()))

    def _variables(self) -> list[str]:
        return [
            text
            for path, text in self._program.texts.items()
            if path.startswith(("group_vars/", "host_vars/")) or path == "global_vars.yaml"
        ]


def mark(value: Any, tasks: list[Any]) -> Mark:
    """Return the mark of a play or a list of tasks; `tasks` are those in it."""
    text = json.dumps(value, default=str)
    flat = flatten(tasks)
    includes = [found[1] for found in map(include_of, flat) if found is not None]
    hides, ends = _HIDES.search(text), _ENDS_PLAY.search(text)
    return Mark(
        hides=hides.group() if hides else "",
        ends_play=ends.group() if ends else "",
        has_meta=_META.search(text) is not None,
        rescues=_RESCUES.search(text) is not None,
        fatal=_FATAL.search(text) is not None,
        sees_play=sees_play(text),
        names_play=_PLAY_NAME.search(text) is not None,
        regroups=_REGROUPS.search(text) is not None or _ROLE_IS_SET.search(text) is not None,
        sets_elsewhere=_SETS_ELSEWHERE.search(text) is not None,
        includes=tuple(dict.fromkeys(includes)),
        variable_files=frozenset().union(*map(included_variables, flat)),
    )


def sees_play(text: str) -> bool:
    """Return whether something in a text sees the hosts of its whole play."""
    return _SEES_PLAY.search(text) is not None
