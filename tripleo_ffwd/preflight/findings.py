"""What a check has found: the value, its keys, and what stops a phase. Pure; imports only exceptions.

A finding is ``{key, severity, inhibitor, what, where, remedy}``. Its key says which check it is of, so that it can be
waived or made to stop a phase; `KEYS` has them all, but ``custom:NAME`` of the operator's own checks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tripleo_ffwd.exceptions import FfwdError

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)
CUSTOM = "custom:"

# Every key, with what its check looks at.
KEYS: Mapping[str, str] = {
    "services": "Heat answers, and Mistral where the ssh key is fetched from it",
    "stack-status": "the stack is there, complete, and Heat does not work on it",
    "outputs-complete": "the stack's outputs have what the playbooks are generated from",
    "inputs-missing": "no playbook of the phase lacks an input",
    "modules-missing": "Ansible finds the modules, roles, collections and plugins of the playbooks",
    "plan-lock": "no other phase holds the plan, and no run of it is live or unknown",
    "launcher": "runs can be started the way that [ffwd] launcher says",
    "work-dir-space": "there is room in [ffwd] work_dir",
    "work-dir-mode": "[ffwd] work_dir is its user's alone, and can be written",
    "backup-age": "the last backup is recent",
    "nodes-not-checked": "the look at the nodes has come to its end",
    "node-unreachable": "the node answers ssh, and takes the key",
    "host-key-unknown": "the node's host key is known, and the one that it shows",
    "python-version": "the node has a Python that this Ansible can work with",
    "sudo": "the user becomes root, without a password or with the one that is given",
    "disk-space": "there is room in / and /var",
    "clock-skew": "the node's clock goes with that of the executor",
    "kernel-reboot": "the node runs its newest kernel",
    "repositories": "the operator's own command finds each release's repositories",
    "pacemaker": "the cluster is whole, with all members and resources",
    "services-down": "no unit of systemd has failed",
    "running-workloads": "no instances run on the computes that the phase is for",
    "waiver": "the waivers are in force, and are needed",
}


class Inhibited(FfwdError):
    """Findings stop the phase before it has touched anything."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that a check has found.

    Attributes:
        key: one of `KEYS`, or ``custom:NAME``.
        severity: ``error``, ``warning`` or ``info``.
        what: one sentence without a full stop.
        where: the node or service; empty when `what` says it.
        remedy: what to do; empty for nothing.
        inhibitor: whether it stops the phase.
        made: False when it says that the check could not be made.
    """

    key: str
    severity: str
    what: str
    where: str = ""
    remedy: str = ""
    inhibitor: bool = False
    made: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return it as reports have it: ``{key, severity, inhibitor, what, where, remedy}``."""
        names = ("key", "severity", "inhibitor", "what", "where", "remedy")
        return {name: getattr(self, name) for name in names}

    @property
    def rank(self) -> tuple[bool, int, str, str]:
        """What findings are sorted by: inhibitors first, then by severity, key and place."""
        return (not self.inhibitor, SEVERITIES.index(self.severity), self.key, self.where)


def of_error(key: str, error: FfwdError, severity: str = ERROR) -> Finding:
    """Return an error of ours as a finding."""
    return Finding(key, severity, error.what, error.where, error.remedy)


def not_made(key: str, why: str, where: str = "", remedy: str = "") -> Finding:
    """Return the finding that a check could not be made."""
    return Finding(key, WARNING, f"the check could not be made: {why}", where, remedy, made=False)


def decide(findings: Iterable[Finding], inhibitors: Collection[str]) -> tuple[Finding, ...]:
    """Return the findings, sorted, each with whether it stops the phase: errors of the keys in `inhibitors` do.

    One that says so of itself, of an operator's own check, does too. ``custom`` stands for all of those.
    """

    def stops(finding: Finding) -> bool:
        key = finding.key
        listed = key in inhibitors or (key.startswith(CUSTOM) and "custom" in inhibitors)
        return finding.inhibitor or (finding.severity == ERROR and listed)

    decided = [dataclasses.replace(finding, inhibitor=stops(finding)) for finding in findings]
    return tuple(sorted(decided, key=lambda finding: finding.rank))
