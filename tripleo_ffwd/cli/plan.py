"""`tripleo-ffwd plan import|list|show|diff|restore|export`: the versions of plans, without Mistral."""

from __future__ import annotations

import argparse
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tripleo_ffwd import config
from tripleo_ffwd.cli import plan_text
from tripleo_ffwd.cli.supervisord import add_work_dir, work_dir
from tripleo_ffwd.exceptions import ConfigurationError, InvalidInput
from tripleo_ffwd.model import PHASES
from tripleo_ffwd.plan import archives, arrangement, changes, lock
from tripleo_ffwd.plan.sources import CONTAINER_PREFIX
from tripleo_ffwd.plan.store import PlanStore, PlanVersion, open_store


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "plan", help="the versions of plans: import, list, show, compare, restore and export them"
    )
    verbs = parser.add_subparsers(dest="verb", metavar="import|list|show|diff|restore|export", required=True)
    make = _add(verbs, "import", "make templates and environments a plan's new current version", import_plan)
    make.add_argument("plan", metavar="PLAN", help="name of the plan; made when there is none")
    make.add_argument("source", metavar="SOURCE", help="directory or tarball of templates, or swift:CONTAINER")
    make.add_argument(
        "-e",
        "--environment",
        action="append",
        metavar="FILE",
        help="an environment: a file, or a name within the templates; again for more, in order. Default: those of the "
        "current version",
    )
    make.add_argument("--phase", choices=PHASES, default="", help="put this phase's lifecycle environment first")
    listing = _add(verbs, "list", "the plans, or the versions of one, newest last", list_plans)
    listing.add_argument("plan", metavar="PLAN", nargs="?", help="name of a plan")
    showing = _add(verbs, "show", "what a version of a plan is", show)
    showing.add_argument("plan", metavar="PLAN", help="name of the plan")
    _add_version(showing)
    diff = _add(verbs, "diff", "what a version changes in templates, environments, parameters and types", compare)
    diff.add_argument("plan", metavar="PLAN", help="name of the plan")
    diff.add_argument("old", metavar="OLD", nargs="?", type=_number, help="a version; default: the one before NEW")
    diff.add_argument("new", metavar="NEW", nargs="?", type=_number, help="another; default: the current one")
    restore_parser = _add(verbs, "restore", "make an older version's content current again, as a new version", restore)
    restore_parser.add_argument("plan", metavar="PLAN", help="name of the plan")
    restore_parser.add_argument("number", metavar="VERSION", type=_number, help="its number")
    exporting = _add(verbs, "export", "write a version's files as TripleO reads them", export)
    exporting.add_argument("plan", metavar="PLAN", help="name of the plan")
    exporting.add_argument("target", metavar="TARGET", type=Path, help="a new directory, or FILE.tar.gz")
    _add_version(exporting)


