"""How Ansible would reach a host and become root there, as variables say it; pure.

Of the names that a setting has, Ansible takes the last one that is set, wherever it is set. Variables that the run is
given go before those of inventories.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.model import RunSpec

# By setting, the variables that Ansible looks at; the last one that is set holds.
NAMES: Mapping[str, tuple[str, ...]] = {
    "connection": ("ansible_connection",),
    "address": ("ansible_host", "ansible_ssh_host"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "password": ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
    "key_file": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
    "ssh_args": ("ansible_ssh_args",),
    "ssh_common_args": ("ansible_ssh_common_args",),
    "ssh_extra_args": ("ansible_ssh_extra_args",),
    "become": ("ansible_become",),
    "become_user": ("ansible_become_user", "ansible_sudo_user"),
    "become_method": ("ansible_become_method",),
    "become_password": ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"),
    "python": ("ansible_python_interpreter",),
}
VARIABLES = tuple(name for names in NAMES.values() for name in names)
LOCAL = ("local", "ansible.builtin.local")
# `smart` is ssh where that keeps connections, as ours does.
SSH = ("ssh", "ansible.builtin.ssh", "smart")
# Of other ways to become root nothing is known.
SUDO = ("", "sudo", "ansible.builtin.sudo")
_TRUE = frozenset({"yes", "y", "on", "1", "true", "t"})
_TEMPLATE = ("{{", "{%")


@dataclasses.dataclass(frozen=True)
class Way:
    """How a host is reached.

    Attributes:
        local: there is nothing to reach: it is this machine.
        address, port, user, key_file: of ssh; an empty port, user or key is left to ssh.
        ssh_args: words instead of those that runs give to ssh; None for those.
        more_args: words after them.
        become: whether it takes sudo to be whom tasks run as; `user` is not yet that one.
        password: that sudo asks for; empty for none.
        python: the interpreter that is named; empty when Ansible looks for one, None when no variable says.
        unknown: why it can't be looked at; empty when it can.
    """

    local: bool
    address: str
    port: str = ""
    user: str = ""
    key_file: str = ""
    ssh_args: tuple[str, ...] | None = None
    more_args: tuple[str, ...] = ()
    become: bool = True
    password: str = ""
    python: str | None = None
    unknown: str = ""


def way(name: str, given: Mapping[str, Any], spec: RunSpec, me: str) -> Way:
    """Return how a host is reached.

    Args:
        name: of the host.
        given: its variables, those of the run among them.
        spec: how a run would reach it where they say nothing.
        me: who is logged in on this machine.
    """
    said = {setting: _last(given, names) for setting, names in NAMES.items()}
    python = said["python"] and str(said["python"])
    local = said["connection"] in LOCAL
    # What stands in the inventory of a node that is this machine names the Python of Ansible itself.
    worked_out = [n for n in VARIABLES if _is_template(given.get(n)) and not (local and n in NAMES["python"])]
    if worked_out:
        return Way(local, name, unknown=f"only Ansible can work out {worked_out[0]}")
    if not local and (said["connection"] or "ssh") not in SSH:
        return Way(local, name, unknown="ansible_connection is not ssh there, and a look takes ssh alone")
    if said["password"] and not local:
        return Way(local, name, unknown="it is logged in there with a password, and a look takes keys alone")
    user = me if local else str(said["user"] or spec.ssh_user)
    whom = str(said["become_user"] or spec.become_user or "root")
    becomes = spec.become if said["become"] is None else _is_true(said["become"])
    try:
        args = None if said["ssh_args"] is None else tuple(shlex.split(str(said["ssh_args"])))
        more = tuple(
            word for part in ("ssh_common_args", "ssh_extra_args") for word in shlex.split(str(said[part] or ""))
        )
    except ValueError as error:
        return Way(local, name, unknown=f"options of ssh can't be split into words: {error}")
    return Way(
        local=local,
        address=str(said["address"] or name),
        port=str(said["port"] or ""),
        user=user,
        key_file=str(said["key_file"] or spec.ssh_key_file),
        ssh_args=args,
        more_args=more,
        # Like Ansible, nobody becomes who they are.
        become=becomes and user != whom and str(said["become_method"] or spec.become_method) in SUDO,
        password=str(said["become_password"] or ""),
        python=None if python is None else "" if _is_template(python) or python.startswith("auto") else python,
    )


def _last(given: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    found = [given[name] for name in names if given.get(name) is not None]
    return found[-1] if found else None


def _is_true(value: Any) -> bool:
    return str(value).strip().lower() in _TRUE


def _is_template(value: Any) -> bool:
    # What is encrypted is listed as a mapping.
    return isinstance(value, Mapping) or (isinstance(value, str) and any(mark in value for mark in _TEMPLATE))
