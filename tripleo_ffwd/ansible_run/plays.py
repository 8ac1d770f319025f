"""A playbook's plays as text: cut, marked, without some hosts; no files, no processes.

A generated playbook is a list of plays in block style, so it is cut at the lines where a play begins, and what is in a
play is never read or written anew.
"""

from __future__ import annotations

import dataclasses
import json
import re

from tripleo_ffwd.ansible_run.process_tree import MARK
from tripleo_ffwd.model import GATE_TASK

_PLAY = re.compile(r"^- ", re.MULTILINE)
_NAME = re.compile(r"^- name: (.*)$", re.MULTILINE)
HOSTS = re.compile(r"^  hosts: (['\"]?)(\w[^\n'\"]*)\1$", re.MULTILINE)
# What is otherwise in a play with some of its hosts only: what looks at the others or speaks for them, what is unseen.
TOGETHER = re.compile(
    r"run_once|serial|play_hosts|ansible_play_|play_batch|any_errors_fatal|max_fail_percentage|delegate_facts|strategy"
    r"|order:|handlers|notify|add_host|group_by|meta|roles:|(include|import)_(tasks|role|playbook)|\binclude:|hostvars"
)
_IGNORED = re.compile(r"^[- ] ignore_errors:", re.MULTILINE)
FACTS = "/facts/"
# The task that Ansible names so itself, and the generated one that does the same.
_GATHERING = re.compile(r"^ +- name: Gathering Facts$", re.MULTILINE)
_TIMEOUT = re.compile(r"^ +(- )?timeout:", re.MULTILINE)
_ENVIRONMENT = re.compile(r"^[- ] environment:", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Play:
    """A play as it stands in its file: its name and its text."""

    name: str
    text: str

    def marked(self, run_id: str) -> Play:
        """Return it with the run's mark in the environment of all that it starts on the nodes.

        A process that goes on there when the connection is gone is known by it. A play that sets an environment by
        itself is left as it is.
        """
        if _ENVIRONMENT.search(self.text) or not _NAME.match(self.text) or "\n" not in self.text:
            return self
        first, rest = self.text.split("\n", 1)
        return dataclasses.replace(self, text=f"{first}\n  environment: {json.dumps({MARK: run_id})}\n{rest}")

    def tried(self) -> Play:
        """Return it for check mode: a task that can't be tried there does not end it.

        What is skipped there has no output, and what looks at that output fails; without facts of the host all would.
        """
        if _IGNORED.search(self.text) or FACTS in self.name or "\n" not in self.text:
            return self
        first, rest = self.text.split("\n", 1)
        return dataclasses.replace(self, text=f"{first}\n  ignore_errors: true\n{rest}")

    def bounded(self, seconds: int) -> Play:
        """Return it with a bound on how long the facts of a host are gathered, if that is all that it is for.

        Nothing else ends that on a node that lets ssh in and then hangs: it would hold up those of other batches, too.
        """
        if FACTS not in self.name or not _GATHERING.search(self.text) or _TIMEOUT.search(self.text):
            return self
        first, rest = self.text.split("\n", 1)
        return dataclasses.replace(self, text=f"{first}\n  timeout: {seconds}\n{rest}")

    def without(self, hosts: tuple[str, ...]) -> Play:
        """Return it without some hosts."""
        if not hosts:
            return self
        left_out = "".join(f":!{host}" for host in hosts)
        text = HOSTS.sub(lambda at: f"  hosts: {at[1]}{at[2]}{left_out}{at[1]}", self.text, count=1)
        return dataclasses.replace(self, text=text)

    @property
    def is_apart(self) -> bool:
        """True when it does the same on each host whatever it does on the others."""
        tasks = self.text.split(f"- name: {GATE_TASK}")[0]
        return bool(HOSTS.search(self.text)) and not TOGETHER.search(tasks)


def split(text: str) -> tuple[str, list[Play]]:
    """Return what stands before the first play of a playbook, and its plays; no plays when it isn't in block style."""
    starts = [found.start() for found in _PLAY.finditer(text)]
    if not starts:
        return text, []
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    return text[: starts[0]], [Play(_name(piece), piece) for piece in pieces]


def _name(text: str) -> str:
    found = _NAME.match(text)
    return found[1].strip().strip("'\"") if found else ""
