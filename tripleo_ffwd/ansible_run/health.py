"""An operator's health check as a tree of its own, so that it is run, watched and recorded like any playbook.

It has the phase's inventory and its variables, and one playbook: the operator's, imported from where it lies, or one
task that calls the operator's command on the machine of the run.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run.tree import INVENTORY, MANIFEST, load
from tripleo_ffwd.exceptions import InvalidInput, WriteRefused
from tripleo_ffwd.files import make_private_dir, sync_dir, write_json

PLAYBOOK = "health_check.yaml"
# What the check is told, as variables of a playbook and, in capitals, in the environment of a command.
PLAN, NODES = "ffwd_plan", "ffwd_upgraded_nodes"
_SUFFIXES = (".yaml", ".yml")
# Of a tree, what says how nodes are reached.
_KEPT = (INVENTORY, "group_vars", "host_vars", "known_hosts")


def check(words: Sequence[str]) -> None:
    """Refuse a health check that can't be run.

    Args:
        words: the path of a playbook, or a command and its arguments.

    Raises:
        InvalidInput: names what is wrong with it.
    """
    path = Path(words[0])
    if not path.is_absolute():
        raise InvalidInput(
            f"{words[0]} is no absolute path",
            where="batches.health_check",
            remedy="Give the whole path, as it is where Mistral's executors run",
        )
    playbook = _is_playbook(words)
    if not path.is_file() or not os.access(path, os.R_OK if playbook else os.X_OK):
        raise InvalidInput(
            f"{path} can't be {'read' if playbook else 'executed'} by this user",
            where="batches.health_check",
            remedy="Check its path, owner and mode on every executor",
        )


def make_tree(work_dir: Path, tree: Path, words: Sequence[str]) -> tuple[Path, str]:
    """Write the tree of a health check; the same one is written once.

    Args:
        work_dir: the [ffwd] work_dir.
        tree: the phase's playbooks, whose inventory is taken.
        words: the path of a playbook, or a command and its arguments.

    Returns:
        Its directory and digest.

    Raises:
        InvalidInput: the check can't be run, or the phase's tree can't be read.
        WriteRefused: it can't be written.
    """
    check(words)
    text = _playbook(words)
    digest = hashlib.sha256(f"{load(tree).digest}\n{text}".encode()).hexdigest()
    target = make_private_dir(work_dir / "checks") / digest
    if target.exists():
        return target, digest
    temp = target.with_name(f".{digest}-{secrets.token_hex(4)}")
    try:
        temp.mkdir(mode=0o700)
        _fill(temp, tree, text, digest)
        temp.rename(target)
        sync_dir(target.parent)
    except OSError as error:
        if not target.exists():  # else somebody was quicker
            raise WriteRefused(f"the health check can't be written: {error.strerror}", where=str(target)) from error
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    return target, digest


def _is_playbook(words: Sequence[str]) -> bool:
    return len(words) == 1 and words[0].endswith(_SUFFIXES)


def _playbook(words: Sequence[str]) -> str:
    if _is_playbook(words):
        return f"- import_playbook: {json.dumps(words[0])}\n"
    environment = {PLAN.upper(): f"{{{{ {PLAN} }}}}", NODES.upper(): f"{{{{ {NODES} | join(',') }}}}"}
    # Its words are the operator's own: a double brace in them is no template.
    argv = [f"{{% raw %}}{word}{{% endraw %}}" if "{" in word else word for word in words]
    told = "{{ answer.msg | default('no answer') }}: {{ [answer.stdout, answer.stderr] | select | join('; ') }}"
    tasks = [
        {
            "name": f"Ask {Path(words[0]).name}",
            "command": {"argv": argv},
            "environment": environment,
            "register": "answer",
            "changed_when": False,
            "ignore_errors": True,
        },
        # Of a command that fails Ansible's log shows nothing but that.
        {"name": "It has found nothing wrong", "fail": {"msg": told}, "when": "answer is failed"},
    ]
    head = "- name: health check\n  hosts: localhost\n  connection: local\n  gather_facts: false\n  become: false\n"
    return f"{head}  tasks: {json.dumps(tasks)}\n"


def _fill(temp: Path, tree: Path, text: str, digest: str) -> None:
    for name in _KEPT:
        origin = tree / name
        if origin.is_dir():
            shutil.copytree(origin, temp / name)
        elif origin.is_file():
            shutil.copy2(origin, temp / name)
    playbook = temp / PLAYBOOK
    playbook.touch(mode=0o600)
    playbook.write_text(text, encoding="utf-8")
    files = [
        {"path": str(path.relative_to(temp)), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(temp.rglob("*"))
        if path.is_file()
    ]
    manifest: dict[str, Any] = {"digest": digest, "stages": [], "files": files, "folded": [], "rolling": []}
    write_json(temp / MANIFEST, manifest)
