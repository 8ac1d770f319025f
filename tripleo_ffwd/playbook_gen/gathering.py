"""Which facts a playbook's plays need to gather: no more than something in it may read; no I/O.

Imports traits, modules and what is below them. The source of what belongs to which subset is ansible-core's
``module_utils/facts/default_collectors.py``, 2.16 to 2.19.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tripleo_ffwd.model import GATHER_SUBSET
from tripleo_ffwd.playbook_gen import modules, used_plugins
from tripleo_ffwd.playbook_gen.effects import EVERYTHING
from tripleo_ffwd.playbook_gen.program import Program
from tripleo_ffwd.playbook_gen.tasks import (
    ANY_VARIABLE,
    BLOCK_KEYS,
    flatten,
    include_of,
    included_variables,
    modules_of,
)
from tripleo_ffwd.playbook_gen.traits import Traits
from tripleo_ffwd.playbook_gen.wholeness import SECTIONS, sections_of

_PREFIX = "ansible_"
# Facts of programs that are asked when all facts are, where a node has them.
_OTHER_TOOLS = ("facter_", "ohai_")

# What is gathered besides the minimum, for the facts whose names begin so. Names of network devices are facts, too:
# what is not known here may be one, and then everything is gathered.
_SUBSETS = {
    "hardware": re.compile(
        r"(mounts|devices|device_links|lvm|processor\w*|mem\w+_mb|memory_mb|swap\w+_mb|uptime_seconds|bios_\w+|board_\w+"
        r"|product_\w+|chassis_\w+|system_vendor|form_factor)$"
    ),
    "virtual": re.compile(r"virtualization_\w+$"),
}
_MINIMUM = re.compile(
    r"(architecture|kernel|kernel_version|machine|machine_id|system|fqdn|hostname|nodename|domain|userspace_\w+"
    r"|distribution\w*|os_family|lsb|selinux\w*|apparmor|fips|python|python_version|system_capabilities\w*|pkg_mgr"
    r"|service_mgr|cmdline|proc_cmdline|date_time|dns|env|local|ssh_host_key_\w+|user_\w+|real_\w+_id|effective_\w+_id)$"
)
# What begins like a fact and is none: variables of connections, of plays and of Ansible itself.
_NO_FACT = re.compile(
    r"(host|port|user|password|connection|timeout|python_interpreter|playbook_python|host_key_checking|private_key_file"
    r"|pipelining|shell_\w+|ssh_(?!host_key_)\w+|sftp_\w+|scp_\w+|become\w*|sudo\w*|su_\w+|play_\w+|role_\w*|check_mode"
    r"|diff_mode|run_tags|skip_tags|version|verbosity|limit|forks|loop\w*|index_var|parent_role_\w+|dependent_role_names"
    r"|inventory_sources|config_file|search_path|collection_name|job_id|managed|builtin|legacy|delegated_vars|async_dir"
    r"|remote_tmp|failed_task|failed_result|date|facts)$"
)
_ACCESS = re.compile(r"\bansible_facts(?:\.|\[\\?[\"'])(\w+)|\bansible_facts\b")
# Modules beyond ansible-core that are modules and nothing else: what has a part that runs here may look at any fact.
_PLAIN_MODULES = frozenset(
    (
        "mount", "filesystem", "ini_file", "seboolean", "sysctl", "authorized_key", "mysql_db", "mysql_user",
        "pacemaker_cluster", "pacemaker_resource", "pacemaker_is_active", "docker_container", "docker_image",
        "docker_facts", "podman_container", "selinux", "sefcontext", "firewalld", "modprobe", "alternatives", "lvol",
        "lvg",
    )
)  # fmt: skip


# Beside the tasks' own words, what a file of variables holds is known of this one alone.
_VARIABLES = frozenset(("global_vars.yaml",))


def subset(traits: Traits, playbook: str, reads: frozenset[str]) -> str | None:
    """Return the subset of facts that is enough for a playbook, as a template; None for all facts.

    Who runs it with variables of their own, which may read other facts, gives `model.GATHER_SUBSET` another value.

    Args:
        traits: those of the program's tasks.
        playbook: its file name.
        reads: what its plays and all below them may read, see `effects.reads_of`.
    """
    words = reads | traits.marks.variable_words
    if EVERYTHING in words or ANY_VARIABLE in words or any(word.startswith(_OTHER_TOOLS) for word in words):
        return None
    names = {word.removeprefix(_PREFIX) for word in words if word.startswith(_PREFIX)}
    names = {name for name in names if not _NO_FACT.match(name)}
    for item in _items(traits.program, playbook):
        accessed = _accessed(item)
        if accessed is None or not _is_plain(item):
            return None
        names |= accessed
    if not all(any(facts.match(name) for facts in (_MINIMUM, *_SUBSETS.values())) for name in names):
        return None
    wanted = ["!all", *(name for name, facts in _SUBSETS.items() if any(map(facts.match, names)))]
    return f"{{{{ {GATHER_SUBSET} | default({wanted}) }}}}"


def _items(program: Program, playbook: str) -> Iterator[Mapping[str, Any]]:
    """Yield the heads of a playbook's plays, and each task of them and of the files below, once."""
    seen: set[str] = set()

    def walk(tasks: list[Any], current: str) -> Iterator[Mapping[str, Any]]:
        for task in flatten(tasks):
            yield {key: [] if key in BLOCK_KEYS else value for key, value in task.items()}
            include = include_of(task)
            path = program.resolve(include[1], current) if include else None
            if path is not None and path not in seen:
                seen.add(path)
                yield from walk(program.tasks[path], path)

    for play in program.playbooks[playbook]:
        yield {key: value for key, value in play.items() if key not in ("strategy", "handlers", *SECTIONS)}
        yield from walk(sections_of(play, handlers=True), playbook)


def _accessed(item: Mapping[str, Any]) -> set[str] | None:
    """Return the facts that a text looks up in ansible_facts; None where one of them is known to the run only."""
    found = {match.group(1) for match in _ACCESS.finditer(json.dumps(item, default=str))}
    return None if None in found else found


def _is_plain(item: Mapping[str, Any]) -> bool:
    """Return whether nothing runs for a play or a task here, beside the nodes, that may look at facts by itself."""
    if "tasks" not in item and "hosts" in item:
        return not item.get("roles") and not used_plugins.beyond_core(item)
    if not included_variables(item) <= _VARIABLES or used_plugins.beyond_core(item):
        return False
    names = (name for name in modules_of([dict(item)]) if not modules.is_core(name))
    return all(name.rpartition(".")[2] in _PLAIN_MODULES for name in names)
