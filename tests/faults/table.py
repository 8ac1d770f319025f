"""The table of faults.

Each row is a fault that happens to a run at a moment: when its ledger has so many records, drawn from a seed. Then the
state reported must be true and nothing of the run alive; afterwards the run is gone on with to its end, and the hosts'
files must show every task of every stage in order, none again whose stage had finished, with the right variables.

A file server that stalls is a file system that is frozen, which holds up writers and leaves readers alone (it needs
root, and is skipped without), and a request that is a pipe, which holds up its reader.

What is not there: one of two executors killed (tests/executors have it); a power cut of the machine itself (writes that
were not synced are lost); batches.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from faults import asked, disks, files, kills, on_nodes, outside, stalls, starters
from faults.lab import Case


@dataclasses.dataclass(frozen=True)
class Row:
    """A fault.

    Attributes:
        name: of the row.
        what: what happens to the run, in words.
        do: does it, and checks what must be true right afterwards; the case may be gone on with then.
        on_nodes: whether the hosts are embedded nodes behind SSH.
        disk: whether the work directory is a small file system of its own.
        sample: whether the normal test run has it.
        obstacle: says why there can be no such fault on this machine; an empty text when there can.
    """

    name: str
    what: str
    do: Callable[[Case], None]
    on_nodes: bool = False
    disk: bool = False
    sample: bool = False
    obstacle: Callable[[], str] = lambda: ""


ROWS = (
    Row("nothing", "no fault at all", asked.nothing),
    Row("supervisor", "kill -9 of the supervisor", kills.supervisor, sample=True),
    Row(
        "supervisor-unnoticed",
        "the same, and nobody asks until Ansible has ended",
        kills.supervisor_unnoticed,
    ),
    Row("supervisor-at-once", "the same, and somebody goes on with the run at once", kills.supervisor_at_once),
    Row("supervisor-told", "SIGTERM to the supervisor", kills.supervisor_told),
    Row("supervisor-frozen", "the supervisor is stopped for longer than its lease", kills.frozen_supervisor),
    Row("ansible", "kill -9 of ansible-playbook", kills.ansible, sample=True),
    Row("ansible-told", "SIGTERM, SIGINT or SIGHUP to ansible-playbook", kills.ansible_told),
    Row("ansible-frozen", "ansible-playbook is stopped, then cancel now", kills.frozen_ansible),
    Row("worker", "kill -9 of one of Ansible's workers", kills.worker),
    Row("both", "kill -9 of supervisor and ansible-playbook at once", kills.both),
    Row("everything", "kill -9 of all that is the run's at once", kills.everything),
    Row("everything-on-nodes", "the same, with nodes behind SSH", kills.everything, on_nodes=True),
    Row("other-boot", "the same, and the machine has another boot id afterwards", kills.other_boot),
    Row("again-and-again", "a run that goes on is killed in its turn, twice or three times", kills.twice, sample=True),
    Row("starter", "kill -9 of the process that starts the run", starters.starter),
    Row(
        "starter-frozen",
        "the process that starts the run is stopped, and another one starts it",
        starters.starter_frozen,
    ),
    Row("supervisor-young", "kill -9 of the supervisor when a file of the run appears", kills.young),
    Row("looker", "kill -9 of the process that ends what a dead supervisor has left", starters.looker),
    Row(
        "looked-at-by-two", "two processes ask for the status of a run whose supervisor is dead", kills.looked_at_by_two
    ),
    Row("cancel", "cancel", asked.cancel),
    Row("cancel-now", "cancel now", asked.cancel_now),
    Row("cancel-twice", "cancel, then cancel now", asked.cancel_twice),
    Row("cancel-now-on-nodes", "cancel now, with nodes behind SSH", asked.cancel_now, on_nodes=True, sample=True),
    Row("pause", "pause", asked.pause, sample=True),
    Row("pause-taken-back", "pause that is taken back, perhaps too late", asked.pause_taken_back),
    Row("pause-cancel", "pause, then cancel now", asked.pause_then_cancel_now),
    Row("pause-attached", "a second start of the same run pauses it and goes on with it", asked.pause_attached),
    Row("timeout", "the run's time is over", asked.timeout),
    Row("start-twice", "two processes start the same run at once, and again later", asked.start_twice),
    Row("resume-twice", "two processes go on with the same run at once", asked.resume_twice),
    Row("task-fails", "a task fails on one host", asked.task_fails),
    Row("off", "power-off of a node in the middle of a task", on_nodes.off, on_nodes=True, sample=True),
    Row("refusing", "a node that is off when the run goes on, too", on_nodes.refusing, on_nodes=True),
    Row("dropped", "all connections and processes of a node are cut once", on_nodes.dropped, on_nodes=True),
    Row("hanging", "a node that never answers, and a cancel", on_nodes.hanging, on_nodes=True),
    Row("slow", "a node whose commands take their time", on_nodes.slow, on_nodes=True),
    Row("ssh", "kill -9 of the ssh client of a task", on_nodes.ssh_client, on_nodes=True, sample=True),
    Row("ssh-master", "kill -9 of the ssh that keeps a connection", on_nodes.ssh_master, on_nodes=True),
    Row("mistral", "kill -9 of Mistral, which is started again", outside.mistral),
    Row(
        "control-group",
        "all of Mistral's control group is killed, and supervisord had started the run",
        outside.control_group,
        obstacle=outside.obstacle,
    ),
    Row(
        "control-group-detached",
        "the same, and the run was started detached",
        outside.control_group_detached,
        obstacle=outside.obstacle,
    ),
    Row("moved-away", "the run's directory is gone", files.moved_away),
    Row("unwritable", "no run's directory can be made", files.unwritable),
    Row("disk-full", "the file system of the run's directory is full", disks.disk_full, disk=True),
    Row(
        "disk-full-once",
        "the same for a moment, then kill -9 of the supervisor",
        disks.disk_full_once,
        disk=True,
    ),
    Row(
        "disk-nearly-full",
        "there is too little room for what a stage leaves",
        disks.disk_nearly_full,
        disk=True,
    ),
    Row(
        "stalled",
        "writes to the run's directory are held up for longer than the lease",
        stalls.stalled,
        obstacle=stalls.obstacle,
    ),
    Row(
        "stalled-for-a-moment",
        "the same, for less",
        stalls.stalled_for_a_moment,
        obstacle=stalls.obstacle,
    ),
    Row(
        "stalled-and-killed",
        "the same, and kill -9 of the supervisor meanwhile",
        stalls.stalled_and_killed,
        obstacle=stalls.obstacle,
    ),
    Row("request-stalled", "a request can't be read, as the call never returns, then SIGTERM", stalls.request_stalled),
    Row("ledger-full", "no byte more goes into the ledger", files.ledger_full),
    Row("other-namespace", "status and start from another pid namespace", files.other_namespace),
    Row("clock", "the last heartbeat is of the future, or long past", files.clock_jumps),
    Row("torn-stop", "stop.json is torn", files.torn_stop),
    Row("torn-cancel", "cancel.json is torn", files.torn_cancel),
    Row("torn-ledger", "all is killed, and the ledger's last line is torn", files.torn_ledger),
    Row("torn-variables", "the supervisor is killed, and the kept variables are torn", files.torn_variables),
    Row("damaged-status", "the supervisor is killed, and status.json is garbage", files.damaged_status),
)
BY_NAME = {row.name: row for row in ROWS}
