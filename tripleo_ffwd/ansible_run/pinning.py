"""The playbooks of one run: links to the generated ones, and the playbook itself as it is run; starts nothing.

A generated playbook is a list of plays in block style, so it is cut at the lines where a play begins, and what is in a
play is never read or written anew.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

from tripleo_ffwd.ansible_run import leftovers
from tripleo_ffwd.ansible_run.process_tree import MARK
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.tree import MANIFEST, Tree
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import NOTHING_LEFT, UNSELECTED_GROUP, RunSpec

_NOTHING = """- name: nothing is left to do
  hosts: undercloud
  gather_facts: false
  tasks: []
"""
_PLAY = re.compile(r"^- ", re.MULTILINE)
_NAME = re.compile(r"^- name: (.*)$", re.MULTILINE)
_HOSTS = re.compile(r"^  hosts: (.*)$", re.MULTILINE)
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
        if _ENVIRONMENT.search(self.text) or "\n" not in self.text:
            return self
        first, rest = self.text.split("\n", 1)
        return dataclasses.replace(self, text=f"{first}\n  environment: {json.dumps({MARK: run_id})}\n{rest}")

    def without(self, hosts: tuple[str, ...]) -> Play:
        """Return it without some hosts."""
        if not hosts:
            return self
        left_out = "".join(f":!{host}" for host in hosts)
        return dataclasses.replace(self, text=_HOSTS.sub(lambda found: found[0] + left_out, self.text, count=1))


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


def pin(run: RunDir, spec: RunSpec, tree: Tree) -> Path:
    """Make the run's own directory of playbooks.

    Returns:
        It.

    Raises:
        InvalidInput: the playbook has no such stage to begin with, or can't be cut.
        OSError: it can't be made.
    """
    temp = run.pinned.with_name(".tree")
    shutil.rmtree(temp, ignore_errors=True)
    temp.mkdir(mode=0o700)
    for path in sorted(tree.path.iterdir()):
        if path.name not in (spec.playbook, MANIFEST):
            (temp / path.name).symlink_to(path)
    text = (tree.path / spec.playbook).read_text(encoding="utf-8")
    head, plays = split(text)
    if spec.first_stage:
        plays = _rest(plays, spec, tree)
    if spec.resumes and not spec.anyway:
        plays = [Play(leftovers.PLAY, leftovers.play(spec.chain, _everywhere(tree), spec.leftovers_wait)), *plays]
    body = "".join(play.marked(run.run_id).text for play in plays)
    playbook = temp / spec.playbook
    playbook.touch(mode=0o600)
    playbook.write_text(head + body, encoding="utf-8")
    temp.rename(run.pinned)
    return run.pinned


def _everywhere(tree: Tree) -> str:
    groups = "all:!undercloud" if "undercloud" in tree.hosts else "all"
    return f"{groups}:!{UNSELECTED_GROUP}"


def _rest(plays: list[Play], spec: RunSpec, tree: Tree) -> list[Play]:
    """Return the plays from the first stage on, that one without the hosts that have finished it."""
    if spec.first_stage == NOTHING_LEFT:
        return [Play("nothing is left to do", _NOTHING)]
    for number, play in enumerate(plays):
        if play.name == spec.first_stage:
            return [play.without(spec.first_hosts), *plays[number + 1 :]]
    raise InvalidInput(
        f"{spec.playbook} has no stage {spec.first_stage} to go on with",
        where=str(tree.path),
        remedy="Start the phase without resume",
    )
