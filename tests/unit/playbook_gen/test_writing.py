from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tripleo_ffwd.exceptions import WriteRefused
from tripleo_ffwd.playbook_gen import manifest, pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.tree import PlaybookTree


@pytest.fixture()
def tree(outputs: dict[str, Any]) -> PlaybookTree:
    return pipeline.compile_playbooks(outputs, GenerateOptions(phase="run"))


def test_everything_is_private_and_nothing_else_is_left(tree: PlaybookTree, tmp_path: Path) -> None:
    target = tmp_path / "a" / "tree"
    writing.write_tree(tree, target)
    assert writing.is_written(target, tree.manifest["digest"])
    modes = {stat.S_IMODE(path.stat().st_mode) for path in target.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in [target, *target.rglob("*")] if path.is_dir()} == {0o700}
    assert [path.name for path in target.parent.iterdir()] == ["tree"]
    assert json.loads((target / "manifest.json").read_text())["digest"] == tree.manifest["digest"]


def test_a_tree_of_many_files_is_written_whole(tree: PlaybookTree, tmp_path: Path) -> None:
    many = tuple(sorted((*tree.files, *((f"host_vars/node-{number}.yaml", "---\n") for number in range(600)))))
    digest, hashes = manifest.digest_of(many)
    writing.write_tree(PlaybookTree(many, {"digest": digest, "files": hashes}), tmp_path / "tree")
    assert writing.is_written(tmp_path / "tree", digest)


def test_our_own_tree_and_an_empty_directory_are_replaced(
    tree: PlaybookTree, outputs: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    writing.write_tree(tree, tmp_path / "tree")
    other = pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade"))
    writing.write_tree(other, tmp_path / "tree")
    assert not (tmp_path / "tree" / "fast_forward_upgrade_playbook.yaml").exists()
    assert writing.is_written(tmp_path / "tree", other.manifest["digest"])


def test_somebody_elses_directory_is_refused_untouched(tree: PlaybookTree, tmp_path: Path) -> None:
    target = tmp_path / "tree"
    writing.write_tree(tree, target)
    (target / "notes.txt").write_text("mine")
    before = sorted(target.rglob("*"))
    with pytest.raises(WriteRefused, match=r"notes\.txt, which we did not write"):
        writing.write_tree(tree, target)
    assert sorted(target.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


@pytest.mark.parametrize("kind", ["file", "symlink", "strange"])
def test_what_is_no_directory_of_ours_is_refused(kind: str, tree: PlaybookTree, tmp_path: Path) -> None:
    target = tmp_path / "tree"
    if kind == "file":
        target.write_text("x")
    elif kind == "symlink":
        (tmp_path / "elsewhere").mkdir()
        target.symlink_to(tmp_path / "elsewhere")
    else:
        target.mkdir()
        (target / "manifest.json").write_text("{}")
    with pytest.raises(WriteRefused):
        writing.write_tree(tree, target)


def test_the_manifest_is_written_as_json_writes_it() -> None:
    value = {
        "a": ["x", "ü", 'q"'],
        "b": [],
        "c": {},
        "d": [["x", 1], {"e": None}],
        "f": ("g", True),
        "h": 1.5,
        "i": {"j": "k"},
    }
    assert manifest.dump(value) == json.dumps(value, indent=1, ensure_ascii=False) + "\n"
