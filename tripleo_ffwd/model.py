"""Value types that the planes share: frozen, comparable, made of tuples and read-only mappings; stdlib only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

PHASES = ("prepare", "run", "upgrade", "converge")
# The phases and jobs that are for the nodes or roles that are named, and not for all.
SELECTIVE = ("upgrade", "update")

FAST_FORWARD_UPGRADE_PLAYBOOK = "fast_forward_upgrade_playbook.yaml"
UPGRADE_STEPS_PLAYBOOK = "upgrade_steps_playbook.yaml"
DEPLOY_STEPS_PLAYBOOK = "deploy_steps_playbook.yaml"
POST_UPGRADE_STEPS_PLAYBOOK = "post_upgrade_steps_playbook.yaml"

# The playbooks of each phase, in the order in which they are run.
PHASE_PLAYBOOKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "prepare": (),
        "run": (FAST_FORWARD_UPGRADE_PLAYBOOK,),
        "upgrade": (UPGRADE_STEPS_PLAYBOOK, DEPLOY_STEPS_PLAYBOOK, POST_UPGRADE_STEPS_PLAYBOOK),
        "converge": (DEPLOY_STEPS_PLAYBOOK,),
    }
)

# What TripleO's clients run beside the phases, each a playbook of its own: the minor update of nodes, and what is done
# for updates and upgrades from outside the nodes (from Rocky on).
JOB_PLAYBOOKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "update": ("update_steps_playbook.yaml",),
        "external_update": ("external_update_steps_playbook.yaml",),
        "external_upgrade": ("external_upgrade_steps_playbook.yaml",),
    }
)

# The playbooks of phases and jobs, by name.
PLAYBOOKS: Mapping[str, tuple[str, ...]] = MappingProxyType({**PHASE_PLAYBOOKS, **JOB_PLAYBOOKS})

# Inventory group of the hosts that a run leaves out. The generated inventory defines it empty; a run
# that is limited to some nodes adds an inventory of its own in which it holds all the others.
UNSELECTED_GROUP = "ffwd_unselected"

# Between stages stands a gate, which fails unless every selected host has finished the stage: the last task of the
# stage's play, or a play of its own behind plays that stay whole, whose name begins so.
GATE_TASK = "Every selected host has finished the stage"
GATE_PLAY = "gate "

# The play that a run's playbook ends with: what comes to it has gone through all plays before.
END_PLAY = "the end of the playbook"

# Variable of a run whose facts are gathered by another subset than the generated one: its own variables may read more.
GATHER_SUBSET = "ffwd_gather_subset"

# In place of a stage's id: all stages are finished.
NOTHING_LEFT = "(nothing is left)"

# Tasks of ours that give variables the result which tasks that all hosts skip would have registered; their names.
SKIP_TASK = "Be skipped for the tasks that are left out"
SKIP_RESULTS_TASK = "Register that they were skipped"


def title(phase: str) -> str:
    """Return what a sentence about a phase or a job begins with: ``Phase run``, ``External upgrade``."""
    return phase.replace("_", " ").capitalize() if str(phase) in JOB_PLAYBOOKS else f"Phase {phase}"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One play of a generated playbook: the smallest part of a run that starts and finishes as a whole.

    Attributes:
        id: ``[release|-]/[stepN|pre|post|host_prep|external|facts]/[Role|overcloud|undercloud|all]/[all|bootstrap]``,
            unique in its playbook; also the name of the play.
        playbook: file name of the playbook.
        release: the release that the stage takes its hosts to; None outside the release loop.
        step: the step; None outside a step loop.
        role: role name, or ``overcloud``, ``undercloud``, ``all``.
        hosts: names of the inventory hosts that must finish the stage, sorted as in the inventory.
        tasks: number of tasks in the stage, blocks flattened.
        residual: the conditions that are left to run time, word for word, without repetition.
    """

    id: str
    playbook: str
    release: str | None
    step: int | None
    role: str
    hosts: tuple[str, ...]
    tasks: int
    residual: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class RunSpec:
    """All that a run of one playbook is made of; written once into its run directory.

    Attributes:
        plan, phase, playbook: names; `playbook` is a file name within `tree`.
        tree: directory of the generated playbooks; its manifest names the stages.
        digest: the digest in the tree's manifest.
        targets: hosts that are selected, sorted; empty for all hosts of the tree.
        batch: name of the batch, empty when there is one batch.
        owner: id of the root workflow execution that asked for the run.
        attempt: what the asking is known by; the same attempt never starts a second run. Empty: not known.
        ssh_user, ssh_key_file, known_hosts_file: how Ansible reaches the hosts; empty strings for ssh's defaults.
        ssh_key_env: name of the Mistral environment that the key is from, in place of a file; the key is not here.
        host_key_checking: False only by explicit choice.
        ssh_extra_args: more options of ssh, as a shell takes them, before ours.
        pipelining: modules go over the connection that is there, instead of as files.
        connect_timeout: seconds within which a host must answer.
        gather_timeout: seconds within which the facts of a host must have been gathered, and within which it must have
            been looked at for what earlier runs have left.
        become, become_user, become_method: how tasks run on the hosts where the playbook doesn't say; an empty user or
            method is Ansible's default.
        serial: how many hosts (or how much of them, as in ``25%``) of a rolling role go through a stage at once: the
            first ones, the next ones, …; the last value holds for all that are left. Empty: all together.
        strategy: ``linear``, or ``free`` or ``host_pinned`` for stages of rolling roles; empty for ``linear``.
        forks: how many hosts Ansible works on at once.
        timeout: seconds after which the supervisor ends the run.
        tags, skip_tags: as ansible-playbook takes them.
        extra_vars: variables for the run. They may be secret: written 0600, shown nowhere.
        extra_vars_file: file of more variables; never copied.
        inventory_file: the caller's own inventory, as `ansible_run.inventories` keeps it, beside the tree's.
        ansible_library, ansible_roles_path, ansible_collections_path: where modules, roles and collections are,
            separated by colons; empty for Ansible's defaults.
        check: Ansible's check mode.
        verbosity: 0 to 4.
        resume: go on where the newest run of the same key stopped; a run that is made so has what follows.
        follows: id of a run of the same batch with more hosts that may be gone on with too: those that it has lost
            are left out of this one.
        anyway: why it goes on although the playbooks have changed or processes of that run are alive on nodes.
        leftovers_wait: seconds for which processes of that run that are alive on nodes are waited for.
        resumes: id of the run that this one goes on with; empty for one that begins at the beginning.
        chain: ids of that run, and of those that it went on with itself.
        first_stage: stage that the run begins with, or `NOTHING_LEFT`; empty for the first one.
        first_hosts: hosts that have finished that stage and are left out of it.
        restore: stage at whose end the variables were that the run begins with; empty for none.
        notified: (handler, host) of that stage that were notified before, and must run at its end.
    """

    plan: str
    phase: str
    playbook: str
    tree: str
    digest: str
    targets: tuple[str, ...] = ()
    batch: str = ""
    owner: str = ""
    attempt: str = ""
    ssh_user: str = ""
    ssh_key_file: str = ""
    ssh_key_env: str = ""
    known_hosts_file: str = ""
    host_key_checking: bool = True
    ssh_extra_args: str = ""
    pipelining: bool = True
    connect_timeout: int = 20
    gather_timeout: int = 120
    become: bool = False
    become_user: str = ""
    become_method: str = ""
    serial: tuple[int | str, ...] = ()
    strategy: str = ""
    forks: int = 25
    timeout: int = 14400
    tags: str = ""
    skip_tags: str = ""
    extra_vars: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    extra_vars_file: str = ""
    inventory_file: str = ""
    ansible_library: str = ""
    ansible_roles_path: str = ""
    ansible_collections_path: str = ""
    check: bool = False
    verbosity: int = 0
    resume: bool = False
    follows: str = ""
    anyway: str = ""
    leftovers_wait: int = 60
    resumes: str = ""
    chain: tuple[str, ...] = ()
    first_stage: str = ""
    first_hosts: tuple[str, ...] = ()
    restore: str = ""
    notified: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str, tuple[str, ...], str, bool]:
        """What makes two runs the same: plan, phase, playbook, digest, targets, batch (and check mode)."""
        return (self.plan, self.phase, self.playbook, self.digest, self.targets, self.batch, self.check)


