"""Records of a plan that were damaged are named, with what to do; none is taken for no record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.plan import lock, outputs, phases, stack_updates


@pytest.mark.parametrize("text", ["", "{", "[1]", '"text"'])
@pytest.mark.parametrize(
    ("name", "read", "remedy"),
    [
        ("records/p/phases.json", lambda work: phases.read_record(work, "p"), "from a backup"),
        ("records/p/ended.json", lambda work: phases.has_ended(work, "p", "run", "e"), "Remove it"),
        ("records/p/stack_update.json", lambda work: stack_updates.read(work, "p"), "Heat updates no stack"),
        ("records/p/stack_progress.json", lambda work: stack_updates.read_progress(work, "p", "m"), "Remove it"),
        ("records/p/lock.json", lambda work: lock.holder(work, "p"), "no phase of the plan is under way"),
    ],
)
def test_a_damaged_record_is_named(
    tmp_path: Path, name: str, read: Callable[[Path], Any], remedy: str, text: str
) -> None:
    assert not read(tmp_path) or name.endswith("phases.json")
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput, match=f"{name}: It is damaged. .*{remedy}"):
        read(tmp_path)


def test_damaged_outputs_are_queried_again(tmp_path: Path) -> None:
    digest = outputs.save(tmp_path, {"RoleData": {}})
    assert outputs.read(tmp_path, digest) == {"RoleData": {}}
    (tmp_path / "outputs" / f"{digest}.json").write_text('{"RoleData"')
    with pytest.raises(InvalidInput, match=rf"{digest}.json: It is damaged. .*queries the stack's outputs anew"):
        outputs.read(tmp_path, digest)
