"""Rendering and bundling the real Queens plan: the templates' own script and python-heatclient, and ours."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from overclouds import processed, real, sdist

from benchmarks import measuring

VERSION = real.VERSION
# Each way is tried so often, and the least is taken: other programs can only make it more.
TRIES = 5
_CHECKOUT = Path(__file__).parents[1]
_REGISTRY = "overcloud-resource-registry-puppet.yaml"
_LOCAL = "local.yaml"
_ROLES = "roles_data.yaml"


@dataclasses.dataclass(frozen=True)
class Taken:
    """What one way took: CPU and wall seconds, MB of memory at most, files, bytes that would be sent.

    `whole` is the CPU time of the whole process, its start included.
    """

    cpu: float
    wall: float
    peak: float
    files: int
    size: int
    whole: float


class Comparison:
    """All ways over the same plan.

    Attributes:
        found: way → what it took; ways are ``script``, ``render``, ``heatclient`` and ``bundle``.
        differing: files that the two renderings did not make alike.
        skipped: why the templates could not be had; empty when they could.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.found: dict[str, Taken] = {}
        self.differing: list[str] = []
        self.skipped = ""

    def run(self) -> None:
        """Measure everything."""
        self._root.mkdir(parents=True)
        try:
            inputs = real.lay_out(self._root / "inputs", real.WHOLE)
        except sdist.Unavailable as error:
            self.skipped = str(error)
            return
        # With the roles of the release's own file, all of them, as most overclouds were made.
        shutil.copyfile(sdist.templates(VERSION) / _ROLES, inputs.templates / _ROLES)
        self._render(inputs.templates)
        one, other = self._root / "script-0", self._root / "render-0"
        self.differing = sorted(processed.differences(one, other))
        # The operator's own environment, as the plan has it: within the directory.
        local = inputs.local.read_text().replace("templates/", "").replace(": fixed-vip.yaml", ": ./fixed-vip.yaml")
        (other / _LOCAL).write_text(local)
        shutil.copyfile(inputs.local.parent / "fixed-vip.yaml", other / "fixed-vip.yaml")
        environments = (_REGISTRY, *real.ENVIRONMENTS, "environments/lifecycle/ffwd-upgrade-prepare.yaml", _LOCAL)
        for way in ("heatclient", "bundle"):
            tries = [self._measure(way, other, *environments) for _ in range(TRIES)]
            self.found[way] = min(tries, key=lambda taken: taken.cpu)

    def _render(self, templates: Path) -> None:
        """Measure the two renderings in turn, so that both are disturbed alike."""
        tries: dict[str, list[Taken]] = {"script": [], "render": []}
        for number in range(TRIES):
            for way, taken in tries.items():
                target = self._root / f"{way}-{number}"
                shutil.copytree(templates, target)
                os.sync()  # else the copy is still being written, at the cost of who writes next
                taken.append(self._measure(way, target))
        for way, taken in tries.items():
            self.found[way] = min(taken, key=lambda one: one.cpu)

    def _measure(self, way: str, root: Path, *environments: str) -> Taken:
        command = [sys.executable, "-m", "benchmarks.rendering_once", way, str(root), *environments]
        path = os.pathsep.join([str(_CHECKOUT), str(_CHECKOUT / "tests")])
        output = self._root / "output"
        cost = measuring.run(command, output, {**os.environ, "PYTHONPATH": path}, _CHECKOUT)
        if cost.code:
            raise RuntimeError(f"{' '.join(command)} ended with {cost.code}:\n{cost.output[-2000:]}")
        return Taken(**json.loads(cost.output.splitlines()[-1]), whole=cost.cpu)

    def lines(self) -> Iterator[str]:
        """Return the table: one row for each way."""
        if self.skipped:
            yield f"tripleo-heat-templates {VERSION}: SKIPPED: {self.skipped}"
            return
        titles = {
            "script": "process-templates.py",
            "render": "our rendering",
            "heatclient": "python-heatclient",
            "bundle": "our bundling",
        }
        rows = []
        for way, title in titles.items():
            taken = self.found[way]
            row = [title, f"{taken.cpu:.2f}", f"{taken.whole:.2f}", f"{taken.peak:.0f}", str(taken.files or "-")]
            rows.append([*row, str(taken.size or "-")])
        yield measuring.table(["", "CPU s", "with its start", "peak MB", "files", "bytes"], rows)
        yield f"files that the two renderings did not make alike: {', '.join(self.differing) or 'none'}"

    def targets(self) -> Iterator[tuple[str, str, str, bool | None]]:
        """Return (what, to reach, found, whether it is reached); None for what could not be measured."""
        names = ("rendering: CPU of the script / ours", "bundling: bytes of heatclient's / ours")
        names += ("rendering and bundling: peak memory",)
        least = (">= 3x", ">= 1x", "< 150 MB")
        if self.skipped:
            yield from ((name, wanted, "SKIPPED", None) for name, wanted in zip(names, least, strict=True))
            return
        found = self.found
        ratio = found["script"].cpu / found["render"].cpu
        size = found["heatclient"].size / found["bundle"].size
        peak = max(found[way].peak for way in ("render", "bundle"))
        yield names[0], least[0], f"{ratio:.1f}x", ratio >= 3 and not self.differing
        yield names[1], least[1], f"{size:.3f}x", size >= 1
        yield names[2], least[2], f"{peak:.0f} MB", peak < 150
