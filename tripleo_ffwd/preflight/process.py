"""The process that looks at the nodes: ``python -m tripleo_ffwd.preflight.process CHECK_DIR``.

It leaves its starter, asks all nodes at once, runs what the operator has added, writes the result, and ends when
nothing of it is alive. It reads ``request.json``::

    {"plan", "phase", "tree", "targets": [NAME, …], "rolling": [ROLE, …], "limits": {…}, "seconds", "node_seconds",
     "parallel", "python", "releases": [NAME, …], "repositories": TEXT, "guests": BOOL, "created",
     "custom": {"directory", "seconds"}, "backup": {"command", "hours"}}
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import command, inventories, keys, process_tree, redaction, rundir
from tripleo_ffwd.ansible_run.connections import Way
from tripleo_ffwd.ansible_run.process_tree import Process
from tripleo_ffwd.ansible_run.rundir import SOCKETS_PREFIX, RunDir
from tripleo_ffwd.ansible_run.supervisor import become_supervisor, claim, daemonise
from tripleo_ffwd.ansible_run.tree import INVENTORY
from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.model import RunSpec
from tripleo_ffwd.preflight import backup, custom, judging, launching, nodes, script
from tripleo_ffwd.preflight.asking import Answer, Job, ask_all
from tripleo_ffwd.preflight.findings import ERROR, Finding, not_made, of_error
from tripleo_ffwd.preflight.judging import Limits
from tripleo_ffwd.redaction import Redactor

LOG = logging.getLogger("tripleo_ffwd.preflight")

BACKUP = "backup"
VERSION_SECONDS = 15


class Look:
    """One look at the nodes, and at what the operator has added.

    Args:
        run: the check's directory.
    """

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._request = launching.request_of(run.path)
        spec = rundir.load_spec(run)
        if spec is None or not self._request:
            raise RuntimeError("what is to be looked at can't be read")
        self._spec = spec
        self._known: list[Process] = []
        self._redact = Redactor()
        self._asked: set[str] = set()
        self._deadline = time.monotonic() + float(self._request["seconds"])

    def take(self) -> dict[str, Any]:
        """Return the result: findings as `Finding` takes them, and the names of nodes, asked or not."""
        began = time.monotonic()
        directory = tempfile.mkdtemp(prefix=SOCKETS_PREFIX)
        rundir.write_json(self._run.sockets, {"directory": directory}, durable=False)
        self._run.private.mkdir(mode=0o700, exist_ok=True)
        (self._run.private / "tmp").mkdir(mode=0o700, exist_ok=True)
        (self._run.private / "ansible.cfg").touch(mode=0o600)
        found: list[Finding] = []
        meant: list[str] = []
        try:
            self._redact = Redactor(_secrets(self._spec))
            spec, environment = self._with_key(Path(directory))
            targets = self._targets(spec)
            meant = [node.name for node in targets]
            found += self._findings(spec, environment, targets)
        except FfwdError as error:
            found.append(dataclasses.replace(of_error("nodes-not-checked", error), made=False))
        finally:
            process_tree.end_all(self._run.run_id, supervisor=os.getpid(), known=self._known)
        told = [self._redact.within(dataclasses.asdict(finding)) for finding in found]
        return {
            "findings": told,
            "nodes": [name for name in meant if name in self._asked],
            "not_asked": [name for name in meant if name not in self._asked],
            "seconds": round(time.monotonic() - began, 2),
        }

    def _with_key(self, directory: Path) -> tuple[RunSpec, dict[str, str]]:
        environment = command.clean_environment(self._run.run_id)
        ssh_key, _ = keys.take(self._run)
        if not ssh_key:
            return self._spec, environment
        self._holder = keys.Holder(self._run, directory / "agent", self._known.extend)
        more = dict(self._holder.hold(ssh_key, int(self._request["seconds"])))
        file = more.get("ANSIBLE_PRIVATE_KEY_FILE", "")
        return dataclasses.replace(self._spec, ssh_key_file=file), {**environment, **more}

    def _targets(self, spec: RunSpec) -> tuple[nodes.Node, ...]:
        wanted = frozenset(self._request["targets"])
        left = self._left(inventories.TIMEOUT)
        return nodes.read(Path(self._request["tree"]), wanted, self._request["rolling"], spec, self._run.private, left)

    def _findings(
        self, spec: RunSpec, environment: Mapping[str, str], targets: tuple[nodes.Node, ...]
    ) -> Iterator[Finding]:
        asked = self._request
        limits = Limits(**{**asked["limits"], "begun": frozenset(asked["limits"]["begun"]), "ansible": _ansible()})
        seconds = float(asked["node_seconds"])
        by_name = {node.name: node for node in targets}
        jobs = []
        for node in targets:
            if node.way.unknown:
                yield not_made("nodes-not-checked", node.way.unknown, node.name)
            else:
                jobs.append(Job(node.name, node.command, self._script(spec, node.way), seconds))
        for job, answer in ask_all(jobs, int(asked["parallel"]), environment, self._deadline):
            if answer.began:
                self._asked.add(job.name)
            yield from judging.judge(by_name[job.name], answer, limits)
        if not targets:
            yield not_made("nodes-not-checked", "there are no nodes to look at")
        yield from self._added(spec, environment, targets)

    def _script(self, spec: RunSpec, way: Way) -> str:
        """Return what a node is asked that is reached in some way."""
        return script.text(
            become=way.become,
            password=way.password,
            python=self._request["python"] if way.python is None else way.python,
            releases=self._request["releases"],
            repositories=self._request["repositories"],
            guests=self._request["guests"],
            terminal=not spec.pipelining,
        )

    def _added(
        self, spec: RunSpec, environment: Mapping[str, str], targets: tuple[nodes.Node, ...]
    ) -> Iterator[Finding]:
        """Run the backup's command and the operator's own checks."""
        asked = self._request
        tree = Path(asked["tree"])
        told = {
            "FFWD_PLAN": asked["plan"],
            "FFWD_PHASE": asked["phase"],
            "FFWD_NODES": ",".join(node.name for node in targets),
            "FFWD_INVENTORY": str(tree / INVENTORY),
            **({"FFWD_INVENTORY_GIVEN": spec.inventory_file} if spec.inventory_file else {}),
        }
        limit = self._run.private / "limit"
        limit.write_text("\n".join([*(node.name for node in targets), "localhost", "undercloud"]), encoding="utf-8")
        words = ["ansible-playbook", *self._given(tree, spec), "--limit", f"@{limit}", "--forks", str(spec.forks)]
        jobs, found = custom.jobs(asked["custom"]["directory"], self._left(asked["custom"]["seconds"]), told, words)
        yield from found
        control = str((rundir.read_json(self._run.sockets) or {}).get("directory"))
        jobs = [self._as_playbook(job, spec, environment, control) if custom.is_playbook(job) else job for job in jobs]
        words = shlex.split(asked["backup"]["command"])
        if words:
            jobs.append(Job(BACKUP, tuple(words), seconds=self._left(asked["node_seconds"])))
        for job, answer in ask_all(jobs, os.cpu_count() or 2, environment, self._deadline):
            yield from self._judged(job, answer)

    def _given(self, tree: Path, spec: RunSpec) -> list[str]:
        """Return the options that name inventories and variables, as runs have them."""
        words = ["-i", str(tree / INVENTORY)]
        words += ["-i", spec.inventory_file] if spec.inventory_file else []
        files = [str(self._run.extra_vars)] if spec.extra_vars else []
        for path in (*files, *filter(None, (spec.extra_vars_file,))):
            words += ["-e", f"@{path}"]
        return words

    def _as_playbook(self, job: Job, spec: RunSpec, environment: Mapping[str, str], control: str) -> Job:
        """Return the job of a playbook with all that Ansible needs."""
        settings = command.ansible_environment(self._run, spec, control)
        settings.pop("FFWD_INSIDE")
        failures = self._run.private / f"{Path(job.command[-1]).name}.jsonl"
        ours = {
            "ANSIBLE_CALLBACK_PLUGINS": str(custom.PLUGINS),
            "ANSIBLE_CALLBACKS_ENABLED": "ffwd_failures",
            "ANSIBLE_STDOUT_CALLBACK": "default",
            "FFWD_FAILURES": str(failures),
        }
        return dataclasses.replace(job, environment={**settings, **environment, **ours, **job.environment})

    def _judged(self, job: Job, answer: Answer) -> list[Finding]:
        if job.name == BACKUP:
            return backup.of_command(answer, job.command[0], int(self._request["backup"]["hours"]), time.time())
        if custom.is_playbook(job):
            return custom.of_playbook(job, answer, Path(job.environment["FFWD_FAILURES"]))
        return custom.of_executable(job, answer)

    def _left(self, seconds: float) -> float:
        """Return so many seconds, or those that are left of all."""
        return max(min(float(seconds), self._deadline - time.monotonic()), 1.0)


def _secrets(spec: RunSpec) -> list[str]:
    """Return what nobody may be told of what the look was given."""
    return redaction.secrets(spec.extra_vars, spec.extra_vars_file, more=inventories.secrets(spec.inventory_file))


def _ansible() -> str:
    """Return the version of the ansible-core that runs use; empty when it can't be told."""
    environment = command.clean_environment("")
    program = shutil.which("ansible-playbook", path=environment["PATH"])
    if program is None:
        return ""
    if Path(program).parent == Path(sys.prefix) / "bin":
        return importlib.metadata.version("ansible-core")
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"(\d+\.\d+[\w.]*)", done.stdout)
    return found[1] if found else ""


def main(argv: list[str]) -> int:
    """Look at the nodes; return the exit code."""
    run = RunDir(Path(argv[0]).resolve())
    daemonise()
    become_supervisor(run)
    try:
        if not claim(run):
            return 3
        found = Look(run).take()
    except Exception as error:
        LOG.exception("the look at the nodes failed")
        what = f"the look at the nodes failed: {type(error).__name__}: {error}"
        finding = Finding("nodes-not-checked", ERROR, what, str(run.path / launching.LOG), made=False)
        found = {"findings": [dataclasses.asdict(finding)], "nodes": [], "not_asked": [], "seconds": 0}
    process_tree.end_all(run.run_id, supervisor=os.getpid())
    run.clean()
    rundir.write_json(run.path / launching.RESULT, found)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    os._exit(code)  # at once: the result says that nothing of the check is alive
