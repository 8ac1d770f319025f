"""What is known before the run is used only where it holds on every host; what is not understood is refused or kept."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.model import GATE_TASK
from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions

UPGRADE = "upgrade_steps_playbook.yaml"
Plays = list[dict[str, Any]]
MODES = [
    {"name": "when old", "command": "echo old", "when": "mode == 'old'"},
    {"name": "when new", "command": "echo new", "when": "mode == 'new'"},
]


def loop(file: str, step: int) -> dict[str, Any]:
    return {
        "include_tasks": file,
        "with_sequence": f"start={step} end={step}",
        "loop_control": {"loop_var": "step"},
    }


def on(hosts: str, *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"hosts": hosts, "gather_facts": False, "tasks": list(tasks), **more}


def fact(mode: str) -> dict[str, Any]:
    return {"set_fact": {"mode": mode}}


def compile_upgrade(
    outputs: dict[str, Any], plays: Plays, phase: str | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    config = outputs["RoleConfig"]
    config["upgrade_steps_playbook"] = plays
    config["hello_tasks"] = [{"name": "hello", "command": "echo hello"}]
    config["mode_tasks"] = MODES
    config["set_tasks"] = [fact("new")]
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(phase=phase))
    files = dict(tree.files)
    return {play["name"]: play for play in yaml.safe_load(files[UPGRADE])}, files


def last_tasks(outputs: dict[str, Any], plays: Plays) -> list[str]:
    """The names of the tasks in the last stage, also those in a file of its own."""
    found, files = compile_upgrade(outputs, plays)
    tasks = list(found.values())[-1]["tasks"]
    path = tasks[0].get("include_tasks", "")
    tasks = yaml.safe_load(files[path]) if path.startswith("ffwd_") else tasks
    return [task["name"] for task in tasks]


OLD = on("overcloud", fact("old"), loop("hello_tasks.yaml", 0))
READ = on("overcloud", loop("mode_tasks.yaml", 1))


def test_a_fact_of_a_play_before_is_known(outputs: dict[str, Any]) -> None:
    assert last_tasks(outputs, [OLD, READ]) == ["when old"]


@pytest.mark.parametrize(
    "between",
    [
        on("overcloud", fact("new")),
        on("overcloud", {"block": [{"command": "echo", "register": "mode"}]}),
        on("overcloud", {"action": "set_fact mode=new"}),
        on("overcloud", {"ansible.legacy.set_fact": {"mode": "new"}}),
        on("overcloud", {"set_fact": {"{{ name }}": "new"}}),
        on("overcloud", {"set_fact": "", "args": {"mode": "new"}}),
        on("overcloud", {"include_vars": "x.yaml"}),
        on("overcloud", {"include_role": {"name": "thing"}}),
        on("overcloud", {"import_role": {"name": "thing"}}),
        on("overcloud", {"include_tasks": "{{ file }}"}),
        on("overcloud", pre_tasks=[fact("new")]),
        on("overcloud", post_tasks=[fact("new")]),
        on("overcloud", handlers=[{"name": "h", **fact("new")}]),
        on("overcloud", roles=["thing"]),
        on("Controller", fact("new"), loop("hello_tasks.yaml", 0)),
        on("overcloud", fact("new"), loop("hello_tasks.yaml", 0), tags="sometimes"),
        on("overcloud", fact("new"), loop("hello_tasks.yaml", 0), tags=["always", "sometimes"]),
        on("overcloud", {**fact("new"), "tags": "sometimes"}, loop("hello_tasks.yaml", 0)),
    ],
)
def test_a_fact_that_may_have_changed_is_left_to_the_run(outputs: dict[str, Any], between: dict[str, Any]) -> None:
    assert last_tasks(outputs, [OLD, between, READ]) == ["when old", "when new"]


@pytest.mark.parametrize(
    "between",
    [
        on("overcloud", {"include_tasks": "set_tasks.yaml"}),
        on("overcloud", fact("new"), loop("hello_tasks.yaml", 0), serial=1),
        on("overcloud", {"command": "echo", "notify": "h"}, fact("new"), loop("hello_tasks.yaml", 0)),
    ],
)
def test_a_fact_that_a_play_surely_changes_is_known_anew(outputs: dict[str, Any], between: dict[str, Any]) -> None:
    assert last_tasks(outputs, [OLD, between, READ]) == ["when new"]


def test_a_fact_that_a_handler_may_set_is_not_known_in_its_play(outputs: dict[str, Any]) -> None:
    play = on("overcloud", fact("new"), loop("hello_tasks.yaml", 0), handlers=[{"name": "h", **fact("old")}])
    assert last_tasks(outputs, [OLD, play, READ]) == ["when old", "when new"]


def test_a_fact_of_one_role_is_known_on_its_hosts_only(outputs: dict[str, Any]) -> None:
    first = on("Controller", fact("new"), loop("hello_tasks.yaml", 0))
    assert last_tasks(outputs, [first, READ]) == ["when old", "when new"]
    assert last_tasks(outputs, [first, on("Controller", loop("mode_tasks.yaml", 1))]) == ["when new"]
    assert last_tasks(outputs, [OLD, on("ctl-0", loop("mode_tasks.yaml", 1))]) == ["when old"]


def test_a_fact_of_a_whole_play_does_not_outrank_a_loop_variable(outputs: dict[str, Any]) -> None:
    plays, files = compile_upgrade(outputs, [on("overcloud", {"set_fact": {"step": "9"}}), READ])
    (task,) = plays["-/step1/overcloud/all"]["tasks"]
    assert task["vars"] == {"step": "1"}  # an include's variables outrank facts, those of a play don't
    assert "when old" in files[task["include_tasks"]]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("Controller[0]", "'Controller[0]'"),
        ("~ctl", "'~ctl'"),
        ("ctl*", "'ctl*'"),
        ("{{ target }}", "'{{ target }}'"),
        ("Controler", "'Controler'"),
        ("overcloud:!Controler", "'!Controler'"),
        ("overcloud:&nothing", "'&nothing'"),
        ("ctl-2", "'ctl-2'"),  # blacklisted
        ("", "''"),
    ],
)
def test_a_host_pattern_that_is_not_understood_is_refused(outputs: dict[str, Any], pattern: str, said: str) -> None:
    with pytest.raises(UnsupportedConstruct) as caught:
        compile_upgrade(outputs, [OLD, on(pattern, {"command": "echo"}, name="migrate")])
    assert said in str(caught.value)
    assert f"{UPGRADE}, play migrate" in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("ntp", ["ctl-0", "ctl-1", "cmp-0", "cmp-1"]),
        ("Controller,cmp-1", ["ctl-0", "ctl-1", "cmp-1"]),
        ("overcloud:!Compute:!ctl-1", ["ctl-0"]),
        ("overcloud:&Compute", ["cmp-0", "cmp-1"]),
        ("!Compute", ["undercloud", "ctl-0", "ctl-1"]),
        (["Compute", "undercloud"], ["undercloud", "cmp-0", "cmp-1"]),
        ("localhost", ["undercloud"]),
        ("Empty", []),
    ],
)
def test_known_host_patterns_are_those_of_ansible(outputs: dict[str, Any], pattern: Any, hosts: list[str]) -> None:
    outputs["RoleData"]["Empty"] = dict(outputs["RoleData"]["Compute"])
    outputs["RoleNetHostnameMap"]["Empty"] = outputs["RoleNetIpMap"]["Empty"] = {}
    compile_upgrade(outputs, [on(pattern, {"command": "echo"})])
    stages = pipeline.compile_playbooks(outputs, GenerateOptions()).manifest["stages"]
    (stage,) = [stage for stage in stages if stage["playbook"] == UPGRADE]
    assert list(stage["hosts"]) == hosts


def test_a_gate_looks_at_the_undercloud_though_the_pattern_leaves_it_out(outputs: dict[str, Any]) -> None:
    plays, _ = compile_upgrade(outputs, [on("all:!undercloud", {"command": "echo"}), READ])
    (gate,) = [play for name, play in plays.items() if name.startswith("gate")]
    assert gate["hosts"] == "undercloud:all:!ffwd_unselected"


def test_phase_upgrade_leaves_out_the_work_on_the_undercloud(outputs: dict[str, Any]) -> None:
    plays, _ = compile_upgrade(outputs, [on("localhost", {"command": "echo"}), READ], "upgrade")
    assert list(plays) == ["-/step1/overcloud/all"]
    harmless = on("all", {"include_vars": "global_vars.yaml"})
    plays, _ = compile_upgrade(outputs, [harmless, READ], "upgrade")
    assert plays["-/facts/all/all"]["hosts"] == "all:!ffwd_unselected"
    for mixed, rest in ((on("all", {"command": "echo"}), "all"), (on("undercloud:Compute", roles=["x"]), "Compute")):
        first, gate, *_ = compile_upgrade(outputs, [mixed, READ], "upgrade")[0].values()
        assert first["hosts"].endswith(f"{rest}:!undercloud:!ffwd_unselected")
        assert gate["hosts"].startswith("undercloud:")
        first = next(iter(compile_upgrade(outputs, [mixed, READ])[0].values()))
        assert "!undercloud" not in first["hosts"]  # all phases at once leave nothing out


def test_facts_are_gathered_again_after_they_were_cleared(outputs: dict[str, Any]) -> None:
    clear = on("overcloud", {"meta": "clear_facts"})
    plays, _ = compile_upgrade(outputs, [{**clear, "gather_facts": True}, {**READ, "gather_facts": True}])
    assert [name for name in plays if "/facts/" in name and not name.startswith("gate")] == [
        "-/facts/overcloud/all",
        "-/facts/all/all",
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        {"include_role": {"name": "thing"}},
        {"ansible.builtin.import_role": {"name": "thing"}},
        {"action": "include_role name=thing"},
        {"local_action": {"module": "meta", "free_form": "end_play"}},
        {"include_tasks": "{{ file }}"},
        {"include_tasks": "not_there.yaml", "when": "file is defined"},
        {"block": [{"import_role": {"name": "thing"}}]},
    ],
)
def test_a_play_with_what_hides_its_tasks_is_not_cut(outputs: dict[str, Any], hidden: dict[str, Any]) -> None:
    outputs["RoleData"]["Compute"]["upgrade_tasks"].append(hidden)
    play = yaml.safe_load(outputs["RoleConfig"]["upgrade_steps_playbook"])[0]
    plays, _ = compile_upgrade(outputs, [play])
    assert [name for name in plays if not name.startswith("gate")] == ["-/facts/overcloud/all", "-/pre/overcloud/all"]
    tasks = [task for task in plays["-/pre/overcloud/all"]["tasks"] if task.get("name") != GATE_TASK]
    assert [task["vars"]["step"] for task in tasks] == [str(step) for step in range(6)]  # unrolled within the play


@pytest.mark.parametrize(
    ("guard", "subset"),
    [
        ("is_bootstrap_node|bool", "bootstrap"),
        ("is_bootstrap_node", "bootstrap"),
        ("x is defined and is_bootstrap_node|bool", "bootstrap"),
        ("not is_bootstrap_node|bool", "all"),
        ("is_bootstrap_node|bool == false", "all"),
        ("x is defined or is_bootstrap_node|bool", "all"),
        ("is_bootstrap_node is defined", "all"),
    ],
)
def test_only_a_guard_that_needs_the_bootstrap_node_is_labelled_so(
    outputs: dict[str, Any], guard: str, subset: str
) -> None:
    text = outputs["RoleConfig"]["fast_forward_upgrade_bootstrap_role_tasks"]
    outputs["RoleConfig"]["fast_forward_upgrade_bootstrap_role_tasks"] = text.replace("is_bootstrap_node|bool", guard)
    stages = pipeline.compile_playbooks(outputs, GenerateOptions(phase="run")).manifest["stages"]
    assert f"ocata/step6/Controller/{subset}" in [stage["id"] for stage in stages]


def test_the_manifest_names_what_was_folded_or_given(outputs: dict[str, Any]) -> None:
    found = pipeline.compile_playbooks(outputs, GenerateOptions(phase="run")).manifest["folded"]
    assert found == [
        "ffu_packages_apply",
        "ffu_releases",
        "mixed",
        "release",
        "releases",
        "step",
        "tripleo_role_name",
    ]
    outputs["RoleConfig"]["upgrade_steps_playbook"] = [OLD, READ]
    outputs["RoleConfig"] |= {"hello_tasks": [{"command": "echo"}], "mode_tasks": MODES}
    found = pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade")).manifest["folded"]
    assert found == ["mode", "step", "tripleo_role_name"]


def test_stages_are_in_the_order_of_the_playbooks_whatever_that_of_the_outputs(outputs: dict[str, Any]) -> None:
    def ids(data: dict[str, Any]) -> list[str]:
        return [stage["id"] for stage in pipeline.compile_playbooks(data, GenerateOptions()).manifest["stages"]]

    turned = {key: dict(sorted(value.items())) for key, value in sorted(outputs.items()) if isinstance(value, dict)}
    assert list(turned["RoleData"]) == ["Compute", "Controller"] == list(reversed(outputs["RoleData"]))
    turned["BlacklistedHostnames"] = outputs["BlacklistedHostnames"]
    found = ids(turned)
    assert found == ids(outputs)
    assert found.index("-/step2/Controller/all") < found.index("-/step2/Compute/all")
