"""How ansible-playbook is called for a run: environment, options and files; starts nothing."""

from __future__ import annotations

import contextlib
import json
import os
import secrets as secrets_module
import shlex
import shutil
import sys
from pathlib import Path

from tripleo_ffwd.ansible_run import rundir
from tripleo_ffwd.ansible_run.inside.variables import KEY_BYTES
from tripleo_ffwd.ansible_run.machine import stat_process
from tripleo_ffwd.ansible_run.process_tree import MARK
from tripleo_ffwd.ansible_run.rundir import RunDir, write_json
from tripleo_ffwd.ansible_run.tree import INVENTORY, Tree
from tripleo_ffwd.exceptions import ConfigurationError
from tripleo_ffwd.model import END_PLAY, GATE_PLAY, GATE_TASK, GATHER_SUBSET, UNSELECTED_GROUP, RunSpec

INHERITED = ("PATH", "HOME", "LANG")
INSIDE = "inside.json"
CALLBACK = "ffwd"
PLUGINS = Path(__file__).parent / "inside" / "callback"


def clean_environment(run_id: str) -> dict[str, str]:
    """Return the environment of a run's processes: a few inherited variables, the mark, nothing of the caller's."""
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    path = env.get("PATH") or os.defpath
    # The ansible-playbook of our own virtual environment comes first, then what PATH has.
    env["PATH"] = os.pathsep.join([str(Path(sys.prefix) / "bin"), path])
    if "utf-8" not in env.get("LANG", "").lower().replace("utf8", "utf-8"):
        env["LC_ALL"] = "C.UTF-8"  # Ansible refuses to run in any other encoding
    return {**env, MARK: run_id}


def require_ansible() -> None:
    """Raise ConfigurationError when there is no ansible-playbook to call."""
    path = clean_environment("")["PATH"]
    if shutil.which("ansible-playbook", path=path) is None:
        raise ConfigurationError("ansible-playbook is not installed", where=path, remedy="Install ansible-core")


def plugin_paths(library: str, roles: str, collections: str) -> dict[str, str]:
    """Return the settings that say where modules, roles and collections are; Ansible's defaults hold for the others."""
    paths = {"ANSIBLE_LIBRARY": library, "ANSIBLE_ROLES_PATH": roles, "ANSIBLE_COLLECTIONS_PATH": collections}
    return {name: value for name, value in paths.items() if value}


def unreadable_directory(paths: str) -> str | None:
    """Return the first of some directories, separated by colons, that is none or can't be read; None when all can."""
    for path in filter(None, paths.split(os.pathsep)):
        try:
            directory = Path(path).expanduser()
            if not directory.is_dir() or not os.access(directory, os.R_OK | os.X_OK):
                return path
        except (OSError, ValueError, RuntimeError):  # RuntimeError: ~ of a user that there isn't
            return path
    return None


def _option(name: str, value: str) -> str:
    """Return an ssh option; ssh splits its value at blanks and expands percent signs, the shell's words come on top."""
    return "-o " + shlex.quote(f'{name}="{value.replace("%", "%%")}"')


def ssh_args(spec: RunSpec) -> str:
    """Return ssh's options for a run: nothing from the user's configuration, host keys checked against one file."""
    options = [
        *filter(None, (spec.ssh_extra_args,)),
        "-F /dev/null",
        "-o ControlMaster=auto",
        "-o ControlPersist=60s",
        f"-o ConnectTimeout={spec.connect_timeout}",
        "-o ServerAliveInterval=15",
        "-o ServerAliveCountMax=4",
        "-o GlobalKnownHostsFile=/dev/null",
    ]
    if spec.host_key_checking:
        options.append("-o StrictHostKeyChecking=yes")
        known_hosts = spec.known_hosts_file or str(Path(spec.tree) / "known_hosts")
        if spec.known_hosts_file or Path(known_hosts).exists():
            options.append(_option("UserKnownHostsFile", known_hosts))
    else:
        options += ["-o StrictHostKeyChecking=no", "-o UserKnownHostsFile=/dev/null"]
    if spec.ssh_key_file:
        options.append("-o IdentitiesOnly=yes")
    return " ".join(options)


def ansible_environment(run: RunDir, spec: RunSpec, control_dir: str) -> dict[str, str]:
    """Return the settings of Ansible as environment variables; no configuration file is read.

    Args:
        run: its directory holds Ansible's temporary files.
        spec: what is run.
        control_dir: a short, private directory for ssh's control sockets (a socket's path has 108 bytes).
    """
    env = {
        **clean_environment(run.run_id),
        **plugin_paths(spec.ansible_library, spec.ansible_roles_path, spec.ansible_collections_path),
        "ANSIBLE_CONFIG": str(run.private / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(run.private / "tmp"),
        "ANSIBLE_CACHE_PLUGIN": "memory",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_PIPELINING": str(spec.pipelining),
        "ANSIBLE_TIMEOUT": str(spec.connect_timeout),
        "ANSIBLE_HOST_KEY_CHECKING": str(spec.host_key_checking),
        "ANSIBLE_SSH_ARGS": ssh_args(spec),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": control_dir,
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
        # Groups of services keep TripleO's names, such as metrics-qdr, which tasks may look for.
        "ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS": "ignore",
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS),
        "ANSIBLE_STDOUT_CALLBACK": CALLBACK,
        "FFWD_INSIDE": str(run.private / INSIDE),
        "PYTHONDONTWRITEBYTECODE": "1",  # the tree is read-only
        "PYTHONUNBUFFERED": "1",  # the log shows what happens when it happens
    }
    return {**env, **user_settings(spec)}


