"""`make bench`: prints ratios measured side by side in one run, with the machine, its load and the versions."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks import checks, classic, execution, generation, heat_calls, measuring, nodes, rendering, runs

_SECTIONS = ("generation", "heat", "rendering", "execution", "runs", "checks", "nodes")
Target = tuple[str, str, str, bool | None]


def main() -> None:
    """Run what the command line names, all of it by default; exit with 1 when a target is missed."""
    options = _options()
    classic.CACHE.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="run-", dir=classic.CACHE))
    targets: list[Target] = []
    parts: dict[str, Callable[[argparse.Namespace, Path], list[Target]]]
    parts = {"generation": _generation, "heat": _heat, "rendering": _rendering, "execution": _execution}
    parts |= {"runs": _runs, "checks": _checks, "nodes": _nodes}
    try:
        _say(_machine(options.ansible_playbook))
        for name in _SECTIONS:
            if name in options.sections:
                targets += parts[name](options, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _say(["", "Targets", *_verdicts(targets)] if targets else [])
    sys.exit(1 if any(reached is False for *_, reached in targets) else 0)


def _options() -> argparse.Namespace:
    beside = str(Path(sys.executable).parent / "ansible-playbook")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"any of {', '.join(_SECTIONS)}; default: all")
    parser.add_argument("--hosts", default="10,30", help="numbers of hosts for the execution; default %(default)s")
    parser.add_argument("--servers", default="10,100,1000,5000", help="numbers of servers; default %(default)s")
    parser.add_argument("--nodes", type=int, default=200, help="number of SSH nodes; default %(default)s")
    parser.add_argument("--ansible-playbook", default=beside, help="the program to measure; default: %(default)s")
    options = parser.parse_args()
    options.sections = options.sections or list(_SECTIONS)
    if set(options.sections) - set(_SECTIONS):
        parser.error(f"sections are {', '.join(_SECTIONS)}")
    return options


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _machine(program: str) -> Iterator[str]:
    models = [line for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.processor()
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    yield f"{platform.platform()}, {os.cpu_count()} x {model}, load {load}"
    core = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()[:1]
    names = ("tripleo-ffwd", "PyYAML", "Jinja2", "python-heatclient")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in names]
    yield ", ".join([f"Python {platform.python_version()}", *core, *versions])


def _section(title: str) -> float:
    _say(["", f"{title} (load {os.getloadavg()[0]:.1f})"])
    return time.monotonic()


def _generation(options: argparse.Namespace, work: Path) -> list[Target]:
    _section("Generation: the reference overcloud with more servers, 20 deployments each, no Heat in it")
    comparison = generation.Comparison(work / "generation")
    for servers in options.servers.split(","):
        comparison.run(int(servers))
    _say(comparison.lines())
    return list(comparison.targets())


def _heat(_: argparse.Namespace, __: Path) -> list[Target]:
    _section("Heat calls")
    comparison = heat_calls.compare()
    _say(comparison.lines())
    return list(comparison.targets())


def _rendering(_: argparse.Namespace, work: Path) -> list[Target]:
    _section(
        f"Rendering and bundling: tripleo-heat-templates {rendering.VERSION}, the least of {rendering.TRIES} tries"
    )
    comparison = rendering.Comparison(work / "rendering")
    comparison.run()
    _say(comparison.lines())
    return list(comparison.targets())


def _execution(options: argparse.Namespace, work: Path) -> list[Target]:
    hosts = [int(number) for number in options.hosts.split(",")]
    roles = "; ".join(str(generation.overcloud.counts(number)) for number in hosts)
    _section(f"Execution: ansible-playbook and its children, modules that answer at once, 25 forks; hosts {roles}")
    comparison = execution.Comparison(work / "execution", options.ansible_playbook)
    for number in hosts:
        comparison.run("fast_forward_upgrade", number)
    for playbook in ("upgrade_steps", "deploy_steps", "post_upgrade_steps"):
        comparison.run(playbook, hosts[0])
    _say(comparison.lines())
    return list(comparison.targets())


def _runs(_: argparse.Namespace, work: Path) -> list[Target]:
    _section("Runs: supervisor, ledger and status beside bare ansible-playbook, tasks that answer at once")
    comparison = runs.Comparison(work / "runs")
    comparison.run()
    _say(comparison.lines())
    return list(comparison.targets())


def _checks(_options: argparse.Namespace, work: Path) -> list[Target]:
    _section(f"Checks: the look before a phase at {checks.NODES} SSH nodes of this machine, all of them at once")
    took = checks.measure(work / "checks", checks.NODES)
    _say([f"{took.wall:.1f} s; {took.cpu:.1f} CPU seconds of the whole machine meanwhile, the nodes' own too"])
    fast = took.wall < checks.TARGET and took.nodes == checks.NODES and not took.found
    return [(f"{checks.NODES} nodes are looked at", f"< {checks.TARGET} s", f"{took.wall:.1f} s", fast)]


def _nodes(options: argparse.Namespace, work: Path) -> list[Target]:
    _section(
        f"Nodes: {nodes.PLAYBOOK} of the demo overcloud on {options.nodes} SSH nodes of this machine, 25 forks a run"
    )
    comparison = nodes.Comparison(work / "nodes", options.nodes)
    comparison.run()
    _say(comparison.lines())
    return list(comparison.targets())


def _verdicts(targets: list[Target]) -> Iterator[str]:
    words = {True: "met", False: "MISSED", None: "not measured"}
    yield measuring.table(
        ["target", "to reach", "found", ""],
        [[what, least, found, words[reached]] for what, least, found, reached in targets],
    )


if __name__ == "__main__":
    main()
