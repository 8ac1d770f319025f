"""Where faults happen: hosts, a tree of playbooks for them, and one case after the other, each from fresh hosts."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import shutil
from pathlib import Path
from typing import Any

import clouds
import psutil
from ansible_lab import records, spec_of
from clouds import Cloud
from faults import playbook
from faults.processes import soon
from support import until

from tripleo_ffwd.ansible_run import process_tree, runs
from tripleo_ffwd.ansible_run.rundir import read_json
from tripleo_ffwd.embedded import faults, node_files, node_processes, nodes
from tripleo_ffwd.embedded.site import Site, open_site
from tripleo_ffwd.model import GATE_TASK, RunSpec, RunStatus

# Its half is the lease of a supervisor, which on a busy machine may not come to write for some seconds.
STALE = 12
OPTIONS: dict[str, Any] = {"launcher": "detach", "heartbeat_interval": 1, "heartbeat_stale": STALE, "wait": 60}
# Nothing here takes so long on a machine that works.
LONG = 180.0


class Lab:
    """Hosts and a tree for them.

    Args:
        root: a directory of its own.
        on_nodes: whether the hosts are embedded nodes behind SSH, or all this machine.
    """

    def __init__(self, root: Path, *, on_nodes: bool) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.site: Site | None = None
        self.cloud: Cloud | None = None  # opened by the rows that need it
        self.count = 0
        if on_nodes:
            self.site = open_site(root / "site")
            nodes.start(self.site, playbook.HOSTS)
            self.effects = {name: node_files.find(self.site, name).root / "effects" for name in playbook.HOSTS}
            self.tree = playbook.make_for_nodes(root / "tree", self.effects, self.site)
        else:
            self.effects = {name: root / "hosts" / name for name in playbook.HOSTS}
            (root / "hosts").mkdir()
            self.tree = playbook.make_local(root / "tree", self.effects)

    def close(self) -> None:
        """End the nodes, and Mistral."""
        if self.cloud is not None:
            clouds.closed(self.cloud.site)
        if self.site is not None:
            nodes.stop(self.site)

    def heal(self) -> None:
        """Take all faults from the nodes; return when nothing runs there any more."""
        if self.site is None:
            return
        for name in playbook.HOSTS:
            faults.clear(self.site, name)
            node_processes.end(node_files.find(self.site, name).root, name)

    def on_nodes(self) -> list[int]:
        """Return the pids of what runs on the nodes."""
        roots = [node_files.find(self.site, name).root for name in playbook.HOSTS] if self.site else []
        return [pid for root in roots for pid in node_processes.of_root(root)]

    def fresh(self) -> None:
        """Give the hosts back as new."""
        self.heal()
        for path in self.effects.values():
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.fails").unlink(missing_ok=True)


@dataclasses.dataclass(frozen=True)
class Line:
    """What a task has left behind on its host."""

    stage: str
    task: str
    host: str
    nonce: str
    value: str


class Case:
    """One row at one moment.

    Args:
        lab: where.
        row: name of the row.
        seed: what the moment and all other choices are drawn from, with the row's name.

    Attributes:
        status: of the newest run, as it was asked for last.
        chain: directories of the runs so far.
    """

    def __init__(self, lab: Lab, row: str, seed: str) -> None:
        self.lab = lab
        self.random = random.Random(f"{row}/{seed}")
        self.moment = self.random.randint(1, playbook.RECORDS)
        lab.count += 1
        self.work = lab.root / f"work{lab.count}"
        self.chain: list[Path] = []
        self.status: RunStatus | None = None
        # How many lines each host had, and how many stages were finished by the word of the status, when it began.
        self.had: dict[str, int] = {}
        self.had_done = 0
        self.done = 0
        # Where the newest run's ssh keeps its connections, as far as that could be seen.
        self.sockets = ""
        lab.fresh()

    # What is done to runs.

    def spec(self, **fields: Any) -> RunSpec:
        """Return what is run."""
        spec = {"leftovers_wait": 30, **fields}
        if self.lab.site is not None:
            site = self.lab.site
            known = {"known_hosts_file": str(site.nodes / "known_hosts"), "ssh_user": "heat-admin"}
            spec = {**known, "ssh_key_file": str(site.ssh_key_file), **spec}
        return spec_of(self.lab.tree, **spec)

    def start(self, *, grace: int = 120, **fields: Any) -> RunStatus:
        """Start a run, or go on with one."""
        had = self.counts()
        return self.took(runs.start(self.work, self.spec(**fields), **OPTIONS, cancel_grace=grace)[0], had)

    def resume(self, **fields: Any) -> RunStatus:
        """Go on."""
        return self.start(resume=True, **fields)

    def took(self, status: RunStatus, had: dict[str, int]) -> RunStatus:
        """Take a run for the newest one; `had` are the numbers of lines before it was asked for."""
        self.status = status
        if Path(status.run_dir) not in self.chain:
            self.chain.append(Path(status.run_dir))
            self.had, self.had_done = had, self.done
        return status

    def look(self) -> RunStatus:
        """Ask for the status."""
        self.status = runs.status(self.run_dir, heartbeat_stale=STALE)
        return self.status

    def settled(self, seconds: float = LONG) -> RunStatus:
        """Wait for the end of the newest run and return its status."""
        until(f"the end of {self.run_dir}", lambda: self.look().settled, seconds)
        assert self.status is not None
        return self.status

    def complete(self) -> RunStatus:
        """Go on until the end."""
        self.resume()
        status = self.settled()
        assert status.succeeded, status
        return status

    def close(self) -> None:
        """End what is left."""
        self.lab.heal()
        for status in runs.list_runs(self.work):
            runs.cancel(Path(status.run_dir), now=True, wait=30)
            assert runs.leftovers(Path(status.run_dir)) == ()
        shutil.rmtree(self.work, ignore_errors=True)

    # What is seen of it.

    @property
    def run_dir(self) -> Path:
        """Directory of the newest run."""
        return self.chain[-1]

    def lines(self, host: str) -> list[Line]:
        """Return what the tasks on a host have left behind, in order."""
        path = self.lab.effects[host]
        text = path.read_text() if path.exists() else ""
        assert text == "" or text.endswith("\n")
        return [Line(*line.split("|")) for line in text.splitlines()]

    def all_lines(self) -> list[Line]:
        """Return what all tasks have left behind."""
        return [line for host in playbook.HOSTS for line in self.lines(host)]

    def counts(self) -> dict[str, int]:
        """Return how many lines each host has."""
        return {host: len(self.lines(host)) for host in playbook.HOSTS}

    def wait_moment(self, number: int | None = None) -> int:
        """Wait until the newest run's ledger has so many records, the case's moment by default, or the run ended."""
        wanted = self.moment if number is None else number
        ledger, status = self.run_dir / "ledger.jsonl", self.run_dir / "status.json"

        def reached() -> int:
            count = ledger.read_bytes().count(b"\n") if ledger.exists() else 0
            ended = (read_json(status) or {}).get("state") == "finished"
            return max(count, 1) if count >= wanted or ended else 0

        found = int(soon(f"{wanted} records of {self.run_dir}", reached, LONG))
        self.sockets = str((read_json(self.run_dir / "sockets.json") or {}).get("directory", ""))
        return found

    def wait_moment_or_end(self, number: int, seconds: float) -> None:
        """Wait as `wait_moment` does, for so long at most: a run may be held up by what was done to it."""
        with contextlib.suppress(AssertionError):
            ledger = self.run_dir / "ledger.jsonl"
            soon("records", lambda: ledger.read_bytes().count(b"\n") >= number or self.look().settled, seconds)

    def wait_task(self, host: str) -> bool:
        """Wait until a task begins on a host; False when the run ends before."""

        def begun() -> str:
            if self.look().settled:
                return "ended"
            return "begun" if any(task.host == host for task in in_flight(self.status)) else ""

        return bool(until(f"a task on {host}", begun, LONG) == "begun")

    def supervisor(self) -> int:
        """Return the supervisor's pid."""
        return int(json.loads((self.run_dir / "supervisor.json").read_text())["pid"])

    def ansible(self) -> int:
        """Return ansible-playbook's pid, when it has one; 0 when the run has ended before."""

        def first() -> int:
            try:
                found = [
                    child.pid
                    for child in psutil.Process(self.supervisor()).children()
                    if "ansible-playbook" in _said(child)
                ]
            except psutil.NoSuchProcess:
                return 0
            return found[0] if found else 0

        pid = soon("ansible-playbook", lambda: first() or self.look().settled, LONG)
        return 0 if pid is True else int(pid)

    def family(self) -> list[psutil.Process]:
        """Return all that is alive of the run, its supervisor too."""
        found = [psutil.Process(one.pid) for one in process_tree.scan(self.run_dir.name) if psutil.pid_exists(one.pid)]
        return found


def in_flight(status: RunStatus | None) -> list[Any]:
    """Return the tasks on hosts of a run that have begun, and of whose end there is no record."""
    assert status is not None
    begun: dict[tuple[int, str], Any] = {}
    for record in records(status):
        if record["event"] == "task_start" and record["task"] != GATE_TASK:
            begun[record["task_id"], record["host"]] = _Flight(record["stage"], record["task"], record["host"])
        elif record["event"] == "task_end":
            begun.pop((record["task_id"], record["host"]), None)
    return list(begun.values())


@dataclasses.dataclass(frozen=True)
class _Flight:
    stage: str
    task: str
    host: str


def _said(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
