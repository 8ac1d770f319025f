"""Hosts of a rolling role that go through a stage some by some, or freely: the next stage waits for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_lab import HOSTS, Trees, command, play, records, run, spec_of

from tripleo_ffwd.model import GATE_TASK, RunStatus

ZERO, ONE, TWO = (f"-/step{number}/overcloud/all" for number in range(3))
# As generated ones are.
MISSED = "ansible_play_hosts_all | difference(ansible_play_hosts)"
GATE = {
    "name": GATE_TASK,
    "fail": {"msg": f"lost {{{{ {MISSED} }}}}"},
    "when": f"{MISSED} | length > 0",
    "run_once": True,
}


def stages(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]]:
    before = play(ZERO, "overcloud", [{**command("true", "begin"), "run_once": True}])
    return [before, play(ONE, "overcloud", [*first, GATE]), play(TWO, "overcloud", second)]


def note(path: Path, text: str, then: str = "true") -> dict[str, Any]:
    return command(f"echo {{{{ inventory_hostname }}}}-{text} >> {path}/notes; {then}", f"note {text}")


def notes(path: Path) -> list[str]:
    return (path / "notes").read_text().split()


def batches(of: RunStatus, stage: str) -> list[set[str]]:
    """The hosts of each batch of a stage, by the ledger."""
    found: list[set[str]] = []
    for record in records(of, stage=stage):
        if record["event"] == "task" and record["task"] == "note one":
            found.append(set())
        elif record["event"] == "task_start" and record["task"] == "note one":
            found[-1].add(record["host"])
    return found


def test_a_batch_that_fails_is_the_last_and_going_on_begins_with_those_that_are_left(
    trees: Trees, work: Path, tmp_path: Path
) -> None:
    fails = f"test {{{{ inventory_hostname }}}} != ctl-0 || test -e {tmp_path}/mended"
    tree = trees.make(
        stages([note(tmp_path, "one"), note(tmp_path, "two", fails)], [note(tmp_path, "three")]), rolling=["overcloud"]
    )
    first = run(work, spec_of(tree, serial=(2,)))
    assert (first.result, first.stages_done) == ("failed", 1), first.message
    assert batches(first, ONE) == [{"cmp-0", "ctl-0"}]
    assert sorted(notes(tmp_path)) == ["cmp-0-one", "cmp-0-two", "ctl-0-one", "ctl-0-two"], "the third has not begun"
    (tmp_path / "mended").touch()
    (tmp_path / "notes").unlink()
    second = run(work, spec_of(tree, serial=(1,), resume=True))
    assert (second.result, second.stages_done) == ("successful", 3), second.message
    # What had finished the stage is not begun again; each is through before the next one begins.
    assert notes(tmp_path)[:4] == ["ctl-0-one", "ctl-0-two", "ctl-1-one", "ctl-1-two"]
    assert sorted(notes(tmp_path)[4:]) == ["cmp-0-three", "ctl-0-three", "ctl-1-three"]


def test_free_hosts_do_not_begin_the_next_stage_without_one_that_fails_late(
    trees: Trees, work: Path, tmp_path: Path
) -> None:
    told = f"{tmp_path}/through"
    late = f"if [ {{{{ inventory_hostname }}}} = cmp-0 ]; then until test $(grep -c -e -two {tmp_path}/notes) -ge 3; "
    late += f"do sleep 0.1; done; test -e {told}; fi"
    tree = trees.make(
        stages([note(tmp_path, "one"), note(tmp_path, "two", late)], [note(tmp_path, "three")]), rolling=["overcloud"]
    )
    first = run(work, spec_of(tree, strategy="free"))
    assert (first.result, first.failed[0].host) == ("failed", "cmp-0"), first.message
    assert not [name for name in notes(tmp_path) if name.endswith("three")]
    Path(told).touch()
    second = run(work, spec_of(tree, strategy="free", resume=True))
    assert (second.result, second.stages_done) == ("successful", 3), second.message
    assert sorted(name for name in notes(tmp_path) if name.endswith("three")) == sorted(
        f"{host}-three" for host in HOSTS
    )


def test_check_mode_goes_through_although_what_it_skips_has_no_output(trees: Trees, work: Path, tmp_path: Path) -> None:
    asks = {**command("systemctl is-enabled httpd", "ask"), "register": "asked"}
    looks = {"name": "look", "set_fact": {"enabled": "{{ asked.stdout.split()[0] == 'enabled' }}"}}
    tree = trees.make(stages([asks, looks, note(tmp_path, "one")], [note(tmp_path, "two")]))
    tried = run(work, spec_of(tree, check=True))
    assert (tried.result, tried.stages_done, tried.failed) == ("successful", 3, ()), tried.message
    assert "but for 3 tasks that check mode can't try, or that would fail; the first is 'look' on" in tried.message
    assert not (tmp_path / "notes").exists()
    assert run(work, spec_of(tree)).result == "failed", "it is what it is outside check mode"
