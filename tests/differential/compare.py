"""Runs the templates' tree and ours by real Ansible, modules replaced, and compares what each host executed.

`compare(outputs, playbook, seed)` is all that a test needs; any outputs will do.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from differential import classic

from tripleo_ffwd.playbook_gen import pipeline, tasks, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions

HERE = Path(__file__).parent
DEFAULT_PROGRAM = str(Path(sys.executable).parent / "ansible-playbook")
_STUB = """from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        raise AssertionError("the recorder answers for it")
"""
_REAL = frozenset(("set_fact", "debug", "assert", "fail", "include_vars", "add_host", "group_by", "meta"))


class Differ(AssertionError):
    """The two trees did not do the same."""


class Refused(Exception):
    """A run of our tree would not begin with these variables: there is nothing to compare."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run's record.

    Attributes:
        code: what ansible-playbook would return.
        output: what it wrote on stdout and stderr.
        events: what happened, in order: ``["run", host, …]`` and ``["end", host, …]``.
        variables: host → the final values of variables.
        loaded: the files of YAML that it read.
    """

    code: int
    output: str
    events: list[Any]
    variables: dict[str, dict[str, Any]]
    loaded: list[Path]


class Ansible:
    """A running `runner.py`, which runs playbooks one after the other.

    Args:
        directory: for the stand-ins and the configuration.
        program: an ansible-playbook; its Python is the one that is used.
    """

    def __init__(self, directory: Path, program: str = DEFAULT_PROGRAM) -> None:
        self.directory = directory
        self._processes: dict[bool, subprocess.Popen[str]] = {}
        self._python = str(Path(program).parent / "python")
        self._jobs = 0
        self.stubs = directory / "stubs"
        self.stubs.mkdir(parents=True, exist_ok=True)
        self.roles = directory / "roles"
        self.roles.mkdir(exist_ok=True)

    def __enter__(self) -> Ansible:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            process.wait()

    def prepare(self, modules: Iterable[str], roles: Iterable[tuple[str, str]] = ()) -> None:
        """Make names known that a playbook uses: modules that are not there, and files of roles with a task each."""
        for module in modules:
            path = self.stubs / f"{module}.py"
            if "." not in module and module not in _REAL and module.isidentifier() and not path.exists():
                path.write_text(_STUB)
        for role, file in roles:
            target = self.roles / role / "tasks"
            target.mkdir(parents=True, exist_ok=True)
            (target / f"{file}.yaml").write_text(json.dumps([{"name": f"{role}, {file}", "command": "do it"}]))

    def run(self, playbook: Path, inventories: list[Path], job: Mapping[str, Any], old: bool) -> Run:
        """Run a playbook.

        Args:
            playbook: its path.
            inventories: files.
            job: `seed`, `names` (of the variables to tell), `bootstrap` (hosts), `survive`, `arguments`.
            old: whether the idioms of TripleO's time are allowed.
        """
        self._jobs += 1
        stem = f"{self._jobs:05d}-{'theirs' if old else 'ours'}"
        record, output = self.directory / f"{stem}.jsonl", self.directory / f"{stem}.out"
        arguments = [part for path in inventories for part in ("-i", str(path))]
        arguments += [str(playbook), *job.get("arguments", ())]
        line = {**job, "record": str(record), "output": str(output), "directory": str(playbook.parent)}
        process = self._process(old)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({**line, "arguments": arguments}) + "\n")
        process.stdin.flush()
        code = json.loads(process.stdout.readline())["rc"]
        lines = [json.loads(text) for text in record.read_text().splitlines()]
        events = [item for item in lines if item[0] not in ("variables", "loaded")]
        variables = {item[1]: item[2] for item in lines if item[0] == "variables"}
        loaded = [Path(item[1]) for item in lines if item[0] == "loaded"]
        return Run(code, output.read_text(), events, variables, loaded)

    def _process(self, old: bool) -> subprocess.Popen[str]:
        if old not in self._processes:
            environment = {
                **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
                "ANSIBLE_ACTION_PLUGINS": str(self.stubs),
                "ANSIBLE_ROLES_PATH": str(self.roles),
                "ANSIBLE_STRATEGY_PLUGINS": str(HERE / "strategies"),
                "ANSIBLE_HOME": str(self.directory / "home"),
                "ANSIBLE_LOCALHOST_WARNING": "0",
                "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
                "ANSIBLE_FORKS": "1",
                "ANSIBLE_NOCOLOR": "1",
                "PYTHONHASHSEED": "0",
            }
            if old:
                environment["ANSIBLE_FILTER_PLUGINS"] = str(HERE / "plugins")
                environment["ANSIBLE_ALLOW_BROKEN_CONDITIONALS"] = "1"
            self._processes[old] = subprocess.Popen(
                [self._python, str(HERE / "runner.py")],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=self.directory,
            )
        return self._processes[old]


@dataclasses.dataclass(frozen=True)
class Trees:
    """The two trees of one overcloud, with what is needed to run them.

    Attributes:
        theirs: directory of the templates' tree.
        ours: directory of the generated one.
        inventories: for both.
        names: of variables that something in the templates' tree reads.
        hosts: of the inventory.
        ordered: whether hosts wait for each other after each task; with the strategy `free` they do not.
        folded: variables whose values stand in ours: no run takes others for them.
    """

    theirs: Path
    ours: Path
    inventories: list[Path]
    names: list[str]
    hosts: list[str]
    ordered: bool
    folded: frozenset[str]


def write_trees(
    outputs: dict[str, Any],
    root: Path,
    ansible: Ansible,
    options: GenerateOptions | None = None,
    order: str = "",
    written: dict[str, Any] | None = None,
) -> Trees:
    """Write both trees below `root` and make the modules and roles that they name known.

    Args:
        outputs: output key to value.
        root: a directory.
        ansible: what will run them.
        options: of the generator.
        order: of the tasks in the templates' tree; empty: the one that the generator found.
        written: the outputs with the files that TripleO's writer adds; None: it adds none.
    """
    theirs, ours = root / "theirs", root / "ours"
    tree = pipeline.compile_playbooks(outputs, options or GenerateOptions())
    classic.write_tree(written or outputs, theirs, order or tree.manifest["task_order"])
    writing.write_tree(tree, ours)
    local = root / "local.yaml"
    everyone = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    local.write_text(json.dumps({"all": {"vars": everyone}}))
    modules, roles, text = {"command"}, set(), []
    for path in theirs.rglob("*.yaml"):
        text.append(path.read_text())
        if classic.is_program(path.name):
            found = classic.tasks_of(yaml.load(text[-1], Loader=yaml.CSafeLoader))
            modules |= {
                name.split("=")[0] for item in found if "hosts" not in item for name in tasks.modules_of([item])
            }
            roles |= {role for item in found for role in _roles(item)}
    ansible.prepare(modules, roles)
    inventory = yaml.safe_load((ours / "inventory.yaml").read_text())
    ordered = not any(re.search(r"strategy: \S*free\b", found) for found in text)
    inventories, folded = [ours / "inventory.yaml", local], frozenset(tree.manifest["folded"])
    return Trees(theirs, ours, inventories, _read_names(text), _hosts(inventory), ordered, folded)


def _roles(item: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the roles that a play or a task uses, each with the file of tasks in it."""
    named = [item[key] for key in ("include_role", "import_role") if key in item]
    found = [(str(role["name"]), str(role.get("tasks_from", "main"))) for role in named]
    plain = [role.get("role", role.get("name")) if isinstance(role, dict) else role for role in item.get("roles") or []]
    return [(role, file) for role, file in [*found, *((str(role), "main") for role in plain)] if "{" not in role + file]


