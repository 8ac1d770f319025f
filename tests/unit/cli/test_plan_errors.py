"""What `tripleo-ffwd plan` says to somebody who is new to it when something is wrong: one line that says what to do."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import swift_stub
from plan_stores import FILES, write

from tripleo_ffwd.cli.main import main


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    return write(tmp_path / "templates", FILES)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], work: Path) -> Callable[..., str]:
    """Runs a command that is refused; returns what it says. Without a place it is the work directory."""

    def run(*words: object) -> str:
        placed = [*map(str, words)]
        if "--config-file" not in placed:
            placed += ["--work-dir", str(work)]
        assert main(["plan", *placed]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        (line,) = shown.err.splitlines()
        return line.removeprefix("tripleo-ffwd plan: ")

    return run


@pytest.fixture
def made(templates: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The directory of a plan `p` with one version."""
    assert main(["plan", "import", "p", str(templates), "--work-dir", str(work)]) == 0
    capsys.readouterr()
    return work / "plans" / "p"


def test_templates_that_are_none(refused, tmp_path):
    told = refused("import", "p", tmp_path / "nowhere")
    assert told.startswith(f"{tmp_path}/nowhere: The templates can't be read: No such file or directory. ")
    assert "a directory, a tarball or swift:CONTAINER" in told
    (tmp_path / "empty").mkdir()
    assert "overcloud.j2.yaml" in refused("import", "p", tmp_path / "empty")
    (tmp_path / "empty" / "other.yaml").touch()
    assert "There is no overcloud.yaml. Give the directory that has it, or overcloud.j2.yaml" in refused(
        "import", "p", tmp_path / "empty"
    )
    (tmp_path / "text").write_text("hello")
    assert "Give a directory, or a tarball" in refused("import", "p", tmp_path / "text")


def test_a_plan_that_is_not_there_is_said_so_whatever_version_is_asked_for(refused):
    for words in (("show", "p", "--version", 2), ("diff", "p", 1, 2), ("restore", "p", 2), ("export", "p", "x")):
        assert "Plan p does not exist. Make it with `tripleo-ffwd plan import`" in refused(*words)


def test_a_version_that_is_not_there_names_the_list_of_those_that_are(refused, made):
    assert "Plan p has no version 7. See those that are kept with `tripleo-ffwd plan list p`" in refused(
        "show", "p", "--version", 7
    )
    assert "is the current one. Choose an older one of `tripleo-ffwd plan list p`" in refused("restore", "p", 1)


def test_an_export_makes_the_directories_above_it(made, work, tmp_path, capsys):
    target = tmp_path / "some" / "where"
    assert main(["plan", "export", "p", str(target), "--work-dir", str(work)]) == 0
    assert (target / "overcloud.yaml").is_file()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "Failed to find some config files"),
        ("no section\n", "No ':' or '=' found in assignment"),
        ("[ffwd]\nplan_backend = nope\n", "[directory, swift], but found 'nope'"),
        ("[ffwd]\nplan_versions_kept = x\n", "plan_versions_kept"),
    ],
    ids=["absent", "no configuration", "no choice", "no number"],
)
def test_a_configuration_that_can_not_be_used(refused, tmp_path, text, told):
    path = tmp_path / "ffwd.conf"
    if text is not None:
        path.write_text(text)
    line = refused("list", "--config-file", path)
    assert str(path) in line and told in line


@pytest.mark.parametrize("verb", ["list", "show", "import"])
def test_a_work_directory_of_somebody_else_names_who_may(made, work, templates, verb):
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    words = [verb, "p", *([str(templates)] if verb == "import" else []), "--work-dir", str(work)]
    with tempfile.TemporaryFile("w+") as told:
        child = os.fork()
        if not child:
            os.dup2(told.fileno(), 2)
            sys.stderr = told
            os.setgid(65534)
            os.setuid(65534)
            code = 2
            try:
                code = main(["plan", *words])
            finally:
                told.flush()
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        told.seek(0)
        (line,) = told.read().splitlines()
    assert str(work.parent) in line and "Permission denied" in line and "user that Mistral's executor runs as" in line


@pytest.mark.parametrize("text", ["{", "[]", '{"plan": "p"}', ""])
def test_a_damaged_version_is_named_and_another_can_be_restored(refused, made, templates, work, text, capsys):
    write(templates, {"more.yaml": "a: 1\n"})
    assert main(["plan", "import", "p", str(templates), "--work-dir", str(work)]) == 0
    capsys.readouterr()
    (made / "versions" / "000002" / "plan.json").write_text(text)
    for words in (("show", "p"), ("list", "p"), ("import", "p", templates)):
        told = refused(*words)
        assert "000002/plan.json" in told and "is damaged" in told, told
        assert "`tripleo-ffwd plan restore p N`" in told
    assert main(["plan", "restore", "p", "1", "--work-dir", str(work)]) == 0
    assert capsys.readouterr().out.startswith("Version 3 of plan p is current: version 1 again")


