"""The commands of `openstack` as a person drives them: on terminals and in pipes. The tests build on each other."""

from __future__ import annotations

import signal
from pathlib import Path

import asyncssh
import pytest
import small_overcloud
from openstack_cli import ESCAPES, Openstack
from support import processes_naming, until

from tripleo_ffwd import config, heat

STACK = "small"
QUICK = ("--stack", STACK, "--poll-interval", "1")
ABOUT = ("--stack", STACK)
FFWD = ("overcloud", "ffwd-upgrade")
# The words of the Queens client.
WARNING = "Warning! The TripleO Fast Forward Upgrade workflow is a critical operation against the deployed environment."
QUESTION = "Type 'yes' to continue and anything else to cancel."


@pytest.fixture(scope="module")
def gate(tmp_path_factory) -> Path:
    """The tasks of steps 1 and 3 wait for a file of the step's number here; with `broken` step 2 fails."""
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="module")
def templates(cloud, gate, tmp_path_factory) -> Path:
    directory = small_overcloud.templates(tmp_path_factory.mktemp("templates"), gate)
    client = heat.connect(config.load_file(cloud.site.mistral / "mistral.conf"), None)
    heat.create(client, STACK, heat.build_bundle(directory / "overcloud.yaml", []), 120)
    return directory


@pytest.fixture(scope="module")
def openstack(cloud, templates, tmp_path_factory):
    client = Openstack(tmp_path_factory.mktemp("operator"), {"OS_MISTRAL_URL": cloud.mistral.url})
    yield client
    client.close()


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> str:
    """A key for ssh; nobody is asked by ssh here, the nodes are this machine."""
    file = tmp_path_factory.mktemp("ssh") / "key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(file)
    file.chmod(0o600)
    return str(file)


@pytest.fixture
def terminal(openstack):
    """Start commands on terminals of their own."""
    started = []

    def start(*arguments: str):
        started.append(openstack.terminal(*arguments))
        return started[-1]

    yield start
    for one in started:
        one.close()


def live_run(cloud):
    return until("a live run", lambda: next((run for run in cloud.runs(STACK) if run.state == "live"), None))


def test_the_plan_is_not_known_before_prepare(openstack):
    done = openstack(*FFWD, "status", *ABOUT)
    assert (done.code, done.out) == (1, "")
    assert f"Plan {STACK} is not known." in done.err
    assert "prepare, makes one" in done.err


def test_answering_no_begins_nothing(terminal, cloud, templates):
    before = cloud.mistral.newest(["ffwd_upgrade.v1.prepare"])
    seen = terminal(*FFWD, "prepare", *QUICK, "--templates", str(templates))
    seen.sees(WARNING)
    seen.sees(QUESTION)
    seen.types("no")
    assert seen.ends() == 1
    assert "Cancelling fast forward upgrade" in seen.seen
    assert len(cloud.mistral.newest(["ffwd_upgrade.v1.prepare"])) == len(before)


def test_prepare_in_a_pipe_tells_lines(openstack, templates):
    done = openstack(*FFWD, "prepare", *QUICK, "--yes", "--templates", str(templates), "--no-cleanup")
    assert done.code == 0, done.err
    assert WARNING in done.out and QUESTION not in done.out
    assert "update plan\n" in done.out and "update stack\n" in done.out
    assert f"Phase prepare of plan {STACK} has finished." in done.out
    assert not ESCAPES.search(done.out)
    assert done.err.startswith("--no-cleanup has no effect: ")


def test_a_run_on_a_terminal_is_cancelled_after_ctrl_c_and_a_second_one_is_refused(
    terminal, openstack, cloud, gate, key
):
    seen = terminal(*FFWD, "run", *QUICK, "--no-checks", "--ssh-key-file", key)
    seen.sees(QUESTION)
    seen.types("yes")
    seen.sees("execution ")
    seen.sees("Stop the conductor")
    seen.sees("ocata")
    run = live_run(cloud)

    refused = openstack(*FFWD, "run", *QUICK, "--yes")
    assert refused.code == 1
    assert "in phase run since" in refused.err and run.owner in refused.err
    again = openstack(*FFWD, "resume", *ABOUT)
    assert again.code == 1 and f"Phase run of plan {STACK} is under way" in again.err
    told = openstack(*FFWD, "status", *ABOUT, "-f", "json").data
    assert (told["phase"]["name"], told["phase"]["execution"]) == ("run", run.owner)
    assert told["last_run"][0]["running"][0]["task"] == "Stop the conductor"
    assert {row["state"] for row in told["nodes"].values()} == {"running"}

    seen.interrupts()
    seen.sees("[p]ause it where its next stage begins")
    seen.types("c")
    seen.sees(f"Asked to end: {run.run_id}")
    (gate / "1").touch()
    assert seen.ends() == 1
    assert f"Phase run of plan {STACK} failed: cancelled" in seen.seen
    assert processes_naming(run.run_id) == []


