"""One row at one moment, from fresh hosts to the proof."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from faults import proof
from faults.lab import Case, Lab
from faults.table import Row


def go(lab: Lab, row: Row, seed: str) -> Case:
    """Do what a row says to a run at a moment drawn from `seed`, then go on with it to the end.

    Returns:
        The case, for what it says of itself.

    Raises:
        AssertionError: something that must be true is not. The run's directory is kept as ``failed-<row>-<seed>``
            beside the work directories.
    """
    case = Case(lab, row.name, seed)
    try:
        row.do(case)
        if case.status is None or not case.status.succeeded:
            case.complete()
            proof.settled(case)
        proof.whole(case)
    except BaseException:
        _keep(case, row, seed)
        raise
    finally:
        case.close()
    return case


def _keep(case: Case, row: Row, seed: str) -> None:
    kept = case.lab.root / f"failed-{row.name}-{seed}"
    with contextlib.suppress(OSError):
        shutil.rmtree(kept, ignore_errors=True)
        if case.work.exists():
            shutil.copytree(case.work, kept, symlinks=True, ignore_dangling_symlinks=True)
        (kept / "lines").mkdir(parents=True)
        for host, path in case.lab.effects.items():
            if path.exists():
                shutil.copy(path, kept / "lines" / host)


@contextlib.contextmanager
def labs(root: Path) -> Iterator[Labs]:
    """Yield the labs of both kinds, each opened when it is first asked for."""
    made = Labs(root)
    try:
        yield made
    finally:
        for lab in made.open.values():
            lab.close()


class Labs:
    """A lab of each kind."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.open: dict[bool, Lab] = {}

    def of(self, row: Row) -> Lab:
        """Return the lab of a row."""
        if row.on_nodes not in self.open:
            name = "nodes" if row.on_nodes else "local"
            self.open[row.on_nodes] = Lab(self.root / name, on_nodes=row.on_nodes)
        return self.open[row.on_nodes]
