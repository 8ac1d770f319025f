"""Playbooks that RoleConfig lacks, built from the task lists of RoleData in the shape that TripleO documents; no I/O.

Imports loading and options. What is built goes through the compiler as if the templates had shipped it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tripleo_ffwd import model
from tripleo_ffwd.exceptions import MalformedOutputs
from tripleo_ffwd.playbook_gen.loading import Outputs
from tripleo_ffwd.playbook_gen.options import GenerateOptions

# Steps of each kind of tasks, first and last, as TripleO's own playbooks have them.
_ALL_NODES, _BOOTSTRAP_NODE = (0, 3), (4, 9)
_UPGRADE, _POST_UPGRADE, _DEPLOY = (0, 5), (0, 3), (1, 5)
_HIERA = "hiera -c /etc/puppet/hiera.yaml bootstrap_nodeid"


def absent(outputs: Outputs, playbook: str) -> bool:
    """Return whether there is neither the playbook nor any role's tasks to build it from."""
    key = {model.FAST_FORWARD_UPGRADE_PLAYBOOK: "fast_forward_upgrade_tasks"}.get(playbook)
    lists = [data.get(key) for data in outputs.role_data.values()] if key else []
    return (
        key is not None
        and outputs.role_config.get(playbook.removesuffix(".yaml")) is None
        and all(found is None for found in lists)
    )


def complete(outputs: Outputs, playbooks: Iterable[str], options: GenerateOptions) -> tuple[Outputs, tuple[str, ...]]:
    """Return the outputs with the named playbooks in RoleConfig, and which of them were built.

    Raises:
        MalformedOutputs: a playbook is missing and no role has tasks for it, or nobody names the releases.
    """
    built: dict[str, Any] = {}
    names = []
    for playbook in playbooks:
        key = playbook.removesuffix(".yaml")
        if outputs.role_config.get(key) is None:
            found = _BUILDERS[playbook](outputs, options)
            built |= {name: value for name, value in found.items() if outputs.role_config.get(name) is None}
            names.append(playbook)
    config = {**outputs.role_config, **built}
    return dataclasses.replace(outputs, role_config=config), tuple(names)


def _fast_forward_upgrade(outputs: Outputs, options: GenerateOptions) -> Mapping[str, Any]:
    lists = _lists(outputs, "fast_forward_upgrade_tasks", "fast_forward_upgrade_playbook")
    if not options.releases:
        raise MalformedOutputs(
            "the playbook is missing, and without it nothing names the releases",
            where="RoleConfig.fast_forward_upgrade_playbook",
            remedy="Name them, all but the one the upgrade starts from: --releases ocata,pike,queens",
        )
    releases = list(options.releases)
    play = {
        "hosts": "overcloud",
        "become": True,
        "tasks": [
            {"set_fact": {"releases": releases}},
            {"set_fact": {"ffu_releases": releases[:-1]}},
            {
                "include_tasks": "fast_forward_upgrade_release_tasks.yaml",
                "loop": "{{ ffu_releases }}",
                "loop_control": {"loop_var": "release"},
            },
            {"set_fact": {"release": releases[-1], "ffu_packages_apply": True}},
            {"include_tasks": "fast_forward_upgrade_post_role_tasks.yaml"},
        ],
    }
    return {
        "fast_forward_upgrade_playbook": [play],
        "fast_forward_upgrade_release_tasks": [
            {"include_tasks": "fast_forward_upgrade_prep_tasks.yaml"},
            {"include_tasks": "fast_forward_upgrade_bootstrap_tasks.yaml"},
        ],
        "fast_forward_upgrade_prep_tasks": [
            *_find_bootstrap_node(),
            _stepped("fast_forward_upgrade_prep_role_tasks.yaml", *_ALL_NODES),
        ],
        "fast_forward_upgrade_prep_role_tasks": lists,
        "fast_forward_upgrade_bootstrap_tasks": [
            _stepped("fast_forward_upgrade_bootstrap_role_tasks.yaml", *_BOOTSTRAP_NODE)
        ],
        "fast_forward_upgrade_bootstrap_role_tasks": [
            {**task, "when": [task["when"], "is_bootstrap_node|bool"]} for task in lists
        ],
        "fast_forward_upgrade_post_role_tasks": _lists(outputs, "fast_forward_post_upgrade_tasks", ""),
    }


def _upgrade(outputs: Outputs, options: GenerateOptions) -> Mapping[str, Any]:
    return _one_play(outputs, "upgrade", _UPGRADE, "upgrade_steps_playbook")


