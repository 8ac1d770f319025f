"""`tripleo-ffwd report`: what was done for a plan, from this machine's work_dir, without Mistral."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run import runs
from tripleo_ffwd.cli.plan import store_of
from tripleo_ffwd.cli.supervisord import add_work_dir, work_dir
from tripleo_ffwd.exceptions import FfwdError, NotFound
from tripleo_ffwd.files import write_atomic
from tripleo_ffwd.plan import hidden
from tripleo_ffwd.plan.lock import holder, records_dir
from tripleo_ffwd.plan.places import NotReadable
from tripleo_ffwd.redaction import Redactor
from tripleo_ffwd.reporting import assembling, page

STDOUT = "-"


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "report",
        help="write what was done for a plan as a page or as JSON",
        description="Write what was done for a plan since its last prepare: phases, runs, each node in each stage, the "
        "slowest tasks, what failed with its output, what was forced and waived, versions and digests. The page needs "
        "nothing beside itself.",
    )
    add_work_dir(parser)
    parser.add_argument("--plan", default="overcloud", help="name of the plan (overcloud)")
    parser.add_argument("--format", choices=("html", "json"), default="html", help="default: html")
    parser.add_argument("--output", type=Path, metavar="FILE", help="file to write, mode 0600; default: stdout")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Write the report."""
    where = work_dir(args)
    found = runs.list_runs(where, args.plan, certain=True)
    if not found and not records_dir(where, args.plan).is_dir():
        raise NotFound(
            f"Nothing is known of plan {args.plan}", where=str(where), remedy="Name the right --work-dir and --plan"
        )
    report = assembling.build(where, args.plan, found, _known(args, where))
    text = page.render(report) if args.format == "html" else json.dumps(report, indent=1, ensure_ascii=False)
    if args.output is None or str(args.output) == STDOUT:
        sys.stdout.write(f"{text}\n")
    else:
        write_atomic(args.output.expanduser().absolute(), text.encode())
        print(f"{args.output}: {len(report['runs'])} runs, {report['failures_total']} failed tasks")
    return 0


def _known(args: argparse.Namespace, where: Path) -> assembling.Known:
    """Return what the plan tells besides; of one that can't be read, in Swift say, nothing, and stderr says why."""
    installed = {"mistral": importlib.metadata.version("mistral")} if importlib.util.find_spec("mistral") else {}
    try:
        store = store_of(args)
        version = store.current(args.plan)
        held = holder(store.backend, args.plan)
        cover = Redactor(hidden.values(version)).within
    except NotFound:
        return assembling.Known(versions=installed)
    except (FfwdError, NotReadable, OSError) as error:
        print(
            f"The plan can't be read, so that its version is not told and its secrets are not looked for: {error}",
            file=sys.stderr,
        )
        return assembling.Known(versions=installed)
    told = {"number": version.number, "digest": version.digest, "created": version.created, "origin": version.origin}
    return assembling.Known(told, installed, held.execution if held else "", cover)
