"""The stack update of prepare on a real Mistral and Heat: compared first, refused whole, sent once, cancelled."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from oslo_config import cfg
from support import until

from tripleo_ffwd import config, heat
from tripleo_ffwd.actions.base import Caller
from tripleo_ffwd.actions.plans import UpdatePlanAction
from tripleo_ffwd.actions.stacks import CancelStackUpdateAction, GetStackStatusAction, UpdateStackAction
from tripleo_ffwd.exceptions import LimitExceeded, StackBusy
from tripleo_ffwd.plan import lock
from tripleo_ffwd.plan.store import PlanStore

HOT = {"heat_template_version": "queens"}
SECRET = "planted-7c2e"


def section(cloud, **values: Any):
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    loaded = config.load(options)
    for name, value in {"heat_url": cloud.heat_url, "work_dir": str(cloud.work_dir), **values}.items():
        options.set_override(name, value, group=config.GROUP)
    return loaded


@pytest.fixture(scope="module")
def client(cloud):
    return heat.connect(section(cloud))


def nested(value: str, **properties: Any) -> dict[str, Any]:
    """A stack with a nested one, whose one resource takes `value`, and a password that nobody may see."""
    resource = {"type": "OS::Heat::TestResource", "properties": {"value": value, **properties}}
    password = {"type": "string", "hidden": True, "default": ""}
    return {
        "overcloud.yaml": {
            **HOT,
            "parameters": {"PlantedPhrase": password, "Domain": {"type": "string", "default": "localdomain"}},
            "resources": {"Nodes": {"type": "nodes.yaml"}},
        },
        "nodes.yaml": {**HOT, "resources": {"Held": resource}},
    }


def write(directory: Path, files: dict[str, Any]) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_text(yaml.safe_dump(content))
    return directory


def bundle(directory: Path, files: dict[str, Any]):
    return heat.build_bundle(write(directory, files) / "overcloud.yaml", [])


def create(client, tmp_path: Path, name: str) -> None:
    heat.create(client, name, bundle(tmp_path / "created", nested("zero")), 60)


def starts(client, stack: str) -> int:
    """How many updates of a stack Heat has begun."""
    own = [event for event in client.api.events.list(stack) if event.resource_name == stack]
    return sum(1 for event in own if event.resource_status == "UPDATE_IN_PROGRESS")


def free(client, stack: str) -> None:
    until(f"Heat is done with {stack}", lambda: not heat.get_status(client, stack).in_progress, 60)


def test_a_dry_run_says_what_would_change_and_changes_nothing(cloud, client, tmp_path):
    create(client, tmp_path, "dry")
    source = write(tmp_path / "1", nested("zero"))
    first = cloud.do("prepare", plan="dry", templates=str(source))
    assert first.state == "SUCCESS", first.message
    before, record = starts(client, "dry"), (cloud.work_dir / "records/dry/phases.json").read_bytes()
    settings = {"parameter_defaults": {"PlantedPhrase": SECRET, "Domain": "example.org"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings))
    changed = nested("zero")
    changed["nodes.yaml"]["resources"]["More"] = {"type": "OS::Heat::RandomString"}

    ended = cloud.do(
        "prepare",
        plan="dry",
        templates=str(write(tmp_path / "2", changed)),
        environments=[str(tmp_path / "mine.yaml")],
        dry_run=True,
    )

    assert ended.state == "SUCCESS", ended.message
    assert "Dry run of phase prepare of plan dry: nothing was changed" in ended.message
    assert "version 2 changes 1 template, 1 environment, 2 parameters, 0 resource types" in ended.message.lower()
    path = Path(ended.message.rpartition("Details: ")[2])
    assert path.stat().st_mode & 0o777 == 0o600
    told = json.loads(path.read_text())
    assert told["changes"]["templates"]["changed"] == ["nodes.yaml"]
    assert told["changes"]["parameters"]["added"]["Domain"] == "example.org"
    assert SECRET not in path.read_text() and "PlantedPhrase" in path.read_text()
    assert told["resources"]["counts"]["added"] == 1
    assert "More (OS::Heat::RandomString)" in told["resources"]["added"][0]
    assert PlanStore(cloud.work_dir).current_number("dry") == 1
    assert starts(client, "dry") == before
    assert (cloud.work_dir / "records/dry/phases.json").read_bytes() == record
    assert set(cloud.tasks(ended.id)).isdisjoint({"begin_phase", "update_stack"})


def test_an_update_shows_how_far_it_is_and_is_cancelled_then_run_again(cloud, client, tmp_path):
    create(client, tmp_path, "stopped")
    slow = str(write(tmp_path / "slow", nested("one", wait_secs=10)))
    execution = cloud.start("prepare", plan="stopped", templates=slow)

    def shown() -> Any:
        found = heat.poll(client, "stopped")
        return found if "Nodes.Held" in found.get("progress", {}).get("in_progress", ()) else None

    found = until("the resource is shown", shown, 60)
    assert (found["progress"]["done"], found["progress"]["all"]) == (0, 1)
    assert "in progress: Nodes.Held" in found["message"]

    caller = Caller(conf=section(cloud), security=None, action_execution="")
    polls = [GetStackStatusAction("stopped", plan="stopped").act(caller) for _ in range(2)]
    assert polls[0]["progress"] == polls[1]["progress"] == found["progress"]
    stored = cloud.work_dir / "records/stopped/stack_progress.json"
    assert json.loads(stored.read_text())["progress"]["all"] == 1

    cancelled = cloud.do("cancel", plan="stopped")
    assert cancelled.output["stack_cancelled"] is True, cancelled.message
    ended = cloud.wait(execution)
    assert ended.state == "ERROR" and "cancelled" in ended.message
    assert PlanStore(cloud.work_dir).current_number("stopped") == 1
    assert "no update to cancel" in cloud.do("cancel", plan="stopped").message
    again = cloud.do("prepare", plan="stopped", templates=str(write(tmp_path / "mended", nested("two"))))
    assert again.state == "SUCCESS", again.message


def test_an_update_that_another_client_began_is_cancelled_only_for_a_reason(cloud, client, tmp_path):
    create(client, tmp_path, "theirs")
    caller = Caller(conf=section(cloud), security=None, action_execution="")
    heat.update(client, "theirs", bundle(tmp_path / "1", nested("one", wait_secs=20)))
    with pytest.raises(StackBusy, match="did not ask for that"):
        CancelStackUpdateAction("theirs", stack="theirs").act(caller)
    assert heat.get_status(client, "theirs").in_progress
    assert CancelStackUpdateAction("theirs", stack="theirs", force_reason="agreed").act(caller)["cancelled"]
    assert not heat.get_status(client, "theirs").in_progress


def test_an_update_sent_twice_is_one_and_leaves_the_operators_tags(client, tmp_path):
    create(client, tmp_path, "twice")
    plain = bundle(tmp_path / "0", nested("zero"))
    client.api.stacks.update("twice", existing=True, tags="site-a,ffwd-old", **plain.payload())
    free(client, "twice")
    before = starts(client, "twice")
    slow = bundle(tmp_path / "1", nested("one", wait_secs=3))
    first = heat.update(client, "twice", slow, tag="ffwd-one")
    again = heat.update(client, "twice", slow, tag="ffwd-one")
    assert (first.attached, again.attached, again.stack_id) == (False, True, first.stack_id)
    with pytest.raises(StackBusy, match=r"ffwd_upgrade\.v1\.cancel"):
        heat.update(client, "twice", slow, tag="ffwd-two")
    free(client, "twice")
    assert heat.update(client, "twice", slow, tag="ffwd-one").attached
    assert heat.poll(client, "twice", again.marker)["succeeded"]
    assert starts(client, "twice") == before + 1
    assert set(heat.get_status(client, "twice").tags) == {"site-a", "ffwd-one"}


def test_another_clients_update_in_the_last_moment_leaves_the_plan_as_it_was(cloud, client, tmp_path):
    create(client, tmp_path, "raced")
    source = str(write(tmp_path / "1", nested("zero")))
    assert cloud.do("prepare", plan="raced", templates=source).state == "SUCCESS"
    caller = Caller(conf=section(cloud), security=None, action_execution="")
    assert lock.acquire(cloud.work_dir, "raced", "prepare", "me", find_runs=lambda: ()) is None
    source = str(write(tmp_path / "2", nested("mine")))
    made = UpdatePlanAction("raced", "prepare", "me", templates=source, switch=False).act(caller)
    heat.update(client, "raced", bundle(tmp_path / "3", nested("theirs", wait_secs=3)))
    with pytest.raises(StackBusy):
        UpdateStackAction("raced", "me", version=made["version"], request="r").act(caller)
    assert PlanStore(cloud.work_dir).current_number("raced") == 1
    free(client, "raced")
    UpdateStackAction("raced", "me", version=made["version"], request="r2").act(caller)
    assert PlanStore(cloud.work_dir).current_number("raced") == made["version"]
    lock.release(cloud.work_dir, "raced", "me", find_runs=lambda: ())
    free(client, "raced")


def test_of_two_prepares_at_once_one_goes_on_and_the_other_names_it(cloud, client, tmp_path):
    create(client, tmp_path, "both")
    sources = [str(write(tmp_path / name, nested(name, wait_secs=2))) for name in ("left", "right")]
    started = [cloud.start("prepare", plan="both", templates=source) for source in sources]
    ended = [cloud.wait(execution) for execution in started]
    assert sorted(one.state for one in ended) == ["ERROR", "SUCCESS"], [one.message for one in ended]
    won, lost = sorted(ended, key=lambda one: one.state, reverse=True)
    assert won.id in lost.message
    assert len(PlanStore(cloud.work_dir).versions("both")) == 1
    assert starts(client, "both") == 1
    held = client.api.resources.get(client.api.resources.list("both")[0].physical_resource_id, "Held")
    assert held.attributes["output"] == Path(sources[started.index(won.id)]).name


def test_what_is_too_deep_for_heat_is_refused_before_plan_or_stack_change(cloud, client, tmp_path):
    create(client, tmp_path, "deep")
    names = [f"level{number}.yaml" for number in range(12)]
    files = {name: {**HOT, "resources": {"Below": {"type": inner}}} for name, inner in itertools.pairwise(names)}
    files |= {names[-1]: HOT | {"resources": {}}, "overcloud.yaml": {**HOT, "resources": {"Top": {"type": names[0]}}}}
    ended = cloud.do("prepare", plan="deep", templates=str(write(tmp_path / "deep", files)))
    assert ended.state == "ERROR"
    assert "12 levels of nested stacks" in ended.message and "Recursion depth exceeds 10" in ended.message
    assert "Raise max_nested_stack_depth in [DEFAULT] of heat.conf" in ended.message
    assert PlanStore(cloud.work_dir).current_number("deep") is None
    assert starts(client, "deep") == 0


def test_all_that_is_wrong_with_a_plan_is_told_before_heat_is_called(cloud, client, tmp_path):
    create(client, tmp_path, "wrong")
    files = nested("zero")
    files["overcloud.yaml"]["resources"]["More"] = {"type": "gone.yaml"}
    (tmp_path / "mine.yaml").write_text(f"parameter_defaults:\n  PlantedPhrases: {SECRET}\nparameters:\n  Domian: a\n")
    arguments = {"templates": str(write(tmp_path / "wrong", files)), "environments": [str(tmp_path / "mine.yaml")]}
    for phase in ("prepare", "converge"):
        ended = cloud.do(phase, plan="wrong", force_reason="a test without nodes", **arguments)
        assert ended.state == "ERROR"
        assert "There is no file gone.yaml" in ended.message and "overcloud.yaml, line " in ended.message
        assert f"{tmp_path}/mine.yaml, line 2: No template has a parameter PlantedPhrases" in ended.message
        assert f"{tmp_path}/mine.yaml, line 4: overcloud.yaml has no parameter Domian" in ended.message
        assert SECRET not in ended.message
        assert set(cloud.tasks(ended.id)).isdisjoint({"compare_plan", "begin_phase", "update_stack"})
    assert PlanStore(cloud.work_dir).current_number("wrong") is None
    assert starts(client, "wrong") == 0


def test_requests_and_templates_that_are_too_big_name_the_option(client, tmp_path):
    big = bundle(tmp_path / "1", {**nested("one"), "nodes.yaml": {**HOT, "description": "x" * 600_000}})
    with pytest.raises(LimitExceeded, match=r"max_template_size"):
        heat.check_limits(client, heat.measure(big))
    many = {f"part{number}.txt": "x" * 1_000_000 for number in range(34)}
    template = {**HOT, "outputs": {name: {"value": {"get_file": name}} for name in many}}
    huge = write(tmp_path / "2", {"overcloud.yaml": template})
    for name, text in many.items():
        (huge / name).write_text(text)
    extent = heat.measure(heat.build_bundle(huge / "overcloud.yaml", []))
    with pytest.raises(LimitExceeded, match=r"JSON body size \(\d+ bytes\) exceeds .*max_json_body_size"):
        heat.check_limits(client, extent)


def test_a_preview_that_heat_refuses_is_told_and_no_error(client, tmp_path):
    create(client, tmp_path, "unforeseen")
    wrong = {"overcloud.yaml": {**HOT, "resources": {"A": {"type": "OS::No::Such"}}}}
    found = heat.preview(client, "unforeseen", bundle(tmp_path / "1", wrong))
    assert not found["supported"] and "OS::No::Such" in found["reason"]
    replaced = nested("zero")
    replaced["nodes.yaml"]["resources"]["Held"] = {"type": "OS::Heat::RandomString"}
    found = heat.preview(client, "unforeseen", bundle(tmp_path / "2", replaced))
    assert found["supported"] and found["nested"]
    assert found["counts"]["replaced"] == 1 and "Held" in found["replaced"][0]
    assert found["updated"] == ["unforeseen.Nodes (nodes.yaml)"]


def test_a_dry_run_of_converge_ends_before_the_stack_too(cloud, client, tmp_path):
    create(client, tmp_path, "dryer")
    source = str(write(tmp_path / "1", nested("one")))
    ended = cloud.do("converge", plan="dryer", templates=source, dry_run=True, force_reason="a test without nodes")
    assert ended.state == "SUCCESS", ended.message
    assert "Dry run of phase converge of plan dryer: nothing was changed" in ended.message
    assert "Heat would add 0, delete 0, replace 0, update 2 resources" in ended.message
    assert PlanStore(cloud.work_dir).current_number("dryer") is None
    assert set(cloud.tasks(ended.id)).isdisjoint({"begin_phase", "update_stack", "query_outputs"})
