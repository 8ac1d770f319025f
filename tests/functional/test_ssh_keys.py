"""The private key that a run is handed: who holds it while the run is live, and that nobody does afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from ansible_lab import Trees, blocked, command, finish, is_running, play, spec_of, start, supervisor_of
from support import until

from tripleo_ffwd.ansible_run import keys, rundir, runs
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.exceptions import InvalidInput

STAGE = "-/step1/Controller/all"


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> str:
    return make_key(tmp_path_factory.mktemp("keys") / "plain")


def make_key(path: Path, *options: str, passphrase: str = "") -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", *options, "-N", passphrase, "-f", path], check=True)
    return path.read_text()


def holding(root: Path, key: str) -> list[Path]:
    needle = key.splitlines()[2].encode()
    return [path for path in root.rglob("*") if path.is_file() and needle in path.read_bytes()]


def agents(pid: int) -> list[psutil.Process]:
    return [process for process in psutil.Process(pid).children(recursive=True) if process.name() == "ssh-agent"]


def test_a_key_is_held_by_an_agent_and_by_no_file(trees: Trees, work: Path, tmp_path: Path, key: str) -> None:
    # Two hosts write it: each puts a whole file in its place.
    offer = f"ssh-add -L > {tmp_path}/mine.$$; mv {tmp_path}/mine.$$ {tmp_path}/offered"
    tree, told = blocked(trees, tmp_path, text=offer)
    status, _ = start(work, spec_of(tree, ssh_key_env="ssh_keys"), ssh_key=key)
    until("the task to begin", told.exists)
    (agent,) = agents(supervisor_of(status))
    assert (tmp_path / "offered").read_text().startswith("ssh-ed25519 ")
    assert holding(work, key) == []
    assert runs.cancel(Path(status.run_dir), now=True, wait=20).result == "cancelled"
    assert not agent.is_running()
    assert holding(work, key) == []


def test_the_agent_of_a_killed_supervisor_is_gone_with_the_first_look(
    trees: Trees, work: Path, tmp_path: Path, key: str
) -> None:
    tree, told = blocked(trees, tmp_path)
    status, _ = start(work, spec_of(tree, ssh_key_env="ssh_keys"), ssh_key=key)
    until("the task to begin", told.exists)
    pid = supervisor_of(status)
    (agent,) = agents(pid)
    os.kill(pid, signal.SIGKILL)
    until("the end of the supervisor", lambda: not is_running(pid))
    assert runs.status(Path(status.run_dir)).state == "interrupted"
    until("the end of the agent", lambda: not is_running(agent.pid), 2)
    assert holding(work, key) == []


def test_without_an_agent_the_key_is_a_private_file_until_the_end(
    trees: Trees, work: Path, tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for path in Path("/usr/bin").iterdir():
        if path.name != "ssh-agent":
            (programs / path.name).symlink_to(path)
    monkeypatch.setenv("PATH", str(programs))
    show = command(
        f"stat -c '%a %n' $ANSIBLE_PRIVATE_KEY_FILE > {tmp_path}/shown; cp $ANSIBLE_PRIVATE_KEY_FILE {tmp_path}"
    )
    tree = trees.make([play(STAGE, "undercloud", [show])])
    status = finish(start(work, spec_of(tree, ssh_key_env="ssh_keys"), ssh_key=key)[0])
    assert status.result == "successful"
    assert (tmp_path / "shown").read_text() == f"600 {status.run_dir}/ansible/ssh_key\n"
    assert (tmp_path / "ssh_key").read_text() == key
    assert holding(work, key) == []


def test_what_is_handed_to_a_supervisor_that_never_comes_is_removed(trees: Trees, work: Path, key: str) -> None:
    tree = trees.make([play(STAGE, "Controller", [command("true")])])
    (work / "runs").mkdir(parents=True, mode=0o700)
    launch = {"created": 0}  # long ago
    made: RunDir = rundir.create(work, spec_of(tree), launch, keys.handed(key, ["a secret"]))
    assert holding(work, key) == [made.handed] and made.handed.stat().st_mode & 0o777 == 0o600
    assert runs.status(made.path).state == "interrupted"
    assert holding(work, key) == []


@pytest.mark.parametrize("where", ["text", "file"])
def test_a_key_that_no_run_can_use_is_refused_by_name(
    trees: Trees, work: Path, tmp_path: Path, key: str, where: str
) -> None:
    locked = make_key(tmp_path / "locked", passphrase="swordfish")
    for text, told in (
        (locked, "passphrase"),
        (key[: len(key) // 2], "no private key"),
        ("ssh-rsa AA", "no private key"),
    ):
        path = tmp_path / "given"
        path.touch(0o600)
        path.write_text(text)
        with pytest.raises(InvalidInput, match=told) as caught:
            if where == "text":
                keys.check(text, "Mistral environment ssh_keys")
            else:
                tree = trees.make([play(STAGE, "Controller", [command("true")])])
                start(work, spec_of(tree, ssh_key_file=str(path)))
        assert ("ssh_keys" if where == "text" else str(path)) in str(caught.value)
        assert text.splitlines()[-1] not in str(caught.value)
    assert runs.list_runs(work) == ()


def test_line_ends_of_a_key_that_was_typed_in_are_mended(key: str) -> None:
    assert keys.check(key.rstrip().replace("\n", "\r\n"), "here") == key
