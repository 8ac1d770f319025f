"""Modules, roles and plugins that a tree needs beyond ansible-core, and where; imports reading and used_plugins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tripleo_ffwd.playbook_gen import used_plugins
from tripleo_ffwd.playbook_gen.reading import StagePlay

ROLE = "role "

# Modules and actions of ansible-core itself, 2.16 to 2.19, by their short names. A name that is not here came from a
# collection since Ansible 2.10, or has always come from somewhere else.
# fmt: off
CORE = frozenset(
    (
        "add_host", "apt", "apt_key", "apt_repository", "assemble", "assert", "async_status", "async_wrapper",
        "blockinfile", "command", "copy", "cron", "deb822_repository", "debconf", "debug", "dnf", "dnf5",
        "dpkg_selections", "expect", "fail", "fetch", "file", "find", "gather_facts", "get_url", "getent", "git",
        "group", "group_by", "hostname", "import_playbook", "import_role", "import_tasks", "include", "include_role",
        "include_tasks", "include_vars", "iptables", "known_hosts", "lineinfile", "meta", "mount_facts", "package",
        "package_facts", "pause", "ping", "pip", "raw", "reboot", "replace", "rpm_key", "script", "service",
        "service_facts", "set_fact", "set_stats", "setup", "shell", "slurp", "stat", "subversion", "systemd",
        "systemd_service", "sysvinit", "tempfile", "template", "unarchive", "uri", "user", "validate_argument_spec",
        "wait_for", "wait_for_connection", "yum", "yum_repository"
    )
)
# fmt: on
_CORE_COLLECTIONS = ("ansible.builtin", "ansible.legacy")
_ROLE_ACTIONS = ("include_role", "import_role")
# The word for a task whose module can't be told; Ansible says more about it than we could.
_UNNAMED = "unknown"


def is_core(module: str) -> bool:
    """Return whether ansible-core brings a module along."""
    collection, _, name = module.rpartition(".")
    return (not collection or collection in _CORE_COLLECTIONS) and name in CORE


def needed(plays: Iterable[StagePlay]) -> dict[str, list[dict[str, str]]]:
    """Return what ansible-core doesn't have: modules, roles and plugins, each with its tasks.

    Roles are named ``role NAME``, plugins by their kind: ``strategy NAME``, ``filter NAME``, ``test NAME``,
    ``lookup NAME``, ``connection NAME``, ``become NAME``.

    Args:
        plays: the plays of all stages.

    Returns:
        ``{module: [{playbook, stage, task}]}``, sorted by module, the tasks in order and each once. Where the play
        itself names it, the task is the keyword: ``roles``, ``strategy``, ``vars``.
    """
    found: dict[str, dict[tuple[str, str, str], None]] = {}
    for play in plays:
        for role in play.roles:
            found.setdefault(ROLE + role, {})[(play.playbook, play.id, "roles")] = None
        for keyword, plugin in used_plugins.beyond_core(play.keywords):
            found.setdefault(plugin, {})[(play.playbook, play.id, keyword)] = None
        for task in play.tasks:
            plugins = (plugin for _, plugin in used_plugins.beyond_core(task.body))
            for name in (*_names(task.module, task.body), *plugins):
                found.setdefault(name, {})[(play.playbook, play.id, task.title)] = None
    return {
        name: [{"playbook": playbook, "stage": stage, "task": task} for playbook, stage, task in found[name]]
        for name in sorted(found)
    }


def own(files: Mapping[str, str]) -> frozenset[str]:
    """Return the modules, roles and plugins that a tree brings along, beside its playbooks.

    Args:
        files: path → text. What a file of filters or tests is called for is each word that it quotes.
    """
    found = set()
    for path, text in files.items():
        head, _, rest = path.partition("/")
        name = rest.partition("/")[0]
        kind = head.removesuffix("_plugins")
        if head == "library" and rest == name:
            found.add(name.removesuffix(".py"))
        elif head == "roles" and rest != name:
            found.add(ROLE + name)
        elif kind != head and rest == name:
            words = re.findall(r"[\"'](\w+)[\"']", text) if kind in ("filter", "test") else []
            found.update(f"{kind} {word}" for word in (name.removesuffix(".py"), *words))
    return frozenset(found)


def _names(module: str, body: Mapping[str, Any]) -> list[str]:
    if module.rpartition(".")[2] in _ROLE_ACTIONS:
        action = body.get(module) or body.get("action") or body.get("local_action")
        name = action.get("name") or action.get("role") if isinstance(action, Mapping) else _word(action)
        return [ROLE + str(name)] if name else []
    return [] if is_core(module) or module == _UNNAMED else [module]


def _word(action: Any) -> str:
    """Return the role of ``include_role: name=x``."""
    words = dict(word.partition("=")[::2] for word in str(action or "").split())
    return words.get("name") or words.get("role") or ""
