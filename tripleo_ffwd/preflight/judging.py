"""What a node's answer means: findings. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from tripleo_ffwd.preflight.asking import Answer
from tripleo_ffwd.preflight.findings import ERROR, INFO, WARNING, Finding, not_made
from tripleo_ffwd.preflight.nodes import Node
from tripleo_ffwd.preflight.script import Parsed, parse

# The oldest Python 3 that an ansible-core works with on a node, from which version on; 2.7 goes with those before 2.17.
_PYTHON3 = (((2, 20), (3, 9)), ((2, 18), (3, 8)), ((2, 17), (3, 7)), ((2, 16), (3, 6)), ((0, 0), (3, 5)))
_WITHOUT_PYTHON2 = (2, 17)
# What the answers are about that make findings of other keys.
_KEYS = {
    "clock": "clock-skew",
    "sudo": "sudo",
    "python": "python-version",
    "disk": "disk-space",
    "running": "kernel-reboot",
    "newest": "kernel-reboot",
    "reboot": "kernel-reboot",
    "failed": "services-down",
    "pacemaker": "pacemaker",
    "guests": "running-workloads",
    "repositories": "repositories",
}
_ALWAYS = ("clock", "sudo", "python", "disk", "running", "pacemaker")


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is expected of a node.

    Attributes:
        phase: that is to begin.
        ansible: version of the ansible-core that works on the nodes; empty when it can't be told.
        disk: megabytes that must be free.
        skew: seconds that a clock may be off.
        seconds: within which a node must have answered.
        begun: nodes that have begun the phase already: what it changes is under way there.
    """

    phase: str
    ansible: str
    disk: int
    skew: int
    seconds: int
    begun: frozenset[str] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON values, as the constructor takes them."""
        return {**dataclasses.asdict(self), "begun": sorted(self.begun)}


def judge(node: Node, answer: Answer, limits: Limits) -> list[Finding]:
    """Return what is found on a node."""
    parsed = parse(answer.out)
    if not parsed.begun:
        return [_no_answer(node, answer, limits)]
    found = [
        not_made(_KEYS.get(key, "nodes-not-checked"), f"the node's answer can't be understood: {value!r}", node.name)
        for key, value in parsed.wrong.items()
    ]
    if not parsed.ended:
        return [*found, _broken_off(node, answer, parsed, limits)]
    missing = [key for key in _ALWAYS if key not in parsed.values and key not in parsed.wrong]
    found += [not_made(_KEYS[key], f"the node's answer has no {key}", node.name) for key in missing]
    for told in parsed.values.get("unasked", ()):
        key, _, why = told.partition(" ")
        found.append(not_made(_KEYS.get(key, "nodes-not-checked"), why or "the node could not be asked", node.name))
    for judged in (_clock(answer, parsed, limits), _access(node, parsed, limits), _state(parsed, limits)):
        found += [dataclasses.replace(finding, where=node.name) for finding in judged]
    return [*found, *_cluster(node, parsed, limits)]


def repositories_unnamed() -> Finding:
    """Return the finding that nothing looks at repositories."""
    remedy = "Name a command in [ffwd] check_repositories"
    return Finding("repositories", INFO, "nobody has named what looks at the releases' repositories", remedy=remedy)


def _no_answer(node: Node, answer: Answer, limits: Limits) -> Finding:
    said = [line.strip() for line in answer.err.splitlines() if line.strip()]
    last = said[-1] if said else f"it ended with {answer.code} and without a word"
    if "HOST IDENTIFICATION HAS CHANGED" in answer.err:
        what = "it shows another host key than the known one"
        remedy = "See why: a node that was installed anew, or somebody between. Then correct the known hosts"
        return Finding("host-key-unknown", ERROR, what, node.name, remedy)
    if "Host key verification failed" in answer.err or "host key is known" in answer.err:
        remedy = "Update the stack, whose outputs have the keys, or name a file in [ffwd] ssh_known_hosts_file"
        return Finding("host-key-unknown", ERROR, "its host key is not known", node.name, remedy)
    if "Permission denied" in answer.err:
        remedy = "Give the key that the nodes know: ssh_key_file or ssh_key_env, and ssh_user"
        return Finding("node-unreachable", ERROR, f"it refuses the key: {last}", node.name, remedy)
    if answer.over and not answer.began:
        what = "the time of the checks was over before it was asked"
        return Finding("nodes-not-checked", ERROR, what, node.name, "Raise [ffwd] check_timeout", made=False)
    if answer.over:
        last = f"it has not answered within {limits.seconds} s"
    remedy = "See that the node is up and its ssh server answers"
    return Finding("node-unreachable", ERROR, last[:300], node.name, remedy)


def _broken_off(node: Node, answer: Answer, parsed: Parsed, limits: Limits) -> Finding:
    how = f"are not done after {limits.seconds} s" if answer.over else f"broke off with {answer.code}"
    what = f"the checks on it {how}; the last that it has answered is {parsed.last}"
    return Finding("nodes-not-checked", ERROR, what, node.name, "Log in and see what hangs there", made=False)


def _clock(answer: Answer, parsed: Parsed, limits: Limits) -> Iterator[Finding]:
    told = parsed.one("clock")
    if told is None:
        return
    clock = int(told)
    # It was asked at some moment between our two.
    off = clock - answer.ended if clock > answer.ended else min(clock + 1 - answer.began, 0)
    if abs(off) > limits.skew:
        about = abs(clock - answer.began)
        what = f"its clock is about {about:.0f} s {'ahead of' if off > 0 else 'behind'} the executor's"
        yield Finding("clock-skew", WARNING, what, remedy="Mend its time service (chronyd, ntpd)")


def _access(node: Node, parsed: Parsed, limits: Limits) -> Iterator[Finding]:
    sudo = parsed.one("sudo")
    if sudo is not None and sudo != "ok":
        why = sudo.removeprefix("no").strip() or "no reason given"
        remedy = "Let the user become root without a password and a terminal"
        if node.way.password and "tty" not in why:
            remedy = "Give the correct ansible_become_password, or let the user become root without one"
        yield Finding("sudo", ERROR, f"the user can't become root: {why}", remedy=remedy)
    found = [list(_python(python, limits.ansible)) for python in parsed.values.get("python", ())]
    # Up to 2.16 it is the distribution that says which one Ansible takes; after it the newest comes first.
    by_distribution = _numbers(limits.ansible)[:2] < _WITHOUT_PYTHON2
    if found and not (by_distribution and not all(found)):
        yield from found[0]


def _python(told: str, ansible: str) -> Iterator[Finding]:
    if told == "none":
        what = "it has no Python where Ansible looks for one"
        yield Finding("python-version", ERROR, what, remedy="Install one, or name it in [ffwd] python_interpreter")
        return
    version, _, path = told.partition(" ")
    theirs = _numbers(version)
    ours = _numbers(ansible)[:2]
    if not ours:
        yield not_made("python-version", f"it has Python {version}, but the version of Ansible can't be told")
        return
    least = next(python for core, python in _PYTHON3 if ours >= core)
    if theirs >= least or (theirs[:1] == (2,) and theirs >= (2, 7) and ours < _WITHOUT_PYTHON2):
        return
    wanted = f"{least[0]}.{least[1]}" + (" or 2.7" if ours < _WITHOUT_PYTHON2 else "")
    what = f"it has Python {version} ({path}), and ansible-core {ansible} needs {wanted} there"
    remedy = (
        "Install ansible-core 2.16 beside Mistral's executor" if theirs[:1] == (2,) else "Install a newer one there"
    )
    yield Finding("python-version", ERROR, what, remedy=remedy)


def _state(parsed: Parsed, limits: Limits) -> Iterator[Finding]:
    for told in parsed.values.get("disk", ()):
        free, _, mount = told.partition(" ")
        if int(free) < limits.disk:
            what = f"{free} MB are free in {mount}, and {limits.disk} MB are wanted"
            yield Finding("disk-space", ERROR, what, remedy="Make room")
    running, newest = parsed.one("running"), parsed.one("newest")
    if running and newest and running != newest:
        what = f"it runs kernel {running}, and {newest} is installed"
        yield Finding("kernel-reboot", WARNING, what, remedy="Reboot it before the phase, or know why not")
    elif parsed.one("reboot"):
        yield Finding("kernel-reboot", WARNING, "a reboot is pending", remedy="Reboot it before the phase")
    failed = (parsed.one("failed") or "").split()
    if failed:
        what = f"failed units: {', '.join(failed)}"
        yield Finding(
            "services-down", WARNING, what, remedy="Mend them, or `systemctl reset-failed` what is of the past"
        )
    guests = int(parsed.one("guests") or 0)
    if guests:
        what = f"{guests} instance{'s' if guests > 1 else ''} run{'' if guests > 1 else 's'} on it"
        yield Finding(
            "running-workloads", WARNING, what, remedy="Move them away, or accept that their node is upgraded"
        )
    yield from _repositories(parsed)


def _repositories(parsed: Parsed) -> Iterator[Finding]:
    for told in parsed.values.get("repositories", ()):
        found = re.match(r"(\S+) (\d+) ?(.*)", told)
        if found and found[2] != "0":
            what = f"the repositories of {found[1]} are not as they should be: {found[3] or f'exit code {found[2]}'}"
            yield Finding("repositories", WARNING, what, remedy="See what [ffwd] check_repositories looks for")


def _cluster(node: Node, parsed: Parsed, limits: Limits) -> Iterator[Finding]:
    """The cluster is whole before `run`, which takes it down; what is down in the middle is no surprise."""
    state, _, told = (parsed.one("pacemaker") or "none").partition(" ")
    if state in ("none", "ok") or not node.control:
        return
    remedy = "See `pcs status` and mend the cluster"
    if limits.phase == "upgrade" and state == "stopped":
        yield Finding("pacemaker", INFO, "the cluster does not run here, as phase run leaves it", node.name)
        return
    severity = WARNING if limits.phase == "upgrade" or node.name in limits.begun else ERROR
    what = f"the cluster does not run here: {told}" if state == "stopped" else f"the cluster is not whole: {told}"
    yield Finding("pacemaker", severity, what.rstrip("; "), node.name, remedy)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