def _add(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    func: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    add_work_dir(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(func=functools.partial(_run, func))
    return parser


def _run(func: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    try:
        return func(args)
    except PermissionError as error:
        remedy = "Run it as the user that Mistral's executor runs as, whose the work directory is, or as root"
        raise ConfigurationError("Permission denied", where=str(error.filename), remedy=remedy) from error


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", metavar="N", type=_number, dest="number", help="its number; default: the current")


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a version")
    return int(text)


def import_plan(args: argparse.Namespace) -> int:
    """Make a version; print which."""
    store = store_of(args)
    with lock.free(store.backend, args.plan):
        before = store.current_number(args.plan)
        made = store.create_version(
            args.plan,
            templates=args.source if args.source.startswith(CONTAINER_PREFIX) else Path(args.source).absolute(),
            environments=None if args.environment is None else [_environment(name) for name in args.environment],
            phase=args.phase,
        )
    same = made.number == before
    return _told(args, made, f"Version {made.number} of plan {made.plan} {'has' if same else 'is current, with'}")


def list_plans(args: argparse.Namespace) -> int:
    """Print the plans, or the versions of one."""
    store = store_of(args)
    if args.plan is not None:
        current = store.current_number(args.plan)
        versions = store.versions(args.plan)
        if current is None and not versions:
            store.current(args.plan)
        if args.json:
            _print([_json(version, current=version.number == current) for version in versions])
        else:
            plan_text.print_versions(versions, current)
        return 0
    numbers = {plan: store.current_number(plan) for plan in store.plans()}
    rows = [(plan, number or 0, store.versions(plan)) for plan, number in numbers.items()]
    if args.json:
        _print([{"plan": plan, "current": number, "versions": len(versions)} for plan, number, versions in rows])
    else:
        plan_text.print_plans(rows, store.backend.where)
    return 0


def show(args: argparse.Namespace) -> int:
    """Print one version."""
    store = store_of(args)
    version = _version(store, args.plan, args.number)
    current = version.number == store.current_number(args.plan)
    foreign = store.foreign(args.plan) if current else ()
    holder = lock.holder(store.backend, args.plan)
    warnings = arrangement.read_warnings(version.files_dir)
    if args.json:
        held = {"execution": holder.execution, "phase": holder.phase, "since": holder.since} if holder else None
        more = {"changed_by_others": list(foreign), "held_by": held, "warnings": warnings}
        _print(_json(version, current=current) | more)
    else:
        plan_text.print_version(version, current, foreign, f"{holder.execution} ({holder.phase})" if holder else "")
        plan_text.print_warnings(warnings)
    return 0


def compare(args: argparse.Namespace) -> int:
    """Print what is different between two versions."""
    store = store_of(args)
    new = _version(store, args.plan, args.new)
    old = _before(store, new) if args.old is None else store.version(args.plan, args.old)
    found = changes.compare(old, new)
    if args.json:
        _print(found)
    else:
        for line in plan_text.changes(found):
            print(line)
    return 0


def restore(args: argparse.Namespace) -> int:
    """Make an older version's content current again."""
    store = store_of(args)
    with lock.free(store.backend, args.plan):
        made = store.restore(args.plan, args.number)
    return _told(args, made, f"Version {made.number} of plan {made.plan} is current: version {args.number} again,")


def export(args: argparse.Namespace) -> int:
    """Write a version's files."""
    version = _version(store_of(args), args.plan, args.number)
    count = archives.export(version, args.target)
    if args.json:
        _print(_json(version) | {"target": str(args.target.absolute()), "written": count})
    else:
        print(f"{args.target}: version {version.number} of plan {version.plan}, {count} files")
    return 0


def store_of(args: argparse.Namespace) -> PlanStore:
    """Return the store that the options and the environment name, a token in ``OS_AUTH_TOKEN`` included."""
    token = SimpleNamespace(auth_token=os.environ.get("OS_AUTH_TOKEN"), service_catalog=None, region_name=None)
    return open_store(config.load_file(args.config_file, os.environ), token, work_dir(args))


def _version(store: PlanStore, plan: str, number: int | None) -> PlanVersion:
    return store.current(plan) if number is None else store.version(plan, number)


def _before(store: PlanStore, new: PlanVersion) -> PlanVersion | None:
    earlier = [version.number for version in store.versions(new.plan) if version.number < new.number]
    return store.version(new.plan, earlier[-1]) if earlier else None


def _environment(name: str) -> str:
    """Return a file as an absolute path, and what is none here as a name within the templates."""
    path = Path(name)
    if path.is_absolute() or path.exists():
        return str(path.absolute())
    if ".." in path.parts:
        raise InvalidInput(f"There is no file {name}", remedy="Correct the path")
    return name


def _told(args: argparse.Namespace, version: PlanVersion, what: str) -> int:
    if args.json:
        _print(_json(version, current=True))
    else:
        named = plan_text.count(len(version.environments), "environment")
        many = len(arrangement.read_warnings(version.files_dir))
        hint = f"; {plan_text.count(many, 'warning')}, see `tripleo-ffwd plan show {version.plan}`" if many else ""
        print(f"{what} {version.files} files, {named}, digest {version.digest[:12]}{hint}")
    return 0


def _json(version: PlanVersion, **more: Any) -> dict[str, Any]:
    return version.to_record() | more


def _print(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
