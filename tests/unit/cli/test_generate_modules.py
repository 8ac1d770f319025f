"""Modules, roles and plugins beyond ansible-core: what `generate` says of them, and where it looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import support

from tripleo_ffwd.cli.main import main

MODULE = "#!/usr/bin/python\nfrom ansible.module_utils.basic import AnsibleModule\nAnsibleModule({}).exit_json()\n"


def write_outputs(tmp_path: Path, **keywords: Any) -> Path:
    outputs = support.queens_outputs()
    play = {"hosts": "overcloud", "gather_facts": False, "tasks": [], "roles": ["tripleo-bootstrap"], **keywords}
    play["tasks"] = [{"name": "fence", "pacemaker_resource": {}}, {"name": "ban", "acme.ha.ban": {}}]
    outputs["RoleConfig"]["deploy_steps_playbook"] = [play]
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs))
    return path


def generate(tmp_path: Path, *options: str, **keywords: Any) -> dict[str, Any]:
    path, tree = write_outputs(tmp_path, **keywords), tmp_path / "tree"
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
    for directory in (library, tmp_path / "empty", roles / "tripleo-bootstrap" / "tasks", plugins):
        directory.mkdir(parents=True)
    (library / "pacemaker_resource.py").write_text(MODULE)
    (plugins / "ban.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)  # paths may be given relative to where one stands
    manifest = generate(
        tmp_path,
        "--module-path",
        f"empty:{library.name}",
        "--roles-path",
        roles.name,
        "--collections-path",
        str(collections),
    )
    assert manifest["missing_modules"] == []
    said = capsys.readouterr().out
    assert "not found" not in said
    assert "module     acme.ha.ban (found): -/pre/overcloud/all: ban\n" in said


@pytest.mark.parametrize("command", ["generate", "preview"])
@pytest.mark.parametrize(
    ("option", "key"),
    [("module", "ansible_library"), ("roles", "ansible_roles_path"), ("collections", "ansible_collections_path")],
)
def test_a_directory_that_is_not_there_is_refused(
    command: str, option: str, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs, settings = write_outputs(tmp_path), tmp_path / "ffwd.conf"
    settings.write_text(f"[ffwd]\n{key} = {tmp_path}:{tmp_path}/gone\n")
    target = ["--output-dir", str(tmp_path / "tree")] if command == "generate" else []
    words = [command, "--outputs", str(outputs), *target]
    # The second is a file.
    for options, where, what in (
        ((f"--{option}-path", f"{tmp_path}:{tmp_path}/gone"), f"--{option}-path", f"{tmp_path}/gone"),
        ((f"--{option}-path", str(outputs)), f"--{option}-path", str(outputs)),
        ((f"--{option}-path", "~no-such-user/x"), f"--{option}-path", "~no-such-user/x"),
        (("--config-file", str(settings)), f"[ffwd] {key}", f"{tmp_path}/gone"),
    ):
        assert main([*words, *options]) == 1
        shown = capsys.readouterr()
        assert shown.err.startswith(f"tripleo-ffwd {command}: {where}: {what} is not a directory that can be read. ")
        assert shown.out == ""
    assert sorted(tmp_path.iterdir()) == sorted((outputs, settings))


def test_what_an_option_names_stands_in_for_the_configuration(tmp_path: Path) -> None:
    settings = tmp_path / "ffwd.conf"
    settings.write_text("[ffwd]\nansible_library = /nowhere\n")
    (tmp_path / "pacemaker_resource.py").write_text(MODULE)
    manifest = generate(tmp_path, "--config-file", str(settings), "--module-path", str(tmp_path))
    assert "pacemaker_resource" not in manifest["missing_modules"]


def test_plugins_that_are_not_found_are_named_as_modules_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugins = tmp_path / "ansible_collections" / "acme" / "ha" / "plugins"
    for kind in ("filter", "lookup", "strategy"):
        (plugins / kind).mkdir(parents=True)
    (plugins / "strategy" / "calm.py").write_text("from ansible.plugins.strategy.linear import StrategyModule\n")
    (plugins / "lookup" / "seen.py").write_text("from ansible.plugins.lookup.items import LookupModule\n")
    (plugins / "filter" / "neat.py").write_text(
        "class FilterModule:\n    def filters(self):\n        return {'neat': str}\n"
    )
    wanted = "{{ x | acme.ha.neat | acme.ha.untidy }} {{ lookup('acme.ha.seen', y) }} {{ y | ipaddr }}"
    manifest = generate(
        tmp_path,
        "--collections-path",
        str(tmp_path),
        strategy="tripleo_free",
        vars={"y": wanted, "z": "{{ y is acme.ha.odd }}"},
        become_method="acme.ha.doas",
        connection="{{ how }}",
    )
    assert manifest["missing_modules"] == [
        "acme.ha.ban",
        "become acme.ha.doas",
        "filter acme.ha.untidy",
        "filter ipaddr",
        "pacemaker_resource",
        "role tripleo-bootstrap",
        "strategy tripleo_free",
        "test acme.ha.odd",
    ]
    said = capsys.readouterr().out
    assert "role tripleo-bootstrap, strategy tripleo_free, test acme.ha.odd\n" in said
    assert "module     strategy tripleo_free (not found): -/pre/overcloud/all: strategy\n" in said
    assert "module     filter acme.ha.neat (found): -/pre/overcloud/all: vars\n" in said
    assert "module     lookup acme.ha.seen (found): -/pre/overcloud/all: vars\n" in said
    assert "module     connection {{ how }} (only the run can tell): -/pre/overcloud/all: connection\n" in said
    found = generate(tmp_path, "--collections-path", str(tmp_path), strategy="acme.ha.calm")
    assert "strategy acme.ha.calm" in found["modules"]
    assert "strategy acme.ha.calm" not in found["missing_modules"]
