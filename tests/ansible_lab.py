"""Small trees of playbooks whose hosts are all this machine, and runs of them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from support import until

from tripleo_ffwd.ansible_run import ledger, runs
from tripleo_ffwd.model import RunSpec, RunStatus

PLAYBOOK = "upgrade_steps_playbook.yaml"
CONTROLLERS = ("ctl-0", "ctl-1")
HOSTS = (*CONTROLLERS, "cmp-0")


def play(stage: str, hosts: str, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": stage, "hosts": f"{hosts}:!ffwd_unselected", "gather_facts": False, "tasks": tasks}


def gate(stage: str, hosts: str) -> dict[str, Any]:
    """A play that ends the run when a host of `hosts` has been lost, as the generated ones do."""
    lost = f"groups['{hosts}'] | difference(groups['ffwd_unselected'] | default([])) | difference(ansible_play_hosts)"
    return {
        "name": f"gate {stage}",
        "hosts": f"{hosts}:!ffwd_unselected",
        "gather_facts": False,
        "any_errors_fatal": True,
        "tasks": [{"name": "gate", "fail": {"msg": f"{stage} not finished"}, "when": f"{lost} | length > 0"}],
    }


class Trees:
    """Makes small trees of playbooks whose hosts are all this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.count = 0

    def make(self, plays: list[dict[str, Any]], **manifest: Any) -> Path:
        self.count += 1
        tree = self.root / f"tree{self.count}"
        tree.mkdir()
        # Like a generated one it has no aliases.
        (tree / PLAYBOOK).write_text(yaml.safe_dump(json.loads(json.dumps(plays)), sort_keys=False))
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        groups = {
            "overcloud": {"children": {"Controller": {}, "Compute": {}}},
            "Controller": {"hosts": dict.fromkeys(CONTROLLERS, local)},
            "Compute": {"hosts": {"cmp-0": local}},
            "undercloud": {"hosts": {"undercloud": local}},
            "ffwd_unselected": {"hosts": {}},
        }
        (tree / "inventory.yaml").write_text(yaml.safe_dump(groups))
        members = {"Controller": CONTROLLERS, "Compute": ("cmp-0",), "overcloud": HOSTS, "undercloud": ("undercloud",)}
        stages = [
            {
                "id": entry["name"],
                "playbook": PLAYBOOK,
                "hosts": members[entry["hosts"].split(":")[0]],
                "tasks": len(entry["tasks"]),
                "role": entry["name"].split("/")[2] if "/" in entry["name"] else "",
            }
            for entry in plays
            if not entry["name"].startswith("gate ")
        ]
        data = {"digest": f"digest-{self.count}", "stages": stages, "missing_inputs": [], **manifest}
        (tree / "manifest.json").write_text(json.dumps(data))
        return seal(tree)


def seal(tree: Path) -> Path:
    """Write the files that are in a tree into its manifest, as the generator does."""
    manifest = json.loads((tree / "manifest.json").read_text())
    paths = sorted(path for path in tree.rglob("*") if path.is_file() and path.name != "manifest.json")
    manifest["files"] = [
        {"path": str(path.relative_to(tree)), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in paths
    ]
    (tree / "manifest.json").write_text(json.dumps(manifest))
    return tree


def spec_of(tree: Path, **fields: Any) -> RunSpec:
    digest = json.loads((tree / "manifest.json").read_text())["digest"]
    return RunSpec(
        **{"plan": "overcloud", "phase": "upgrade", "playbook": PLAYBOOK, "tree": str(tree), "digest": digest, **fields}
    )


def start(work: Path, spec: RunSpec, **options: Any) -> tuple[RunStatus, bool]:
    return runs.start(work, spec, **{"launcher": "detach", "heartbeat_interval": 1, "heartbeat_stale": 10, **options})


def finish(status: RunStatus, seconds: float = 40) -> RunStatus:
    def settled() -> RunStatus | None:
        now = runs.status(Path(status.run_dir))
        return now if now.settled else None

    result = until("the end of the run", settled, seconds)
    assert isinstance(result, RunStatus)
    return result


def run(work: Path, spec: RunSpec) -> RunStatus:
    return finish(start(work, spec)[0], 120)


def command(text: str, name: str = "a command") -> dict[str, Any]:
    return {"name": name, "shell": text}


def records(of: RunStatus, **wanted: Any) -> list[dict[str, Any]]:
    every = ledger.read(Path(of.run_dir) / "ledger.jsonl")
    return [record for record in every if all(record.get(key) == value for key, value in wanted.items())]


def supervisor_of(status: RunStatus) -> int:
    return int(json.loads((Path(status.run_dir) / "supervisor.json").read_text())["pid"])


def blocked(trees: Trees, tmp_path: Path, text: str = "") -> tuple[Path, Path]:
    """Return a tree whose one task tells that it runs, then blocks until it is ended; and the file that tells."""
    told = tmp_path / "told"
    os.mkfifo(tmp_path / "never")
    body = f"{text or 'true'}; touch {told}; cat {tmp_path}/never"
    return trees.make([play("-/step1/Controller/all", "Controller", [command(body)])]), told


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[str]:
    found = []
    for child in subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True
    ).stdout.split():
        found += [child, *descendants(int(child))]
    return found


def elsewhere(status: RunStatus, age: float) -> None:
    """Make a run look as if it were on another machine and last gave a sign of life `age` seconds ago."""
    directory = Path(status.run_dir)
    claim = json.loads((directory / "supervisor.json").read_text())
    (directory / "supervisor.json").write_text(json.dumps({**claim, "boot_id": "another", "host": "undercloud-2"}))
    data = json.loads((directory / "status.json").read_text())
    (directory / "status.json").write_text(json.dumps({**data, "state": "live", "heartbeat": time.time() - age}))
