"""What is rarely needed of Ansible: the input `ansible` of the phases, checked by name; and [ffwd] behind it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from oslo_config import cfg

from tripleo_ffwd.exceptions import InvalidInput


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_size(value: Any) -> bool:
    return _is_count(value) or (isinstance(value, str) and bool(re.fullmatch(r"\d+%?", value.strip())))


def _is_sizes(value: Any) -> bool:
    return _is_size(value) or (isinstance(value, list) and bool(value) and all(map(_is_size, value)))


TEXT = (_is_text, "a text")
FLAG = (_is_flag, "true or false")
COUNT = (_is_count, "a whole number of at least 1")
SIZES = (_is_sizes, "a number of nodes, a share of them such as '25%', or a list of those")

# By name: what it must be, the field of RunSpec that it becomes, and the option of [ffwd] that is the default;
# no option: the default is empty.
OPTIONS: Mapping[str, tuple[tuple[Callable[[Any], bool], str], str, str]] = {
    "become": (FLAG, "become", "ansible_become"),
    "become_method": (TEXT, "become_method", "ansible_become_method"),
    "become_user": (TEXT, "become_user", "ansible_become_user"),
    "collections_path": (TEXT, "ansible_collections_path", "ansible_collections_path"),
    "connect_timeout": (COUNT, "connect_timeout", "ssh_connect_timeout"),
    "gather_timeout": (COUNT, "gather_timeout", "ansible_gather_timeout"),
    "inventory_file": (TEXT, "inventory_file", ""),
    "library": (TEXT, "ansible_library", "ansible_library"),
    "pipelining": (FLAG, "pipelining", "ssh_pipelining"),
    "roles_path": (TEXT, "ansible_roles_path", "ansible_roles_path"),
    "serial": (SIZES, "serial", "ansible_serial"),
    "ssh_extra_args": (TEXT, "ssh_extra_args", "ssh_extra_args"),
    "strategy": (TEXT, "strategy", "ansible_strategy"),
}


def check(given: Mapping[str, Any]) -> None:
    """Refuse what is no option, or has a wrong type.

    Raises:
        InvalidInput: names it, and what there is.
    """
    for name, value in given.items():
        if name not in OPTIONS:
            raise InvalidInput(
                f"ansible has no {name!r}", where="ansible", remedy=f"It takes {', '.join(sorted(OPTIONS))}"
            )
        (holds, wanted), _, _ = OPTIONS[name]
        if value is not None and not holds(value):
            # ssh's options may name a proxy with a password.
            shown = "" if name == "ssh_extra_args" else f", not {value!r}"
            raise InvalidInput(
                f"ansible.{name} must be {wanted}{shown}", where=f"ansible.{name}", remedy="Correct it and start again"
            )


def fields(conf: cfg.GroupAttr, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the fields of a RunSpec: what is given, and what [ffwd] says of the rest.

    Args:
        conf: the values of [ffwd].
        given: the input; null is "not given".

    Raises:
        InvalidInput: see `check`.
    """
    known = given or {}
    check(known)
    found = {}
    for name, (_, field, option) in OPTIONS.items():
        value = known.get(name)
        found[field] = (getattr(conf, option) if option else "") if value is None else value
    return {**found, "serial": _sizes(found["serial"])}


def _sizes(value: Any) -> tuple[int | str, ...]:
    """Return sizes of batches, given as one, as a list, or as [ffwd] has them: a text with commas."""
    several = value if isinstance(value, list) else str(value).split(",")
    words = [str(one).strip() for one in several]
    return tuple(int(word) if word.isdigit() else word for word in words if word)