def _hosts(value: Any) -> list[str]:
    found: set[str] = set()
    if isinstance(value, dict):
        for key, item in value.items():
            found |= set(item or {}) if key == "hosts" else set(_hosts(item))
    return sorted(found)


def _read_names(texts: list[str]) -> list[str]:
    """Return every word that stands in a template or a condition."""
    found: set[str] = set()
    for text in texts:
        for part in re.findall(r"\{\{.*?\}\}|\{%.*?%\}", text, re.DOTALL):
            found.update(re.findall(r"[A-Za-z_]\w*", part))
        for line in re.findall(r"^.*(?:when|until|with_\w+|loop|- ).*$", text, re.MULTILINE):
            found.update(re.findall(r"[A-Za-z_]\w*", line))
    return sorted(found)


def compare_trees(
    trees: Trees,
    playbook: str,
    seed: str,
    ansible: Ansible,
    *,
    survive: bool = True,
    tags: str = "",
    skip_tags: str = "",
    extra_vars: Mapping[str, Any] | None = None,
) -> Run:
    """Run a playbook of both trees and compare; return the run of the templates' tree.

    Raises:
        Differ: telling the first difference.
        Refused: a run of ours would not begin: `extra_vars` names what has a fixed value in it.
    """
    if refused := sorted(trees.folded & set(extra_vars or {})):
        raise Refused(f"the playbooks have fixed values of {', '.join(refused)}")
    job = {
        "seed": seed,
        "names": trees.names,
        "bootstrap": [host for host in trees.hosts if host != "undercloud"],
        "survive": survive,
        "arguments": _arguments(tags, skip_tags, extra_vars),
    }
    theirs = ansible.run(trees.theirs / playbook, trees.inventories, job, True)
    ours = ansible.run(trees.ours / playbook, trees.inventories, job, False)
    where = f"{playbook}, seed {seed!r}, {' '.join(job['arguments'])}\nin {trees.theirs.parent}"
    if theirs.code not in (0, 2) or (theirs.code == 0) != (ours.code == 0):
        told = (theirs if theirs.code not in (0, 2) else ours).output[-3000:]
        raise Differ(f"theirs ended with {theirs.code}, ours with {ours.code}: {where}\n{told}")
    if theirs.code != 0:
        theirs, ours = _until_failure(theirs), _until_failure(ours)
    # What no file that was loaded names is read by nothing: whether it was registered at all, nobody can tell.
    mine = [path for path in theirs.loaded if path.is_relative_to(trees.theirs)]
    read = frozenset(_read_names([path.read_text() for path in mine if path.suffix == ".yaml"]))
    _same(_with_variables(theirs, read), _with_variables(ours, read), where, trees.ordered)
    return theirs


