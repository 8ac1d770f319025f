"""`tripleo-ffwd generate`: stack outputs to a directory of playbooks; the compiler does the work."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from tripleo_ffwd import config
from tripleo_ffwd.exceptions import InvalidInput, MalformedOutputs
from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.options import TASK_ORDERS, GenerateOptions
from tripleo_ffwd.playbook_gen.tree import PlaybookTree


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "generate",
        help="generate the playbooks of the phases from a stack's outputs",
        description="Generate the playbooks, the inventory and manifest.json from a stack's outputs.",
    )
    add_options(parser)
    parser.add_argument(
        "--output-dir", required=True, type=Path, metavar="DIR", help="new or empty directory, or one written before"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="print what was rewritten for newer versions")
    parser.set_defaults(func=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `generate` and `preview` share."""
    parser.add_argument(
        "--outputs",
        required=True,
        type=Path,
        metavar="FILE",
        help="JSON: [{output_key, output_value}], a mapping, or `openstack stack output show STACK --all -f json`",
    )
    parser.add_argument("--phase", choices=("run", "upgrade", "converge"), help="only the playbooks of this phase")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--config-download", type=Path, metavar="DIR", help="classic tree with the servers' deployments"
    )
    source.add_argument("--stack", metavar="NAME", help="take the servers' deployments from Heat")
    parser.add_argument(
        "--releases", metavar="A,B,C", help="all releases but the first, in order, where the outputs leave them open"
    )
    parser.add_argument(
        "--task-order", choices=TASK_ORDERS, help="order of a role's tasks; default: as its release did"
    )


def run(args: argparse.Namespace) -> int:
    """Generate, write, and say what there is."""
    writing.check_target(args.output_dir)
    tree = compile_from(args)
    writing.write_tree(tree, args.output_dir)
    found = tree.manifest
    playbooks = Counter(stage["playbook"] for stage in found["stages"])
    print(f"{args.output_dir}: {len(tree.files) + 1} files, digest {found['digest'][:12]}")
    print(f"stages: {', '.join(f'{name} {count}' for name, count in playbooks.items())}")
    print(
        f"releases: {', '.join(found['releases']) or 'none'}; task order: {found['task_order']}; "
        f"rewritten: {len(found['rewritten'])}; missing inputs: {len(found['missing_inputs'])}"
    )
    if args.verbose:
        for note in found["rewritten"]:
            print(f"rewritten  {note['file']}  {note['task']}: {note['what']}")
        for missing in found["missing_inputs"]:
            print(f"missing    {missing['playbook']}: {missing['what']}")
    return 0


def compile_from(args: argparse.Namespace) -> PlaybookTree:
    """Return the tree for a command line; nothing is written.

    Raises:
        InvalidInput: the outputs' file or an option can't be used.
        MalformedOutputs: the outputs are not what a stack has.
    """
    if args.stack:
        raise InvalidInput(
            "--stack: deployments can't be taken from Heat in this version",
            remedy="Give a classic config-download tree with --config-download",
        )
    settings = config.load_file(None)
    options = GenerateOptions(
        phase=args.phase,
        releases=tuple(name.strip() for name in args.releases.split(",") if name.strip()) if args.releases else (),
        task_order=args.task_order or "",
        ssh_user=settings.ssh_user,
        ssh_port=settings.ssh_port,
        python_interpreter=settings.python_interpreter,
        config_download=_read_tree(args.config_download) if args.config_download else None,
    )
    return pipeline.compile_playbooks(_read_outputs(args.outputs), options)


def _read_outputs(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"can't be read: {error.strerror}", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise MalformedOutputs(f"is not JSON: {error}", where=str(path)) from error


def _read_tree(root: Path) -> dict[str, str]:
    if not root.is_dir():
        raise InvalidInput("is not a directory", where=str(root))
    files = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_symlink() or not path.is_file() or name.parts[0].startswith("."):
            continue
        try:
            files[str(name)] = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InvalidInput(f"can't be read: {error.strerror}", where=str(path)) from error
        except ValueError as error:
            raise InvalidInput("is not UTF-8 text", where=str(path)) from error
    return files