def user_settings(spec: RunSpec) -> dict[str, str]:
    """Return the settings that say as whom Ansible works on the hosts, where a play or a task doesn't say."""
    settings = {
        "ANSIBLE_REMOTE_USER": spec.ssh_user,
        "ANSIBLE_PRIVATE_KEY_FILE": spec.ssh_key_file,
        "ANSIBLE_BECOME": str(spec.become),
        "ANSIBLE_BECOME_USER": spec.become_user,
        "ANSIBLE_BECOME_METHOD": spec.become_method,
    }
    return {name: value for name, value in settings.items() if value}


def ansible_playbook(run: RunDir, spec: RunSpec, inventories: list[str]) -> list[str]:
    """Return the command line; variables go by file, never by value: others can read a command line."""
    words = ["ansible-playbook", *(word for path in inventories for word in ("-i", path)), "--forks", str(spec.forks)]
    for option, value in (("--tags", spec.tags), ("--skip-tags", spec.skip_tags)):
        if value:
            words += [option, value]
    if _has_templates(spec):
        # They may look at facts that nothing else in the playbook does.
        words += ["-e", json.dumps({GATHER_SUBSET: ["all"]})]
    if run.extra_vars.exists():
        words += ["-e", f"@{run.extra_vars}"]
    if spec.extra_vars_file:
        words += ["-e", f"@{spec.extra_vars_file}"]
    if spec.check:
        words.append("--check")
    if spec.verbosity:
        words.append("-" + "v" * spec.verbosity)
    return [*words, spec.playbook]


def _has_templates(spec: RunSpec) -> bool:
    """Return whether something is looked up when the variables that the run was given are used."""
    text = json.dumps(dict(spec.extra_vars), default=str)
    for path in filter(None, (spec.extra_vars_file, spec.inventory_file)):
        with contextlib.suppress(OSError):  # Ansible says what is wrong with it
            text += Path(path).read_text(encoding="utf-8", errors="replace")
    return any(mark in text for mark in ("{{", "{%", "$ANSIBLE_VAULT", "!vault"))


def prepare(run: RunDir, spec: RunSpec, tree: Tree) -> list[str]:
    """Make Ansible's private directory; return the inventories to use."""
    for directory in (run.private, run.private / "tmp"):
        directory.mkdir(mode=0o700, exist_ok=True)
    (run.private / "ansible.cfg").touch(mode=0o600)
    inventories = [str(run.pinned / INVENTORY), *filter(None, (spec.inventory_file,))]
    unselected = tree.unselected(spec.targets)
    if unselected:
        # YAML, and so JSON: read by the same inventory plugin as the tree's own.
        path = run.private / "unselected.yaml"
        text = json.dumps({UNSELECTED_GROUP: {"hosts": {host: {} for host in unselected}}})
        path.touch(mode=0o600)
        path.write_text(text + "\n", encoding="utf-8")
        inventories.append(str(path))
    return inventories


def prepare_inside(run: RunDir, spec: RunSpec, tree: Tree, secrets: list[str]) -> None:
    """Write what the callback plugin must know; it is removed with all that is private."""
    me = stat_process(os.getpid())
    told = {
        "run_dir": str(run.path),
        "ledger": str(run.ledger),
        "variables": str(run.variables),
        "key": variables_key(run).hex(),
        "room": str(run.private / "room"),
        "restore": spec.restore,
        "finished": str(run.finished),
        "first_hosts": spec.first_hosts,
        "first_stage": spec.first_stage or next((stage.id for stage in tree.stages.get(spec.playbook, ())), ""),
        "notified": spec.notified,
        "stages": [stage.id for stage in tree.stages.get(spec.playbook, ())],
        "supervisor": [os.getpid(), me.started if me else 0],
        "secrets": secrets,
        "gates": [GATE_PLAY, GATE_TASK, END_PLAY],
    }
    write_json(run.private / INSIDE, told, durable=False)


def variables_key(run: RunDir) -> bytes:
    """Return the key of the variables of all runs beside `run`; it is made when there is none."""
    path = run.path.parent / ".variables.key"
    rundir.write_once(path, {"key": secrets_module.token_hex(KEY_BYTES)})
    return bytes.fromhex(str((rundir.read_json(path) or {})["key"]))