def test_a_current_version_that_is_gone_is_named_and_another_can_be_restored(refused, made, templates, work, capsys):
    write(templates, {"more.yaml": "a: 1\n"})
    assert main(["plan", "import", "p", str(templates), "--work-dir", str(work)]) == 0
    (made / "versions" / "000002").rename(made / "gone")
    capsys.readouterr()
    for words in (("show", "p"), ("import", "p", templates)):
        assert "`tripleo-ffwd plan restore p N`" in refused(*words)
    assert main(["plan", "restore", "p", "1", "--work-dir", str(work)]) == 0
    assert capsys.readouterr().out.startswith("Version 3 of plan p is current: version 1 again")


def test_a_damaged_lock_is_named_with_what_to_look_at_before_it_is_removed(refused, made, work, templates):
    path = work / "records" / "p" / "lock.json"
    for text in ("{", '{"someone": 1}', "[]"):
        path.write_text(text)
        for words in (("show", "p"), ("import", "p", templates)):
            told = refused(*words)
            assert "lock" in told and str(work) in told and "is damaged" in told and "no phase of the plan" in told


@pytest.fixture
def swift(tmp_path, templates, monkeypatch, capsys):
    with swift_stub.serving() as stub:
        monkeypatch.setenv("OS_STORAGE_URL", stub.url)
        monkeypatch.setenv("OS_AUTH_TOKEN", stub.token)
        (tmp_path / "c").write_text(f"[ffwd]\nwork_dir = {tmp_path / 'work'}\nplan_backend = swift\n")
        assert main(["plan", "import", "p", str(templates), "--config-file", str(tmp_path / "c")]) == 0
        capsys.readouterr()
        yield stub


@pytest.mark.parametrize("name", ["current.json", "versions/000001.json", "published.json"])
@pytest.mark.parametrize("data", [b"{", b"[]", b"{}"])
def test_a_damaged_object_in_swift_is_named(refused, swift, tmp_path, templates, name, data):
    swift.containers["p-ffwd"].objects[name] = data
    for words in (("show", "p"), ("import", "p", templates)):
        assert f"p-ffwd/{name}: It is damaged" in refused(*words, "--config-file", tmp_path / "c")


def test_files_that_swift_has_lost_are_named_and_another_version_can_be_restored(
    refused, swift, tmp_path, templates, work, capsys
):
    conf = str(tmp_path / "c")
    write(templates, {"more.yaml": "a: 1\n"})
    assert main(["plan", "import", "p", str(templates), "--config-file", conf]) == 0
    digest = json.loads(swift.files("p-ffwd")["versions/000002.json"])["value"]["digest"]
    del swift.containers["p-ffwd"].objects[f"files/{digest}.tar.gz"]
    shutil.rmtree(work / "plans" / "p" / "copies" / digest)
    capsys.readouterr()
    for words in (("show", "p"), ("import", "p", templates)):
        told = refused(*words, "--config-file", conf)
        assert "are not in Swift" in told and "`tripleo-ffwd plan restore p N`" in told
    assert main(["plan", "restore", "p", "1", "--config-file", conf]) == 0
    assert capsys.readouterr().out.startswith("Version 3 of plan p is current: version 1 again")


def test_a_swift_that_is_down_says_so_in_short(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("OS_STORAGE_URL", "http://127.0.0.1:9/v1/AUTH_x")
    monkeypatch.setenv("OS_AUTH_TOKEN", "t")
    (tmp_path / "c").write_text(f"[ffwd]\nwork_dir = {tmp_path}\nplan_backend = swift\n")
    told = refused("list", "--config-file", tmp_path / "c")
    assert "can't be listed: Failed to establish a new connection: [Errno 111] Connection refused. " in told


def test_without_credentials_the_command_line_s_own_are_named(refused, tmp_path, templates):
    assert "OS_STORAGE_URL" in refused("import", "p", "swift:p")


def test_a_lock_that_a_dead_execution_left_says_how_it_is_taken_over(refused, made, work, templates):
    record = {"execution": "e-1", "phase": "prepare", "since": "2026-01-01 00:00:00", "project": ""}
    (work / "records" / "p" / "lock.json").write_text(json.dumps(record))
    told = refused("import", "p", templates)
    assert "e-1" in told and "The next phase takes the plan over from an execution that ended" in told
