"""What is told of runs that really were: where each node stands, and the report as JSON and as a page."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ansible_lab import PLAYBOOK, Trees, command, gate, play, run, spec_of

from tripleo_ffwd.ansible_run import history, reached
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.cli.main import main
from tripleo_ffwd.plan import journal, phases
from tripleo_ffwd.reporting import nodes

SECRET = "Rq7-dd4fs-Pp9x"
STAGES = ("-/step1/Controller/all", "-/step2/Controller/all", "-/step2/Compute/all")
MARKUP = "<b>Migrate</b> & 'go'"


class Page(HTMLParser):
    """Checks that elements are closed in turn; keeps tags and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "path", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("path", "rect"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style" and data.strip():
            self.texts.append(" ".join(data.split()))


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """An upgrade that failed on one node of three, with a secret in its output, and went on when that was mended."""
    root = tmp_path_factory.mktemp("report")
    work, broken = root / "work", root / "broken"
    broken.touch()
    fail = command(f"test ! -e {broken} || {{ echo token {{{{ a_token }}}}; echo second line; exit 3; }}", MARKUP)
    plays = [
        play(STAGES[0], "Controller", [command("true", "Stop services")]),
        gate(STAGES[0], "Controller"),
        play(STAGES[1], "Controller", [{**fail, "when": "inventory_hostname == 'ctl-1'"}]),
        gate(STAGES[1], "Controller"),
        play(STAGES[2], "Compute", [command("sleep 0.3", "Update packages")]),
    ]
    tree = Trees(root).make(plays, releases=["ocata", "pike", "queens"], rolling=[])
    asked = {"extra_vars": {"a_token": SECRET}, "resume": True}
    hosts = ["cmp-0", "ctl-0", "ctl-1"]
    for phase in ("prepare", "run"):
        phases.begin(work, "overcloud", phase, hosts[: 3 * (phase == "run")], execution=f"e-{phase}")
        journal.note(work, "overcloud", journal.BEGIN, phase=phase, execution=f"e-{phase}", user="operator", nodes=3)
        phases.finish(work, "overcloud", phase, hosts)
        journal.note(work, "overcloud", journal.END, phase=phase, execution=f"e-{phase}", status="SUCCESS", message="")
    phases.begin(work, "overcloud", "upgrade", hosts, execution="e-1", force_reason="")
    first = run(work, spec_of(tree, owner="e-1", **asked))
    assert first.result == "failed"
    (root / "rows.json").write_text(json.dumps(rows(work)))
    broken.unlink()
    second = run(work, spec_of(tree, owner="e-2", **asked))
    assert second.succeeded, second.message
    phases.finish_playbook(work, "overcloud", "upgrade", hosts, PLAYBOOK)
    return work


def rows(work: Path) -> list[dict]:
    from tripleo_ffwd.ansible_run import runs

    record = phases.read_record(work, "overcloud")
    return nodes.rows(record, nodes.of_this_journey(record, reached.of_runs(runs.list_runs(work, "overcloud"))))


def report(work: Path, form: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["report", "--work-dir", str(work), "--format", form]) == 0
    return out.getvalue()


def test_each_node_tells_what_it_has_finished_when_another_has_failed(work):
    at = {row["node"]: row for row in json.loads((work.parent / "rows.json").read_text())}
    assert [(at[name]["state"], at[name]["stages_done"]) for name in ("cmp-0", "ctl-0", "ctl-1")] == [
        ("stopped", 1),  # a gate of these small trees holds back its own role alone
        ("stopped", 2),
        ("failed", 1),
    ]
    assert (at["ctl-1"]["stage"], at["ctl-1"]["next"]) == (STAGES[0], STAGES[1])
    assert (at["ctl-1"]["phase"], at["ctl-1"]["release"], at["ctl-1"]["step"]) == ("upgrade", "queens", "step1")
    assert at["ctl-1"]["failed"] == {"stage": STAGES[1], "task": MARKUP}
    assert at["cmp-0"]["left"][0] == "upgrade upgrade_steps"


def test_each_node_tells_what_the_run_has_finished_that_it_went_on_with(work):
    at = {row["node"]: row for row in rows(work)}
    assert {(row["state"], row["stages_done"] == row["stages_total"]) for row in at.values()} == {("waiting", True)}
    assert at["ctl-1"]["left"] == ["upgrade deploy_steps", "upgrade post_upgrade_steps", "converge"]
    assert (at["cmp-0"]["role"], at["cmp-0"]["stages_done"], at["cmp-0"]["failed"]) == ("Compute", 1, None)


def test_what_is_kept_at_the_end_of_a_run_is_what_its_ledger_tells(work):
    from tripleo_ffwd.ansible_run import runs

    for status in runs.list_runs(work):
        kept = Path(status.run_dir) / reached.FILE
        before = json.loads(kept.read_text())
        kept.unlink()
        reached.of_run(RunDir(Path(status.run_dir)), status)
        assert json.loads(kept.read_text()) == before


def test_a_new_journey_begins_without_what_the_last_one_reached(work, tmp_path):
    hosts = ["cmp-0", "ctl-0", "ctl-1"]
    record = phases.read_record(work, "overcloud")
    done = {node: {"run": "finished", "upgrade": "finished", "converge": "finished"} for node in hosts}
    old = phases.PhaseRecord(prepare="finished", nodes=done, journey=record.journey)
    phases._write(tmp_path, "overcloud", old)
    phases.begin(tmp_path, "overcloud", "prepare", hosts, execution="e-9")
    begun = phases.read_record(tmp_path, "overcloud")
    assert begun.journey > record.journey
    assert nodes.of_this_journey(begun, reached.of_runs(_statuses(work))) == []


def _statuses(work):
    from tripleo_ffwd.ansible_run import runs

    return runs.list_runs(work)


def test_the_report_has_it_all(work):
    found = json.loads(report(work, "json"))
    assert [(one["phase"], one["execution"], one["result"]) for one in found["phases"]] == [
        ("prepare", "e-prepare", "success"),
        ("run", "e-run", "success"),
        ("upgrade", "e-1", "failed"),
        ("upgrade", "e-2", "successful"),
    ]
    first, second = found["runs"]
    assert second["resumes"] == first["run_id"]
    assert re.fullmatch("[0-9a-f]{64}", first["inventory"])
    (timeline,) = found["timelines"]
    assert [stage["id"] for stage in timeline["stages"]] == list(STAGES)
    cells = {row["host"]: row["cells"] for row in timeline["hosts"]}
    assert cells == {"cmp-0": "..c", "ctl-0": "cs.", "ctl-1": "cr."}
    assert timeline["stages"][1]["failed"] == 0, "it was mended"
    assert timeline["stages"][2]["seconds"] >= 0.3
    assert found["slowest"][0]["seconds"] >= found["slowest"][-1]["seconds"]
    assert {task["task"] for task in found["slowest"]} >= {"Stop services", "Update packages"}
    (failure,) = found["failures"]
    assert (failure["host"], failure["task"], failure["stage"]) == ("ctl-1", MARKUP, STAGES[1])
    assert "second line" in failure["output"] and "******" in failure["output"]
    assert found["versions"].keys() >= {"tripleo-ffwd", "ansible-core"}
    assert found["left"] == {"upgrade": 3, "converge": 3}


def test_the_page_is_whole_quotes_what_it_shows_and_needs_nothing_else(work):
    text = report(work, "html")
    page = Page(text)
    assert MARKUP in " ".join(page.texts), "quoted, and shown as it is"
    assert "<b>Migrate" not in text
    assert SECRET not in text and SECRET not in report(work, "json")
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe", "object")]
    assert all(not (attrs.get("href") or "#").startswith(("http", "//")) for _, attrs in page.tags)
    assert "url(" not in text and "@import" not in text
    classes = {attrs.get("class") for tag, attrs in page.tags if tag == "path"}
    assert classes >= {"changed", "again", "gaps", "time"}


def test_a_run_that_can_not_be_read_is_told_of(work, tmp_path):
    copy = tmp_path / "work"
    shutil.copytree(work, copy)
    first, _ = sorted((copy / "runs").glob("2*"))
    (first / "spec.json").write_text("{")
    (first / "history.json").unlink(missing_ok=True)
    found = json.loads(report(copy, "json"))
    assert found["notes"] == [f"Run {first.name} can't be read: its records are damaged, or its playbooks gone"]
    assert found["runs"][0]["result"] == "failed" and len(found["timelines"]) == 1
    assert found["notes"][0] in " ".join(Page(report(copy, "html")).texts)


def test_a_report_goes_to_a_file_of_the_owner_alone(work, tmp_path, capsys):
    file = tmp_path / "report.html"
    assert main(["report", "--work-dir", str(work), "--output", str(file)]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert capsys.readouterr().out == f"{file}: 2 runs, 1 failed tasks\n"
    assert main(["report", "--work-dir", str(work), "--plan", "other"]) == 1
    assert "Nothing is known of plan other" in capsys.readouterr().err


def test_what_a_run_has_done_is_read_once(work):
    status = _statuses(work)[0]
    run_dir = RunDir(Path(status.run_dir))
    told = history.of_run(run_dir, status)
    ledger = run_dir.ledger.read_bytes()
    run_dir.ledger.write_bytes(b"")
    try:
        assert history.of_run(run_dir, status) == told
    finally:
        run_dir.ledger.write_bytes(ledger)
