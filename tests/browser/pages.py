"""A report of 300 hosts and 120 stages, with failures, batches, waivers: what the pictures are taken of."""

from __future__ import annotations

import random
from typing import Any

from tripleo_ffwd.reporting import timelines

ROLES = {"Controller": 3, "Networker": 5, "CephStorage": 32, "Compute": 260}
STEPS = range(6)
FFU, UPGRADE, DEPLOY = (f"{name}_playbook.yaml" for name in ("fast_forward_upgrade", "upgrade_steps", "deploy_steps"))
ERROR = "No package matching <nova> & co. is there. " * 9
EXECUTION = "5f0e1c7a-3b1d-4c55-9d0e-00000000000"


def hosts() -> dict[str, str]:
    """Names of the hosts, each with its role."""
    return {f"overcloud-{role.lower()}-{number}": role for role, count in ROLES.items() for number in range(count)}


def stages(releases: tuple[str, ...]) -> list[str]:
    ids = ["-/facts/all/all"]
    for release in releases:
        for step in STEPS:
            ids += [f"{release}/step{step}/{role}/{where}" for role in ROLES for where in ("bootstrap", "all")]
        ids += [f"{release}/post/{role}/all" for role in ROLES]
    return ids


def past(number: int, names: list[str], members: dict[str, str], fails_at: str = "") -> dict[str, Any]:
    """What a run has done, made up: as `history.of_run` has it."""
    chance = random.Random(number)
    last = names.index(fails_at) if fails_at else len(names)
    at, told, cells = 0.0, [], dict.fromkeys(members, "")
    for position, name in enumerate(names):
        role, where = name.split("/")[2:]
        of_stage = [host for host in members if role in ("all", members[host])]
        of_stage = of_stage[:1] if where == "bootstrap" else of_stage
        for host in members:
            cells[host] += _letter(chance, host, position - last) if host in of_stage else "."
        took = round(chance.expovariate(1 / 20), 3) if position <= last and of_stage else None
        stage = {"id": name, "role": role, "begin": None if took is None else at, "seconds": took}
        counts = {"tasks": chance.randint(1, 30), "changed": len(of_stage), "hosts": len(of_stage)}
        told.append({**stage, **counts, "slowest": {"host": (of_stage or [""])[-1], "seconds": (took or 0.0) / 2}})
        at += took or 0.0
    began = f"2026-11-23T{8 + number:02}:00:00+00:00"
    return {"ansible": "2.16.19", "began": began, "seconds": at, "stages": told, "hosts": cells}


def _letter(chance: random.Random, host: str, after: int) -> str:
    if after > 0:
        return " "
    if after == 0:
        return "F" if chance.random() < 0.02 else "U" if host.endswith("-17") else "X" if host.endswith("-99") else "c"
    return chance.choice("ccccoos")


def report() -> dict[str, Any]:
    """A report as `assembling.build` returns it."""
    every = hosts()
    long, short = stages(("ocata", "pike")), stages(("-",))
    control = {host: role for host, role in every.items() if role != "Compute"}
    computes = {host: role for host, role in every.items() if role == "Compute"}
    plan = [
        ("run", FFU, "", past(0, long, every, "pike/step3/Compute/all"), "failed"),
        ("run", FFU, "", past(1, long, every), "successful"),
        ("upgrade", UPGRADE, "control plane", past(2, short, control), "successful"),
        ("upgrade", DEPLOY, "control plane", past(3, short, control), "successful"),
        ("upgrade", UPGRADE, "Compute 1", past(4, short, computes), "successful"),
        ("upgrade", DEPLOY, "Compute 1", past(5, short, computes, "-/step3/Compute/all"), "failed"),
    ]
    runs = [_run(number, *one) for number, one in enumerate(plan)]
    return {
        "plan": "overcloud",
        "stack": "overcloud",
        "made": "2026-11-23T18:40:00+00:00",
        "phases": _phases(runs),
        "runs": runs,
        "timelines": timelines.build((run, one[3]) for run, one in zip(runs, plan, strict=True)),
        "slowest": [_slow(number) for number in range(30)],
        "failures": [_failure(number) for number in range(26)],
        "failures_total": 26,
        "forced": [_forced()],
        "waived": [_waived()],
        "nodes": [_node(host, role) for host, role in every.items()],
        "left": {"upgrade": 1, "converge": 300},
        "versions": {"tripleo-ffwd": "0.1.0", "ansible-core": "2.16.19", "mistral": "23.0.0"},
        "plan_version": {"number": 3, "digest": "3b" * 32, "created": "2026-11-22 18:00:00", "origin": "templates"},
        "notes": [],
    }


