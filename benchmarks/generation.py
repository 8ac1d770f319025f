"""Generation: CPU time, memory and files of tripleo-common and of ours over the same data, and of only writing."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from overclouds import sdist
from support import queens_outputs

from benchmarks import classic, measuring, overcloud

QUEENS, NEWEST = "8.7.1", "18.0.0"
SERVERS = (10, 100, 1000, 5000)
# What would take longer is worked out from the next smaller number of servers, and marked.
_LONGEST = 60.0
# The ways take turns, and the median of the turns is compared. The newest code, which takes long, is run once. Nothing
# is removed in between: ext4 passes over inodes that were freed in the last minutes, one by one, so that a new file
# costs ten times as much after thousands were removed.
ROUNDS = 5
_FEW_SERVERS = 1000
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


Turns = tuple[Taken, ...]


class Comparison:
    """All generations for some numbers of servers.

    Attributes:
        found: (way, servers) → what each turn took; ways are ``queens``, ``newest``, ``ours`` and ``write``.
        skipped: version → why its code could not be had.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.found: dict[tuple[str, int], Turns] = {}
        self.skipped: dict[str, str] = {}

    def run(self, servers: int) -> None:
        """Measure everything for one number of servers; call it with growing numbers."""
        root = self._root / str(servers)
        root.mkdir(parents=True)
        outputs = root / "outputs.json"
        outputs.write_text(json.dumps(overcloud.scaled(queens_outputs(), servers)), encoding="utf-8")
        for turn in range(ROUNDS if servers <= _FEW_SERVERS else 1):
            mine = root / f"ours-{turn}"
            self._take("ours", servers, measure(Path(sys.executable), "ours", outputs, mine))
            self._take("write", servers, measure(Path(sys.executable), "write", outputs, root / f"write-{turn}", mine))
            for way, version in (("queens", QUEENS), ("newest", NEWEST))[: 2 if turn == 0 else 1]:
                self._classic(way, version, servers, outputs, root / f"{way}-{turn}")

    def _take(self, way: str, servers: int, taken: Taken) -> None:
        self.found[way, servers] = (*self.found.get((way, servers), ()), taken)

    def _classic(self, way: str, version: str, servers: int, outputs: Path, target: Path) -> None:
        """Run tripleo-common's code of a version once, or work out what it would take when that is too long."""
        expected = self._expected(way, servers)
        if expected is not None and expected.cpu > _LONGEST:
            self.found[way, servers] = (expected,)
        elif version not in self.skipped:
            try:
                code, python = classic.sources(version), classic.python()
            except sdist.Unavailable as error:
                self.skipped[version] = str(error)
                return
            self._take(way, servers, measure(python, "classic", outputs, target, code))

    def _expected(self, way: str, servers: int) -> Taken | None:
        """Return what a way would take by the line through its two last measurements."""
        known = sorted(count for name, count in self.found if name == way and count != servers)
        if len(known) < 2:
            return None
        (less, before), (more, last) = ((count, self.found[way, count]) for count in known[-2:])
        factor = (servers - more) / (more - less)
        files = round(last[0].files + (last[0].files - before[0].files) * factor)
        cpu = _cpu(last) + (_cpu(last) - _cpu(before)) * factor
        return Taken(cpu, 0, 0, files, 0, worked_out=True)

    def lines(self) -> Iterator[str]:
        """Return the table: one row for each number of servers."""
        head = ["servers", "Queens CPU s", "18.0.0 CPU s", "ours CPU s", "Queens/ours", "18.0.0/ours"]
        head += ["peak MB Queens", "ours", "files Queens", "ours", "MB ours", "wall s ours", "only writing", "ratio"]
        rows = []
        for servers in sorted({count for _, count in self.found}):
            mine, write = self.found["ours", servers], self.found["write", servers]
            queens, newest = self.found.get(("queens", servers)), self.found.get(("newest", servers))
            row = [str(servers), *(_told(turns) for turns in (queens, newest, mine))]
            row += [_spread(ratios(turns, mine)) if turns else "SKIPPED" for turns in (queens, newest)]
            row += [f"{queens[0].peak:.0f}" if queens and queens[0].peak else "-", f"{_most(mine):.0f}"]
            row += [str(queens[0].files) if queens else "-", str(mine[0].files), f"{mine[0].size:.0f}"]
            walls = [f"{statistics.median(taken.wall for taken in turns):.1f}" for turns in (mine, write)]
            rows.append([*row, *walls, _spread(ratios(mine, write, _wall))])
        yield measuring.table(head, rows)
        yield f"median of {ROUNDS} turns (of one with more than {_FEW_SERVERS} servers), and the least and the most"
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
            found = ratios(theirs, mine) if theirs else []
            told = _spread(found) if found else "SKIPPED"
            reached = statistics.median(found) >= least if found else None
            yield f"generation, 1000 servers: CPU of {name} / ours", f">= {least}x", told, reached
        peak = _most(mine)
        yield "generation, 1000 servers: peak memory", "< 200 MB", f"{peak:.0f} MB", peak < 200
        found = ratios(mine, self.found["write", 1000], _wall)
        reached = statistics.median(found) <= 2
        yield "generation, 1000 servers: wall time / only writing", "<= 2x", _spread(found), reached
        if large:
            growth = _cpu(large) / _cpu(mine)
            yield "generation: CPU at 5000 servers / at 1000", "<= 5x", f"{growth:.1f}x", growth <= 5


def _seconds(taken: Taken) -> float:
    return taken.cpu


def _wall(taken: Taken) -> float:
    return taken.wall


def ratios(some: Turns, others: Turns, what: Callable[[Taken], float] = _seconds) -> list[float]:
    """Return what some turns took for each that the others took, turn by turn; one turn is compared with all."""
    alone = some * len(others) if len(some) == 1 else some
    return [what(one) / what(other) for one, other in zip(alone, others, strict=True)]


def _spread(found: list[float]) -> str:
    """Return the median, and where there are several the least and the most."""
    middle = f"{statistics.median(found):.1f}x"
    return middle if len(found) == 1 else f"{middle} ({min(found):.1f}-{max(found):.1f})"


def _cpu(turns: Turns) -> float:
    return statistics.median(taken.cpu for taken in turns)


def _most(turns: Turns) -> float:
    return max(taken.peak for taken in turns)


def _told(turns: Turns | None) -> str:
    return "SKIPPED" if turns is None else f"{'~' if turns[0].worked_out else ''}{_cpu(turns):.2f}"
