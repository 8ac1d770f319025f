"""One generation in a process of its own: the classic code, ours, or only the writing; prints what it took as JSON.

Called by `generation` as ``python -m benchmarks.generating WAY OUTPUTS TARGET [SOURCES]``. Stdlib only but for what a
way needs itself: the classic code runs in a virtual environment that has nothing of ours.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.heat_data import Records


class _Api:
    """What the classic code asks of Heat's client, answered from memory."""

    def __init__(self, outputs: dict[str, Any]) -> None:
        self._records = Records(outputs)
        self._outputs = [{"output_key": key, "output_value": value} for key, value in outputs.items()]
        self.stacks = types.SimpleNamespace(get=self._stack)
        self.resources = types.SimpleNamespace(list=self._list)
        self.software_deployments = types.SimpleNamespace(get=lambda key: types.SimpleNamespace(config_id=key))
        self.software_configs = types.SimpleNamespace(get=self._config)

    def _stack(self, name: str, **_: Any) -> Any:
        return types.SimpleNamespace(outputs=self._outputs, stack_name=name)

    def _list(self, *_: Any, **__: Any) -> list[Any]:
        return [self._row(key) for key in self._records.keys()]  # noqa: SIM118 - not a mapping

    def _row(self, key: tuple[int, int]) -> Any:
        physical = "ExtraConfigPost" if self._records.is_post(key) else "TripleODeployment"
        value = {"server": self._records.servers[key[0]][0], "name": self._records.name(key)}
        value["deployment"] = f"{key[0]}-{key[1]}"
        return types.SimpleNamespace(
            attributes={"value": value},
            creation_time=self._records.created(key),
            physical_resource_id=physical,
            parent_resource="",
        )

    def _config(self, text: str) -> Any:
        server, _, kind = text.partition("-")
        return types.SimpleNamespace(to_dict=lambda: self._records.config((int(server), int(kind))))


def classic(outputs: dict[str, Any], target: Path, sources: str) -> Callable[[], object]:
    """Return tripleo-common's own generation; without the git repository that newer releases make of the result."""
    sys.path.insert(0, sources)
    sys.modules.setdefault("git", types.ModuleType("git"))
    from tripleo_common.utils import config as classic_config  # type: ignore[import-not-found]

    warnings.simplefilter("ignore")
    outputs["RoleGroupVars"] = {role: {} for role in outputs["RoleData"]}
    writer = classic_config.Config(_Api(outputs))
    if not hasattr(writer, "write_config"):
        return lambda: writer.download_config("overcloud", str(target))

    def newer() -> None:
        stack = writer.fetch_config("overcloud")
        writer.create_config_dir(str(target))
        writer.write_config(stack, "overcloud", str(target))

    return newer


def ours(outputs: dict[str, Any], target: Path, _: str) -> Callable[[], object]:
    """Return our own generation: from what was read from Heat to the tree."""
    from tripleo_ffwd import software
    from tripleo_ffwd.playbook_gen import deployments, garbage, pipeline, writing
    from tripleo_ffwd.playbook_gen.options import GenerateOptions

    @garbage.kept()  # as the command line does
    def generate() -> None:
        records, collection = Records(outputs), software.Collection()
        known: dict[tuple[str, str], str] = {}
        for key in records.keys():  # noqa: SIM118 - not a mapping
            name, source = records.name(key), records.source(key)
            if source not in known:
                known[source] = collection.add(software.generalise(records.config(key)), name)
            config_id = f"{records.servers[key[0]][0]}-{key[1]:02d}"
            made = records.created(key)
            found = software.Deployment(name, known[source], config_id, records.stack(key), made, records.is_post(key))
            collection.assign(records.servers[key[0]][0], found)
        given = deployments.load_deployments(collection.to_json())
        tree = pipeline.compile_playbooks(outputs, GenerateOptions(deployments=given))
        writing.write_tree(tree, target)

    return generate


def only_write(_: dict[str, Any], target: Path, sources: str) -> Callable[[], object]:
    """Return the writing of the files below `sources` and nothing else: one after the other, each synced."""
    files = [(str(path.relative_to(sources)), path.read_bytes()) for path in Path(sources).rglob("*") if path.is_file()]

    def write() -> None:
        for directory in sorted({os.path.dirname(path) for path, _ in files}):  # noqa: PTH120 - no more than needed
            os.makedirs(f"{target}/{directory}", exist_ok=True)  # noqa: PTH103
        for path, data in files:
            descriptor = os.open(f"{target}/{path}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, data)
            os.fsync(descriptor)
            os.close(descriptor)

    return write


def main() -> None:
    way, outputs_path, target, *rest = sys.argv[1:]
    outputs = json.loads(Path(outputs_path).read_text(encoding="utf-8"))
    ways = {"classic": classic, "ours": ours, "write": only_write}
    work = ways[way](outputs, Path(target), rest[0] if rest else "")
    before, began, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic(), time.process_time()
    work()
    taken = {"cpu": time.process_time() - cpu, "wall": time.monotonic() - began, "before": before / 1024}
    print(json.dumps({**taken, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
