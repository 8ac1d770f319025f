"""The [ffwd] section: oslo.config options and the one place that registers them; nothing is registered at import."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from oslo_config import cfg

from tripleo_ffwd.config_checks import CHECKS
from tripleo_ffwd.config_notify import NOTIFY
from tripleo_ffwd.exceptions import ConfigurationError

GROUP = "ffwd"

PATHS = [
    cfg.StrOpt(
        "work_dir",
        default="/var/lib/tripleo-ffwd",
        help="Directory of plans, generated playbooks and runs. Every Mistral executor must see the same one. "
        "It is made with mode 0700.",
    ),
]

PLANS = [
    cfg.StrOpt(
        "plan_backend",
        default="directory",
        choices=[
            ("directory", "in work_dir"),
            ("swift", "in Swift, in TripleO's own plan container and one beside it; needs the extra `swift`"),
        ],
        help="Where plans are kept. Executors work on copies in work_dir in any case.",
    ),
    cfg.IntOpt(
        "plan_versions_kept",
        default=10,
        min=1,
        help="How many versions of a plan are kept. The current one always is.",
    ),
    cfg.StrOpt(
        "swift_url",
        default="",
        help="Swift's endpoint with the account, e.g. http://192.0.2.1:8080/v1/AUTH_PROJECT. Empty: from the service "
        "catalog.",
    ),
]

ENDPOINTS = [
    cfg.StrOpt(
        "heat_url",
        default="",
        help="Heat's endpoint, with the project, e.g. http://192.0.2.1:8004/v1/PROJECT. Empty: from the service "
        "catalog.",
    ),
    cfg.StrOpt(
        "mistral_url",
        default="",
        help="Mistral's own endpoint, e.g. http://192.0.2.1:8989/v2: an ssh key is fetched from its environment, and "
        "executions are looked at, so that a run follows the one that is paused or cancelled. Empty: from the service "
        "catalog.",
    ),
    cfg.StrOpt(
        "zaqar_url",
        default="",
        help="Zaqar's endpoint, e.g. http://192.0.2.1:8888: messages go to who waits for a phase, such as TripleO's "
        "own client. Empty: from the service catalog.",
    ),
    cfg.StrOpt(
        "auth_url",
        default="",
        help="Keystone's URL for service credentials of our own. When set, they are used instead of the caller's "
        "token, so that a phase outlives it.",
    ),
    cfg.StrOpt("auth_username", default="", help="User of the service credentials."),
    cfg.StrOpt("auth_password", default="", secret=True, help="Password of the service credentials."),
    cfg.StrOpt("auth_project_name", default="", help="Project of the service credentials."),
    cfg.StrOpt("auth_user_domain_name", default="Default", help="Domain of the user."),
    cfg.StrOpt("auth_project_domain_name", default="Default", help="Domain of the project."),
    cfg.StrOpt("auth_cacert", default="", help="CA bundle to check keystone and Heat with. Empty: the system's."),
    cfg.StrOpt("region_name", default="", help="Region of the endpoints. Empty: the catalog's first."),
    cfg.IntOpt(
        "request_timeout", default=60, min=1, help="Seconds after which a request to keystone or Heat is given up."
    ),
    cfg.IntOpt(
        "heat_parallel_requests",
        default=4,
        min=1,
        help="How many requests are made to Heat at once while the servers' deployments are fetched. Heat's engine "
        "workers are what answers them: more than it has gain nothing.",
    ),
    cfg.IntOpt(
        "heat_preview_timeout",
        default=180,
        min=1,
        help="Seconds after which Heat's preview of a stack update is given up. The phase goes on without it.",
    ),
    cfg.IntOpt(
        "heat_stall_timeout",
        default=300,
        min=0,
        help="Seconds without an event of the stack after which an update is taken for lost, if all of Heat's engines "
        "were started after it had begun: it is sent again. 0: never; it then ends at its timeout.",
    ),
]

RUNS = [
    cfg.StrOpt(
        "launcher",
        default="systemd",
        choices=[
            ("systemd", "a transient unit: the run outlives Mistral's whole control group"),
            ("supervisord", "`tripleo-ffwd supervisord`, which runs outside Mistral's container and shares work_dir"),
            ("detach", "a plain detached process: it ends with Mistral's control group or container"),
        ],
        help="How the supervisor of a run is started.",
    ),
    cfg.StrOpt("ssh_user", default="heat-admin", help="User on the overcloud's nodes."),
    cfg.PortOpt("ssh_port", default=22, help="Port of the nodes' SSH servers."),
    cfg.StrOpt("ssh_key_file", default="", help="Private key to reach the nodes with. Empty: ssh's own default."),
    cfg.StrOpt(
        "ssh_key_env",
        default="",
        help="Mistral environment whose private_key reaches the nodes, such as TripleO's ssh_keys. It goes before "
        "ssh_key_file.",
    ),
    cfg.StrOpt(
        "ssh_known_hosts_file",
        default="",
        help="File of the nodes' host keys. Empty: the ssh_known_hosts of the stack's outputs.",
    ),
    cfg.StrOpt(
        "ssh_extra_args",
        default="",
        help="More options of ssh, before ours, e.g. -o ProxyJump=bastion. For one that is given twice ssh takes the "
        "first.",
    ),
    cfg.BoolOpt(
        "ssh_pipelining",
        default=True,
        help="Send modules over the connection that is there instead of copying files first, which saves most of the "
        "time; sudo must not require a terminal on the nodes.",
    ),
    cfg.IntOpt("ssh_connect_timeout", default=20, min=1, help="Seconds within which a node must answer a connection."),
    cfg.BoolOpt("ssh_host_key_checking", default=True, help="Check the nodes' host keys. Turn it off only knowingly."),
    cfg.StrOpt(
        "executor_name",
        default="",
        help="Name under which this executor's runs are counted. Empty: the machine's name.",
    ),
    cfg.IntOpt(
        "runs_per_executor",
        default=0,
        min=0,
        help="How many live runs an executor may have started: each batch of an upgrade is one. A run that finds no "
        "place waits for one, on whichever executor has it first. 0: any number.",
    ),
    cfg.IntOpt("forks", default=25, min=1, help="How many nodes Ansible works on at once."),
    cfg.IntOpt("run_timeout", default=14400, min=1, help="Seconds after which the supervisor ends a playbook's run."),
    cfg.IntOpt(
        "cancel_grace",
        default=300,
        min=0,
        help="Seconds for which a cancel waits for the tasks under way before it cuts them off.",
    ),
    cfg.IntOpt("heartbeat_interval", default=2, min=1, help="Seconds between a supervisor's signs of life."),
    cfg.IntOpt(
        "heartbeat_stale",
        default=60,
        min=5,
        help="Seconds without a sign of life after which a run that can't be looked at is unknown.",
    ),
    cfg.IntOpt(
        "ansible_gather_timeout",
        default=120,
        min=1,
        help="Seconds within which the facts of a node must have been gathered. One that lets ssh in and then hangs "
        "would hold up all others, those of other batches too; then it counts as lost if the phase or batch is for it, "
        "and is passed over if not.",
    ),
    cfg.BoolOpt(
        "ansible_become",
        default=True,
        help="Run tasks as ansible_become_user where the playbooks don't say, as TripleO does: some of its playbooks "
        "count on it.",
    ),
    cfg.StrOpt("ansible_become_user", default="root", help="As whom tasks run on the nodes then."),
    cfg.StrOpt("ansible_become_method", default="", help="How they become that user. Empty: Ansible's default, sudo."),
    cfg.StrOpt(
        "ansible_serial",
        default="",
        help="How many nodes of a rolling role go through a stage at once, or which share, e.g. 1,25%: first one, then "
        "a quarter at a time. Empty: all. Other roles, and stages that must have all their nodes, are not divided.",
    ),
    cfg.StrOpt(
        "ansible_strategy",
        default="linear",
        choices=[
            ("linear", "the nodes go from task to task together"),
            ("free", "in stages of rolling roles each node goes as fast as it can, and waits at the stage's end"),
            ("host_pinned", "the same, each node in one of Ansible's forks"),
        ],
        help="How nodes go through the tasks of a stage.",
    ),
    cfg.StrOpt("ansible_skip_tags", default="", help="Tags that are left out, separated by commas."),
    cfg.StrOpt("ansible_extra_vars_file", default="", help="File of variables for Ansible, in YAML or JSON."),
    cfg.IntOpt("ansible_verbosity", default=0, min=0, max=4, help="How much Ansible says in its log."),
    cfg.StrOpt(
        "ansible_library",
        default="",
        help="Directories of Ansible modules, separated by colons. Empty: Ansible's defaults.",
    ),
    cfg.StrOpt(
        "ansible_roles_path",
        default="",
        help="Directories of Ansible roles, separated by colons. Empty: Ansible's defaults.",
    ),
    cfg.StrOpt(
        "ansible_collections_path",
        default="",
        help="Directories of Ansible collections, separated by colons. Empty: Ansible's defaults.",
    ),
    cfg.StrOpt(
        "python_interpreter", default="", help="Python on the nodes, e.g. /usr/bin/python2.7. Empty: Ansible looks."
    ),
]

# What a command line's environment says of Heat and keystone, as the OpenStack clients read it.
_ENVIRONMENT = {
    "heat_url": ("HEAT_URL",),
    "swift_url": ("OS_STORAGE_URL",),
    "auth_url": ("OS_AUTH_URL",),
    "auth_username": ("OS_USERNAME",),
    "auth_password": ("OS_PASSWORD",),
    "auth_project_name": ("OS_PROJECT_NAME", "OS_TENANT_NAME"),
    "auth_user_domain_name": ("OS_USER_DOMAIN_NAME",),
    "auth_project_domain_name": ("OS_PROJECT_DOMAIN_NAME",),
    "auth_cacert": ("OS_CACERT",),
    "region_name": ("OS_REGION_NAME",),
}

ALL = [*PATHS, *PLANS, *ENDPOINTS, *RUNS, *CHECKS, *NOTIFY]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return the options for oslo-config-generator (entry point ``oslo.config.opts``)."""
    return [(GROUP, ALL)]


