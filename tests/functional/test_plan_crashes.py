"""A writer of a plan that is killed, has no room, or is not alone: the plan is as it was, and the next write works.

Nothing of ours is replaced: a process is killed at its own system calls (or at a request to Swift), the kernel refuses
its writes.
"""

from __future__ import annotations

import functools
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import swift_stub
from plan_stores import FILES, in_swift, write
from swift_server import Account

from tripleo_ffwd.exceptions import WriteRefused
from tripleo_ffwd.plan.store import PlanStore, PlanVersion
from tripleo_ffwd.plan.tree import contents, digest

ENVIRONMENT = "environments/docker.yaml"

CHANGES = ("os.rename", "os.symlink", "os.remove", "os.rmdir", "os.mkdir", "os.chmod")


def forked(function: Callable[[], object]) -> int:
    """Run a function in a child process; return the child's id. Its exit code is 0, or 1 after an exception."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        function()
        code = 0
    finally:
        # What pytest would do on the way out is the parent's.
        if code:
            traceback.print_exc()
        os._exit(code)


def ended(child: int) -> int:
    """Wait for a child; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def write_version(work_dir: Path, templates: Path, at: int, count: Path | None = None) -> None:
    """Make a version and be killed at change number `at` to the file system; 0 for never, then tell how many."""
    store, changes = PlanStore(work_dir, keep=2), 0

    def audit(event: str, args: tuple[object, ...]) -> None:
        nonlocal changes
        opened = event == "open" and isinstance(args[2], int) and bool(args[2] & os.O_WRONLY)
        if event in CHANGES or opened:
            changes += 1
            if changes == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
    store.create_version("p", templates=templates, phase="prepare")
    if count is not None:
        count.write_text(str(changes))


def check_whole(store: PlanStore, version: PlanVersion) -> None:
    assert digest(version.files_dir, version.environments)[0] == version.digest


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    return write(tmp_path / "templates", FILES)


@pytest.fixture
def store(tmp_path: Path, templates: Path) -> PlanStore:
    """A plan with two versions, of which two are kept."""
    store = PlanStore(tmp_path / "work", keep=2)
    for value in (1, 2):
        write(templates, {ENVIRONMENT: f"parameter_defaults: {{V: {value}}}\n"})
        store.create_version("p", templates=templates, environments=[ENVIRONMENT], phase="prepare")
    write(templates, {ENVIRONMENT: "parameter_defaults: {V: 3}\n"})
    return store


