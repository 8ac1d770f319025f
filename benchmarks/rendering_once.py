"""One rendering or bundling in a process of its own; prints what it took as JSON.

Called by `rendering` as ``python -m benchmarks.rendering_once WAY DIRECTORY [ENVIRONMENT…]``, with environments by
their names within the directory. What a way needs to start isn't counted, but in the peak of memory.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import resource
import runpy
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TEMPLATE = "overcloud.yaml"
Work = Callable[[], tuple[int, int]]


def script(root: Path, _: Sequence[Path]) -> Work:
    """Return the templates' own script, as it runs in the directory of the templates; counts no files."""
    import os

    import jinja2  # noqa: F401  (what the script imports is loaded before the clock starts)
    import six  # type: ignore[import-untyped]  # noqa: F401
    import yaml  # noqa: F401

    def work() -> tuple[int, int]:
        os.chdir(root)
        sys.argv = ["tools/process-templates.py"]
        with contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(sys.argv[0], run_name="__main__")
        return 0, 0

    return work


def render(root: Path, _: Sequence[Path]) -> Work:
    """Return our rendering; counts the files that it writes."""
    from tripleo_ffwd.plan.rendering import render_tree

    sources = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.j2.yaml"))
    return lambda: (len(render_tree(root, sources)), 0)


def heatclient(root: Path, environments: Sequence[Path]) -> Work:
    """Return what python-heatclient's commands do; counts files, and bytes of what would be sent."""
    from heatclient.common import template_utils

    def work() -> tuple[int, int]:
        files, template = template_utils.get_template_contents(template_file=str(root / TEMPLATE))
        used, environment = template_utils.process_multiple_environments_and_files([str(path) for path in environments])
        sent: dict[str, Any] = {"template": template, "environment": environment}
        sent["files"] = {
            name: text.decode() if isinstance(text, bytes) else text for name, text in {**files, **used}.items()
        }
        return len(sent["files"]), len(json.dumps(sent).encode())

    return work


def bundle(root: Path, environments: Sequence[Path]) -> Work:
    """Return our bundling; counts files, and bytes of what would be sent."""
    from tripleo_ffwd import heat

    def work() -> tuple[int, int]:
        made = heat.build_bundle(root / TEMPLATE, environments)
        parts = {"template": made.template, "environment": made.environment, "files": made.files}
        return len(made.files), len(json.dumps(parts, default=dict).encode())

    return work


def main() -> None:
    """Measure one way."""
    way, root, names = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    ways = {"script": script, "render": render, "heatclient": heatclient, "bundle": bundle}
    work = ways[way](root, [root / name for name in names])
    gc.collect()
    cpu, began = time.process_time(), time.monotonic()
    files, size = work()
    taken = {"cpu": time.process_time() - cpu, "wall": time.monotonic() - began, "files": files, "size": size}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**taken, "peak": peak}))


if __name__ == "__main__":
    main()
