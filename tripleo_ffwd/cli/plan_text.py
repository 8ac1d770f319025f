"""Plans, their versions and what these change, for people."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tripleo_ffwd.plan.problems import Problem
from tripleo_ffwd.plan.store import PlanVersion
from tripleo_ffwd.redaction import MASK

_WIDTH = 100
# Names of a kind that are printed.
_NAMES = 20
_SIGN = {"added": "+", "removed": "-", "changed": "~"}


def print_plans(rows: Sequence[tuple[str, int, Sequence[PlanVersion]]], where: str) -> None:
    """Print plans: name, number of the current version, versions."""
    if not rows:
        print(f"no plans in {where}")
        return
    table = Table("plan", "current", "versions", "digest", "phase", "made", box=None)
    for plan, number, versions in rows:
        current = next((version for version in versions if version.number == number), None)
        told = (current.digest[:12], current.phase, current.created) if current else ("", "", "by TripleO")
        table.add_row(plan, str(number or ""), str(len(versions)), *told)
    _console().print(table)


def print_versions(versions: Iterable[PlanVersion], current: int | None) -> None:
    """Print versions, oldest first, the current one marked."""
    table = Table("version", "", "phase", "digest", "files", "environments", "made", "from", box=None)
    for version in versions:
        table.add_row(
            str(version.number),
            "current" if version.number == current else "",
            version.phase,
            version.digest[:12],
            str(version.files),
            str(len(version.environments)),
            version.created,
            escape(version.origin),
        )
    _console().print(table)


def print_version(version: PlanVersion, current: bool, foreign: Sequence[str], holder: str) -> None:
    """Print one version; `foreign` are files that another client changed, `holder` is who holds the plan."""
    table = Table(box=None, show_header=False)
    for name, value in (
        ("plan", version.plan),
        ("version", f"{version.number}{' (current)' if current else ''}" if version.number else "made by TripleO"),
        ("digest", version.digest),
        ("phase", version.phase),
        ("made", version.created),
        ("from", version.origin),
        ("files", str(version.files)),
        ("directory", str(version.files_dir)),
        ("held by", holder),
    ):
        if value:
            table.add_row(f"[bold]{name}[/]", escape(value))
    for number, name in enumerate(version.environments):
        kind = (
            " (of the phase)" if name == version.lifecycle else " (yours)" if name in version.user_environments else ""
        )
        table.add_row("[bold]environments[/]" if number == 0 else "", escape(name + kind))
    for number, name in enumerate(foreign):
        table.add_row("[bold]changed by others[/]" if number == 0 else "", escape(name))
    _console().print(table)


def print_warnings(warnings: Sequence[Mapping[str, str]]) -> None:
    """Print what was found in a version and does no harm, one a line."""
    if warnings:
        print(f"\n{count(len(warnings), 'warning')}")
    for warning in warnings:
        print(f"  {Problem(**warning)}")


def count(number: int, thing: str) -> str:
    """Return ``1 thing`` or ``N things``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def changes(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what `plan.changes.compare` found, line by line."""
    if found["equal"]:
        yield f"Versions {found['old']} and {found['new']} are the same."
        return
    yield f"version {found['old'] or '(none)'} → {found['new']}"
    before, after = found["environments"]["before"], found["environments"]["after"]
    if before != after or found["environments"]["changed"]:
        yield "\nenvironments"
        yield from _order(before, after, found["environments"]["changed"])
    for title in ("parameters", "types"):
        if any(found[title].values()):
            yield f"\n{title}"
            yield from _settings(found[title])
    if any(found["templates"].values()):
        yield "\ntemplates and other files"
        for kind, sign in _SIGN.items():
            names = found["templates"][kind]
            yield from (f"{sign} {name}" for name in names[:_NAMES])
            if len(names) > _NAMES:
                yield f"{sign} … and {len(names) - _NAMES} more; --json names them all"


def _order(before: Sequence[str], after: Sequence[str], changed: Sequence[str]) -> Iterator[str]:
    for name in before:
        if name not in after:
            yield f"- {name}"
    kept = [name for name in before if name in after]
    moved = kept != [name for name in after if name in before]
    for position, name in enumerate(after, 1):
        if name not in before:
            yield f"+ {name}, {f'behind {after[position - 2]}' if position > 1 else 'first'}"
        elif name in changed:
            yield f"~ {name}"
    if moved:
        yield f"> in another order: {', '.join(after)}"


def _settings(found: Mapping[str, Any]) -> Iterator[str]:
    names = sorted({name for kind in _SIGN for name in found[kind]})
    covered = frozenset(found.get("covered", ()))
    for name in names:
        if name in found["changed"]:
            old, new = found["changed"][name]
            yield from _changed(name, old, new, covered)
        else:
            kind = "added" if name in found["added"] else "removed"
            yield f"{_SIGN[kind]} {name}: {_short(found[kind][name])}"


def _changed(name: str, old: Any, new: Any, covered: Collection[str]) -> Iterator[str]:
    """Yield what is different between two values: item by item, or key by key, where they have such.

    Names in `covered` are different, whatever is shown of them.
    """
    below = sorted(one for one in covered if one.startswith((f"{name}.", f"{name}[")))
    if isinstance(old, dict) and isinstance(new, dict) and (old != new or below):
        yield f"~ {name}"
        for key in sorted({**old, **new}):
            part = f"{name}.{key}"
            hidden = any(one == part or one.startswith((f"{part}.", f"{part}[")) for one in below)
            if hidden or old.get(key) != new.get(key):
                yield from (f"    {line}" for line in _changed(part, old.get(key), new.get(key), covered))
    elif isinstance(old, list) and isinstance(new, list) and (old != new or below):
        gone, more = ([item for item in one if item not in other] for one, other in ((old, new), (new, old)))
        yield f"~ {name}{'' if gone or more or below else ': in another order'}"
        yield from (f"    - {_short(item)}" for item in gone)
        yield from (f"    + {_short(item)}" for item in more)
        yield from (f"    ~ {one}: {MASK} (changed)" for one in below)
    else:
        yield f"~ {name}: {_short(old)} → {_short(new)}" if old != new else f"~ {name}: {_short(new)} (changed)"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _console() -> Console:
    console = Console()
    # A pipe has no width: whoever cuts the output into columns wants whole words.
    return console if console.is_terminal else Console(width=240)