@dataclasses.dataclass(frozen=True)
class FailedTask:
    """A task that failed, or could not be tried because its host was unreachable.

    `message` is the module's message, cut to a few hundred characters, `(hidden by no_log)` for no_log tasks.
    """

    playbook: str
    stage: str
    host: str
    task: str
    message: str
    log: str


@dataclasses.dataclass(frozen=True)
class RunningTask:
    """A task that has begun on a host and of whose end nothing is known: of a run that has ended, it may have run."""

    stage: str
    host: str
    task: str


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """Where a run stands; small enough for a workflow context.

    Attributes:
        state: ``live``, ``finished``, ``interrupted`` (its machine says that its supervisor died) or ``unknown``.
        result: ``successful``, ``failed``, ``cancelled``, ``timeout`` or ``paused`` when finished, else empty.
        stage: id of the stage under way, or the last one.
        stages_done, stages_total: counts; a stage is done when every host that must finish it has.
        hosts_done, hosts_total: hosts that finished the stage under way, of all that must.
        failed: failed tasks, at most 20; `failed_total` counts all.
        running: tasks under way, at most 20, or those that the run's end has cut off; `running_total` counts all.
        eta: when the run will probably end, in UTC as RFC 3339 has it; None while that can't be told, and afterwards.
        heartbeat_age: seconds since the supervisor's last sign of life; None before the first.
        message: one sentence for people.
    """

    run_id: str
    run_dir: str
    plan: str
    phase: str
    playbook: str
    state: str
    result: str = ""
    stage: str = ""
    stages_done: int = 0
    stages_total: int = 0
    hosts_done: int = 0
    hosts_total: int = 0
    failed: tuple[FailedTask, ...] = ()
    failed_total: int = 0
    running: tuple[RunningTask, ...] = ()
    running_total: int = 0
    started_at: str = ""
    finished_at: str = ""
    eta: str | None = None
    heartbeat_age: float | None = None
    owner: str = ""
    message: str = ""

    @property
    def settled(self) -> bool:
        """True when nothing will change any more without somebody's doing: finished or interrupted."""
        return self.state in ("finished", "interrupted")

    @property
    def succeeded(self) -> bool:
        """True when every task on every host that must finish did."""
        return self.state == "finished" and self.result == "successful"

    def to_dict(self) -> dict[str, Any]:
        """Return the status as JSON values, with `settled` and `succeeded`."""
        data = dataclasses.asdict(self)
        data["failed"] = [dataclasses.asdict(task) for task in self.failed]
        data["running"] = [dataclasses.asdict(task) for task in self.running]
        return {**data, "settled": self.settled, "succeeded": self.succeeded}
