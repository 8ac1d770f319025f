"""`tripleo-ffwd plan`: what an operator types and reads, on a work directory and on Swift."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import swift_stub
from plan_stores import FILES, write

from tripleo_ffwd.cli.main import main
from tripleo_ffwd.plan import lock

ENVIRONMENT = "environments/docker.yaml"


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    return write(tmp_path / "templates", FILES)


class Plan:
    """Runs `tripleo-ffwd plan`; `told` is its stdout."""

    def __init__(self, capsys: pytest.CaptureFixture[str], where: list[str]) -> None:
        self._capsys = capsys
        self.where = where

    def __call__(self, verb: str, *words: object) -> str:
        code = main(["plan", verb, *self.where, *map(str, words)])
        shown = self._capsys.readouterr()
        assert (code, shown.err) == (0, ""), shown.err
        return shown.out

    def json(self, verb: str, *words: object) -> object:
        return json.loads(self(verb, "--json", *words))

    def refused(self, verb: str, *words: object) -> str:
        assert main(["plan", verb, *self.where, *map(str, words)]) == 1
        shown = self._capsys.readouterr()
        assert shown.out == ""
        (line,) = shown.err.splitlines()
        return line


@pytest.fixture(params=["directory", "swift"])
def plan(request, capsys, tmp_path, monkeypatch):
    work = tmp_path / "work"
    config = tmp_path / "ffwd.conf"
    if request.param == "directory":
        config.write_text(f"[ffwd]\nwork_dir = {work}\n")
        yield Plan(capsys, ["--config-file", str(config)])
        return
    with swift_stub.serving() as stub:
        monkeypatch.setenv("OS_STORAGE_URL", stub.url)
        monkeypatch.setenv("OS_AUTH_TOKEN", stub.token)
        config.write_text(f"[ffwd]\nwork_dir = {work}\nplan_backend = swift\n")
        yield Plan(capsys, ["--config-file", str(config)])


def edit(templates: Path, value: object) -> Path:
    return write(templates, {ENVIRONMENT: f"parameter_defaults: {{Docker: {value}, AdminPassword: planted-{value}}}\n"})


def test_from_import_to_restore(plan: Plan, templates: Path) -> None:
    assert plan.json("list") == []
    told = plan("import", "overcloud", edit(templates, 1), "-e", ENVIRONMENT, "--phase", "prepare")
    assert told.startswith("Version 1 of plan overcloud is current, with ")
    told = plan("import", "overcloud", templates, "--phase", "prepare")
    assert told.startswith("Version 1 of plan overcloud has ")
    plan("import", "overcloud", edit(templates, 2), "--phase", "prepare")
    assert "overcloud" in plan("list") and "current" in plan("list", "overcloud")
    assert plan.json("list") == [{"plan": "overcloud", "current": 2, "versions": 2}]
    rows = plan.json("list", "overcloud")
    assert [(row["number"], row["current"]) for row in rows] == [(1, False), (2, True)]
    found = plan.json("diff", "overcloud")
    assert found["parameters"]["changed"] == {"AdminPassword": ["******"] * 2, "Docker": [1, 2]}
    told = plan("diff", "overcloud", 1, 2)
    assert "~ Docker: 1 → 2\n" in told and "~ AdminPassword: ****** (changed)\n" in told and "planted" not in told
    told = plan("restore", "overcloud", 1)
    assert told.startswith("Version 3 of plan overcloud is current: version 1 again, ")
    assert plan("diff", "overcloud", 1, 3) == "Versions 1 and 3 are the same.\n"
    shown = plan.json("show", "overcloud")
    assert (shown["number"], shown["restored_from"], shown["held_by"], shown["changed_by_others"]) == (3, 1, None, [])
    told = plan("show", "overcloud", "--version", 2)
    assert f"{ENVIRONMENT} (yours)" in told and "ffwd-upgrade-prepare.yaml (of the phase)" in told
    assert "planted" not in told


def test_the_number_of_versions_kept_is_an_option(plan: Plan, templates: Path) -> None:
    config = Path(plan.where[1])
    config.write_text(config.read_text() + "plan_versions_kept = 2\n")
    for value in (1, 2, 3):
        plan("import", "p", edit(templates, value), "-e", ENVIRONMENT)
    assert [row["number"] for row in plan.json("list", "p")] == [2, 3]


def test_show_tells_what_was_found_in_a_version(plan: Plan, templates: Path) -> None:
    plan("import", "overcloud", edit(templates, 1), "-e", ENVIRONMENT)
    told = plan("show", "overcloud")
    assert f"{ENVIRONMENT}, line 1: No template has a parameter Docker: Heat passes over it" in told
    (first, *_) = plan.json("show", "overcloud")["warnings"]
    assert set(first) == {"kind", "what", "where", "remedy"} and first["where"] == f"{ENVIRONMENT}, line 1"
    write(templates, {ENVIRONMENT: "{}\n"})
    told = plan("import", "overcloud", templates, "-e", ENVIRONMENT)
    assert told.endswith("; 2 warnings, see `tripleo-ffwd plan show overcloud`\n")
    assert "warning" in plan("show", "overcloud", "--version", 1)
    assert "stack keeps the parameter Docker" in plan("show", "overcloud")


@pytest.mark.parametrize("name", ["out", "out.tar.gz"])
def test_what_is_exported_is_imported_as_the_same(plan: Plan, templates: Path, tmp_path: Path, name: str) -> None:
    said = "{environments: [{path: overcloud-resource-registry.yaml}], passwords: {AdminPassword: one}, "
    write(templates, {"plan-environment.yaml": f"{said}parameter_defaults: {{Own: 1}}}}\n"})
    plan("import", "overcloud", edit(templates, 1), "-e", ENVIRONMENT)
    told = plan("export", "overcloud", tmp_path / name)
    assert told.startswith(f"{tmp_path / name}: version 1 of plan overcloud, ")
    if name == "out":
        names = {path.relative_to(tmp_path / name).as_posix() for path in (tmp_path / name).rglob("*")}
    else:
        with tarfile.open(tmp_path / name) as archive:
            names = set(archive.getnames())
    assert {"plan-environment.yaml", "puppet/compute-role.yaml", "overcloud.j2.yaml", ENVIRONMENT} <= names
    assert "It exists already" in plan.refused("export", "overcloud", tmp_path / name)
    plan("import", "overcloud", tmp_path / name, *([] if name == "out" else ["-e", ENVIRONMENT]))
    found = plan.json("diff", "overcloud", 1, 2)
    assert not any(found["parameters"].values()) and not any(found["types"].values())


def absent(plan: Plan, templates: Path) -> tuple[str, list[object]]:
    return "import", ["p", templates / "no-such"]


def broken(plan: Plan, templates: Path) -> tuple[str, list[object]]:
    write(templates, {ENVIRONMENT: "a: [unclosed\n"})
    return "import", ["p", templates, "-e", ENVIRONMENT]


def no_environment(plan: Plan, templates: Path) -> tuple[str, list[object]]:
    return "import", ["p", templates, "-e", "environments/no-such.yaml"]


def bad_name(plan: Plan, templates: Path) -> tuple[str, list[object]]:
    return "import", ["../p", templates]


def no_plan(plan: Plan, templates: Path) -> tuple[str, list[object]]:
    return "show", ["p"]


def nothing_to_list(plan: Plan, templates: Path) -> tuple[str, list[object]]:
    return "list", ["p"]


def no_version(plan: Plan, templates: Path) -> tuple[str, list[object]]:
    plan("import", "p", templates)
    return "restore", ["p", "7"]


def current_one(plan: Plan, templates: Path) -> tuple[str, list[object]]:
    plan("import", "p", templates)
    return "restore", ["p", "1"]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (absent, "no-such"),
        (broken, "docker.yaml"),
        (no_environment, "environments/no-such.yaml"),
        (bad_name, "can't be the name of a plan"),
        (no_plan, "Plan p does not exist"),
        (nothing_to_list, "Plan p does not exist"),
        (no_version, "no version 7"),
        (current_one, "is the current one"),
    ],
)
def test_what_can_t_be_done_is_one_line(
    plan: Plan, templates: Path, make: Callable[[Plan, Path], tuple[str, list[object]]], told: str
) -> None:
    verb, words = make(plan, templates)
    before = plan.json("list")
    assert told in plan.refused(verb, *words)
    assert plan.json("list") == before


def test_a_plan_that_a_phase_holds_is_left_to_it(templates: Path, tmp_path: Path, capsys) -> None:
    plan = Plan(capsys, ["--work-dir", str(tmp_path / "work")])
    plan("import", "p", templates)
    lock.acquire(tmp_path / "work", "p", "prepare", "an-execution", find_runs=tuple)
    for words in (("import", "p", templates), ("restore", "p", 1)):
        assert "in phase prepare" in plan.refused(*words)
    assert plan.json("show", "p")["held_by"]["execution"] == "an-execution"
    plan("export", "p", tmp_path / "out")


def test_swift_that_is_not_there_is_one_line(tmp_path: Path, capsys) -> None:
    (tmp_path / "c").write_text(f"[ffwd]\nwork_dir = {tmp_path}\nplan_backend = swift\n")
    told = Plan(capsys, ["--config-file", str(tmp_path / "c")]).refused("list")
    assert "Nothing says where Swift is" in told


def test_without_the_extra_only_swift_is_missing_and_says_so(tmp_path: Path, templates: Path) -> None:
    script = "import sys; sys.modules['swiftclient'] = None\nfrom tripleo_ffwd.cli.main import main\n"
    command = [sys.executable, "-c", f"{script}sys.exit(main(sys.argv[1:]))", "plan"]
    work = ["--work-dir", str(tmp_path / "work")]
    done = subprocess.run([*command, "import", "p", str(templates), *work], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run([*command, "import", "p", "swift:p", *work], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Install the extra: pip install 'tripleo-ffwd[swift]'" in done.stderr and len(done.stderr.splitlines()) == 1
