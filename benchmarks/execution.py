"""Execution: the CPU time of ansible-playbook on the templates' tree, on ours, and on the least that does the same."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from differential import classic
from support import queens_outputs

from benchmarks import measuring, overcloud, stand_ins
from benchmarks.minimum import Minimum
from tripleo_ffwd.playbook_gen import pipeline, tasks, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions

PLAYBOOKS = {
    "fast_forward_upgrade": "fast_forward_upgrade_playbook.yaml",
    "upgrade_steps": "upgrade_steps_playbook.yaml",
    "deploy_steps": "deploy_steps_playbook.yaml",
    "post_upgrade_steps": "post_upgrade_steps_playbook.yaml",
}
_TREES = ("theirs", "ours", "minimum", "unconditional")
_SECTIONS = ("pre_tasks", "tasks", "post_tasks", "handlers")
_FILTERS = Path(classic.__file__).parent / "plugins"


@dataclasses.dataclass(frozen=True)
class Trees:
    """The trees of one overcloud, by name, and what is needed to run them."""

    roots: dict[str, Path]
    inventories: tuple[Path, ...]
    plugins: Path
    roles: Path


def write(servers: int, root: Path) -> Trees:
    """Write the trees for a number of servers: ``theirs``, ``ours``, ``minimum`` and ``unconditional``."""
    outputs = overcloud.scaled(queens_outputs(), servers)
    roots = {name: root / name for name in ("theirs", "ours", "minimum", "unconditional")}
    classic.write_tree(outputs, roots["theirs"])
    writing.write_tree(pipeline.compile_playbooks(outputs, GenerateOptions()), roots["ours"])
    for name in ("minimum", "unconditional"):
        least = Minimum(outputs, roots["theirs"], roots[name], name == "minimum")
        least.fast_forward_upgrade()
        least.steps("upgrade", 5)
        least.steps("post_upgrade", 3)
    local = root / "local.yaml"
    everyone = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    local.write_text(json.dumps({"all": {"vars": everyone}}), encoding="utf-8")
    stand_ins.write(root / "plugins", _modules(roots["theirs"]))
    for role in ("tripleo-bootstrap", "tripleo-ssh-known-hosts"):
        (root / "roles" / role / "tasks").mkdir(parents=True)
        (root / "roles" / role / "tasks" / "main.yaml").write_text("[]\n", encoding="utf-8")
    return Trees(roots, (roots["ours"] / "inventory.yaml", local), root / "plugins", root / "roles")


def measure(trees: Trees, tree: str, playbook: str, program: str, root: Path) -> measuring.Cost:
    """Run a playbook of a tree with an ansible-playbook; return what that cost.

    Raises:
        RuntimeError: the run failed, so that nothing was measured.
    """
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
        "ANSIBLE_HOME": str(root / "home"),
        "ANSIBLE_LOCAL_TEMP": str(root / "home" / "tmp"),
        "ANSIBLE_ACTION_PLUGINS": str(trees.plugins),
        "ANSIBLE_ROLES_PATH": str(trees.roles),
        "ANSIBLE_FORKS": "25",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }
    if tree != "ours":  # the idioms of TripleO's time, which ours does without
        environment |= {"ANSIBLE_FILTER_PLUGINS": str(_FILTERS), "ANSIBLE_ALLOW_BROKEN_CONDITIONALS": "1"}
    command = [program, *(part for path in trees.inventories for part in ("-i", str(path)))]
    command.append(str(trees.roots[tree] / playbook))
    cost = measuring.run(command, root / f"{tree}-{playbook}.out", environment, trees.roots[tree])
    if cost.code:
        raise RuntimeError(f"{tree}/{playbook} ended with {cost.code}:\n{cost.output[-2000:]}")
    return cost


def _modules(tree: Path) -> set[str]:
    found: set[str] = set()
    for path in tree.rglob("*.yaml"):
        if not path.name.endswith(("_tasks.yaml", "_playbook.yaml")):
            continue
        items = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or []
        for item in items if isinstance(items, list) else []:
            below: list[Any] = [item] if "hosts" not in item else [t for key in _SECTIONS for t in item.get(key) or []]
            found |= {name.split("=")[0] for name in tasks.modules_of(below)}
    return found


@dataclasses.dataclass(frozen=True)
class Row:
    """What one playbook took on a number of hosts: tree → cost."""

    playbook: str
    hosts: int
    costs: dict[str, measuring.Cost]

    def ratio(self, tree: str, other: str) -> float:
        """Return how many times the CPU time of `other` a tree took; 0 when one of them was not run."""
        return self.costs[tree].cpu / self.costs[other].cpu if {tree, other} <= self.costs.keys() else 0.0


class Comparison:
    """All runs for some numbers of hosts.

    Args:
        root: a directory for trees and records.
        program: the ansible-playbook to measure.
    """

    def __init__(self, root: Path, program: str) -> None:
        self._root = root
        self._program = program
        self._trees: dict[int, Trees] = {}
        self.rows: list[Row] = []

    def run(self, playbook: str, hosts: int) -> None:
        """Run a playbook of all trees on a number of hosts, each once."""
        root = self._root / str(hosts)
        if hosts not in self._trees:
            root.mkdir(parents=True)
            self._trees[hosts] = write(hosts, root)
        trees = self._trees[hosts]
        costs: dict[str, measuring.Cost] = {}
        for name in ("ours", "theirs", "minimum", "unconditional"):
            if (trees.roots[name] / PLAYBOOKS[playbook]).exists():
                costs[name] = measure(trees, name, PLAYBOOKS[playbook], self._program, root)
        self.rows.append(Row(playbook, hosts, costs))

    def lines(self) -> Iterator[str]:
        """Return the table: one row for each playbook and number of hosts."""
        head = ["playbook", "hosts", "templates CPU s", "ours", "minimum", "no conditions"]
        head += ["templates/ours", "ours/minimum", "ours/no conditions", "skips templates", "ours", "minimum"]
        rows = []
        for row in self.rows:
            cells = [f"{row.costs[name].cpu:.1f}" if name in row.costs else "-" for name in _TREES]
            pairs = (("theirs", "ours"), ("ours", "minimum"), ("ours", "unconditional"))
            cells += [f"{row.ratio(*pair):.2f}x" if row.ratio(*pair) else "-" for pair in pairs]
            cells += [str(_skips(row.costs[name])) if name in row.costs else "-" for name in _TREES[:3]]
            rows.append([row.playbook, str(row.hosts), *cells])
        yield measuring.table(head, rows)

    def targets(self) -> Iterator[tuple[str, str, str, bool | None]]:
        """Return (what, to reach, found, whether it is reached) of the fast forward upgrade."""
        for row in self.rows:
            if row.playbook == "fast_forward_upgrade":
                what = f"execution, {row.hosts} hosts: CPU of "
                ratio, least = row.ratio("theirs", "ours"), row.ratio("ours", "minimum")
                yield f"{what}the templates' tree / ours", ">= 10x", f"{ratio:.1f}x", ratio >= 10
                yield f"{what}ours / a hand-written minimum", "<= 1.3x", f"{least:.2f}x", least <= 1.3


def _skips(cost: measuring.Cost) -> int:
    return cost.output.count("\nskipping: [")