def test_resume_shows_a_failure_in_full(terminal, gate):
    (gate / "broken").touch()
    seen = terminal(*FFWD, "resume", *ABOUT)
    assert seen.ends() == 1
    assert "FAILED  ctl-1  ocata/step2/Controller/all  Migrate the schema" in seen.seen
    for line in small_overcloud.REASON.splitlines():
        assert line in seen.seen
    (gate / "broken").unlink()


def test_status_tells_who_failed_where_and_how_far_the_others_came(openstack):
    nodes = openstack(*FFWD, "status", *ABOUT, "-f", "json").data["nodes"]
    # The first run was cancelled in step 1; the second one went on from there.
    assert [(nodes[name]["state"], nodes[name]["step"]) for name in sorted(nodes)] == [
        ("stopped", "step2"),
        ("failed", "step1"),
        ("stopped", "step2"),
    ]
    assert nodes["ctl-1"]["failed"] == {"stage": "ocata/step2/Controller/all", "task": "Migrate the schema"}
    assert nodes["ctl-1"]["next"] == "ocata/step2/Controller/all"
    table = openstack(*FFWD, "status", *ABOUT).out
    assert "run failed, fast_forward_upgrade 2/4 stages, ocata step1 finished, FAILED at 'Migrate the schema'" in table


def test_who_watches_in_a_pipe_leaves_it_running_and_finds_it_again(openstack, cloud, gate):
    started = openstack(*FFWD, "resume", *ABOUT, "--no-wait")
    assert started.code == 0, started.err
    run = live_run(cloud)
    with openstack.piped(*FFWD, "watch", *ABOUT) as watching:
        lines = []
        for line in watching.stdout:
            lines.append(line)
            if "ocata step3 Controller all" in line:
                watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130
    assert "fast_forward_upgrade  ocata step3 Controller all  hosts 0/3  stages 3/4" in "".join(lines)
    assert f"openstack overcloud ffwd-upgrade watch --execution {run.owner}" in lines[-1]
    assert live_run(cloud).run_id == run.run_id

    paused = openstack(*FFWD, "pause", *ABOUT)
    assert paused.code == 0
    assert f"Asked to end where the next stage begins: {run.run_id}" in paused.out
    assert f"Asked to go on: {run.run_id}" in openstack(*FFWD, "pause", *ABOUT, "--undo").out
    (gate / "3").touch()
    watched = openstack(*FFWD, "watch", "--execution", run.owner)
    assert watched.code == 0, watched.err
    assert f"Phase run of plan {STACK} has finished on 3 nodes" in watched.out


def test_what_has_finished_is_neither_watched_nor_resumed_nor_cancelled(openstack):
    again = openstack(*FFWD, "resume", *ABOUT)
    assert again.code == 1
    assert "has finished. Go on with the next phase" in again.err
    watched = openstack(*FFWD, "watch", *ABOUT)
    assert watched.code == 0
    assert "Nothing is under way" in watched.out
    cancelled = openstack(*FFWD, "cancel", *ABOUT)
    assert cancelled.code == 1
    assert "No run of plan" in cancelled.out


def test_status_and_list_in_every_format(openstack):
    table = openstack(*FFWD, "status", *ABOUT)
    assert "run finished, ocata: 3 nodes: ctl-0, ctl-1, ctl-2" in table.out
    assert "upgrade (upgrade_steps, deploy_steps, post_upgrade_steps): 3 nodes" in table.out
    told = openstack(*FFWD, "status", *ABOUT, "-f", "json").data
    row = told["nodes"]["ctl-2"]
    assert row["phases"] == {"prepare": "finished", "run": "finished"}
    assert (row["role"], row["release"], row["step"], row["stages_done"]) == ("Controller", "ocata", "step3", 4)
    assert row["left"] == ["upgrade upgrade_steps", "upgrade deploy_steps", "upgrade post_upgrade_steps", "converge"]
    assert [one["phase"] for one in told["left"]] == ["upgrade", "converge"]
    value = openstack(*FFWD, "nodes", *ABOUT, "-f", "value", "-c", "Node", "-c", "State", "-c", "Step").out
    assert value.split("\n")[0] == "ctl-0 finished step3"
    runs = openstack(*FFWD, "list", *ABOUT, "-f", "json").data
    assert [run["State"] for run in runs] == ["cancelled", "failed", "successful"]
    states = openstack(*FFWD, "list", *ABOUT, "-f", "value", "-c", "State").out
    assert states.split() == [run["State"] for run in runs]
    assert "Playbook: fast_forward_upgrade_playbook.yaml" in openstack(*FFWD, "list", *ABOUT, "-f", "yaml").out
    assert openstack(*FFWD, "list", *ABOUT, "--all-plans", "-f", "csv", "--limit", "1").out.count("\n") == 2


