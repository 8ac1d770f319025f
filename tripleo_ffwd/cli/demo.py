"""`tripleo-ffwd demo`: a small overcloud goes from newton to queens before your eyes."""

from __future__ import annotations

import argparse
import collections
import importlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tripleo_ffwd.cli.register import workbooks
from tripleo_ffwd.exceptions import FfwdError, WriteRefused
from tripleo_ffwd.mistral import Mistral

if TYPE_CHECKING:
    from tripleo_ffwd.embedded.site import Site
    from tripleo_ffwd.embedded.undercloud import Undercloud


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    text = "take a small overcloud from newton to queens on a real Mistral, Heat and five SSH nodes of this machine"
    parser = subparsers.add_parser("demo", help=text, description=text)
    parser.add_argument("--dir", type=Path, default=Path(".demo"), help="state directory, made anew (default: .demo)")
    parser.add_argument("--keep", action="store_true", help="leave everything running and say how to talk to it")
    parser.set_defaults(func=demo)


def demo(args: argparse.Namespace) -> int:
    """Run the demo; return 0 when every node ended at queens as it should."""
    # Before anything is made: without the extra this ends here.
    importlib.import_module("tripleo_ffwd.embedded.nodes")
    console = Console(highlight=False)
    site = _fresh_site(args.dir)
    try:
        findings = _journey(site, console)
    except BaseException:
        _stop(site)
        raise
    if args.keep:
        _tell_how_to_go_on(site, console)
    else:
        _stop(site)
        console.print("Everything is stopped.")
    return 1 if findings else 0


def _journey(site: Site, console: Console) -> list[str]:
    from tripleo_ffwd.embedded import journey, overcloud

    began = time.monotonic()
    undercloud = _start(site, console)
    mistral = Mistral(undercloud.mistral_url)
    for definition in workbooks("ffwd_upgrade").values():
        mistral.put_workbook(definition, exists=False)
    with _told(console, "The newton overcloud's stack is created"):
        overcloud.create_newton_stack(site, undercloud.heat_url)
    _show_nodes(site, console, "The nodes before")
    openstack = _Openstack(console, undercloud.mistral_url)
    for leg in journey.legs(site):
        openstack.run(*leg.words)
    openstack.run("overcloud", "ffwd-upgrade", "status")
    page = site.root / "report.html"
    openstack.run("overcloud", "ffwd-upgrade", "report", "--output", str(page))
    findings = [*overcloud.check_final_state(site), *overcloud.check_journal(site)]
    _show_nodes(site, console, "The nodes after")
    for finding in findings:
        console.print(f"[red]{finding}[/red]")
    if not findings:
        console.print(
            f"All nodes are at queens; every task ran once, in order, where it should. {time.monotonic() - began:.0f} s"
        )
    console.print(f"Report, for a browser: {page}", soft_wrap=True)
    console.print(f"Playbooks: {undercloud.work_dir / 'trees'}", soft_wrap=True)
    console.print(f"Runs and their logs: {undercloud.work_dir / 'runs'}", soft_wrap=True)
    return findings


class _Openstack:
    """The commands that an operator types, on a machine that knows where Mistral is and nothing else."""

    def __init__(self, console: Console, mistral_url: str) -> None:
        self._console = console
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "OVERCLOUD_"))}
        self._environment = {**kept, "OS_MISTRAL_URL": mistral_url}
        self._program = Path(sys.executable).with_name("openstack")

    def run(self, *words: str) -> None:
        """Run a command to its end; Ctrl-C is its own: it asks what is to become of the phase.

        Raises:
            FfwdError: it did not succeed.
        """
        told = shlex.join(["openstack", *words])
        self._console.print(f"[bold]$ {escape(told)}[/bold]", soft_wrap=True)
        sys.stdout.flush()
        began = time.monotonic()
        ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with subprocess.Popen(
                [str(self._program), *words],
                env=self._environment,
                preexec_fn=_hear_interrupts,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            ) as process:
                for line in process.stderr or ():
                    # What another plugin of OpenStackClient says of itself at each start is not about us.
                    if not line.startswith("Could not load "):
                        print(line, end="", file=sys.stderr, flush=True)
            code = process.returncode
        finally:
            signal.signal(signal.SIGINT, ours)
        if code:
            raise FfwdError(f"`{told}` ended with {code}", remedy="See above what it said")
        self._console.print(f"{time.monotonic() - began:.0f} s\n")


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _show_nodes(site: Site, console: Console, title: str) -> None:
    from tripleo_ffwd.embedded import node_state

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("node", "role", "release", "packages", "running"):
        table.add_column(heading, no_wrap=True)
    for node in node_state.read(site).values():
        counts = collections.Counter(node.packages.values())
        running = sum(state == "active" for state in node.units.values()) + len(node.containers)
        packages = ", ".join(f"{count} {release}" for release, count in counts.items())
        table.add_row(node.name, node.role, node.release, packages, str(running))
    console.print(table)
    schemas = node_state.database(site).schemas.items()
    console.print(f"database schemas: {', '.join(f'{name} {release}' for name, release in schemas)}\n", soft_wrap=True)


def _start(site: Site, console: Console) -> Undercloud:
    from tripleo_ffwd.embedded import nodes, overcloud, undercloud

    with _told(console, "Mistral, Heat and five nodes are started"), ThreadPoolExecutor() as pool:
        started = pool.submit(undercloud.start, site)
        pool.submit(nodes.start, site).result()
        found = started.result()
    overcloud.build_environment(site)
    console.print(f"Mistral {found.mistral_url}   Heat {found.heat_url}", soft_wrap=True)
    return found


@contextmanager
def _told(console: Console, what: str) -> Iterator[None]:
    began = time.monotonic()
    with console.status(f"{what} …"):
        yield
    console.print(f"{what}: {time.monotonic() - began:.0f} s")


def _fresh_site(root: Path) -> Site:
    from tripleo_ffwd.embedded.site import open_site

    if root.exists() and any(root.iterdir()):
        if not (root / "site.json").exists():
            raise WriteRefused("The directory is not one of ours", where=str(root), remedy="Choose another with --dir")
        _stop(open_site(root))
        shutil.rmtree(root)
    return open_site(root)


def _stop(site: Site) -> None:
    from tripleo_ffwd.embedded import nodes, undercloud

    errors = []
    for part in (undercloud.stop, nodes.stop):
        try:
            part(site)
        except FfwdError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _tell_how_to_go_on(site: Site, console: Console) -> None:
    from tripleo_ffwd.embedded import undercloud

    found = undercloud.status(site)
    console.print(
        f"It goes on running. Talk to it:\n"
        f"  export OS_MISTRAL_URL={found.mistral_url}\n"
        f"  openstack overcloud ffwd-upgrade status\n"
        f"  mistral execution-list\n"
        f"  tripleo-ffwd run list --dir {site.root}\n"
        f"  tripleo-ffwd nodes show --dir {site.root}\n"
        f"Stop it:\n"
        f"  tripleo-ffwd undercloud stop --dir {site.root} && tripleo-ffwd nodes stop --dir {site.root}",
        soft_wrap=True,
    )
