"""What the facts of set_fact tasks are known to hold, and on which hosts; imports tasks only, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tripleo_ffwd.playbook_gen.tasks import ANY_FACT, ANY_VARIABLE


class Facts:
    """The facts of one playbook, play after play: a fact counts only where every host of the play has it.

    Attributes:
        folded: names whose value was known somewhere, or that were given a value by a loop.
        changes: how often what is visible or defined has changed.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, frozenset[str]]] = {}
        self._defined: dict[str, frozenset[str]] = {}
        self._assigned: set[str] = set()
        self._hosts: frozenset[str] = frozenset()
        self._here: set[str] = set()
        self._blocked: frozenset[str] = frozenset()
        self._compared: dict[tuple[int, int], tuple[frozenset[str], frozenset[str], bool]] = {}
        self._visible_on: dict[int, tuple[frozenset[str], Mapping[str, Any] | None]] = {}
        self._defined_on: dict[int, tuple[int, frozenset[str], frozenset[str]]] = {}
        self.folded: set[str] = set()
        self.changes = 0

    def enter(self, hosts: Iterable[str], *, alone: bool) -> None:
        """Begin a play on these hosts; `alone` when its tags may select it without the plays before it."""
        if alone:
            self._known.clear()
            self._visible_on.clear()
            self._defined.clear()
            self.changes += 1
        self._hosts = frozenset(hosts)
        self._here = set()

    def leave(self, play: Mapping[str, Any], *, sure: bool) -> None:
        """End a play; what it set is not trusted later when its tags, or an end before its end, may leave it out."""
        if not sure or tags_of(play):
            self.forget(self._here)

    def visible(self, hosts: frozenset[str] | None = None) -> Mapping[str, Any]:
        """Return the facts that each of these hosts has, with their values; of all hosts of the play by default."""
        wanted = self._hosts if hosts is None else hosts
        _, found = self._visible_on.get(id(wanted), (wanted, None))
        if found is None:
            found = {name: value for name, (value, on) in self._known.items() if self._within(wanted, on)}
            self._visible_on[id(wanted)] = (wanted, found)  # held, so that its id stays its own
        return found

    def _within(self, hosts: frozenset[str], others: frozenset[str]) -> bool:
        """Return whether hosts are among others: asked of the same few sets, which may be large, again and again."""
        if hosts is others:
            return True
        key = (id(hosts), id(others))
        if key not in self._compared:
            self._compared[key] = (hosts, others, hosts <= others)  # held, so that their ids stay their own
        return self._compared[key][2]

    def defined(self, hosts: frozenset[str]) -> frozenset[str]:
        """Return the variables that surely have a value on these hosts."""
        changes, _, found = self._defined_on.get(id(hosts), (-1, hosts, frozenset()))
        if changes != self.changes:
            found = frozenset(name for name, on in self._defined.items() if self._within(hosts, on))
            self._defined_on[id(hosts)] = (self.changes, hosts, found)
        return found

    def define(self, names: Iterable[str], hosts: frozenset[str]) -> None:
        """Remember names that surely have a value on these hosts from here on."""
        for name in names:
            on = self._defined.get(name)
            if on is None or not self._within(hosts, on):
                self._defined[name] = hosts if on is None else on | hosts
                self.changes += 1

    def block(self, names: Iterable[str]) -> None:
        """Take facts of these names for unknown until others are named: handlers may set them at any time."""
        self._blocked = frozenset(names)
        self.forget(self._blocked)

    def put(self, name: str, value: Any, hosts: frozenset[str] | None = None) -> None:
        """Know a fact on these hosts, on those of the play by default."""
        if self._blocked & {name, ANY_FACT}:
            return
        on = self._hosts if hosts is None else hosts
        before, known_on = self._known.get(name, (None, frozenset()))
        same = type(before) is type(value) and before == value
        self._known[name] = (value, on | known_on if same else on)
        self._visible_on.clear()
        self.changes += 1
        self._here.add(name)
        self.folded.add(name)

    def forget(self, names: Iterable[str]) -> None:
        """Take facts of these names for unknown from here on; the names may stand for any fact."""
        names = set(names)
        self.assign(names)
        gone = self._known.keys() if ANY_FACT in names else self._known.keys() & names
        if gone:
            self._visible_on.clear()
            self.changes += 1
        for name in list(gone):
            del self._known[name]

    def assign(self, names: Iterable[str]) -> None:
        """Remember names that tasks set, whatever their value."""
        self._assigned |= set(names)

    def sets(self, name: str) -> bool:
        """Return whether a task before sets a variable of this very name."""
        return name in self._assigned

    def outrank(self, names: Iterable[str]) -> bool:
        """Return whether a task before may have set something that outranks a play's variable of such a name."""
        return any(name in self._assigned for name in (ANY_VARIABLE, *names))


def tags_of(item: Mapping[str, Any]) -> set[str]:
    """Return the tags of a play or a task."""
    tags = item.get("tags") or ()
    listed = tags if isinstance(tags, list | tuple) else str(tags).split(",")
    return {part.strip() for tag in listed for part in str(tag).split(",") if part.strip()}


def plain_facts(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the facts of a set_fact without any loop or tag; nothing for any other task."""
    facts = task.get("set_fact", task.get("ansible.builtin.set_fact"))
    if not isinstance(facts, Mapping):
        return {}
    return {} if task.keys() - {"set_fact", "ansible.builtin.set_fact", "name", "no_log", "when"} else facts
