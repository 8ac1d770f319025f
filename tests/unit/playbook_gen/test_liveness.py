"""Which skips stay: those that somebody can see. Steps 0 to 5 of one role's upgrade tasks, in the written order."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions

Task = dict[str, Any]
PROBE: Task = {"name": "probe", "command": "probe", "register": "state", "when": "step|int == 0"}
LAST = 5


def at(step: int, **keywords: Any) -> Task:
    more = keywords.pop("when", [])
    return {**keywords, "when": [f"step|int == {step}", *more]}


def stages(outputs: dict[str, Any], *tasks: Task, role: str = "Controller") -> dict[int, list[Task]]:
    """The tasks of each step of the role, those in a file of their own too."""
    outputs["RoleData"][role]["upgrade_tasks"] = list(tasks)
    files = dict(pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade", task_order="written")).files)
    found: dict[int, list[Task]] = {}
    for play in yaml.safe_load(files["upgrade_steps_playbook.yaml"]):
        parts = play["name"].split("/")
        if play["name"].startswith("-/step") and parts[2] == role:
            found[int(parts[1].removeprefix("step"))] = opened(play["tasks"], files)
    return found


def opened(tasks: list[Task], files: dict[str, str]) -> list[Task]:
    result = []
    for task in tasks:
        path = task.get("include_tasks", "")
        result += opened(yaml.safe_load(files[path]), files) if "ffwd_" in path else [task]
    return result


def steps_of(name: str, found: dict[int, list[Task]]) -> list[int]:
    return [step for step, tasks in found.items() if name in [task.get("name") for task in tasks]]


def test_a_skip_that_nobody_reads_goes(outputs: dict[str, Any]) -> None:
    assert steps_of("probe", stages(outputs, PROBE)) == [0]


def test_the_skip_before_a_reader_stays(outputs: dict[str, Any]) -> None:
    reader = at(2, name="reader", command="x", when=["state is succeeded"])
    found = stages(outputs, PROBE, reader)
    # That of step 1 is overwritten before anybody looks, those after step 2 put the same skip into its place.
    assert steps_of("probe", found) == [0, 2]
    assert [task["when"] for task in found[2][:2]] == ["step|int == 0", "state is succeeded"]


def test_a_skip_overwrites_a_fact_of_its_name_where_the_fact_is_read(outputs: dict[str, Any]) -> None:
    fact = at(1, name="fact", set_fact={"state": {"rc": 0}})
    reader = at(2, name="reader", command="echo {{ state.rc | default('skipped') }}")
    found = stages(outputs, PROBE, fact, reader)
    assert steps_of("fact", found) == [1]
    assert 1 not in steps_of("probe", found)  # the fact follows at once
    assert 2 in steps_of("probe", found)  # here it hides the fact, and the reader sees it


def test_a_skipped_set_fact_leaves_no_trace(outputs: dict[str, Any]) -> None:
    fact = at(1, name="fact", set_fact={"state": 1})
    found = stages(outputs, fact, at(3, name="reader", command="echo {{ state }}"))
    assert steps_of("fact", found) == [1]


@pytest.mark.parametrize(
    ("between", "stays"),
    [
        ({"name": "w", "set_fact": {"state": 1}}, False),
        ({"name": "w", "command": "x", "register": "state"}, False),
        ({"name": "w", "command": "x", "register": "state", "when": ["flag|bool"]}, False),  # its skip writes as well
        ({"name": "w", "set_fact": {"state": 1}, "when": ["flag|bool"]}, True),
        ({"name": "w", "set_fact": {"state": 1}, "loop": "{{ many }}"}, True),  # of nothing, it may be
        ({"name": "w", "set_fact": {"{{ any }}": 1}}, True),
        ({"name": "w", "set_fact": {"state": "{{ state.rc }}"}}, True),  # it reads before it writes
        ({"name": "w", "command": "x", "register": "state", "until": "state.rc == 0"}, False),  # reads its own
        ({"name": "w", "command": "x", "register": "other"}, True),
        ({"block": [{"command": "x"}, {"set_fact": {"state": 1}}], "rescue": [{"debug": {"msg": "x"}}]}, True),
        ({"block": [{"command": "x"}, {"set_fact": {"state": 1}}]}, False),
    ],
)
def test_a_write_between_skip_and_reader_hides_the_skip_only_when_it_is_sure(
    outputs: dict[str, Any], between: Task, stays: bool
) -> None:
    reader = at(2, name="reader", command="echo {{ state }}")
    found = stages(outputs, PROBE, at(2, **between), reader)
    assert (2 in steps_of("probe", found)) is stays


@pytest.mark.parametrize(
    ("probe", "write", "reader", "stays"),
    [
        ([], ["other"], [], True),  # --skip-tags other
        ([], ["other"], ["other"], False),  # whoever selects the reader selects the write
        (["a"], ["a"], ["a"], False),
        ([], [], [], False),
        (["a"], [], ["b"], True),
    ],
)
def test_a_write_that_a_tag_may_leave_out_hides_nothing(
    outputs: dict[str, Any], probe: list[str], write: list[str], reader: list[str], stays: bool
) -> None:
    found = stages(
        outputs,
        {**PROBE, "tags": probe},
        at(2, name="write", set_fact={"state": 1}, tags=write),
        at(2, name="reader", command="echo {{ state }}", tags=reader),
    )
    assert (2 in steps_of("probe", found)) is stays


@pytest.mark.parametrize(
    "reader",
    [
        {"debug": {"msg": "{{ vars['sta' ~ 'te'] }}"}},
        {"debug": {"msg": "{{ lookup('vars', 'sta' ~ 'te') }}"}},
        {"template": {"src": "a.j2", "dest": "/a"}},
        {"command": "x", "environment": {"STATE": "{{ state }}"}},
        {"command": "x", "delegate_to": "{{ state.stdout }}"},
        {"command": "x", "with_items": "{{ state.results }}"},
        {"command": "x", "failed_when": "state.rc == 3"},
        {"block": [{"command": "x"}], "vars": {"seen": "{{ state }}"}},
        {"name": "about {{ state }}", "command": "x"},
    ],
)
def test_readers_are_found_wherever_a_task_may_look(outputs: dict[str, Any], reader: Task) -> None:
    assert 2 in steps_of("probe", stages(outputs, PROBE, at(2, **reader)))


def test_a_skipped_loop_and_a_skip_in_a_block_stay_as_well(outputs: dict[str, Any]) -> None:
    reader = at(2, name="reader", command="echo {{ state }}")
    assert 2 in steps_of("probe", stages(outputs, {**PROBE, "loop": ["a", "b"]}, reader))
    block = {"name": "block", "block": [{**PROBE, "when": "flag|bool"}], "when": "step|int == 0"}
    assert 2 in steps_of("block", stages(outputs, block, reader))


def test_a_reader_on_other_hosts_sees_nothing(outputs: dict[str, Any]) -> None:
    outputs["RoleData"]["Compute"]["upgrade_tasks"] = [at(2, name="reader", command="echo {{ state }}")]
    assert 2 not in steps_of("probe", stages(outputs, PROBE))


def test_a_reader_in_a_later_play_sees_the_last_skip(outputs: dict[str, Any]) -> None:
    plays = yaml.safe_load(outputs["RoleConfig"]["upgrade_steps_playbook"])
    later = {"hosts": "Controller", "gather_facts": False, "tasks": [{"command": "echo {{ state }}"}]}
    outputs["RoleConfig"]["upgrade_steps_playbook"] = [*plays, later]
    assert steps_of("probe", stages(outputs, PROBE)) == [0, LAST]


@pytest.mark.parametrize(
    ("first", "stays"),
    [
        ("state.rc == 0", True),  # undefined, maybe: then Ansible fails here, and so must ours
        ("flag", True),
        ("flag | default(false)", False),
        ("flag is defined", False),
        ("ansible_facts.x is defined", False),
        ("flag | frob.nicate.y", True),
    ],
)
def test_a_condition_that_may_fail_before_the_decided_one_keeps_the_task(
    outputs: dict[str, Any], first: str, stays: bool
) -> None:
    found = stages(outputs, {"name": "odd", "command": "x", "when": [first, "step|int == 3"]})
    assert steps_of("odd", found) == ([0, 1, 2, 3, 4, 5] if stays else [3])


def test_a_register_that_was_surely_made_can_be_looked_at_without_failing(outputs: dict[str, Any]) -> None:
    made = {"name": "made", "command": "x", "register": "state"}
    found = stages(outputs, made, {"name": "odd", "command": "x", "when": ["state != 1", "step|int == 3"]})
    assert steps_of("odd", found) == [3]


def test_a_task_with_tags_stands_behind_the_untagged_include_that_brought_it(outputs: dict[str, Any]) -> None:
    outputs["RoleData"]["Controller"]["upgrade_tasks"] = [at(2, name="tagged", command="x", tags=["common"])]
    files = dict(pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade")).files)
    plays = {play["name"]: play for play in yaml.safe_load(files["upgrade_steps_playbook.yaml"])}
    include = plays["-/step2/Controller/all"]["tasks"][0]
    assert list(include) == ["include_tasks"]  # `--tags common` leaves it out, as it left out the templates' include
    assert yaml.safe_load(files[include["include_tasks"]]) == [{"name": "tagged", "command": "x", "tags": ["common"]}]


def probes(*names: str, **keywords: Any) -> list[Task]:
    return [{"name": f"probe {name}", "command": "probe", "register": name, **keywords} for name in names]


def test_skips_for_one_reason_are_registered_by_one_task(outputs: dict[str, Any]) -> None:
    names = ("one", "two", "three", "four")
    reader = at(2, name="reader", command="x", when=[f"{name} is succeeded" for name in (*names, "five", "six")])
    tagged = probes("five", "six", when="step|int == 0", tags="common")
    found = stages(outputs, *probes(*names, when=["step|int == 0"]), *tagged, reader)
    skipped, given, *others = found[2]
    assert (skipped["when"], skipped["run_once"]) == ("step|int == 0", True)
    assert given["set_fact"] == dict.fromkeys(names, "{{ ffwd_skip_result }}")
    assert given["run_once"]
    # What --tags selects is not what it leaves out; and two tasks are no fewer than two.
    assert [task["name"] for task in others][:3] == ["probe five", "probe six", "reader"]


def test_of_skips_that_register_one_name_each_stays_in_its_place(outputs: dict[str, Any]) -> None:
    names = ("one", "two", "three", "four")
    reader = at(2, name="reader", command="x", when=[f"{name} is succeeded" for name in names])
    again = {"name": "probe again", "command": "probe", "register": "one", "when": "step|int == 0", "tags": "common"}
    found = stages(outputs, *probes(*names, when=["step|int == 0"]), again, reader)[2]
    assert [task["name"] for task in found if task.get("register") == "one"] == ["probe one", "probe again"]
    (given,) = [task["set_fact"] for task in found if "set_fact" in task]
    assert list(given) == ["two", "three", "four"]


def test_a_loop_over_plain_items_is_skipped_by_one_host_for_all(outputs: dict[str, Any]) -> None:
    plain = {**PROBE, "with_items": ["a", "b"]}
    reader = at(2, name="reader", command="x", when=["state.results | length == 2"])
    assert stages(outputs, plain, reader)[2][0]["run_once"]
    unknown = {**PROBE, "with_items": "{{ services }}"}
    assert "run_once" not in stages(outputs, unknown, reader)[2][0]
