"""What the operator or the configuration says about a generation; imports deployments only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tripleo_ffwd.playbook_gen.deployments import Deployments

TASK_ORDERS = ("sorted", "written")


@dataclasses.dataclass(frozen=True)
class GenerateOptions:
    """What the operator or the configuration says about a generation.

    Attributes:
        phase: ``run``, ``upgrade`` or ``converge``: the playbooks of that phase; None for all of them.
        only: file names of the playbooks to compile, all plays of them, in place of a phase's; empty: the phase's.
        releases: all releases of the upgrade but the one it starts from, in order; empty: as the outputs say.
        task_order: ``sorted`` or ``written``, the order of a role's tasks; empty: found from the outputs.
        ssh_user, ssh_port: how the nodes are reached; an empty user leaves it to ssh.
        python_interpreter: Python on the nodes; empty: Ansible looks.
        config_download: files of a classic config-download tree, path to text; None when there is none.
        deployments: what Heat keeps for the servers; None when it was not asked. Only one of the two.
    """

    phase: str | None = None
    only: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    task_order: str = ""
    ssh_user: str = ""
    ssh_port: int = 22
    python_interpreter: str = ""
    config_download: Mapping[str, str] | None = None
    deployments: Deployments | None = None
