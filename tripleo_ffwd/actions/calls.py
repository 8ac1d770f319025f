"""What an unmodified tripleoclient asks for, translated into a phase of ours.

The client's own words (an inventory with a token in it, extra variables) are fetched from the execution where Mistral
has them anyway, and put into files for their owner alone: no action's input and no other execution has a second copy.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from oslo_log import log as logging

from tripleo_ffwd import zaqar
from tripleo_ffwd.actions import messages, secrets, tokens, watching
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.ansible_run import inventories
from tripleo_ffwd.ansible_run.inventories import Inventory
from tripleo_ffwd.exceptions import FfwdError, InvalidInput
from tripleo_ffwd.model import JOB_PLAYBOOKS, PHASE_PLAYBOOKS, SELECTIVE
from tripleo_ffwd.plan import outbox, refreshing
from tripleo_ffwd.plan.store import open_store

LOG = logging.getLogger(__name__)

# The workflow of the clients' `prepare`, of an upgrade or of an update.
PREPARE = ".package_update_plan"
EVERYTHING = ("all", "overcloud", "allovercloud", "all_overcloud")
PATTERN = re.compile(r"[*?!&~\[\]]")
NO_NODES = ("undercloud", "localhost")


class ReadCallAction(FfwdAction):
    """Read what a client of TripleO has started a workflow with, and have the execution watched from now on.

    :param execution: id of the execution that the client has started and waits for.
    :param root: id of its root execution; the same by default.
    :param type: name of the workflow, for the messages.
    :param queue_name: queue that the client listens to.
    :param poll_interval: seconds between two looks at what is watched.
    :param quiet: whether the client takes every message for the last: then there is no progress.
    :returns: ``{plan, phase, job, roles, nodes, playbook, templates, environments, options}``: the inputs of the
        phase, or of the job beside the phases, one of which is empty; ``options`` by the names that those have.
    """

    def __init__(
        self,
        execution: str,
        root: str = "",
        type: str = "",
        queue_name: str = zaqar.QUEUE,
        poll_interval: int = 5,
        quiet: bool = False,
    ):
        self.execution = execution
        self.root = root
        self.type = type
        self.queue_name = queue_name
        self.poll_interval = poll_interval
        self.quiet = quiet

    def act(self, caller: Caller) -> dict[str, Any]:
        # First of all: from here on somebody tells the client of the end, whatever happens.
        watching.begin(
            caller,
            self.execution,
            self.root or self.execution,
            kind=self.type,
            queue=self.queue_name or zaqar.QUEUE,
            poll_interval=self.poll_interval,
            quiet=self.quiet,
        )
        self._warn(caller)
        with contextlib.suppress(OSError):
            outbox.prune(caller.work_dir)
        given = _inputs(caller, self.execution)
        inventory_file = _stored_inventory(caller, given.get("inventory_file"))
        inventory = inventories.look(Path(inventory_file)) if inventory_file else None
        plan = _plan(caller, given, inventory)
        outbox.put(
            caller.work_dir, self.execution, self.queue_name or zaqar.QUEUE, None, plan=plan, project=caller.project
        )
        store = open_store(caller.conf, caller.security)
        if self.type.endswith(PREPARE):
            refreshing.check_upgrade(store, plan)
        playbook = _text(given, "playbook")
        phase = _phase(playbook) if "playbook" in given else ""
        roles, nodes = selected(given.get("nodes"), inventory) if phase in SELECTIVE else (None, None)
        templates = refreshing.templates(store, plan)
        return {
            "plan": plan,
            "phase": "" if phase in JOB_PLAYBOOKS else phase,
            "job": phase if phase in JOB_PLAYBOOKS else "",
            "playbook": playbook,
            "roles": roles,
            "nodes": nodes,
            # The client has put them into the container of the plan.
            "templates": templates,
            "environments": [] if templates else None,
            "options": _options(caller, given, inventory_file),
        }

    def _warn(self, caller: Caller) -> None:
        """Say before all else what may keep the last message from the client, to the client too where it takes it."""
        warning = tokens.warning(caller)
        if not warning:
            return
        LOG.warning("Execution %s: %s", self.execution, warning)
        if self.quiet:  # the client would take it for the end
            return
        told = messages.body(
            self.type, self.execution, self.root, messages.RUNNING, warning, teller=caller.attempt or self.execution
        )
        queue = self.queue_name or zaqar.QUEUE
        with contextlib.suppress(FfwdError, OSError):
            outbox.put(caller.work_dir, self.execution, queue, told, project=caller.project, key="token")


def _inputs(caller: Caller, execution: str) -> Mapping[str, Any]:
    found = secrets.mistral(caller).execution(execution).input
    given = json.loads(found) if isinstance(found, str) else found
    return given if isinstance(given, dict) else {}


def _stored_inventory(caller: Caller, text: Any) -> str:
    if text is None or (isinstance(text, str) and not text.strip()):
        return ""
    if not isinstance(text, str):  # some clients read it before they send it
        text = json.dumps(text)
    return str(inventories.store(caller.work_dir, text))


def _plan(caller: Caller, given: Mapping[str, Any], inventory: Inventory | None) -> str:
    """Return the name of the plan: update_nodes is not told it, its inventory is. What runs nothing may do without."""
    named = next((_text(given, name) for name in ("plan", "plan_name", "container", "stack") if given.get(name)), "")
    if named or (inventory and inventory.plan) or "playbook" not in given:
        return named or (inventory.plan if inventory else "")
    known = open_store(caller.conf, caller.security).plans()
    if len(known) == 1:
        return known[0]
    there = f"There are {', '.join(known)}" if known else "There are no plans; prepare makes one"
    raise InvalidInput(
        "Nothing says which plan is meant",
        where="inventory_file",
        remedy=f"Give an inventory whose undercloud has the variable `plan`. {there}",
    )


def _phase(playbook: str) -> str:
    """Return the phase or the job that a playbook belongs to; the deploy steps alone are the upgrade's."""
    called = {"run": PHASE_PLAYBOOKS["run"], "upgrade": PHASE_PLAYBOOKS["upgrade"], **JOB_PLAYBOOKS}
    for phase, playbooks in called.items():
        if playbook in playbooks:
            return phase
    raise InvalidInput(
        f"{playbook or 'A call without a playbook'} is no playbook of an upgrade or an update, nothing was run",
        where="playbook",
        remedy=f"Use one of {', '.join(name for playbooks in called.values() for name in playbooks)}",
    )