def _run(number: int, phase: str, playbook: str, batch: str, done: dict[str, Any], result: str) -> dict[str, Any]:
    failed = result == "failed"
    return {
        "run_id": f"20261123T{8 + number:02}0000000000-a1b2c{number}",
        "phase": phase,
        "playbook": playbook,
        "batch": batch,
        "result": result,
        "resumes": "",
        "started": done["began"],
        "finished": f"2026-11-23T{8 + number:02}:48:10+00:00",
        "seconds": 2890.0,
        "stages_done": len(done["stages"]),
        "stages_total": len(done["stages"]),
        "failed_total": 26 if failed else 0,
        "check": False,
        "nodes": len(done["hosts"]),
        "tags": "",
        "skip_tags": "validation",
        "serial": [],
        "forks": 25,
        "message": "overcloud-compute-9 failed in pike/step3/Compute/all" if failed else "",
        "digest": "9f" * 32,
        "inventory": "4c" * 32,
        "outputs": "77" * 32,
        "executor": "undercloud-1",
    }


def _phases(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    parts = [("prepare", "success", []), ("run", "failed", runs[:1]), ("run", "success", runs[1:2])]
    return [
        {
            "phase": phase,
            "execution": f"{EXECUTION}{number}",
            "user": "8c1f",
            "project": "admin",
            "nodes": 300,
            "begun": f"2026-11-23T{7 + number:02}:58:00+00:00",
            "ended": f"2026-11-23T{8 + number:02}:49:00+00:00",
            "seconds": 3060.0,
            "result": result,
            "message": f"Phase {phase} of plan overcloud has ended on 300 nodes.",
            "forced": "compute-17 has no power" if phase == "upgrade" else "",
            "runs": [run["run_id"] for run in of],
            "batches": list(dict.fromkeys(run["batch"] for run in of if run["batch"])),
        }
        for number, (phase, result, of) in enumerate([*parts, ("upgrade", "failed", runs[2:])])
    ]


def _slow(number: int) -> dict[str, Any]:
    task = {"stage": "pike/step4/Controller/bootstrap", "task": f"Sync the database of service {number}"}
    times = {"seconds": 610.0 / (number + 1), "host": "overcloud-controller-0", "hosts": 1 + number, "total": 610.0}
    return {"run_id": "r", "phase": "run", "playbook": FFU, **task, **times}


def _failure(number: int) -> dict[str, Any]:
    host = f"overcloud-compute-{number % 13}"
    message = ERROR if number < 13 else "no route to host"
    output = f"msg: {message}\nrc: 1\nstderr:\n  {host}: nothing was changed"
    where = {"phase": "run", "playbook": FFU, "stage": "pike/step3/Compute/all", "task": "Update the packages"}
    return {"run_id": "20261123T080000000000-a1b2c0", **where, "host": host, "message": "", "output": output}


def _forced() -> dict[str, Any]:
    reason = "compute-17 has no power; it is replaced next week <ticket 4711>"
    node = ["overcloud-compute-17"]
    return {"phase": "upgrade", "reason": reason, "execution": "e", "time": "2026-11-23 11:00:00", "nodes": node}


def _waived() -> dict[str, Any]:
    return {
        "key": "disk_space",
        "severity": "error",
        "inhibitor": True,
        "what": "/var has 3.1 GiB free, 5 GiB are wanted",
        "where": [f"overcloud-compute-{number}" for number in range(40)],
        "reason": "logs are rotated in the night",
        "until": "2026-12-01",
        "phases": ["run", "upgrade"],
    }


def _node(host: str, role: str) -> dict[str, Any]:
    behind = host.endswith("compute-17")
    reach = {"release": "queens", "step": "step3" if behind else "post", "playbook": DEPLOY}
    return {
        "node": host,
        "role": role,
        "phase": "upgrade",
        "state": "failed" if behind else "finished",
        **reach,
        "stages_done": 3 if behind else 9,
        "stages_total": 9,
        "left": ["upgrade post_upgrade_steps", "converge"] if behind else ["converge"],
    }
