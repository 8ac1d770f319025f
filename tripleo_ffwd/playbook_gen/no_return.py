"""Where an upgrade can no longer be taken back: found from a tree's stages, never guessed later than it is; no I/O.

Imports reading and model.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tripleo_ffwd.model import Stage
from tripleo_ffwd.playbook_gen.reading import StagePlay, StageTask

# From this step on the release loop works on the bootstrap node, and migrates.
BOOTSTRAP_STEP = 4

_PACKAGE_MODULES = frozenset(("yum", "dnf", "dnf5", "package", "apt", "pip", "zypper", "pacman", "win_package"))
# What these ask for makes nothing newer: a package that is there stays as it is, one that goes can come again.
_KEEPS = frozenset(("present", "installed", "absent", "removed"))
_DATABASE_MODULE = re.compile(r"(mysql|postgresql|mongodb|proxysql)_\w+")
_QUERIES = frozenset(("mysql_info", "mysql_query", "postgresql_info", "postgresql_ping", "mongodb_info"))
_COMMAND_MODULES = frozenset(("command", "shell", "raw", "script", "expect"))
_APPLY_MODULES = frozenset(
    ("paunch", "puppet", "container_startup_config", "container_puppet_config", "tripleo_container_manage")
)
# Keywords of tasks whose texts are never part of a command.
_NOT_RUN = frozenset(
    ("name", "when", "tags", "around", "failed_when", "changed_when", "until", "register", "environment")
)
# Do nothing to a node but look, or set variables.
_HARMLESS = frozenset(
    ("debug", "fail", "assert", "set_fact", "include_vars", "meta", "stat", "setup", "gather_facts", "getent", "find")
)
_PACKAGE_COMMAND = re.compile(
    r"\b(yum|dnf|microdnf|apt|apt-get|zypper|pip[0-9.]*)\b[^|;&\n]*?\s"
    r"(update|upgrade|install|reinstall|localinstall|groupinstall|downgrade|swap|distro-sync|"
    r"distribution-synchronization|dist-upgrade|full-upgrade|dup|shell|history)\b"
    r"|\brpm\s+(-\S+\s+)*?(-(?!\w*[qV])\w*[UFi]\w*|--(upgrade|install|freshen))\s"
    r"|\bdo-release-upgrade\b|\bleapp\s+upgrade\b"
)
# The release's whole configuration is applied; the containers that migrate databases are among what is started.
_APPLY_COMMAND = re.compile(r"\bpuppet\s+apply\b|\bpaunch\b[^|;&\n]*\sapply\b|\b(docker|container)-puppet\.(py|sh)\b")
_DATABASE_COMMAND = re.compile(
    # cinder-manage db sync, keystone-manage db_sync, nova-manage api_db sync, aodh-dbsync, panko-dbsync…
    r"\b(db|database|\w+[-_]db|api_db)[ _-]?sync\b|\w+-dbsync\b|\bdbsync\b"
    # neutron-db-manage … upgrade heads, sahara-db-manage, mistral-db-manage, gnocchi-upgrade, ceilometer-upgrade…
    r"|\b[\w-]*db-manage\b(?![^|;&\n]*\b(current|history|check)\b)|\b(gnocchi|ceilometer|heat|barbican|swift)-upgrade\b"
    r"|\bonline_data_migrations\b|\bdb\s+(upgrade|migrate|online_data_migrations|contract|expand)\b"
    r"|\bcell_v2\s+(?!list)\w+|\bmap_cell0\b|\bsimple_cell_setup\b|\bcredential_migrate\b|\bmigrate_(to|flavor|instance)\w*"
    r"|\balembic\b[^|;&\n]*\bupgrade\b|\bmysql_upgrade\b|\bmariadb-upgrade\b|\bpg_upgrade\b"
    r"|\bmysql\b[^|;&\n]*(-e|--execute|<)[^|;&\n]*\b(alter|create|drop|update|insert|delete|grant)\b"
    r"|\bmysqladmin\b[^|;&\n]*\b(create|drop|password)\b",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class NoReturn:
    """The first stage that can't be taken back: its playbook and id, why, and the tasks that say so (name, what)."""

    playbook: str
    stage: str
    why: str
    tasks: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        tasks = [{"task": name, "what": what} for name, what in self.tasks]
        return {"playbook": self.playbook, "stage": self.stage, "why": self.why, "tasks": tasks}