def _with_variables(run: Run, names: frozenset[str]) -> Run:
    """Return a run with variables of these names only."""
    kept = {
        host: {name: value for name, value in found.items() if name in names} for host, found in run.variables.items()
    }
    return dataclasses.replace(run, variables=kept)


def _until_failure(run: Run) -> Run:
    """Return what happened until a host failed for good, without what is left of it: what comes then is policy."""
    lost = next((index for index, event in enumerate(run.events) if event[-1] == "lost"), len(run.events))
    runs = [event for event in run.events[:lost] if event[0] == "run"]
    if lost < len(run.events):  # other hosts may have run that task before this one was looked at
        while runs and runs[-1][2:4] == run.events[lost][2:4]:
            runs.pop()
    return dataclasses.replace(run, events=runs, variables={})


def _same(theirs: Run, ours: Run, where: str, ordered: bool) -> None:
    expected, found = _by_host(theirs.events), _by_host(ours.events)
    for host in sorted({*expected, *found}):
        before, after = expected.get(host, []), found.get(host, [])
        if before != after:
            raise Differ(f"{host} does not execute the same: {where}\n{_difference(before, after)}")
    before, after = ([item for item in run.events if item[0] == "run"] for run in (theirs, ours))
    if ordered and before != after:
        raise Differ(f"the order across hosts is not the same: {where}\n{_difference(before, after)}")
    for host in sorted({*theirs.variables, *ours.variables}):
        old, new = theirs.variables.get(host, {}), ours.variables.get(host, {})
        wrong = {name: (old.get(name), new.get(name)) for name in {*old, *new} if old.get(name) != new.get(name)}
        if wrong:
            told = "\n".join(f"{name}: theirs {a}\n    ours {b}" for name, (a, b) in sorted(wrong.items())[:10])
            raise Differ(f"variables differ on {host}: {where}\n{told}")


def _by_host(events: list[Any]) -> dict[str, list[Any]]:
    """Return what each host did.

    A run ends for a host that fails for good. What the host does when that is taken back is compared too, but not
    which tasks can't even be evaluated then: the generator may take it that those before them did their part.
    """
    found: dict[str, list[Any]] = {}
    lost: set[str] = set()
    for kind, host, *rest in events:
        done = found.setdefault(host, [])
        is_lost = kind == "end" and rest[-1] == "lost"
        if not is_lost or host not in lost or (done and done[-1][0] == "run"):
            done.append([kind, *rest])
        if is_lost:
            lost.add(host)
    return found


def _difference(before: list[Any], after: list[Any]) -> str:
    lines = difflib.unified_diff(
        [json.dumps(item) for item in before], [json.dumps(item) for item in after], "theirs", "ours", lineterm="", n=2
    )
    return "\n".join(line[:400] for _, line in zip(range(40), lines, strict=False))


def compare(
    outputs: dict[str, Any],
    playbook: str,
    seed: str,
    directory: Path,
    *,
    tags: str = "",
    skip_tags: str = "",
    extra_vars: Mapping[str, Any] | None = None,
    program: str = DEFAULT_PROGRAM,
    options: GenerateOptions | None = None,
) -> Run:
    """Compare the two trees of any outputs for one playbook and one seed; see `compare_trees`."""
    with Ansible(directory / "ansible", program) as ansible:
        trees = write_trees(outputs, directory / "trees", ansible, options)
        selection: Any = {"tags": tags, "skip_tags": skip_tags, "extra_vars": extra_vars}
        return compare_trees(trees, playbook, seed, ansible, **selection)


def _arguments(tags: str, skip_tags: str, extra_vars: Mapping[str, Any] | None) -> list[str]:
    """Return the command line's part that selects tasks and gives variables."""
    found = ["--tags", tags] if tags else []
    found += ["--skip-tags", skip_tags] if skip_tags else []
    return [*found, "-e", json.dumps(extra_vars)] if extra_vars else found
