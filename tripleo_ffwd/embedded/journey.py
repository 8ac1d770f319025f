"""The way of the demo overcloud, newton to queens: the executions to start, one after the other, and their end."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.embedded import overcloud
from tripleo_ffwd.embedded.site import Site
from tripleo_ffwd.exceptions import FfwdError
from tripleo_ffwd.mistral import Mistral
from tripleo_ffwd.model import RunStatus

PLAN = "overcloud"
TERMINAL = ("SUCCESS", "ERROR", "CANCELLED")


class PhaseFailed(FfwdError):
    """A phase of the journey did not end in SUCCESS."""


@dataclasses.dataclass(frozen=True)
class Leg:
    """One execution of the journey: its title, its workflow and its input; the same as words of ``openstack``."""

    title: str
    workflow: str
    arguments: Mapping[str, Any]
    words: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a leg stands: state of its execution, the newest run of it if there is one, seconds since its start."""

    leg: Leg
    execution: str
    state: str
    run: RunStatus | None
    elapsed: float
    output: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def legs(site: Site) -> tuple[Leg, ...]:
    """Return the journey's executions in order."""
    environments = [str(path) for path in overcloud.queens_environments(site)]
    common = {"plan": PLAN, "poll_interval": 1}
    ffwd, quick = ("overcloud", "ffwd-upgrade"), ("--yes", "--poll-interval", "1")
    given = ("--templates", str(overcloud.PLAN_DIR), *(word for path in environments for word in ("-e", path)))
    upgrade = ("overcloud", "upgrade", "run", "--roles")
    return (
        Leg(
            "prepare",
            "ffwd_upgrade.v1.prepare",
            {**common, "templates": str(overcloud.PLAN_DIR), "environments": environments},
            (*ffwd, "prepare", *given, *quick),
        ),
        Leg("run", "ffwd_upgrade.v1.run", common, (*ffwd, "run", *quick)),
        *(
            Leg(f"upgrade {role}", "ffwd_upgrade.v1.upgrade", {**common, "roles": [role]}, (*upgrade, role, *quick))
            for role in ("Controller", "Compute")
        ),
        Leg("converge", "ffwd_upgrade.v1.converge", common, (*ffwd, "converge", *quick)),
    )


def travel(
    mistral: Mistral, work_dir: Path, leg: Leg, *, watch: Callable[[Progress], None], interval: float = 0.5
) -> Progress:
    """Start one leg and wait for its end, handing each look at it to `watch`.

    Raises:
        PhaseFailed: the execution did not end in SUCCESS; carries its message and output.
    """
    execution = mistral.start(leg.workflow, leg.arguments)
    began = time.monotonic()
    while True:
        found = mistral.execution(execution)
        mine = [run for run in runs.list_runs(work_dir, PLAN, heartbeat_stale=60) if run.owner == execution]
        output = json.loads(found.output or "{}") if found.state in TERMINAL else {}
        progress = Progress(leg, execution, found.state, mine[-1] if mine else None, time.monotonic() - began, output)
        watch(progress)
        if found.state == "SUCCESS":
            return progress
        if found.state in TERMINAL:
            raise PhaseFailed(
                str(output.get("message") or found.state_info),
                where=f"{leg.title}, execution {execution}",
                output=output,
            )
        time.sleep(interval)
