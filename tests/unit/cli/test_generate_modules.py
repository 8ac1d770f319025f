"""Modules and roles beyond ansible-core: what `generate` says of them, and where it looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import support

from tripleo_ffwd.cli.main import main

MODULE = "#!/usr/bin/python\nfrom ansible.module_utils.basic import AnsibleModule\nAnsibleModule({}).exit_json()\n"


def generate(tmp_path: Path, *options: str) -> dict[str, Any]:
    outputs = support.queens_outputs()
    play = {"hosts": "overcloud", "gather_facts": False, "tasks": [], "roles": ["tripleo-bootstrap"]}
    play["tasks"] = [{"name": "fence", "pacemaker_resource": {}}, {"name": "ban", "acme.ha.ban": {}}]
    outputs["RoleConfig"]["deploy_steps_playbook"] = [play]
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs))
    tree = tmp_path / "tree"
    words = ["generate", "--outputs", str(path), "--output-dir", str(tree), "--phase", "converge", "-v", *options]
    assert main(words) == 0
    manifest: dict[str, Any] = json.loads((tree / "manifest.json").read_text())
    return manifest


def test_what_is_not_found_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = str(tmp_path)
    manifest = generate(tmp_path, "--module-path", nowhere, "--roles-path", nowhere, "--collections-path", nowhere)
    assert list(manifest["modules"]) == ["acme.ha.ban", "pacemaker_resource", "role tripleo-bootstrap"]
    assert manifest["missing_modules"] == ["acme.ha.ban", "pacemaker_resource", "role tripleo-bootstrap"]
    said = capsys.readouterr().out
    assert "not found by Ansible: acme.ha.ban, pacemaker_resource, role tripleo-bootstrap\n" in said
    assert "module     pacemaker_resource (not found): -/pre/overcloud/all: fence\n" in said


def test_what_stands_on_the_given_paths_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    library, roles, collections = tmp_path / "library", tmp_path / "roles", tmp_path / "collections"
    plugins = collections / "ansible_collections" / "acme" / "ha" / "plugins" / "modules"
    for directory in (library, roles / "tripleo-bootstrap" / "tasks", plugins):
        directory.mkdir(parents=True)
    (library / "pacemaker_resource.py").write_text(MODULE)
    (plugins / "ban.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)  # paths may be given relative to where one stands
    manifest = generate(
        tmp_path,
        "--module-path",
        f"/nowhere:{library.name}",
        "--roles-path",
        roles.name,
        "--collections-path",
        str(collections),
    )
    assert manifest["missing_modules"] == []
    said = capsys.readouterr().out
    assert "not found" not in said
    assert "module     acme.ha.ban (found): -/pre/overcloud/all: ban\n" in said
