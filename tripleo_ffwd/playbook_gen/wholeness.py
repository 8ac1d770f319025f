"""Which plays may be cut into stages, and what holds of a playbook as a whole; imports traits, marks and effects.

Looked at are all tasks that a play may reach, as text: what would see that a play was cut, end it early, or hide such a
thing from us.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen.effects import EVERYTHING, reads_of, template_words
from tripleo_ffwd.playbook_gen.marks import Mark, mark, sees_play
from tripleo_ffwd.playbook_gen.patterns import OVERCLOUD
from tripleo_ffwd.playbook_gen.tasks import include_of
from tripleo_ffwd.playbook_gen.traits import Traits

SECTIONS = ("pre_tasks", "tasks", "post_tasks")
# Keywords that a play may have and be cut; with any other it stays whole.
_CUTTABLE = frozenset(
    ("hosts", "name", "tasks", "become", "become_user", "become_method", "vars", "environment", "tags", "remote_user")
) | frozenset(
    ("gather_facts", "gather_subset", "gather_timeout", "any_errors_fatal", "ignore_errors", "no_log", "port")
)


def sections_of(play: Mapping[str, Any], *, handlers: bool = False) -> list[Any]:
    """Return the tasks of a play's sections, in order; its handlers last where they are asked for."""
    names = (*SECTIONS, "handlers") if handlers else SECTIONS
    return [task for key in names for task in play.get(key) or []]


class Wholeness:
    """What holds of the plays of one playbook.

    Args:
        traits: those of the program's tasks.
        playbook: the playbook's file name.

    Attributes:
        by_role: whether any play may be cut by role: the inventory alone says which hosts have one.
        trusts_facts: no host sets facts of another.

    Raises:
        UnsupportedConstruct: something looks at the name of its play.
    """

    def __init__(self, traits: Traits, playbook: str) -> None:
        self._program = traits.program
        self._marks = traits.marks
        self._playbook = playbook
        self._plays = self._program.playbooks[playbook]
        plays = [mark(play, sections_of(play, handlers=True)) for play in self._plays]
        self._below: dict[str, Mark] = {}
        for one in plays:
            self.below(one, playbook, self._below)
        found = [*((playbook, one) for one in plays), *self._below.items()]
        for path, one in found:
            if one.names_play:
                raise UnsupportedConstruct(
                    "ansible_play_name is looked at, and generated plays have the names of their stages",
                    where=path,
                    remedy="Take the play's name out of the tasks' conditions and arguments",
                )
        self.trusts_facts = not any(one.sets_elsewhere for _, one in found)
        self.by_role = self.trusts_facts and not any(one.regroups for _, one in found)

    def below(self, one: Mark, current: str, seen: dict[str, Mark]) -> bool:
        """Collect the marks of all files below; return False when an include's file is for the run to tell."""
        followed = True
        for name in one.includes:
            path = self._program.resolve(name, current) if "{{" not in name else None
            if path is None:
                self._program.check_role_file(name, current)
                followed = False
            elif path not in seen:
                seen[path] = self._marks.of_file(path)
                followed = self.below(seen[path], path, seen) and followed
        return followed

    def is_sure(self, play: Mapping[str, Any]) -> bool:
        """Return whether no host ends the play before its end and goes on with the next one."""
        followed, marks = self._marks_of(sections_of(play, handlers=True))
        return followed and not any(one.hides or one.has_meta for one in marks)

    def mode(self, play: Mapping[str, Any], pattern: str) -> tuple[str, str]:
        """Return ``role`` or ``step`` for what a play may be cut by, or nothing and why it must stay whole."""
        tasks = play.get("tasks") or []
        if not any(include_of(task) for task in tasks):
            return "", ""
        others = sorted(set(play) - _CUTTABLE)
        followed, marks = self._marks_of(tasks)
        hidden = [one.hides for one in marks if one.hides] or [one.ends_play for one in marks if one.ends_play]
        if others or not followed or hidden:
            found = hidden[0].strip('"') if hidden else ""
            named = f"it has {', '.join(others)}" if others else f"a task has {found}" if found else ""
            return "", named or "a file that a task includes is for the run to tell"
        marks = [mark({key: value for key, value in play.items() if key not in ("name", "tasks")}, []), *marks]
        if any(one.fatal for one in marks) and any(one.rescues for one in marks):
            # In ansible-core 2.19 a rescued failure, too, is one of the hosts that had none: they are rescued with it
            # and go on in this play, and have no part in the next one.
            return "", "any_errors_fatal stands in it beside rescue"
        texts = self._included_variables(marks)
        sees = EVERYTHING in texts or self._marks.variables_see_play or any(map(sees_play, texts))
        sees = sees or any(one.sees_play for one in marks)
        by_role = pattern == OVERCLOUD and self.by_role and not sees
        return ("role" if by_role else "step"), ""

    def pinned(self) -> frozenset[str]:
        """Return the names in templates of variables: they are read whenever such a variable is."""
        found = set(self._marks.variable_words)
        for play in self._plays:
            hidden = (*SECTIONS, "handlers", "hosts", "name", "roles")
            found |= reads_of({key: value for key, value in play.items() if key not in hidden})
            for name in _variable_files(play):
                text = self._program.texts.get(name)
                found |= {EVERYTHING} if text is None else template_words(text)
        plays = [mark([], sections_of(play, handlers=True)) for play in self._plays]
        for text in self._included_variables([*plays, *self._below.values()]):
            found |= template_words(text) if text != EVERYTHING else {EVERYTHING}
        return frozenset(found)

    def _marks_of(self, tasks: list[Any]) -> tuple[bool, list[Mark]]:
        """Return whether all files below are known, and the marks of the tasks and of these files."""
        below: dict[str, Mark] = {}
        one = mark(tasks, tasks)
        followed = self.below(one, self._playbook, below)
        return followed, [one, *below.values()]

    def _included_variables(self, marks: Iterable[Mark]) -> list[str]:
        """Return the texts of the files of variables that tasks include; `EVERYTHING` for one not at hand."""
        names: frozenset[str] = frozenset().union(*(one.variable_files for one in marks))
        return [self._program.texts.get(name, EVERYTHING) for name in sorted(names)]


def _variable_files(play: Mapping[str, Any]) -> set[str]:
    files = play.get("vars_files") or []
    return {str(item) for item in (files if isinstance(files, list) else [files])}
