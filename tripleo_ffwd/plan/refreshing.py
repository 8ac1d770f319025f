"""A plan as TripleO's own client makes it: it fills the container in Swift by itself, and has actions do the rest.

So there are no such plans in the work directory: what the client could not fill in Swift, it could not refresh either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from tripleo_ffwd.exceptions import ConfigurationError, InvalidInput, NotFound
from tripleo_ffwd.plan import plan_environment, tripleo_files
from tripleo_ffwd.plan.effective import deep_update
from tripleo_ffwd.plan.sources import CONTAINER_PREFIX
from tripleo_ffwd.plan.store import PlanStore
from tripleo_ffwd.plan.swift.backend import SwiftBackend
from tripleo_ffwd.plan.swift.container import USAGE
from tripleo_ffwd.plan.version import PlanVersion, check_name

KEYS = ("parameter_defaults", "derived_parameters")
# Lifecycle environments that clients put into the plan, by the ends of their paths.
UPDATE, UPGRADE = "lifecycle/update-prepare.yaml", "upgrade-prepare.yaml"


def templates(store: PlanStore, plan: str) -> str:
    """Return what `templates` of a phase must be so that it takes what the client has put there; empty: nothing new."""
    return f"{CONTAINER_PREFIX}{plan}" if isinstance(store.backend, SwiftBackend) else ""


def make_container(store: PlanStore, plan: str) -> None:
    """Make the container of a new plan, marked as TripleO marks one.

    Raises:
        InvalidInput: there is one of that name.
        ConfigurationError: plans are not in Swift.
    """
    check_name(plan)
    account = _backend(store).account
    if account.container_headers(plan) is not None:
        raise InvalidInput(f"A container {plan} is there already", remedy="Choose another name, or update the plan")
    account.make_container(plan, {USAGE: "plan"})


def refresh(store: PlanStore, plan: str) -> PlanVersion:
    """Make what the client has put into the plan's container its current version, rendered, with passwords.

    Raises:
        InvalidTemplates, PlanLocked, Unavailable: as `PlanStore.create_version`.
        ConfigurationError: plans are not in Swift.
    """
    _backend(store)
    # The environments are those of plan-environment.yaml, which the client has brought up to date.
    return store.create_version(plan, templates=templates(store, plan), environments=[])


def check_upgrade(store: PlanStore, plan: str) -> None:
    """Refuse a plan that a client has made for a minor update: it calls the same workflow for that as for an upgrade.

    Raises:
        InvalidInput: names the environment that says so.
        Unavailable: Swift does not answer.
    """
    if not isinstance(store.backend, SwiftBackend):
        return
    try:
        stated = yaml.safe_load(store.backend.account.get(plan, plan_environment.NAME) or b"") or {}
        paths = [str(entry.get("path", "")) for entry in stated.get("environments") or ()]
    except (yaml.YAMLError, AttributeError):
        return  # prepare says what is wrong with it
    if any(path.endswith(UPDATE) for path in paths) and not any(path.endswith(UPGRADE) for path in paths):
        raise InvalidInput(
            f"The plan is made for a minor update ({UPDATE}), and this would begin an upgrade; nothing was begun",
            where=f"plan {plan}",
            remedy="Update the stack by tripleo-common's own workbook, or by Heat; upgrade by ffwd-upgrade prepare",
        )


def mend(store: PlanStore, plan: str) -> bool:
    """Put the plan environment back into the container of a plan when a client that died has left it without one.

    The client empties the container before it fills it, with the passwords in its memory alone. What it finds there
    the next time must have them: nobody else knows those of a running overcloud.

    Returns:
        Whether there was something to mend.

    Raises:
        Unavailable: Swift does not answer.
    """
    backend = store.backend
    # Of plan number 0, TripleO's own, there is no version of ours that could have the passwords.
    if not isinstance(backend, SwiftBackend) or not backend.current(plan):
        return False
    data = backend.account.get(plan, plan_environment.NAME)
    try:
        found = yaml.safe_load(data or b"") or {}
        if found.get("passwords") is not None:
            return False
    except (yaml.YAMLError, AttributeError):
        found = {}
    try:
        kept = yaml.safe_load(tripleo_files.contents(store.current(plan)).get(plan_environment.NAME, b""))
    except yaml.YAMLError:
        return False
    if not isinstance(kept, dict):
        return False
    if found and not kept.get("passwords"):
        return False  # what else somebody has taken out is his own affair
    mended = {**kept, **found, **({"passwords": kept["passwords"]} if "passwords" in kept else {})}
    backend.account.put(plan, plan_environment.NAME, yaml.safe_dump(mended, default_flow_style=False).encode())
    return True


def update_parameters(store: PlanStore, plan: str, parameters: Mapping[str, Any], key: str = KEYS[0]) -> None:
    """Put parameters into the plan environment in the plan's container, over those that it has.

    Raises:
        NotFound: there is no such plan.
        InvalidInput: the key is another one, or the plan environment can't be read.
        ConfigurationError: plans are not in Swift.
    """
    if key not in KEYS:
        raise InvalidInput(f"Parameters are not kept as {key!r}", remedy=f"Use one of {', '.join(KEYS)}")
    check_name(plan)
    account = _backend(store).account
    data = account.get(plan, plan_environment.NAME)
    if data is None:
        raise NotFound(f"Plan {plan} has no {plan_environment.NAME}", where=account.where, remedy="Update the plan")
    try:
        known = yaml.safe_load(data) or {}
        merged = {**known, key: deep_update(dict(known.get(key) or {}), dict(parameters))}
    except (yaml.YAMLError, TypeError, ValueError, AttributeError) as error:
        # Its text has passwords.
        raise InvalidInput(
            f"{plan_environment.NAME} of plan {plan} can't be read", where=account.where, remedy="Correct the file"
        ) from error
    account.put(plan, plan_environment.NAME, yaml.safe_dump(merged, default_flow_style=False).encode())


def _backend(store: PlanStore) -> SwiftBackend:
    if not isinstance(store.backend, SwiftBackend):
        raise ConfigurationError(
            "TripleO's client keeps plans in Swift, and they are kept in the work directory here",
            where="[ffwd] plan_backend",
            remedy="Set it to swift, or use the pack's own commands",
        )
    return store.backend