def load(conf: cfg.ConfigOpts | None = None) -> cfg.GroupAttr:
    """Register the options (again does no harm) and return the values of [ffwd].

    Args:
        conf: where to look; the process-wide ``cfg.CONF``, which Mistral has parsed, by default.
    """
    conf = cfg.CONF if conf is None else conf
    conf.register_opts(ALL, group=GROUP)
    return conf[GROUP]


def load_file(path: Path | None, environ: Mapping[str, str] | None = None) -> cfg.GroupAttr:
    """Return the values of [ffwd] from one configuration file, or the defaults, without touching ``cfg.CONF``.

    Args:
        path: the file; None for none.
        environ: variables of a command line, whose ``OS_AUTH_URL`` and the like stand in for what the file leaves open.

    Raises:
        ConfigurationError: the file can't be read, or has a value that its option does not take.
    """
    conf = cfg.ConfigOpts()
    try:
        conf(args=[], project="tripleo-ffwd", default_config_files=[str(path)] if path else [])
        loaded = load(conf)
        for option in ALL:
            # A value is looked at when it is asked for.
            getattr(loaded, option.dest)
    except cfg.Error as error:
        told = re.sub(r" from LocationInfo\(.*?, detail='[^']*'\)", "", " ".join(str(error).split()))
        raise ConfigurationError(
            told, where=str(path), remedy="Correct the file; --work-dir goes without one"
        ) from error
    for option, names in _ENVIRONMENT.items() if environ else ():
        value = next((environ[name] for name in names if environ and environ.get(name)), None)
        if value is not None:
            conf.set_default(option, value, group=GROUP)
    return loaded
