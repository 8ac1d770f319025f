"""The options that TripleO's prepare and converge have from `overcloud deploy`, and what becomes of each.

Templates and environments are read by Mistral's executor. Those that this machine has too are named by their whole
path; others are handed on as they are written.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tripleo_ffwd.exceptions import InvalidInput, NotFound

TEMPLATES = "/usr/share/openstack-tripleo-heat-templates"
# Whose environments TripleO's client always takes along.
ENVIRONMENTS = "~/.tripleo/environments"
ENVIRONMENTS_VARIABLE = "TRIPLEO_ENVIRONMENT_DIRECTORY"


@dataclasses.dataclass(frozen=True)
class Without:
    """An option of TripleO's that has no effect here, or is refused.

    Attributes:
        names: as it is written.
        takes: what stands behind it; empty for a flag.
        why: what is so without it, or what to do in its place.
        refused: it asks for something that would not happen: then nothing is begun.
    """

    names: tuple[str, ...]
    takes: str
    why: str
    refused: bool = False

    @property
    def dest(self) -> str:
        """Name of the attribute that argparse sets."""
        return "without_" + self.names[0].lstrip("-").replace("-", "_")


def _parameter(name: str, takes: str, parameter: str) -> Without:
    return Without((name,), takes, f"set the parameter {parameter} in an environment file", refused=True)


def _needless(name: str, takes: str, why: str) -> Without:
    return Without((name,), takes, why)


_VALIDATIONS = "plan, parameters and resource types are always checked before Heat is called"
_REGISTRATION = "nodes are not registered here: set the parameters of the rhel-registration environment"

WITHOUT = (
    Without(("--roles-file", "-r"), "<file>", "put it into the templates as roles_data.yaml", refused=True),
    Without(("--networks-file", "-n"), "<file>", "put it into the templates as network_data.yaml", refused=True),
    Without(
        ("--plan-environment-file", "-p"),
        "<file>",
        "put it into the templates as plan-environment.yaml",
        refused=True,
    ),
    _parameter("--libvirt-type", "<type>", "NovaComputeLibvirtType"),
    _parameter("--ntp-server", "<server>", "NtpServer"),
    _parameter("--control-scale", "<count>", "ControllerCount"),
    _parameter("--compute-scale", "<count>", "ComputeCount"),
    _parameter("--ceph-storage-scale", "<count>", "CephStorageCount"),
    _parameter("--block-storage-scale", "<count>", "BlockStorageCount"),
    _parameter("--swift-storage-scale", "<count>", "ObjectStorageCount"),
    _parameter("--control-flavor", "<flavor>", "OvercloudControllerFlavor"),
    _parameter("--compute-flavor", "<flavor>", "OvercloudComputeFlavor"),
    _parameter("--ceph-storage-flavor", "<flavor>", "OvercloudCephStorageFlavor"),
    _parameter("--block-storage-flavor", "<flavor>", "OvercloudBlockStorageFlavor"),
    _parameter("--swift-storage-flavor", "<flavor>", "OvercloudSwiftStorageFlavor"),
    _needless("--update-plan-only", "", "stands for --dry-run: the version is made and compared, no stack is updated"),
    Without(("--rhel-reg",), "", _REGISTRATION, refused=True),
    _needless("--reg-method", "<method>", _REGISTRATION),
    _needless("--reg-org", "<organization>", _REGISTRATION),
    _needless("--reg-force", "", _REGISTRATION),
    _needless("--reg-sat-url", "<url>", _REGISTRATION),
    _needless("--reg-activation-key", "<key>", _REGISTRATION),
    _needless("--no-proxy", "<hosts>", "this command asks Mistral alone; set no_proxy in the environment"),
    _needless("--no-cleanup", "", "versions of the plan stay; `tripleo-ffwd plan` shows them"),
    _needless("--validation-errors-nonfatal", "", _VALIDATIONS),
    _needless("--validation-warnings-fatal", "", _VALIDATIONS),
    _needless("--disable-validations", "", _VALIDATIONS),
    _needless("--run-validations", "", _VALIDATIONS),
    _needless("--skip-postconfig", "", "the overcloud's keystone is not touched"),
    _needless("--force-postconfig", "", "the overcloud's keystone is not touched"),
    _needless("--skip-deploy-identifier", "", "DeployIdentifier is as the plan's environments have it"),
    _needless("--disable-password-generation", "", "passwords are made only where neither plan nor stack has them"),
    _needless("--deployed-server", "", "nodes are those of the stack, however they were provisioned"),
    _needless("--config-download", "", "playbooks are always run by Mistral's executor"),
    _needless("--output-dir", "<directory>", "playbooks are kept in [ffwd] work_dir"),
)
CEPH_ANSIBLE = _needless(
    "--ceph-ansible-playbook", "<file>", "CephAnsiblePlaybook is as the plan's environments have it"
)


def add_options(parser: argparse.ArgumentParser, *more: Without) -> None:
    """Add the options, also those that have no effect."""
    parser.add_argument(
        "--templates",
        nargs="?",
        const=TEMPLATES,
        metavar="<directory>",
        help="Directory or tarball of the templates on Mistral's executor, or swift:CONTAINER "
        f"(default: those of the plan; without a value: {TEMPLATES})",
    )
    parser.add_argument(
        "--environment-file",
        "-e",
        action="append",
        dest="environment_files",
        metavar="<file>",
        help="Environment file on Mistral's executor, or within the templates; can be given more than once, the last "
        "one wins (default: those of the plan)",
    )
    parser.add_argument(
        "--environment-directory",
        action="append",
        dest="environment_directories",
        metavar="<directory>",
        default=[ENVIRONMENTS],
        help=f"Directory whose *.yaml come before those of -e, by name; can be given more than once ({ENVIRONMENTS} "
        "is always among them)",
    )
    parser.add_argument(
        "--answers-file", metavar="<file>", help="YAML file on this machine with `templates` and `environments`"
    )
    parser.add_argument(
        "--timeout",
        "-t",
        type=int,
        default=240,
        metavar="<minutes>",
        help="Minutes after which the stack's update is given up (default: 240)",
    )
    _add_without(parser, *WITHOUT, *more)


def _add_without(parser: argparse.ArgumentParser, *options: Without) -> None:
    for option in options:
        kind: dict[str, Any] = {"metavar": option.takes} if option.takes else {"action": "store_true"}
        told = "Refused" if option.refused else "No effect"
        parser.add_argument(*option.names, dest=option.dest, help=f"{told}: {option.why}", **kind)


def check(args: argparse.Namespace, *more: Without) -> None:
    """Refuse options that ask for what would not happen, and say which of the others have no effect.

    Raises:
        InvalidInput: names the option and what to do in its place.
    """
    given = [option for option in (*WITHOUT, *more) if getattr(args, option.dest) not in (None, False)]
    for option in given:
        if option.refused:
            raise InvalidInput(f"{option.names[0]} has no place here: {option.why}")
    for option in given:
        print(f"{option.names[0]} has no effect: {option.why}.", file=sys.stderr, flush=True)


def arguments(args: argparse.Namespace, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the input of the workflow that these options stand for.

    Raises:
        NotFound: a file that has to be on this machine is not.
        InvalidInput: the answers file is not what it has to be.
    """
    env = os.environ if environ is None else environ
    answers = _answers(args.answers_file) if args.answers_file else {}
    named = [*(answers.get("environments") or []), *(args.environment_files or [])]
    directories = [*args.environment_directories, env.get(ENVIRONMENTS_VARIABLE, "")]
    environments = [*_of_directories(directories, args.environment_directories[1:]), *map(_whole, named)]
    templates = args.templates or answers.get("templates") or ""
    found: dict[str, Any] = {"timeout": args.timeout}
    if templates:
        found["templates"] = _whole(templates)
    if environments:
        found["environments"] = environments
    return found


def _answers(path: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"The answers file can't be read: {error.strerror}", where=path) from error
    except yaml.YAMLError as error:
        raise InvalidInput(f"The answers file is no YAML: {' '.join(str(error).split())}", where=path) from error
    environments = found.get("environments") or [] if isinstance(found, dict) else None
    if not isinstance(environments, list) or not all(isinstance(name, str) for name in environments):
        raise InvalidInput("It is no mapping of `templates` and a list of `environments`", where=path)
    return dict(found)


def _of_directories(names: list[str], wanted: list[str]) -> list[str]:
    found = []
    for name in names:
        directory = Path(name).expanduser()
        if name and directory.is_dir():
            found += [str(path.absolute()) for path in sorted(directory.glob("*.yaml")) if path.is_file()]
        elif name in wanted:
            raise NotFound("There is no such directory of environments", where=name)
    return found


def _whole(name: str) -> str:
    """Return the whole path of what this machine has; else the name as it is: the executor's, or the templates'."""
    path = Path(name).expanduser()
    return str(path.absolute()) if path.exists() else name
