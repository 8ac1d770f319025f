"""The options of [ffwd] that are about the checks before a phase; `config` registers them."""

from __future__ import annotations

from oslo_config import cfg

CHECKS = [
    cfg.ListOpt(
        "check_inhibitors",
        default=[
            "services",
            "stack-status",
            "outputs-complete",
            "inputs-missing",
            "modules-missing",
            "plan-lock",
            "launcher",
            "work-dir-space",
            "work-dir-mode",
            "nodes-not-checked",
            "node-unreachable",
            "host-key-unknown",
            "python-version",
            "sudo",
            "disk-space",
            "pacemaker",
        ],
        help="Checks whose errors stop a phase before it touches anything. custom:NAME stands for a check of "
        "checks_dir, custom for all of them.",
    ),
    cfg.StrOpt(
        "checks_dir",
        default="",
        help="Directory of checks of your own, on the executors: executables that print findings as JSON, and "
        "playbooks (*.yaml) whose failed tasks are findings.",
    ),
    cfg.IntOpt("check_disk_free", default=4096, min=0, help="Megabytes that must be free in / and /var of every node."),
    cfg.IntOpt("check_work_dir_free", default=1024, min=0, help="Megabytes that must be free in work_dir."),
    cfg.IntOpt("check_clock_skew", default=10, min=0, help="Seconds that a node's clock may be off the executor's."),
    cfg.StrOpt(
        "check_repositories",
        default="",
        help="What looks, on every node, whether a release's repositories can be reached: a shell command, or the path "
        "of a script on the executor. It has the release in FFWD_RELEASE and as its first argument, and fails when "
        "they can't. Empty: nobody looks.",
    ),
    cfg.StrOpt(
        "check_backup_file",
        default="",
        help="File on the executor that every backup touches. Empty: check_backup_command says when the last one was.",
    ),
    cfg.StrOpt(
        "check_backup_command",
        default="",
        help="Command on the executor whose last line is the time of the last backup: seconds since the epoch, or ISO "
        "8601.",
    ),
    cfg.IntOpt("check_backup_age", default=24, min=1, help="Hours that the last backup may be old."),
    cfg.IntOpt("check_parallel", default=50, min=1, help="How many nodes are looked at at once."),
    cfg.IntOpt("check_node_timeout", default=20, min=1, help="Seconds within which a node must have answered."),
    cfg.IntOpt(
        "check_timeout",
        default=180,
        min=10,
        help="Seconds after which the checks end, with what they have found until then.",
    ),
]
