"""`tripleo-ffwd generate`: stack outputs to a directory of playbooks; the compiler does the work."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oslo_config import cfg

from tripleo_ffwd import config, heat
from tripleo_ffwd.ansible_run.command import plugin_paths, unreadable_directory
from tripleo_ffwd.ansible_run.modules import find_missing
from tripleo_ffwd.exceptions import ConfigurationError, FfwdError, InvalidInput, MalformedOutputs
from tripleo_ffwd.playbook_gen import bounds, garbage, modules, pipeline, writing
from tripleo_ffwd.playbook_gen.deployments import Deployments, load_deployments
from tripleo_ffwd.playbook_gen.loading import as_mapping
from tripleo_ffwd.playbook_gen.options import TASK_ORDERS, GenerateOptions
from tripleo_ffwd.playbook_gen.tree import PlaybookTree
from tripleo_ffwd.redaction import Redactor, values

# What an option looks for, and the setting of [ffwd] that it stands in for.
_PATHS = {"module": "ansible_library", "roles": "ansible_roles_path", "collections": "ansible_collections_path"}


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
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="print what was rewritten for newer versions, and the modules, roles and plugins that ansible-core lacks",
    )
    parser.set_defaults(func=run)


def add_options(parser: argparse.ArgumentParser, *, phases_only: bool = False) -> None:
    """Add what `generate`, `preview` and `rehearse` share; a rehearsal goes through the phases' playbooks alone."""
    parser.add_argument(
        "--outputs",
        required=True,
        type=Path,
        metavar="FILE",
        help="JSON: [{output_key, output_value}], a mapping, or `openstack stack output show STACK --all -f json`",
    )
    playbooks = parser.add_mutually_exclusive_group()
    playbooks.add_argument("--phase", choices=("run", "upgrade", "converge"), help="only the playbooks of this phase")
    parser.set_defaults(playbook=[])
    if not phases_only:
        playbooks.add_argument(
            "--playbook",
            metavar="NAME",
            action="append",
            help="only this playbook, such as update_steps_playbook.yaml; can be given more than once",
        )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--config-download", type=Path, metavar="DIR", help="classic tree with the servers' deployments"
    )
    source.add_argument(
        "--stack",
        metavar="NAME",
        help="take the servers' deployments from this stack; Heat is found by [ffwd] or by OS_AUTH_URL and the like",
    )
    parser.add_argument("--config-file", type=Path, metavar="FILE", help="configuration file with a section [ffwd]")
    parser.add_argument(
        "--releases", metavar="A,B,C", help="all releases but the first, in order, where the outputs leave them open"
    )
    parser.add_argument(
        "--task-order", choices=TASK_ORDERS, help="order of a role's tasks; default: as its release did"
    )
    for option in _PATHS:
        what = f"{option.removesuffix('s')}s"
        parser.add_argument(
            f"--{option}-path",
            metavar="DIR[:DIR…]",
            help=f"where Ansible finds {what} that ansible-core lacks; default: as [ffwd] says, else its own places",
        )


@garbage.kept()
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
    if found["missing_modules"]:
        print(f"not found by Ansible: {', '.join(found['missing_modules'])}")
    if args.verbose:
        _details(found)
    return 0


def _details(manifest: Mapping[str, Any]) -> None:
    for note in manifest["rewritten"]:
        print(f"rewritten  {note['file']}  {note['task']}: {note['what']}")
    for line in module_lines(manifest):
        print(f"module     {line}")
    for missing in manifest["missing_inputs"]:
        print(f"missing    {missing['playbook']}: {missing['what']}")


def module_lines(manifest: Mapping[str, Any]) -> list[str]:
    """Return a line for each module, role and plugin beyond ansible-core: whether Ansible finds it, and the tasks."""
    lines = []
    for name, tasks in manifest["modules"].items():
        found = whether_found(name, manifest)
        more = f" and {len(tasks) - 1} more" if len(tasks) > 1 else ""
        lines.append(f"{name} ({found}): {tasks[0]['stage']}: {tasks[0]['task']}{more}")
    return lines


def whether_found(name: str, manifest: Mapping[str, Any]) -> str:
    """Return a few words on whether Ansible finds what a manifest names among its modules."""
    missing = manifest["missing_modules"]
    if "{{" in name:
        return "only the run can tell"
    return "nobody looked for it" if missing is None else "not found" if name in missing else "found"


def compile_from(args: argparse.Namespace) -> PlaybookTree:
    """Return the tree for a command line; nothing is written.

    Raises:
        InvalidInput: the outputs' file or an option can't be used.
        ConfigurationError: [ffwd] names a directory that is not there, or no Heat.
        MalformedOutputs: the outputs are not what a stack has.
        NotFound, StackBusy, StackFailed, Unavailable: Heat does not give the deployments.
    """
    settings = config.load_file(args.config_file, os.environ)
    paths = _plugin_paths(args, settings)
    outputs = _read_outputs(args.outputs)
    options = GenerateOptions(
        phase=args.phase,
        only=tuple(args.playbook),
        releases=tuple(name.strip() for name in args.releases.split(",") if name.strip()) if args.releases else (),
        task_order=args.task_order or "",
        ssh_user=settings.ssh_user,
        ssh_port=settings.ssh_port,
        python_interpreter=settings.python_interpreter,
        config_download=_read_tree(args.config_download) if args.config_download else None,
        deployments=_fetch(settings, args.stack, outputs) if args.stack else None,
    )
    try:
        tree = pipeline.compile_playbooks(outputs, options)
    except FfwdError as error:
        # What is wrong may be quoted, and the outputs have the overcloud's passwords.
        error.what = Redactor(values("", outputs))(error.what)
        raise
    return dataclasses.replace(tree, manifest={**tree.manifest, "missing_modules": _missing_modules(tree, paths)})


def plugin_paths_of(args: argparse.Namespace) -> dict[str, str]:
    """Return Ansible's settings for where modules, roles and collections are, as a command line or [ffwd] says."""
    return _plugin_paths(args, config.load_file(args.config_file, os.environ))


def _fetch(settings: cfg.GroupAttr, stack: str, outputs: object) -> Deployments:
    """Return the servers' deployments of a stack, from the Heat that [ffwd] or the environment names."""
    return load_deployments(heat.fetch_deployments(heat.connect(settings), stack, as_mapping(outputs)))


def _missing_modules(tree: PlaybookTree, paths: Mapping[str, str]) -> list[str] | None:
    needed = tree.manifest["modules"].keys() - modules.own(dict(tree.files))
    return find_missing(needed, paths)


def _plugin_paths(args: argparse.Namespace, settings: cfg.GroupAttr) -> dict[str, str]:
    """Return where Ansible looks for modules, roles and collections, as the command line or [ffwd] says."""
    found = []
    for option, key in _PATHS.items():
        given = getattr(args, f"{option}_path")
        paths = given or settings[key]
        wrong = unreadable_directory(paths)
        if wrong is not None:
            error, where = (InvalidInput, f"--{option}-path") if given else (ConfigurationError, f"[ffwd] {key}")
            raise error(
                f"{wrong} is not a directory that can be read", where=where, remedy="Correct it, or make the directory"
            )
        # Ansible is asked in another directory.
        found.append(
            os.pathsep.join(str(Path(path).expanduser().absolute()) for path in paths.split(os.pathsep) if path)
        )
    return plugin_paths(*found)


def _read_outputs(path: Path) -> object:
    try:
        bounds.check_size(path.stat().st_size, str(path))
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