def _post_upgrade(outputs: Outputs, options: GenerateOptions) -> Mapping[str, Any]:
    return _one_play(outputs, "post_upgrade", _POST_UPGRADE, "")  # no tasks there is an answer


def _one_play(outputs: Outputs, kind: str, steps: tuple[int, int], needed_by: str) -> Mapping[str, Any]:
    play = {"hosts": "overcloud", "become": True, "tasks": [_stepped(f"{kind}_steps_tasks.yaml", *steps)]}
    return {
        f"{kind}_steps_playbook": [play],
        f"{kind}_steps_tasks": _lists(outputs, f"{kind}_tasks", needed_by),
    }


def _deploy(outputs: Outputs, options: GenerateOptions) -> Mapping[str, Any]:
    steps = _lists(outputs, "deploy_steps_tasks", "deploy_steps_playbook")
    plays: list[dict[str, Any]] = [{"hosts": "overcloud", "name": "Gather facts", "gather_facts": True}]
    plays += [
        _play(role, f"Prepare {role}", [{"import_tasks": f"{role}/host_prep_tasks.yaml"}])
        for role, data in outputs.role_data.items()
        if data.get("host_prep_tasks")
    ]
    common = [{"import_tasks": "common_deploy_steps_tasks.yaml"}] if _has(outputs, "common_deploy_steps_tasks") else []
    external = {key: [{"include_tasks": f"{key}.yaml"}] for key in _EXTERNAL if _has(outputs, key)}
    for step in range(_DEPLOY[0], _DEPLOY[1] + 1):
        known = {"step": str(step)}
        if "external_deploy_steps_tasks" in external:
            play = _play("undercloud", f"External step {step}", external["external_deploy_steps_tasks"], become=False)
            plays.append({**play, "vars": known})
        plays.append({**_play("overcloud", f"Deploy step {step}", [*steps, *common]), "vars": known})
    if "external_post_deploy_steps_tasks" in external:
        tasks = external["external_post_deploy_steps_tasks"]
        plays.append(_play("undercloud", "External tasks after the deployment", tasks, become=False))
    return {"deploy_steps_playbook": plays}


_EXTERNAL = ("external_deploy_steps_tasks", "external_post_deploy_steps_tasks")
_BUILDERS: Mapping[str, Callable[[Outputs, GenerateOptions], Mapping[str, Any]]] = {
    model.FAST_FORWARD_UPGRADE_PLAYBOOK: _fast_forward_upgrade,
    model.UPGRADE_STEPS_PLAYBOOK: _upgrade,
    model.DEPLOY_STEPS_PLAYBOOK: _deploy,
    model.POST_UPGRADE_STEPS_PLAYBOOK: _post_upgrade,
}


def _lists(outputs: Outputs, key: str, playbook: str) -> list[dict[str, Any]]:
    """Return the includes of each role's list; refuse when no role has one and a playbook is to be built of them."""
    roles = [role for role, data in outputs.role_data.items() if data.get(key) is not None]
    if playbook and not roles:
        raise MalformedOutputs(
            f"the playbook is missing, and no role has {key} to build it from",
            where=f"RoleConfig.{playbook}",
            remedy="Look whether the plan's templates are those of the release to upgrade to",
        )
    return [{"include_tasks": f"{role}/{key}.yaml", "when": f"tripleo_role_name == '{role}'"} for role in roles]


def _has(outputs: Outputs, key: str) -> bool:
    return bool(outputs.role_config.get(key))


def _stepped(file: str, first: int, last: int) -> dict[str, Any]:
    return {
        "include_tasks": file,
        "with_sequence": f"start={first} end={last}",
        "loop_control": {"loop_var": "step"},
    }


def _play(hosts: str, name: str, tasks: list[dict[str, Any]], *, become: bool = True) -> dict[str, Any]:
    return {
        "hosts": hosts,
        "name": name,
        "gather_facts": False,
        "become": become,
        "any_errors_fatal": True,
        "tasks": tasks,
    }


def _find_bootstrap_node() -> list[dict[str, Any]]:
    """Return the tasks that tell each host whether it is the bootstrap node."""
    fact = "{{ bootstrap_node.stdout | lower == ansible_hostname | lower }}"
    return [
        {"name": "Ask for the name of the bootstrap node", "command": _HIERA, "register": "bootstrap_node"},
        {
            "name": "Tell whether this is the bootstrap node",
            "set_fact": {"is_bootstrap_node": fact, "ffu_packages_apply": fact},
        },
    ]
