"""An embedded undercloud as an operator sees it: workflows are started and waited for, their runs looked at."""

from __future__ import annotations

import configparser
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support import processes_naming, until

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.cli.register import workbooks
from tripleo_ffwd.embedded import nodes, undercloud
from tripleo_ffwd.embedded.site import Site
from tripleo_ffwd.mistral import Mistral
from tripleo_ffwd.model import RunStatus

TERMINAL = ("SUCCESS", "ERROR", "CANCELLED")


@dataclasses.dataclass(frozen=True)
class Ended:
    """A workflow execution that has ended."""

    id: str
    state: str
    output: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.output.get("message"))


@dataclasses.dataclass(frozen=True)
class Cloud:
    """An undercloud as an operator sees it."""

    site: Site
    mistral: Mistral
    work_dir: Path
    heat_url: str

    def start(self, workflow: str, **arguments: Any) -> str:
        if workflow in ("prepare", "run", "upgrade", "converge"):
            arguments.setdefault("poll_interval", 1)
        if workflow in ("run", "upgrade", "converge"):
            # Whoever tests the checks asks for them.
            arguments.setdefault("checks", False)
        return self.mistral.start(f"ffwd_upgrade.v1.{workflow}", arguments)

    def wait(self, execution: str, timeout: float = 240) -> Ended:
        def ended() -> Any:
            found = self.mistral.execution(execution)
            return found if found.state in TERMINAL else None

        found = until(f"the end of execution {execution}", ended, timeout)
        return Ended(execution, found.state, json.loads(found.output or "{}"))

    def do(self, workflow: str, **arguments: Any) -> Ended:
        return self.wait(self.start(workflow, **arguments))

    def runs(self, plan: str = "overcloud") -> tuple[RunStatus, ...]:
        return runs.list_runs(self.work_dir, plan)

    def tasks(self, execution: str) -> dict[str, str]:
        """Names of an execution's tasks and when each began, as `mistral task-list` shows them."""
        return self.mistral.tasks(execution)

    def went(self, execution: str, *sequence: str) -> bool:
        """True when an execution had just the tasks of `sequence`, and those around a phase, in this order."""
        around = {"acquire_lock", "check_phase", "check", "compare_plan", "begin_phase", "check_nodes", "finish_phase"}
        began = self.tasks(execution)
        times = [began.get(name, "") for name in sequence]
        return set(began) - around == set(sequence) and times == sorted(set(times))


def set_up(site: Site, sections: Mapping[str, Mapping[str, object]], *, heat: bool = False) -> None:
    """Give the site's Mistral, or its Heat, more configuration, which holds from its next start on."""
    parser = configparser.RawConfigParser()
    parser.read_dict({name: {key: str(value) for key, value in options.items()} for name, options in sections.items()})
    directory = (site.heat if heat else site.mistral) / "conf.d"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "test.conf").open("w") as stream:
        parser.write(stream)


def opened(site: Site) -> Cloud:
    """Start Mistral and Heat and register the workbooks; no nodes, no stack yet."""
    started = undercloud.start(site)
    mistral = Mistral(started.mistral_url)
    for definition in (workbooks("ffwd_upgrade") | workbooks("package_update")).values():
        mistral.put_workbook(definition, exists=False)
    return Cloud(site, mistral, started.work_dir, started.heat_url)


def closed(site: Site) -> None:
    """Stop all of a site and see that nothing of it is left."""
    undercloud.stop(site)
    nodes.stop(site)
    assert processes_naming(str(site.root)) == []
