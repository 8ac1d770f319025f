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
from tripleo_ffwd.model import END_PLAY, GATE_TASK, NOTHING_LEFT, UNSELECTED_GROUP, RunSpec

_NOTHING = """- name: nothing is left to do
  hosts: undercloud
  gather_facts: false
  tasks: []
"""
# Costs nothing: it has no host, whatever is selected.
_END = f"""- name: {END_PLAY}
  hosts: {UNSELECTED_GROUP}:!{UNSELECTED_GROUP}
  gather_facts: false
  tasks: []
"""
_PLAY = re.compile(r"^- ", re.MULTILINE)
_NAME = re.compile(r"^- name: (.*)$", re.MULTILINE)
_HOSTS = re.compile(r"^  hosts: (['\"]?)(\w[^\n'\"]*)\1$", re.MULTILINE)
# What is otherwise in a play with some of its hosts only: what looks at the others or speaks for them, what is unseen.
_TOGETHER = re.compile(
    r"run_once|serial|play_hosts|ansible_play_|play_batch|any_errors_fatal|max_fail_percentage|delegate_facts|strategy"
    r"|order:|handlers|notify|add_host|group_by|meta|roles:|(include|import)_(tasks|role|playbook)|\binclude:|hostvars"
)
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

    def without(self, hosts: tuple[str, ...]) -> Play:
        """Return it without some hosts."""
        if not hosts:
            return self
        left_out = "".join(f":!{host}" for host in hosts)
        text = _HOSTS.sub(lambda at: f"  hosts: {at[1]}{at[2]}{left_out}{at[1]}", self.text, count=1)
        return dataclasses.replace(self, text=text)

    @property
    def is_apart(self) -> bool:
        """True when it does the same on each host whatever it does on the others."""
        tasks = self.text.split(f"- name: {GATE_TASK}")[0]
        return bool(_HOSTS.search(self.text)) and not _TOGETHER.search(tasks)


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


def play_of(spec: RunSpec, tree: Tree, stage: str) -> Play | None:
    """Return the play of a stage as it was generated."""
    _, plays = split((tree.path / spec.playbook).read_text(encoding="utf-8"))
    return next((play for play in plays if play.name == stage), None)


def pin(run: RunDir, spec: RunSpec, tree: Tree) -> Path:
    """Make the run's own directory of playbooks.

    Returns:
        It.

    Raises:
        InvalidInput: the playbook has no such stage to begin with, or can't be cut.
        OSError: it can't be made.
    """
    text = (tree.path / spec.playbook).read_text(encoding="utf-8")
    head, plays = split(text if text.endswith("\n") else f"{text}\n")
    if not plays:
        raise InvalidInput(f"{spec.playbook} is no list of plays in block style", where=str(tree.path))
    if spec.first_stage:
        plays = _rest(plays, spec, tree)
    if spec.resumes and not spec.anyway:
        plays = [Play(leftovers.PLAY, leftovers.play(spec.chain, _everywhere(tree), spec.leftovers_wait)), *plays]
    body = "".join(play.marked(run.run_id).text for play in plays)
    temp = run.pinned.with_name(".tree")
    shutil.rmtree(temp, ignore_errors=True)
    temp.mkdir(mode=0o700)
    for path in sorted(tree.path.iterdir()):
        if path.name not in (spec.playbook, MANIFEST):
            (temp / path.name).symlink_to(path)
    _take_over(run, spec, temp)
    playbook = temp / spec.playbook
    playbook.touch(mode=0o600)
    playbook.write_text(head + body + _END, encoding="utf-8")
    temp.rename(run.pinned)
    return run.pinned


def _take_over(run: RunDir, spec: RunSpec, target: Path) -> None:
    """Copy what tasks of the run before have made beside the playbook, where tasks that are left look for it."""
    known = [RunDir(run.path.with_name(run_id)).pinned for run_id in spec.chain] if spec.first_stage else []
    before = next((path for path in known if path.is_dir()), None)  # the newest comes first
    for path in sorted(before.iterdir()) if before else ():
        there = target / path.name
        if path.is_symlink() or path.name == spec.playbook or there.exists():
            continue
        if path.is_dir():
            shutil.copytree(path, there, symlinks=True)
        elif path.is_file():
            shutil.copy2(path, there)


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