def find(plays: Iterable[StagePlay], stages: Iterable[Stage]) -> NoReturn | None:
    """Return the point of no return: the first stage from whose start on only a restored backup brings the cloud back.

    That is the first stage, in the order in which they run, of which one of these holds:

    * one of its tasks may bring newer packages (a package module that asks for the latest ones, or for what only the
      run can tell; a command that installs or updates), since the old release can't be installed over the new one;
    * one of its tasks may change a database or its schema (a database module, a command of the kind of ``db sync``),
      since schemas only go forward;
    * one of its tasks applies the release's whole configuration (puppet, the containers of a step), since migrations of
      databases are part of it;
    * it belongs to the release loop, and there to a step that migrates on the bootstrap node (step 4 and later, or a
      stage of the bootstrap node alone), and does more than look and set variables: whatever its tasks are called, that
      is what these steps are for.

    Stopping services, taking the cluster down, removing a package and writing configuration can be taken back, and do
    not count. A condition that is left to run time is taken to hold, so that the mark is never later than the first
    such task; one that is decided to be skipped, and is there only for the variable that a skip sets, does not count.
    None when no stage is like that.

    Args:
        plays: the stages' plays, as `reading.TreeReader` finds them.
        stages: what is known of each stage: its release and step.
    """
    known = {(stage.playbook, stage.id): stage for stage in stages}
    for play in plays:
        tasks = tuple((task.title, what) for task in play.tasks if (what := change_of(task)))
        if tasks:
            what = " and ".join(dict.fromkeys(what for _, what in tasks))
            return NoReturn(play.playbook, play.id, f"tasks of this stage change {what}", tasks)
        if _migrates(known.get((play.playbook, play.id))) and any(_acts(task) for task in play.tasks):
            return NoReturn(
                play.playbook, play.id, "from this step on the release loop migrates on the bootstrap node", ()
            )
    return None


def change_of(task: StageTask) -> str:
    """Return what a task may change for good: ``packages``, ``a database``, … or, for most tasks, nothing."""
    module = task.module.rpartition(".")[2]
    if task.idle:
        return ""
    text = _words(task.body)
    if module in _PACKAGE_MODULES:
        return "" if _keeps(task.body, task.module) else "packages"
    if _DATABASE_MODULE.fullmatch(module):
        return "" if module in _QUERIES else "a database"
    if module in _APPLY_MODULES:
        return "the configuration as a whole"
    if module not in _COMMAND_MODULES:
        return ""
    if _PACKAGE_COMMAND.search(text):
        return "packages"
    if _DATABASE_COMMAND.search(text):
        return "a database"
    return "the configuration as a whole" if _APPLY_COMMAND.search(text) else ""


def _keeps(body: Mapping[str, Any], module: str) -> bool:
    """Return whether the arguments of a package module leave the packages that are there as they are."""
    words = ""
    for arguments in (body.get(key) for key in (module, "args", "action", "local_action")):
        pairs = arguments.items() if isinstance(arguments, Mapping) else ()
        words += " ".join(("", *(f"{key}={value}" for key, value in pairs))) if pairs else f" {arguments or ''}"
    states = set(re.findall(r"\bstate\s*=\s*(\S+)", words)) or {"present"}
    return states <= _KEEPS and not re.search(r"\bupgrade\b|\bupdate_only\b", words)


def _migrates(stage: Stage | None) -> bool:
    if stage is None or not stage.release:
        return False
    return stage.id.endswith("/bootstrap") or (stage.step is not None and stage.step >= BOOTSTRAP_STEP)


def _acts(task: StageTask) -> bool:
    return not task.idle and task.module.rpartition(".")[2] not in _HARMLESS


def _words(value: Any) -> str:
    """Return all texts that may be part of a task's command, those of lists as words of one line."""
    if isinstance(value, Mapping):
        return "\n".join(_words(item) for key, item in value.items() if key not in _NOT_RUN)
    if isinstance(value, list | tuple):
        return " ".join(_words(item) for item in value)
    return str(value)
