"""The wheel, in an empty virtual environment without the extra `embedded`, from a directory of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SAMPLE = PROJECT / "tests/unit/embedded/samples/prepare_outputs.json"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A directory with a virtual environment, `venv`, that has nothing but the wheel and what it needs."""
    root = tmp_path_factory.mktemp("wheel")
    source = root / "source"
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    for name in files.stdout.splitlines():
        if (PROJECT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, source / name, follow_symlinks=False)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(root), str(source)], check=True)
    (wheel,) = root.glob("*.whl")
    venv.create(root / "venv", symlinks=True)
    subprocess.run([*pip, "--python", str(root / "venv/bin/python"), "install", str(wheel)], check=True)
    return root


@pytest.fixture(scope="module")
def tripleo_ffwd(installed):
    """Run the installed command; returns what it said and how it ended."""
    root = installed
    elsewhere = root / "elsewhere"
    elsewhere.mkdir()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(root / "venv/bin/tripleo-ffwd"), *arguments]
        return subprocess.run(
            command, cwd=elsewhere, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin"}
        )

    return run


def test_register_and_verify_find_the_workbook_in_the_wheel(tripleo_ffwd, cloud):
    url = ["--mistral-url", cloud.mistral.url]
    assert "ffwd_upgrade.v1: unchanged" in tripleo_ffwd("register", *url).stdout
    verified = tripleo_ffwd("verify", *url)
    assert verified.returncode == 0, verified.stdout
    assert "launcher: ok, runs are started by detach" in verified.stdout


def test_the_wheel_has_what_runs_inside_ansible(installed):
    script = "from tripleo_ffwd.ansible_run.command import PLUGINS; print(*PLUGINS.iterdir())"
    python = str(installed / "venv/bin/python")
    done = subprocess.run([python, "-c", script], cwd="/", check=True, capture_output=True, text=True)
    assert [Path(name).name for name in done.stdout.split() if name.endswith(".py")] == ["ffwd.py"]
    assert str(installed) in done.stdout


def test_generate_and_preview(tripleo_ffwd, tmp_path):
    done = tripleo_ffwd("generate", "--outputs", str(SAMPLE), "--output-dir", str(tmp_path / "out"), "--phase", "run")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["releases"] == ["ocata", "pike", "queens"]
    shown = tripleo_ffwd("preview", "--outputs", str(SAMPLE), "--phase", "run", "--format", "json")
    assert shown.returncode == 0, shown.stderr


@pytest.mark.parametrize("command", [["demo"], ["nodes", "start"], ["undercloud", "start"]])
def test_what_needs_the_extra_says_so(tripleo_ffwd, command):
    done = tripleo_ffwd(*command)
    assert done.returncode == 1
    assert "tripleo-ffwd[embedded]" in done.stderr
    assert "Traceback" not in done.stderr