def selected(typed: Any, inventory: Inventory | None) -> tuple[list[str] | None, list[str] | None]:
    """Return roles or nodes, as the client's text names groups of its inventory or hosts; the phase checks the names.

    Args:
        typed: names with commas, colons or blanks between, or a list of them.
        inventory: the client's; None for none.

    Raises:
        InvalidInput: the text is a pattern of Ansible's.
    """
    words = _words(typed)
    patterns = [word for word in words if PATTERN.search(word)]
    if patterns:
        raise InvalidInput(
            f"{', '.join(patterns)} is a pattern", where="nodes", remedy="Name roles, or each of the nodes"
        )
    groups = inventory.groups if inventory else {}
    if any(word in EVERYTHING for word in words):
        return None, [host for host in _everything(inventory) if host not in NO_NODES]
    # Roles begin with a capital, and hosts can't. What else the inventory has a group for is all of its hosts.
    if all(word[:1].isupper() for word in words):
        return list(words), None
    nodes = [host for word in words for host in (groups.get(word) or (word,))]
    return None, list(dict.fromkeys(nodes))


def _everything(inventory: Inventory | None) -> Iterable[str]:
    if inventory is None:
        raise InvalidInput("Without an inventory nobody knows all nodes", where="nodes", remedy="Name the roles")
    return next((inventory.groups[name] for name in EVERYTHING[1:] if name in inventory.groups), inventory.hosts)


def _words(value: Any) -> list[str]:
    words = value if isinstance(value, list) else re.split(r"[\s,:]+", str(value or ""))
    return [str(word).strip() for word in words if str(word).strip()]


def _options(caller: Caller, given: Mapping[str, Any], inventory_file: str) -> dict[str, Any]:
    verbosity = str(given.get("verbosity") or "")
    extra_vars = given.get("extra_vars")
    return {
        "ssh_user": _text(given, "node_user") or None,
        "tags": ",".join(_words(given.get("tags"))) or None,
        "skip_tags": ",".join(_words(given.get("skip_tags"))) or None,
        "verbosity": min(int(verbosity), 4) if verbosity.isdigit() else None,
        "extra_vars_file": str(inventories.keep(caller.work_dir, json.dumps(extra_vars))) if extra_vars else None,
        "ansible": {"inventory_file": inventory_file} if inventory_file else None,
    }


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    return value.strip() if isinstance(value, str) else ""
