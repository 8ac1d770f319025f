"""`tripleo-ffwd demo`: a small overcloud goes from newton to queens before your eyes."""

from __future__ import annotations

import argparse
import collections
import importlib
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from tripleo_ffwd.cli.register import workbooks
from tripleo_ffwd.exceptions import FfwdError, WriteRefused
from tripleo_ffwd.mistral import Mistral

if TYPE_CHECKING:
    from tripleo_ffwd.embedded.journey import Progress
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
    shown = _Shown(console)
    for leg in journey.legs(site):
        console.print(f"[bold]{leg.title}[/bold]\n  $ {leg.command}", soft_wrap=True)
        with shown.leg():
            done = journey.travel(mistral, undercloud.work_dir, leg, watch=shown.watch)
        console.print(f"  {done.output['message']} {done.elapsed:.0f} s")
    findings = [*overcloud.check_final_state(site), *overcloud.check_journal(site)]
    _show_nodes(site, console, "The nodes after")
    for finding in findings:
        console.print(f"[red]{finding}[/red]")
    if not findings:
        console.print(
            f"All nodes are at queens; every task ran once, in order, where it should. {time.monotonic() - began:.0f} s"
        )
    console.print(f"Playbooks: {undercloud.work_dir / 'trees'}", soft_wrap=True)
    console.print(f"Runs and their logs: {undercloud.work_dir / 'runs'}", soft_wrap=True)
    return findings


class _Shown:
    """The progress of a leg: a live line on a terminal, a line a stage elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._last = ""

    @contextmanager
    def leg(self) -> Iterator[None]:
        self._last = ""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def watch(self, progress: Progress) -> None:
        run = progress.run
        where = f"{run.playbook} {run.stage}" if run and run.stage else ""
        if self._live is not None:
            self._live.update(_progress_table(progress), refresh=True)
        elif where and where != self._last:
            self._console.print(f"  {progress.elapsed:4.0f} s  {where}", soft_wrap=True)
        self._last = where


def _progress_table(progress: Progress) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2))
    for heading in ("phase", "playbook", "release", "step", "role", "hosts", "stages", "elapsed"):
        table.add_column(heading, style="cyan" if heading == "phase" else "", no_wrap=True)
    run = progress.run
    release, step, role = (run.stage.split("/") if run and run.stage.count("/") == 3 else ["", "", "", ""])[:3]
    table.add_row(
        progress.leg.title,
        run.playbook.removesuffix("_playbook.yaml") if run else progress.state.lower(),
        release,
        step,
        role,
        f"{run.hosts_done}/{run.hosts_total}" if run else "",
        f"{run.stages_done}/{run.stages_total}" if run else "",
        f"{progress.elapsed:.0f} s",
    )
    return table


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
        f"  mistral execution-list\n"
        f"  tripleo-ffwd run list --dir {site.root}\n"
        f"  tripleo-ffwd nodes show --dir {site.root}\n"
        f"Stop it:\n"
        f"  tripleo-ffwd undercloud stop --dir {site.root} && tripleo-ffwd nodes stop --dir {site.root}",
        soft_wrap=True,
    )
