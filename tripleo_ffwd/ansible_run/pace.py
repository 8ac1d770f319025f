"""How the hosts of a stage go through it: some by some (`serial`), or each as fast as it can (a strategy).

Both are for stages of rolling roles that do the same on each host whatever happens on the others; all other stages
stay as they are generated. Gates hold: between batches the gate at a stage's end ends the run as soon as a host of a
batch is lost, and where hosts do not come to that end together, the gate stands in a play of its own behind the stage.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path

from tripleo_ffwd.ansible_run.plays import HOSTS, TOGETHER, Play
from tripleo_ffwd.ansible_run.tree import Tree
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import GATE_PLAY, GATE_TASK, RunSpec

LINEAR = "linear"
# With these a host goes on to its next task when others are still at theirs.
APART = ("free", "host_pinned")
SHARE = re.compile(r"(100|[1-9]?\d)%")
UNDERCLOUD = "undercloud"

_TASKS = re.compile(r"^  tasks:\n((?:(?:  - |    ).*\n|\s*\n)+)\Z", re.MULTILINE)
_OTHER_TASKS = re.compile(r"^  (pre_tasks|post_tasks):", re.MULTILINE)
_GATE_BEGINS = f"  - name: {GATE_TASK}\n"
_INCLUDE = re.compile(r"(?:include|import)_tasks: (['\"]?)([\w./-]+)\1$", re.MULTILINE)
_FATAL = "any_errors_fatal"
_MISSED = "ansible_play_hosts_all | difference(ansible_play_hosts)"


def check(spec: RunSpec) -> None:
    """Refuse a strategy or a `serial` with which stages would not be kept apart.

    Raises:
        InvalidInput: says which and why.
    """
    strategy = _plain(spec.strategy)
    if strategy not in ("", LINEAR, *APART):
        raise InvalidInput(
            f"strategy {spec.strategy} is refused: only with {LINEAR}, and for rolling roles with "
            f"{' and '.join(APART)}, is it known that a stage begins when the one before it is finished everywhere",
            remedy=f"Give one of {', '.join((LINEAR, *APART))}, or none",
        )
    if spec.serial and strategy in APART:
        raise InvalidInput(
            f"serial and strategy {spec.strategy} are not possible together: the hosts of a batch would not come to "
            "the gate between the batches together",
            remedy="Give one of them",
        )
    wrong = [value for value in spec.serial if not is_size(value)]
    if wrong:
        raise InvalidInput(
            f"serial {wrong[0]!r} is neither a number of hosts nor a share of them",
            remedy="Give whole numbers of at least 1, or shares as in 25%",
        )


def is_size(value: object) -> bool:
    """Return whether something is a number of hosts, or a share of them such as ``25%``."""
    if isinstance(value, str):
        return bool(SHARE.fullmatch(value)) and value != "0%"
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def paced(plays: Sequence[Play], spec: RunSpec, tree: Tree) -> list[Play]:
    """Return a playbook's plays with those in their pace that may have one."""
    strategy = _plain(spec.strategy)
    if not spec.serial and strategy not in APART:
        return list(plays)
    rolling = {stage.id for stage in tree.required(spec) if stage.role in tree.rolling}
    found: list[Play] = []
    for number, play in enumerate(plays):
        if play.name not in rolling:
            found.append(play)
        elif spec.serial:
            found.append(_in_batches(play, spec.serial) if _may(play, tree.path, fatal=True) else play)
        else:
            gated = number + 1 < len(plays)
            found += _each(play, strategy, tree, gated=gated) if _may(play, tree.path, fatal=False) else [play]
    return found


def _plain(strategy: str) -> str:
    return strategy.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")


def _may(play: Play, root: Path, *, fatal: bool) -> bool:
    """Return whether each host can go through a play without the others.

    Args:
        play: a stage.
        root: the tree's directory, where the files are that it includes.
        fatal: whether one that ends for all hosts when one fails may, too.
    """
    if not HOSTS.search(play.text) or not _TASKS.search(play.text) or _OTHER_TASKS.search(play.text):
        return False
    return _is_apart(play.text.split(_GATE_BEGINS)[0], root, root, (_FATAL,) if fatal else (), frozenset())


def _is_apart(text: str, root: Path, here: Path, but: Sequence[str], seen: frozenset[Path]) -> bool:
    """Return whether a text, and the files of tasks that it includes, say nothing that concerns several hosts."""
    left = _INCLUDE.sub("", text)
    if any(found[0] not in but for found in TOGETHER.finditer(left)):
        return False
    for name in {found[2] for found in _INCLUDE.finditer(text)}:
        files = {path.resolve() for path in (root / name, here / name) if path.is_file()}
        if not files or files & seen:
            return False
        for path in files:
            if not _is_apart(path.read_text(encoding="utf-8"), root, path.parent, but, seen | {path}):
                return False
    return True


def _headed(play: Play, line: str) -> Play:
    first, rest = play.text.split("\n", 1)
    return dataclasses.replace(play, text=f"{first}\n  {line}\n{rest}")


def _in_batches(play: Play, serial: Sequence[int | str]) -> Play:
    """Return it with some hosts after the other, and a gate at the end of each batch."""
    text = play.text if _GATE_BEGINS in play.text else play.text.rstrip("\n") + "\n" + _gate(play.name)
    return _headed(dataclasses.replace(play, text=text), f"serial: {json.dumps(list(serial))}")


def _gate(stage: str) -> str:
    message = f"Stage {stage} did not finish on {{{{ {_MISSED} | join(', ') }}}}: the run ends here"
    return _GATE_BEGINS + "".join(
        f"    {key}: {json.dumps(value)}\n"
        for key, value in {
            "fail": {"msg": message},
            "when": f"{_MISSED} | length > 0",
            "run_once": True,
            "become": False,
            "ignore_errors": False,
            "no_log": False,
            "tags": ["always"],
        }.items()
    )


def _each(play: Play, strategy: str, tree: Tree, *, gated: bool) -> list[Play]:
    """Return it with a strategy of its own, and behind it the play of its gate."""
    text, found, gate = play.text.partition(_GATE_BEGINS)
    free = _headed(dataclasses.replace(play, text=text), f"strategy: {strategy}")
    hosts = HOSTS.search(play.text)
    if not _TASKS.search(text) or hosts is None or "&" in hosts[2]:
        return [play]
    if not found or not gated:
        return [free]
    always = f"{UNDERCLOUD}:" if UNDERCLOUD in tree.hosts else ""
    name = f"{GATE_PLAY}{play.name}"
    head = f"- name: {name}\n  hosts: {json.dumps(always + hosts[2])}\n  gather_facts: false\n"
    # What ends ansible-playbook, and not only the play, is the first in 2.16 and the second in 2.19.
    head += f"  {_FATAL}: true\n  max_fail_percentage: 0\n  tasks:\n"
    return [free, Play(name, head + _GATE_BEGINS + gate)]
