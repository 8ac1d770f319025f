"""`tripleo-ffwd report` without Mistral: plans in a directory and in Swift, and a Swift that does not answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import swift_stub
from plan_stores import FILES, write

from tripleo_ffwd.cli.main import main
from tripleo_ffwd.plan import journal

PLANTED = "planted-41c7"


@pytest.fixture(params=["directory", "swift"])
def known(request, tmp_path, monkeypatch):
    """Options for a plan of one version, whose last phase has said a secret of it; and how its plan goes away."""
    work, file = tmp_path / "work", tmp_path / "ffwd.conf"
    templates = write(tmp_path / "templates", FILES)
    write(templates, {"environments/docker.yaml": f"parameter_defaults: {{AdminPassword: {PLANTED}}}\n"})
    where = ["--config-file", str(file)]
    file.write_text(f"[ffwd]\nwork_dir = {work}\nplan_backend = {request.param}\n")
    with swift_stub.serving() as stub:
        monkeypatch.setenv("OS_STORAGE_URL", stub.url)
        monkeypatch.setenv("OS_AUTH_TOKEN", stub.token)
        assert main(["plan", "import", *where, "overcloud", str(templates), "-e", "environments/docker.yaml"]) == 0
        journal.note(work, "overcloud", journal.BEGIN, phase="prepare", execution="e-1")
        journal.note(work, "overcloud", journal.END, phase="prepare", execution="e-1", message=f"It is {PLANTED}.")
        yield where, stub


def reported(where: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    capsys.readouterr()
    assert main(["report", *where, "--format", "json"]) == 0
    shown = capsys.readouterr()
    return json.loads(shown.out), shown.err


def test_the_plan_s_version_is_told_and_its_secrets_are_covered(known, capsys):
    found, said = reported(known[0], capsys)
    assert (found["plan_version"]["number"], said) == (1, "")
    assert PLANTED not in json.dumps(found)


def test_a_plan_that_can_not_be_read_is_said_and_the_report_written(known, capsys):
    where, stub = known
    stub.fault = lambda *_: "503"
    found, said = reported(where, capsys)
    if "swift" in Path(where[1]).read_text():
        assert found["plan_version"] is None
        assert said.startswith(
            "The plan can't be read, so that its version is not told and its secrets are not looked for"
        )
    else:
        assert (found["plan_version"]["number"], said) == (1, "")
