"""The bundle of one execution: built once, so that what Heat was asked about is what Heat is sent."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tripleo_ffwd import heat
from tripleo_ffwd.exceptions import InvalidTemplates
from tripleo_ffwd.stack import Bundle


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version's directory, with a template that uses a file and an environment that uses another."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "overcloud.yaml").write_text(
        "heat_template_version: queens\nresources:\n  Z: {type: OS::Own::Z}\n  A: {type: OS::Heat::Value,"
        " properties: {value: {get_file: motd}}}\n"
    )
    (files / "motd").write_text("one")
    (files / "z.yaml").write_text("heat_template_version: queens\n")
    (files / "registry.yaml").write_text("resource_registry: {'OS::Own::Z': z.yaml}\n")
    return tmp_path


def bundle_of(version: Path, execution: str) -> Bundle:
    files = version / "files"
    return heat.bundle_of(version, execution, files / "overcloud.yaml", [files / "registry.yaml"])


def test_an_execution_gets_what_it_got_before(version):
    first = bundle_of(version, "e-1")
    (version / "files" / "motd").write_text("two")
    again = bundle_of(version, "e-1")
    assert again == first and again.files["motd"] == "one"
    assert json.dumps(again.payload()) == json.dumps(first.payload()), "in the same order"
    assert bundle_of(version, "e-2").files["motd"] == "two"
    assert [path.name for path in version.iterdir() if path.is_file()] == ["bundle.json"]
    assert stat.S_IMODE((version / "bundle.json").stat().st_mode) == 0o600


def test_without_an_execution_nothing_is_kept(version):
    assert bundle_of(version, "").files["motd"] == "one"
    assert not (version / "bundle.json").exists()


@pytest.mark.parametrize("left", ["", "{", "[]", '{"execution": "e-1"}', '{"execution": "e-1", "bundle": {}}'])
def test_what_can_not_be_read_any_more_is_built_again(version, left):
    (version / "bundle.json").write_text(left)
    assert bundle_of(version, "e-1").files["motd"] == "one"


def test_where_nothing_can_be_written_the_bundle_is_built_all_the_same(version):
    (version / "bundle.json").mkdir()
    assert bundle_of(version, "e-1").files["motd"] == "one"


def test_what_can_not_be_built_leaves_nothing(version):
    (version / "files" / "motd").unlink()
    with pytest.raises(InvalidTemplates, match="motd"):
        bundle_of(version, "e-1")
    assert not (version / "bundle.json").exists()