def test_kill_9_at_any_moment_leaves_one_whole_current_version_and_the_next_write_works(store, templates, tmp_path):
    shutil.copytree(tmp_path / "work", tmp_path / "rehearsal", symlinks=True)
    count = tmp_path / "count"
    assert ended(forked(lambda: write_version(tmp_path / "rehearsal", templates, 0, count))) == 0
    total = int(count.read_text())
    before = store.current("p")
    reached = set()
    # The moments around the switch one by one, those before it, when files are put together, here and there.
    moments = [*range(1, max(total - 50, 1), max(total // 10, 1)), *range(max(total - 50, 1), total + 1, 2)]
    for moment in moments:
        work = tmp_path / f"work{moment}"
        shutil.copytree(tmp_path / "work", work, symlinks=True)
        assert ended(forked(functools.partial(write_version, work, templates, moment))) == -signal.SIGKILL
        left = PlanStore(work, keep=2)
        current = left.current("p")
        reached.add(current.number)
        assert current.number in (before.number, before.number + 1)
        for version in left.versions("p"):
            check_whole(left, version)
        made = left.create_version("p", templates=templates, phase="prepare")
        assert "V: 3" in (made.files_dir / ENVIRONMENT).read_text() and left.current("p") == made
        assert not list(work.rglob(".staging*"))
        shutil.rmtree(work)
    assert reached == {before.number, before.number + 1}


def test_a_full_disk_is_one_clear_error_and_leaves_the_plan_as_it_was(store, templates, tmp_path):
    """A file system of its own with little room, in a namespace of its own: no root is needed."""
    write(templates, {f"big{number}.txt": "x" * 40_000 for number in range(8)})
    work = tmp_path / "work"
    script = (
        f"mount -t tmpfs -o size=300k tmpfs {tmp_path}/small && cp -a {work}/. {tmp_path}/small/ && "
        f"{sys.executable} -m tripleo_ffwd.cli.main plan import p {templates} --work-dir {tmp_path}/small; echo $? && "
        f"rm {templates}/big*.txt && "
        f"{sys.executable} -m tripleo_ffwd.cli.main plan import p {templates} --work-dir {tmp_path}/small && "
        f"find {tmp_path}/small -name '.staging*'"
    )
    (tmp_path / "small").mkdir()
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script], capture_output=True, text=True)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no namespaces of our own here: {done.stderr.strip()}")
    (error,) = done.stderr.splitlines()
    assert "No space left on device" in error and "the plan is as it was" in error
    code, told = done.stdout.splitlines()
    assert code == "1" and told.startswith("Version 3 of plan p is current")


def test_a_file_that_can_t_be_written_to_its_end_leaves_the_plan_as_it_was(store, templates):
    before = store.versions("p")
    write(templates, {"big.txt": "x" * 100_000})

    def fill_up() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        with pytest.raises(WriteRefused, match="can't be written: File too large"):
            store.create_version("p", templates=templates, phase="prepare")

    assert ended(forked(fill_up)) == 0
    assert store.versions("p") == before and store.current("p") == before[-1]
    assert store.create_version("p", templates=templates, phase="prepare").number == 3


def test_two_writers_at_once_make_two_whole_versions_one_of_them_current(store, templates, tmp_path):
    other = shutil.copytree(templates, tmp_path / "other")
    write(other, {ENVIRONMENT: "parameter_defaults: {V: 4}\n"})
    sources = (templates, other, templates, other)
    writers = [forked(functools.partial(write_version, tmp_path / "work", source, 0)) for source in sources]
    assert [ended(writer) for writer in writers] == [0, 0, 0, 0]
    versions = store.versions("p")
    current = store.current("p")
    assert len(versions) == 2 and current in versions
    for version in versions:
        check_whole(store, version)
        assert "V: 3" in (version.files_dir / ENVIRONMENT).read_text() or version.number > 2


def test_kill_9_between_any_two_requests_to_swift_leaves_one_whole_current_version(templates, tmp_path):
    with swift_stub.serving() as stub:
        maker = in_swift(Account(stub.url, stub.token))
        reached = set()
        for step in range(1, 12):
            stub.containers.clear()
            write(templates, {ENVIRONMENT: "parameter_defaults: {V: 1}\n"})
            store = maker(tmp_path / f"work{step}")
            first = store.create_version("p", templates=templates, environments=[ENVIRONMENT], phase="prepare")
            write(templates, {ENVIRONMENT: "parameter_defaults: {V: 2}\n", "more.txt": "more"})
            killed = kill_at_write(
                stub, step, lambda: maker(tmp_path / "other").create_version("p", templates=templates)
            )
            left = maker(tmp_path / f"work{step}")
            current = left.current("p")
            reached.add(current.number)
            for version in left.versions("p"):
                check_whole(left, left.version("p", version.number))
            made = left.create_version("p", templates=templates, phase="prepare")
            assert left.current("p") == made and "V: 2" in (made.files_dir / ENVIRONMENT).read_text()
            there = stub.files("p")
            assert {name: there[name] for name in there if name != "plan-environment.yaml"} == {
                name: data for name, data in contents(made.files_dir).items() if name != "plan-environment.yaml"
            }
            if not killed:
                break
        assert not killed and reached == {first.number, first.number + 1}


def kill_at_write(stub: swift_stub.SwiftStub, step: int, writer: Callable[[], object]) -> bool:
    """Run a writer and kill it when it asks for its change number `step`; return whether it came to that."""
    writes = 0
    child = 0
    begun = threading.Event()

    def fault(method: str, container: str, name: str) -> str:
        nonlocal writes
        begun.wait(10)
        writes += method in ("PUT", "DELETE")
        if writes == step and method in ("PUT", "DELETE"):
            os.kill(child, signal.SIGKILL)
            return "cut"
        return "cut" if writes > step else ""

    stub.fault = fault
    try:
        child = forked(writer)
        begun.set()
        code = ended(child)
        assert code in (0, -signal.SIGKILL)
        return code != 0
    finally:
        stub.fault = lambda *_: ""
