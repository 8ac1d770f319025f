"""The playbook that faults happen to: stages with gates over three controllers and two computes.

Most tasks add one line to a file of their host: ``stage|task|host|nonce|value``, in one write, so that afterwards the
files prove what ran where, in which order, how often and with which variables, whatever a ledger says.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import yaml
from ansible_lab import PLAYBOOK, seal

from tripleo_ffwd.embedded import node_files, nodes
from tripleo_ffwd.embedded.site import NODE_NAMES, Site
from tripleo_ffwd.model import GATE_PLAY, GATE_TASK

HOSTS = NODE_NAMES
CONTROLLERS, COMPUTES = HOSTS[:3], HOSTS[3:]
BOOTSTRAP = CONTROLLERS[0]
MEMBERS = {"overcloud": HOSTS, "Controller": CONTROLLERS, "Compute": COMPUTES}
EFFECTS = "effects"
# About how many records the ledger of a run has that nothing happens to: moments are drawn from them.
RECORDS = 120
_MISSED = "ansible_play_hosts_all | difference(ansible_play_hosts)"


@dataclasses.dataclass(frozen=True)
class Expected:
    """A stage: the hosts that must finish it, and the tasks of each that leave a line, in order."""

    id: str
    hosts: tuple[str, ...]
    tasks: dict[str, tuple[str, ...]]


# As yum does in a transaction: it goes on for a moment when its connection is gone.
_STUBBORN = "trap '' HUP INT TERM; sleep 0.5; "


def _note(task: str, module: str, before: str = "", value: str = "", **more: Any) -> dict[str, Any]:
    """A task that adds its line, and whose output is the line's nonce; it fails while there is a file `….fails`."""
    line = f"STAGE|{task}|{{{{ inventory_hostname }}}}|$nonce|{value}"
    text = (
        f"{before}test ! -e {{{{ effects }}}}.fails || exit 3; "
        f'nonce=$$.$(date +%s%N); echo "{line}" >> {{{{ effects }}}} && echo $nonce'
    )
    return {"name": task, module: text, **more}


_SET = {
    "name": "remember",
    "set_fact": {"chosen": {"nonce": "{{ first.stdout | trim }}", "number": "{{ 41 + 1 }}"}, "counted": "{{ 0 + 0 }}"},
}
# What it counts is what there was before its stage, however often the stage is begun.
_COUNT = {"name": "count", "set_fact": {"counted": "{{ counted | int + 1 }}"}}
_HERE = f"inventory_hostname == '{BOOTSTRAP}'"
_MIGRATED = f"hostvars['{BOOTSTRAP}']"
_VALUES = f"{{{{ chosen.nonce }}}},{{{{ chosen.number | int + 1 }}}},{{{{ {_MIGRATED}.migration.stdout | trim }}}}"

_PROGRAM: tuple[tuple[str, str, list[dict[str, Any]]], ...] = (
    ("-/pre/overcloud/all", "overcloud", [_note("begin", "raw", register="first"), _SET]),
    (
        "ocata/step1/Controller/all",
        "Controller",
        [_COUNT, _note("stop services", "shell"), _note("update packages", "raw")],
    ),
    (
        "ocata/step2/Controller/bootstrap",
        "Controller",
        [_note("migrate", "shell", when=_HERE, register="migration")],
    ),
    (
        "ocata/step3/Compute/all",
        "Compute",
        [_note("stop compute", "raw"), _note("update compute", "shell", _STUBBORN)],
    ),
    (
        "pike/step1/Controller/all",
        "Controller",
        [
            _note("start services", "raw", "", "{{ counted }}," + _VALUES),
            _COUNT,
            _note("check services", "shell", _STUBBORN),
        ],
    ),
    ("-/post/overcloud/all", "overcloud", [_note("end", "raw", "", _VALUES)]),
)


def expected() -> tuple[Expected, ...]:
    """Return what each stage must leave behind."""
    found = []
    for stage, group, tasks in _PROGRAM:
        lines = {
            host: tuple(
                task["name"]
                for task in tasks
                if ("raw" in task or "shell" in task) and (host == BOOTSTRAP or task.get("when") != _HERE)
            )
            for host in MEMBERS[group]
        }
        found.append(Expected(stage, MEMBERS[group], lines))
    return tuple(found)


STAGES = expected()


def _plays() -> list[dict[str, Any]]:
    plays: list[dict[str, Any]] = []
    for number, (stage, group, tasks) in enumerate(_PROGRAM):
        gate = {
            "name": GATE_TASK,
            "fail": {"msg": f"Stage {stage} did not finish on {{{{ {_MISSED} | join(', ') }}}}"},
            "when": f"{_MISSED} | length > 0",
            "run_once": True,
        }
        text = json.dumps(tasks).replace("STAGE|", f"{stage}|")
        play = {"name": stage, "hosts": f"{group}:!ffwd_unselected", "gather_facts": False, "tasks": json.loads(text)}
        plays.append(play)
        if number % 2:  # both shapes of a generated gate
            play["tasks"].append(gate)
        else:
            hosts = f"undercloud:{group}:!ffwd_unselected"
            fatal = {"any_errors_fatal": True, "max_fail_percentage": 0}
            plays.append({"name": GATE_PLAY + stage, "hosts": hosts, "gather_facts": False, **fatal, "tasks": [gate]})
    return plays


def make(directory: Path, effects: dict[str, Path], common: dict[str, Any], own: dict[str, dict[str, Any]]) -> Path:
    """Write the tree.

    Args:
        directory: where to; it must not be there.
        effects: each host's file of lines.
        common: variables of all hosts.
        own: more variables of some hosts.
    """
    directory.mkdir(mode=0o700)
    (directory / PLAYBOOK).write_text(yaml.safe_dump(_plays(), sort_keys=False, width=1000))
    variables = {host: {**common, **own.get(host, {}), EFFECTS: str(effects[host])} for host in HOSTS}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    groups = {
        "overcloud": {"children": {"Controller": {}, "Compute": {}}},
        "Controller": {"hosts": {host: variables[host] for host in CONTROLLERS}},
        "Compute": {"hosts": {host: variables[host] for host in COMPUTES}},
        "undercloud": {"hosts": {"undercloud": local}},
        "ffwd_unselected": {"hosts": {}},
    }
    (directory / "inventory.yaml").write_text(yaml.safe_dump(groups))
    stages = [
        {"id": stage, "playbook": PLAYBOOK, "hosts": list(MEMBERS[group]), "tasks": len(tasks)}
        for stage, group, tasks in _PROGRAM
    ]
    manifest = {"digest": directory.name, "stages": stages, "missing_inputs": []}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return seal(directory)


def make_local(directory: Path, effects: dict[str, Path]) -> Path:
    """Write the tree for hosts that are all this machine."""
    return make(directory, effects, {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}, {})


def make_for_nodes(directory: Path, effects: dict[str, Path], site: Site) -> Path:
    """Write the tree for embedded nodes that have been started."""
    own = {host: {"ansible_host": node_files.find(site, host).address} for host in HOSTS}
    python = nodes.read(site)["python_interpreter"]
    return make(directory, effects, {"ansible_port": site.ssh_port, "ansible_python_interpreter": python}, own)
