"""Whether two askings for one run ask for the same: what differs, told without keeping a secret; starts nothing."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import RunActive
from tripleo_ffwd.model import RunSpec, RunStatus

ROUNDS = 50_000
PLAIN = (
    "tags",
    "skip_tags",
    "ssh_user",
    "become",
    "become_user",
    "become_method",
    "ansible_library",
    "ansible_roles_path",
    "ansible_collections_path",
)
# What makes no difference to going on with a run, and may not be taken for granted of one that is under way.
PACE = ("serial", "strategy")
HASHED = ("extra_vars", "extra_vars_file")


def fingerprint(spec: RunSpec, salt: str = "") -> dict[str, str]:
    """Return hashes of a spec's variables, for launch.json; they are slow ones, because variables may be passwords.

    Args:
        spec: its `extra_vars_file` is read; one that can't be read counts as empty.
        salt: of the fingerprint to compare with; a new one by default.
    """
    salt = salt or secrets.token_hex(16)
    try:
        content = Path(spec.extra_vars_file).read_bytes() if spec.extra_vars_file else b""
    except OSError:
        content = b""
    variables = json.dumps(dict(spec.extra_vars), sort_keys=True, default=str).encode()
    return {"salt": salt, "extra_vars": _hash(variables, salt), "extra_vars_file": _hash(content, salt)}


def _hash(data: bytes, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", data, salt.encode(), ROUNDS).hex()


def differences(spec: RunSpec, other: RunSpec, launch: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of what a spec asks for otherwise than the one of a run that is there.

    Args:
        spec: what is asked for.
        other: the spec of the run.
        launch: the run's launch.json, with its fingerprint as ``asked``.
    """
    found = [name for name in PLAIN if getattr(spec, name) != getattr(other, name)]
    theirs = launch.get("asked")
    if not isinstance(theirs, dict):
        return (*found, *HASHED)  # what can't be compared is not the same
    ours = fingerprint(spec, str(theirs.get("salt", "")))
    return (*found, *(name for name in HASHED if ours[name] != theirs.get(name)))


def other_pace(spec: RunSpec, other: RunSpec) -> tuple[str, ...]:
    """Return the names of what a spec asks for that another has otherwise, and that changes only a run's pace."""
    return tuple(name for name in PACE if getattr(spec, name) != getattr(other, name))


def refusal(status: RunStatus, plan: str, differing: tuple[str, ...]) -> RunActive:
    """Return the error that says which run of the plan is in the way, and how its asking differs if that is why."""
    what = f"run {status.run_id} ({status.phase} {status.playbook}) of plan {plan} is {status.state}"
    if differing and status.state == "live":
        what += f", with other {', '.join(differing)}"
    return RunActive(
        f"{what}: {status.message}" if status.message else what,
        where=status.run_dir,
        remedy=(
            f"Wait for it, or end it with `tripleo-ffwd run cancel {status.run_id}`"
            if status.state == "live"
            else "Look at it from the machine that it runs on, or fence that machine and say so"
        ),
        run_id=status.run_id,
        state=status.state,
        phase=status.phase,
        playbook=status.playbook,
        differing=list(differing),
    )
