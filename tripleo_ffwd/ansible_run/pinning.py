"""The playbooks of one run: links to the generated ones, and the playbook itself as it is run; starts nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from tripleo_ffwd.ansible_run import leftovers, pace
from tripleo_ffwd.ansible_run.plays import Play, split
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.tree import MANIFEST, Tree
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import END_PLAY, NOTHING_LEFT, UNSELECTED_GROUP, RunSpec

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
    plays = pace.paced(plays, spec, tree)
    plays = [play.bounded(spec.gather_timeout) for play in plays]
    if spec.check:
        plays = [play.tried() for play in plays]
    if spec.resumes and not spec.anyway:
        look = leftovers.play(spec.chain, _everywhere(tree), spec.leftovers_wait, spec.gather_timeout)
        plays = [Play(leftovers.PLAY, look), *plays]
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