def test_who_wants_to_know_is_told_and_a_dead_receiver_is_named(openstack, cloud, queues):
    last = cloud.runs(STACK)[-1]

    def told() -> list[dict]:
        bodies = [body["payload"] for queue, body in list(queues.bodies) if queue == "ffwd-notices"]
        found = [one for one in bodies if one["plan"] == STACK and one["execution"] == last.owner]
        return found if found and found[-1]["event"] == "phase_ended" else []

    messages = until("the last notification", told)
    assert [messages[0]["event"], messages[-1]["status"]] == ["phase_started", "SUCCESS"]
    stages = [one for one in messages if one["event"] == "stage"]
    assert stages[-1]["run_id"] == last.run_id and stages[-1]["stages_done"] == stages[-1]["stages_total"] == 4
    failures = [body["payload"] for _, body in list(queues.bodies) if body["payload"].get("event") == "failure"]
    assert failures[0]["failed"][0]["task"] == "Migrate the schema"
    (late,) = openstack(*FFWD, "status", *ABOUT, "-f", "json").data["late"]
    assert (late["receiver"], late["error"]) == ("webhook", "127.0.0.1: Connection refused")
    assert late["waiting"] > len(messages), "those of the other phases, too"
    log = (cloud.site.mistral / "mistral.log").read_text()
    assert "webhook did not take a message: 127.0.0.1: Connection refused" in log and "hk-7f1c9be2" not in log


def test_a_preview_shows_the_stages_and_touches_nothing(openstack, cloud, tmp_path):
    trees = sorted((cloud.work_dir / "trees").iterdir())
    file = tmp_path / "preview.html"
    done = openstack(*FFWD, "preview", *ABOUT, "--html", str(file), "-f", "json")
    assert done.code == 0, done.err
    assert [row["Stage"] for row in done.data][1:] == [f"ocata/step{step}/Controller/all" for step in (1, 2, 3)]
    assert done.data[1]["Nodes"] == small_overcloud.CONTROLLERS
    assert done.data[0]["Mark"] == "" and done.data[1]["Mark"].startswith("release ocata begins")
    assert str(file) in done.err and "ocata" in file.read_text()
    assert "| ocata/step2/Controller/all " in openstack(*FFWD, "preview", *ABOUT).out
    assert sorted((cloud.work_dir / "trees").iterdir()) == trees
    refused = openstack(*FFWD, "preview", "--stack", "nothing")
    assert refused.code == 1 and "nothing" in refused.err and "Traceback" not in refused.err


def test_the_report_is_fetched_from_where_it_was_written(openstack, tmp_path):
    file = tmp_path / "report.html"
    done = openstack(*FFWD, "report", *ABOUT, "--output", str(file))
    assert done.code == 0, done.err
    assert file.stat().st_mode & 0o777 == 0o600 and str(file) in done.out
    text = file.read_text()
    assert "<!DOCTYPE html>" in text and "held by another process" in text
    unknown = openstack(*FFWD, "report", "--stack", "nothing")
    assert unknown.code == 1 and "Plan nothing is not known" in unknown.err
    told = openstack(*FFWD, "report", *ABOUT, "--format", "json", "--output", "-").data
    assert [(one["phase"], one["result"]) for one in told["phases"]] == [
        ("prepare", "success"),
        ("run", "failed"),
        ("run", "failed"),
        ("run", "success"),
    ]
    assert [len(one["runs"]) for one in told["phases"]] == [0, 1, 1, 1]
    (timeline,) = told["timelines"]
    assert timeline["hosts"][1]["cells"].endswith("crc"), "cancelled, failed and mended on ctl-1"
    assert told["runs"][0]["outputs"] and told["plan_version"]["number"] == 1
    assert {"tripleo-ffwd", "ansible-core", "mistral"} == set(told["versions"])


def test_upgrade_of_what_is_not_there_is_refused_by_name(openstack):
    done = openstack("overcloud", "upgrade", "run", *QUICK, "--nodes", "ctl-0, ctl-9")
    assert done.code == 1
    assert "Unknown node: ctl-9. The overcloud has ctl-0, ctl-1, ctl-2" in done.err
