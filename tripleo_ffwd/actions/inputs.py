"""The inputs of a phase, checked before anything is touched: their types and values. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tripleo_ffwd.actions import ansible_options
from tripleo_ffwd.actions.ansible_options import COUNT, FLAG, TEXT
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import JOB_PLAYBOOKS
from tripleo_ffwd.preflight import waivers


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_verbosity(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 4


def _is_job(value: Any) -> bool:
    return isinstance(value, str) and value in JOB_PLAYBOOKS


JOB = (_is_job, f"one of {', '.join(JOB_PLAYBOOKS)}")
TEXTS = (_is_texts, "a list of texts")
VERBOSITY = (_is_verbosity, "a whole number from 0 to 4")
MAPPING = (_is_mapping, "an object")
LIST = (_is_list, "a list")

# What each input must be when it is given; None is "not given".
TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "job": JOB,
    "stack": TEXT,
    "templates": TEXT,
    "environments": TEXTS,
    "timeout": COUNT,
    "run_timeout": COUNT,
    "forks": COUNT,
    "verbosity": VERBOSITY,
    "poll_interval": COUNT,
    "force_reason": TEXT,
    "roles": TEXTS,
    "nodes": TEXTS,
    "playbook": TEXT,
    "ssh_user": TEXT,
    "ssh_key_file": TEXT,
    "ssh_key_env": TEXT,
    "tags": TEXT,
    "skip_tags": TEXT,
    "ansible": MAPPING,
    "extra_vars": MAPPING,
    "extra_vars_file": TEXT,
    "resume": FLAG,
    "dry_run": FLAG,
    "batches": MAPPING,
    "checks": FLAG,
    "waivers": LIST,
}


def check(inputs: Mapping[str, Any] | None) -> None:
    """Refuse an input of a wrong type or value.

    Raises:
        InvalidInput: names the input; its value is shown unless it may be secret.
    """
    for name, value in (inputs or {}).items():
        if value is None or name not in TYPES:
            continue
        holds, wanted = TYPES[name]
        if not holds(value):
            shown = "" if name == "extra_vars" else f", not {value!r}"
            raise InvalidInput(f"{name} must be {wanted}{shown}", where=name, remedy="Correct it and start again")
        if name == "ansible":
            ansible_options.check(value)
        if name == "waivers":
            waivers.parse(value)
