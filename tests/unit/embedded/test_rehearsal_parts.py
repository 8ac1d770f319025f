"""Parts of a rehearsal: what stand-ins answer, which files stand in, what earlier runs tell of times, durations."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import queens_outputs

from tripleo_ffwd.ansible_run.ledger import Ledger
from tripleo_ffwd.embedded import rehearsal_answers, rehearsal_html, rehearsal_report, rehearsal_text, rehearsal_tree
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.tree import PlaybookTree


def tree(files: dict[str, str], modules: list[str]) -> PlaybookTree:
    return PlaybookTree(tuple(sorted(files.items())), {"modules": {name: [] for name in modules}})


@pytest.mark.parametrize(
    ("action", "args", "said"),
    [
        ("command", {"_raw_params": "systemctl is-enabled --quiet nova-api"}, {"stdout": "enabled", "rc": 0}),
        ("shell", {"cmd": "hiera -c /etc/puppet/hiera.yaml bootstrap_nodeid"}, {"stdout": "ctl-0", "changed": True}),
        ("command", {"argv": ["rpm", "-q", "--qf", "%{VERSION}", "openvswitch"]}, {"stdout": "1", "failed": False}),
        ("yum", {"name": "rpm-python"}, {"changed": False}),
        ("yum", {"name": "*", "state": "latest"}, {"changed": True}),
        ("stat", {"path": "/etc/nova/nova.conf"}, {"changed": False}),
        ("anything", {}, {"changed": True, "rc": 0, "failed": False}),
    ],
)
def test_answers_are_those_of_a_healthy_overcloud(
    action: str, args: dict[str, object], said: dict[str, object]
) -> None:
    found = rehearsal_answers.answer(action, args, "ctl-1", "10.0.0.1", "ctl-0.localdomain")
    assert {key: found[key] for key in said} == said


def test_facts_are_those_that_are_asked_for() -> None:
    every = rehearsal_answers.facts("ctl-0", "10.0.0.1")
    assert every["ansible_mounts"] and every["ansible_default_ipv4"]["address"] == "10.0.0.1"
    least = rehearsal_answers.facts("ctl-0", "10.0.0.1", ["!all"])
    assert least["ansible_hostname"] == "ctl-0"
    assert not {"ansible_mounts", "ansible_interfaces"} & least.keys()
    assert "ansible_mounts" in rehearsal_answers.facts("ctl-0", "", "!all,hardware")


def test_missing_things_have_stand_ins_where_ansible_looks() -> None:
    text = "- include_role: {name: far, tasks_from: pre.yml}\n- import_role:\n    tasks_from: post\n"
    names = ["role far", "mount", "a.b.one", "a.b.two", "strategy tripleo_free", "filter ipaddr", "filter a.b.same"]
    files = rehearsal_tree.stand_ins([*names[:3], *names[4:]], tree({"tasks.yaml": text}, names))
    assert sorted(files) == [
        "collections/ansible_collections/a/b/plugins/filter/ffwd_stand_ins.py",
        "collections/ansible_collections/a/b/plugins/modules/one.py",
        "collections/ansible_collections/a/b/plugins/modules/two.py",
        "filter_plugins/ffwd_stand_ins.py",
        "library/mount.py",
        "roles/far/tasks/main.yml",
        "roles/far/tasks/post.yml",
        "roles/far/tasks/pre.yml",
        "strategy_plugins/tripleo_free.py",
    ]
    assert "strategy.free" in files["strategy_plugins/tripleo_free.py"]
    for name, source in files.items():
        if name.endswith(".py"):
            compile(source, name, "exec")


def test_no_host_of_a_real_overcloud_can_be_reached(tmp_path: Path) -> None:
    generated = pipeline.compile_playbooks(queens_outputs(), GenerateOptions(phase="run"))
    ready = rehearsal_tree.rehearsed(generated, tmp_path / "records", (1, 1), ["mount"])
    inventory = rehearsal_tree._inventory(ready)["all"]
    groups = [inventory, *inventory["children"].values()]
    hosts = {name: given for group in groups for name, given in (group.get("hosts") or {}).items()}
    assert {"undercloud", "overcloud-controller-0", "overcloud-compute-1"} < hosts.keys()
    assert {given["ansible_connection"] for given in hosts.values()} == {rehearsal_tree.CONNECTION}
    assert ready.manifest["digest"] != generated.manifest["digest"]
    same = {path: text for path, text in ready.files if path != "inventory.yaml"}
    assert all(same[path] == text for path, text in generated.files if path != "inventory.yaml")
    assert list(rehearsal_tree.hosts_by_role(generated)) == ["Controller", "Compute", "CephStorage"]


def test_times_of_earlier_runs_are_means_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no run has a record of a task"):
        rehearsal_report.measure(tmp_path)
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    ledger = Ledger(run / "ledger.jsonl")
    ledger.append({"event": "ansible_start"})
    ledger.append({"event": "play_start", "play": "-/step1/Controller/all"})
    ledger.append({"event": "task", "number": 1, "task": "stop nova"})
    for host in ("ctl-0", "ctl-1"):
        ledger.append_start(1, host)
        ledger.append_end(1, host, "changed")
    ledger.close()
    (found,) = rehearsal_report.measure(tmp_path).items()
    assert found[0] == "stop nova" and 0 <= found[1] < 1


@pytest.mark.parametrize(("seconds", "told"), [(45, "45 s"), (720, "12 min"), (12_000, "3 h 20 min")])
def test_durations_are_for_people(seconds: float, told: str) -> None:
    assert rehearsal_text.duration(seconds) == told


def test_what_is_missing_comes_with_where_it_is_used_and_what_to_do() -> None:
    task = {"stage": "ocata/step0/Controller/all", "task": "Check the <cluster>"}
    report = {
        "missing_inputs": [{"playbook": "deploy_steps_playbook.yaml", "what": "per-server deployments"}],
        "missing_modules": [{"name": "pacemaker_resource", "tasks": [task, task]}],
    }
    told = [*rehearsal_text.missing(report), *rehearsal_text.remedies(report)]
    assert (
        told[1]
        == "not found by Ansible: pacemaker_resource: ocata/step0/Controller/all: Check the <cluster> and 1 more"
    )
    assert "--stack NAME" in told[2] and "--module-path" in told[3]
    everything = {
        **{name: [] for name in rehearsal_text.FINDINGS},
        "playbooks": [],
        "totals": [],
        "releases": [],
        "roles": [],
    }
    basis = {"ansible_seconds": 1, "text": "a guess"}
    page = rehearsal_html.page(
        {**everything, **report, "point_of_no_return": None, "basis": basis, "estimated_seconds": 1}
    )
    assert "Check the &lt;cluster&gt; and 1 more" in page and "<p>For the inputs: --stack NAME" in page
    assert list(rehearsal_text.remedies({"missing_inputs": [], "missing_modules": []})) == []
