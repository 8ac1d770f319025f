"""`tripleo-ffwd diff`: two generated trees, compared by stage and task; reads, and touches nothing."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import tree
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.playbook_gen import comparing

_SIGN = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}
SAME, DIFFERENT, TROUBLE = 0, 1, 2


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "diff",
        help="compare two generated trees by stage and task",
        description="Compare two directories that `generate` wrote, after a change of an environment file: the stages "
        "and tasks that were added (+), removed (-), changed (~) or moved (>), the nodes, and the other files. Exit "
        "code as diff's: 0 the same, 1 different, 2 trouble.",
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="a generated tree")
    parser.add_argument("new", type=Path, metavar="NEW", help="another one")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.set_defaults(func=run, trouble=TROUBLE)


def run(args: argparse.Namespace) -> int:
    """Compare and print; return 0 when the trees are the same, 1 when they differ."""
    found = comparing.compare(_read(args.old), _read(args.new))
    if args.format == "json":
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        for line in _lines(found):
            print(line)
    return SAME if found["equal"] else DIFFERENT


def _read(path: Path) -> comparing.Generated:
    """Return a tree whose files are those of its manifest.

    Raises:
        InvalidInput: it is no generated tree, or was changed since.
    """
    tree.verify(tree.load(path))
    try:
        manifest = json.loads((path / tree.MANIFEST).read_text(encoding="utf-8"))
        files = {name: (path / name).read_text(encoding="utf-8") for name in (f["path"] for f in manifest["files"])}
    except (OSError, ValueError) as error:
        raise InvalidInput(f"can't be read: {error}", where=str(path), remedy=tree.REGENERATE) from error
    return comparing.Generated(manifest, files)


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    if found["equal"]:
        yield "The trees are the same."
        return
    if found["phases"]:
        old, new = (", ".join(found["phases"][side]) or "none" for side in ("old", "new"))
        playbooks = ", ".join(found["phases"]["playbooks"])
        yield f"The trees are of different phases: {old} → {new}."
        yield (
            f"Compared is what both have: {playbooks} and the files that are in both."
            if playbooks
            else "Compared is what both have: the files that are in both, no playbook."
        )
    for fact in found["facts"]:
        yield from _difference({**fact, "what": fact["what"].replace("_", " ")})
    everywhere = found["hosts"]
    for change, hosts in everywhere.items():
        if hosts:
            stages = sum(1 for stage in found["stages"] if set(stage["hosts"][change]) & set(hosts))
            yield f"nodes {change}: {', '.join(hosts)}{f' (in {stages} stages)' if stages else ''}"
    playbook = ""
    for stage in found["stages"]:
        lines = list(_stage(stage, everywhere))
        if lines and stage["playbook"] != playbook:
            playbook = stage["playbook"]
            yield f"\n{playbook}"
        yield from lines
    if found["files"]:
        yield "\nother files"
    for file in found["files"]:
        keys = f": {', '.join(file['keys'])}" if file["keys"] else ""
        yield f"{_SIGN[file['change']]} {file['path']}{keys}"


def _stage(stage: Mapping[str, Any], everywhere: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield a stage's lines; none when it differs in nothing but nodes that were named before."""
    sign = _SIGN[stage["change"]]
    if stage["change"] in ("added", "removed"):
        yield f"{sign} {stage['stage']}  {_count(stage['tasks'], 'task')}{_behind(stage['after'])}"
        return
    hosts = [
        f"{_SIGN[change]} node {host}"
        for change, names in stage["hosts"].items()
        for host in names
        if host not in everywhere[change]
    ]
    lines = [*hosts, *(line for item in stage["play"] for line in _difference(item))]
    lines += [line for task in stage["task_changes"] for line in _task(task)]
    if lines or stage["change"] == "moved":
        yield f"{sign} {stage['stage']}{_behind(stage['after']) if stage['change'] == 'moved' else ''}"
        yield from (f"    {line}" for line in lines)


def _task(task: Mapping[str, Any]) -> Iterator[str]:
    behind = "" if task["change"] == "changed" else _behind(task["after"])
    module = "" if task["module"] == task["task"] else f" ({task['module']})"
    yield f"{_SIGN[task['change']]} {task['task']}{module}{behind}"
    for item in task["differences"]:
        yield from (f"    {line}" for line in _difference(item))


def _difference(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield one difference: on one line, or item by item and line by line where there are several."""
    old, new = item.get("old", ""), item.get("new", "")
    several = any(isinstance(value, list) or (isinstance(value, str) and "\n" in value) for value in (old, new))
    if not several:
        sides = (
            _short(item["old"]) if "old" in item else "(not set)",
            _short(item["new"]) if "new" in item else "(not set)",
        )
        yield f"{item['what']}: {sides[0]} → {sides[1]}"
        return
    yield f"{item['what']}:"
    for line in difflib.ndiff(_parts(old), _parts(new)):
        if line[0] in "+-":
            yield f"  {line}"


def _parts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [_short(item) for item in value]
    return str(value).splitlines()


def _short(value: Any) -> str:
    """Return a value on one line: texts as they are, the rest as JSON."""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _behind(after: str) -> str:
    return f", behind {after}" if after else ", at the beginning"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
