"""`tripleo-ffwd register|verify|unregister`: the workbooks in a Mistral."""

from __future__ import annotations

import argparse
import importlib.metadata
import re

from tripleo_ffwd.exceptions import FfwdError, InvalidInput
from tripleo_ffwd.mistral import WORKBOOK_DIR, Mistral

# Each of our workbooks calls our actions; those that are put in the place of tripleo-common's in any case: they are the
# upgrade itself.
OURS = "ffwd."
ALWAYS = ("ffwd_upgrade.v1", "tripleo.package_update.v1")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the three commands."""
    for name, function, text in (
        ("register", register, "create or update the workbooks in Mistral; again does no harm"),
        ("verify", verify, "say whether workbooks, actions and the launcher of runs are in order"),
        ("unregister", unregister, "remove the workbooks from Mistral"),
    ):
        parser = subparsers.add_parser(name, help=text, description=text)
        parser.add_argument("--mistral-url", default="", help="Mistral's endpoint; by default as OS_* say")
        parser.add_argument(
            "--only", metavar="WORKBOOK", action="append", help="file name of a workbook, e.g. ffwd_upgrade; repeatable"
        )
        parser.set_defaults(func=function)


def workbooks(*only: str) -> dict[str, str]:
    """Return the definitions of the workbooks that come with the package, by the workbooks' names.

    Args:
        only: file names of those that are meant; none for all.

    Raises:
        InvalidInput: there is no workbook of a name.
    """
    paths = {path.stem: path for path in sorted(WORKBOOK_DIR.glob("*.yaml"))}
    unknown = [name for name in only if name not in paths]
    if unknown:
        raise InvalidInput(f"There is no workbook {unknown[0]!r}", remedy=f"There are {', '.join(paths)}")
    found = {}
    for stem in only or paths:
        text = paths[stem].read_text(encoding="utf-8")
        match = re.search(r"^name: *(\S+)", text, re.MULTILINE)
        found[match.group(1) if match else stem] = text
    return found


def _is_foreign(name: str, there: str | None, only: list[str] | None) -> bool:
    """Return whether a workbook is another's, such as tripleo-common's, that is left alone unless it is named."""
    return there is not None and OURS not in there and not only and name not in ALWAYS


def register(args: argparse.Namespace) -> int:
    """Create or update each workbook; tell which was done."""
    mistral = Mistral(args.mistral_url)
    for name, definition in workbooks(*(args.only or ())).items():
        there = mistral.workbook(name)
        if _is_foreign(name, there, args.only):
            print(f"{name}: not this package's, left as it is; name it with --only to replace it")
            continue
        if there == definition and mistral.workflows(name):
            print(f"{name}: unchanged")
            continue
        mistral.put_workbook(definition, exists=there is not None)
        print(f"{name}: {'created' if there is None else 'updated'}, {len(mistral.workflows(name))} workflows")
    return 0


def verify(args: argparse.Namespace) -> int:
    """Compare what Mistral has with what the package brings; return 1 when something is amiss."""
    mistral = Mistral(args.mistral_url)
    findings = []
    for name, definition in workbooks(*(args.only or ())).items():
        there = mistral.workbook(name)
        if _is_foreign(name, there, args.only):
            print(f"{name}: not this package's, left as it is")
        elif there is None:
            findings.append(f"{name}: not there. Run `tripleo-ffwd register`")
        elif there != definition:
            findings.append(f"{name}: differs from this package's. Run `tripleo-ffwd register`")
        else:
            print(f"{name}: ok, {len(mistral.workflows(name))} workflows")
    expected = {entry.name for entry in importlib.metadata.entry_points(group="mistral.actions")}
    ours = {name for name in expected if name.startswith("ffwd.")}
    missing = sorted(ours - set(mistral.actions("ffwd.")))
    if missing:
        findings.append(
            f"actions: {', '.join(missing)} missing. Install tripleo-ffwd beside Mistral's executors and restart them"
        )
    else:
        print(f"actions: ok, {len(ours)}")
        findings += _check_launcher(mistral)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


def unregister(args: argparse.Namespace) -> int:
    """Remove each workbook; one that is not there is fine."""
    mistral = Mistral(args.mistral_url)
    for name in workbooks(*(args.only or ())):
        there = mistral.workbook(name)
        if there is not None and OURS not in there and not args.only:
            print(f"{name}: not this package's, left as it is; name it with --only to remove it")
            continue
        mistral.delete_workbook(name)
        print(f"{name}: {'was not there' if there is None else 'removed'}")
    return 0


def _check_launcher(mistral: Mistral) -> list[str]:
    try:
        told = mistral.run_action("ffwd.check_launcher", {})
    except FfwdError as error:
        return [f"launcher: {error}"]
    if not isinstance(told, dict) or "launcher" not in told:
        return [f"launcher: {told}"]
    if not told["usable"]:
        return [f"launcher: {told['launcher']} can't be used: {told['message']}"]
    print(f"launcher: ok, runs are started by {told['launcher']} below {told['work_dir']}")
    return []
