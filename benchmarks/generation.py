"""Generation: CPU time, memory and files of tripleo-common and of ours over the same data, and of only writing."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from overclouds import sdist
from support import queens_outputs

from benchmarks import classic, measuring, overcloud

QUEENS, NEWEST = "8.7.1", "18.0.0"
SERVERS = (10, 100, 1000, 5000)
# What would take longer is worked out from the next smaller number of servers, and marked.
_LONGEST = 60.0
_CHECKOUT = Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Taken:
    """What one generation took: CPU and wall seconds, MB of memory at most, files, MB on disk.

    `worked_out` tells that it was not run: CPU time and files were scaled, the rest is not known.
    """

    cpu: float
    wall: float
    peak: float
    files: int
    size: float
    worked_out: bool = False


def measure(python: Path, way: str, outputs: Path, target: Path, sources: Path | None = None) -> Taken:
    """Run one generation in a process of its own.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    command = [str(python), "-m", "benchmarks.generating", way, str(outputs), str(target)]
    target.mkdir(mode=0o700)
    environment = {**os.environ, "PYTHONPATH": str(_CHECKOUT), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*command, *([str(sources)] if sources else [])],
        capture_output=True,
        text=True,
        env=environment,
        cwd=_CHECKOUT,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    sizes = [path.stat().st_size for path in target.rglob("*") if path.is_file()]
    return Taken(told["cpu"], told["wall"], told["peak"], len(sizes), sum(sizes) / 1e6)


class Comparison:
    """All generations for some numbers of servers.

    Attributes:
        found: (way, servers) → what it took; ways are ``queens``, ``newest``, ``ours`` and ``write``.
        skipped: version → why its code could not be had.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.found: dict[tuple[str, int], Taken] = {}
        self.skipped: dict[str, str] = {}

    def run(self, servers: int) -> None:
        """Measure everything for one number of servers; call it with growing numbers."""
        root = self._root / str(servers)
        root.mkdir(parents=True)
        outputs = root / "outputs.json"
        outputs.write_text(json.dumps(overcloud.scaled(queens_outputs(), servers)), encoding="utf-8")
        ours = Path(sys.executable)
        mine = measure(ours, "ours", outputs, root / "ours")
        write = measure(ours, "write", outputs, root / "write", root / "ours")
        for way, version in (("queens", QUEENS), ("newest", NEWEST)):
            expected = self._expected(way, servers)
            if expected is not None and expected.cpu > _LONGEST:
                self.found[way, servers] = expected
            elif version not in self.skipped:
                try:
                    code, python = classic.sources(version), classic.python()
                except sdist.Unavailable as error:
                    self.skipped[version] = str(error)
                    continue
                self.found[way, servers] = measure(python, "classic", outputs, root / way, code)
                shutil.rmtree(root / way)
        self.found["ours", servers] = mine
        self.found["write", servers] = write
        shutil.rmtree(root)

    def _expected(self, way: str, servers: int) -> Taken | None:
        """Return what a way would take by the line through its two last measurements."""
        known = sorted(count for name, count in self.found if name == way)
        if len(known) < 2:
            return None
        (less, before), (more, last) = ((count, self.found[way, count]) for count in known[-2:])
        factor = (servers - more) / (more - less)
        files = round(last.files + (last.files - before.files) * factor)
        return Taken(last.cpu + (last.cpu - before.cpu) * factor, 0, 0, files, 0, worked_out=True)

    def lines(self) -> Iterator[str]:
        """Return the table: one row for each number of servers."""
        head = ["servers", "Queens CPU s", "18.0.0 CPU s", "ours CPU s", "Queens/ours", "18.0.0/ours"]
        head += ["peak MB Queens", "ours", "files Queens", "ours", "MB ours", "wall s ours", "only writing", "ratio"]
        rows = []
        for servers in sorted({count for _, count in self.found}):
            mine, write = self.found["ours", servers], self.found["write", servers]
            queens, newest = self.found.get(("queens", servers)), self.found.get(("newest", servers))
            row = [str(servers), _cpu(queens), _cpu(newest), f"{mine.cpu:.2f}"]
            row += [f"{it.cpu / mine.cpu:.1f}x" if it else "SKIPPED" for it in (queens, newest)]
            row += [f"{queens.peak:.0f}" if queens and queens.peak else "-", f"{mine.peak:.0f}"]
            row += [str(queens.files) if queens else "-", str(mine.files), f"{mine.size:.0f}"]
            rows.append([*row, f"{mine.wall:.1f}", f"{write.wall:.1f}", f"{mine.wall / write.wall:.1f}x"])
        yield measuring.table(head, rows)
        yield "~ worked out from the line through the two numbers of servers before it, not run"
        for version, why in self.skipped.items():
            yield f"tripleo-common {version}: SKIPPED: {why}"

    def targets(self) -> Iterator[tuple[str, str, str, bool | None]]:
        """Return (what, to reach, found, whether it is reached); None for what could not be measured."""
        mine, large = self.found.get(("ours", 1000)), self.found.get(("ours", 5000))
        if mine is None:
            return
        for way, name, least in (("queens", "Queens code", 5), ("newest", "18.0.0", 20)):
            theirs = self.found.get((way, 1000))
            ratio = theirs.cpu / mine.cpu if theirs else 0
            told = f"{ratio:.1f}x" if theirs else "SKIPPED"
            yield (
                f"generation, 1000 servers: CPU of {name} / ours",
                f">= {least}x",
                told,
                ratio >= least if theirs else None,
            )
        yield "generation, 1000 servers: peak memory", "< 200 MB", f"{mine.peak:.0f} MB", mine.peak < 200
        ratio = mine.wall / self.found["write", 1000].wall
        yield "generation, 1000 servers: wall time / only writing", "<= 2x", f"{ratio:.1f}x", ratio <= 2
        if large:
            growth = large.cpu / mine.cpu
            yield "generation: CPU at 5000 servers / at 1000", "<= 5x", f"{growth:.1f}x", growth <= 5


def _cpu(taken: Taken | None) -> str:
    return "SKIPPED" if taken is None else f"{'~' if taken.worked_out else ''}{taken.cpu:.2f}"
