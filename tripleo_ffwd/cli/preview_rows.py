"""How a preview lays stages out: stages down, roles across; values only, no output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNDERCLOUD = "undercloud"


def by_playbook(manifest: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the manifest's stages by playbook, in order."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for stage in manifest["stages"]:
        found.setdefault(stage["playbook"], []).append(stage)
    return found


def marked(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the manifest's stages, each with what the other formats mark beside it.

    `release_begins` is true for the first stage of each release, `point_of_no_return` holds ``{why, tasks}`` for one
    stage at most, and None for all the others.
    """
    point = manifest["point_of_no_return"]
    found = []
    for stages in by_playbook(manifest).values():
        release = None
        for stage in stages:
            begins = stage["release"] is not None and stage["release"] != release
            release = stage["release"] or release
            here = point and (point["playbook"], point["stage"]) == (stage["playbook"], stage["id"])
            mark = {"why": point["why"], "tasks": point["tasks"]} if here else None
            found.append({**stage, "release_begins": begins, "point_of_no_return": mark})
    return found


def columns(manifest: Mapping[str, Any], stages: list[Mapping[str, Any]]) -> list[str]:
    """Return the roles, and the undercloud where a stage works on it."""
    works = any(UNDERCLOUD in stage["hosts"] for stage in stages)
    return [*manifest["roles"], *([UNDERCLOUD] if works else [])]


def columns_of(stage: Mapping[str, Any], names: list[str]) -> list[str]:
    """Return the columns of a stage: its role, or all roles for one that takes them together."""
    if stage["role"] in names:
        return [stage["role"]]
    return [name for name in names if name != UNDERCLOUD or UNDERCLOUD in stage["hosts"]]


def hosts_of(manifest: Mapping[str, Any], role: str) -> tuple[str, ...]:
    """Return the hosts of a role, as its own stages name them; none when it has no stage of its own."""
    hosts = (host for stage in manifest["stages"] if stage["role"] == role for host in stage["hosts"])
    return tuple(dict.fromkeys(hosts))


def nodes_of(manifest: Mapping[str, Any], role: str) -> str:
    """Return how many nodes a role has, for people; nothing for the undercloud and where it can't be told."""
    count = 0 if role == UNDERCLOUD else len(hosts_of(manifest, role))
    return f"{count} node{'s' if count > 1 else ''}" if count else ""


def heading(stage: Mapping[str, Any]) -> str:
    """Return what stands over the stages of a release, or over those that belong to none."""
    return f"release {stage['release']}" if stage["release"] else "outside the releases"


def rows(
    manifest: Mapping[str, Any], stages: list[Mapping[str, Any]], names: list[str]
) -> list[list[Mapping[str, Any]]]:
    """Return the stages in rows: neighbours of one release and step, one or none for each role, in reading order.

    Stages that take several roles at once, and the point of no return, have or begin a row of their own.
    """
    point = manifest["point_of_no_return"] or {}
    found: list[list[Mapping[str, Any]]] = []
    for stage in stages:
        last = found[-1][-1] if found else None
        fits = (
            last is not None
            and stage["id"] != point.get("stage")
            and _alike(last) == _alike(stage)
            and {stage["role"], last["role"]} <= set(names)
            and names.index(last["role"]) < names.index(stage["role"])
        )
        if fits:
            found[-1].append(stage)
        else:
            found.append([stage])
    return found


def label(stage: Mapping[str, Any]) -> str:
    """Return what a row is called: its step, or what else it is."""
    kind = stage["id"].split("/")[1]
    return f"step {stage['step']}" if stage["step"] is not None else kind.replace("_", " ")


def on_bootstrap(stage: Mapping[str, Any]) -> bool:
    """Return whether a stage does its work on the bootstrap node alone."""
    return bool(stage["id"].endswith("/bootstrap"))


def _alike(stage: Mapping[str, Any]) -> tuple[Any, ...]:
    release, kind, _, subset = stage["id"].split("/")
    return release, kind, subset
