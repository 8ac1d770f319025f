"""Malformed and hostile outputs: each is refused in one line that names the thing, and nothing is written."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tripleo_ffwd.cli.main import main
from tripleo_ffwd.exceptions import InvalidInput, MalformedOutputs, UnsupportedConstruct
from tripleo_ffwd.playbook_gen import bounds, pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.yaml_loading import load_yaml

Change = Callable[[dict[str, Any]], object]
UPGRADE = "upgrade_steps_playbook"


def without(key: str) -> Change:
    return lambda outputs: outputs.pop(key)


def put(*path: Any) -> Change:
    *keys, last, value = path

    def change(outputs: dict[str, Any]) -> None:
        target: Any = outputs
        for key in keys:
            target = target[key]
        target[last] = value

    return change


def config(**values: Any) -> Change:
    return lambda outputs: outputs["RoleConfig"].update({key.replace("__", "."): item for key, item in values.items()})


def task(**keywords: Any) -> Change:
    """A Compute task of the upgrade with these keywords beside its command."""
    return put("RoleData", "Compute", "upgrade_tasks", [{"name": "odd", "command": "echo", **keywords}])


def only(item: Any) -> Change:
    return put("RoleData", "Compute", "upgrade_tasks", [item])


def play(**keywords: Any) -> Change:
    return config(**{UPGRADE: [{"hosts": "overcloud", "tasks": [{"command": "echo"}], **keywords}]})


def nested(levels: int, wrap: Callable[[Any], Any], core: Any) -> Any:
    for _ in range(levels):
        core = wrap(core)
    return core


def names(*hosts: str) -> Change:
    return put("RoleNetHostnameMap", "Compute", "canonical", list(hosts))


def laughs(head: str) -> str:
    """A YAML text of ten lines that stands for 10 billion values."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]"
        for before, name in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    return head + "".join(f"    {line}\n" for line in lines)


RELEASES = ("RoleConfig", "fast_forward_upgrade_playbook", 0, "tasks", 0, "set_fact", "releases")
RELEASE_FILE, STEPS_FILE = "fast_forward_upgrade_release_tasks.yaml", "upgrade_steps_tasks.yaml"
NOT_A_NAME = "is not a name"
FIRST = "RoleData.Compute.upgrade_tasks[0]"
MiB = 2**20

MISSING = [
    (without("RoleData"), MalformedOutputs, "RoleData"),
    (without("RoleConfig"), MalformedOutputs, "RoleConfig"),
    (without("ServerIdData"), MalformedOutputs, "ServerIdData"),
    (without("RoleNetHostnameMap"), MalformedOutputs, "RoleNetHostnameMap"),
    (without("RoleNetIpMap"), MalformedOutputs, "RoleNetIpMap"),
    (put("RoleData", None), MalformedOutputs, "RoleData: is None"),
    (put("RoleConfig", "text"), MalformedOutputs, "RoleConfig: is a str"),
    (put("RoleData", {}), MalformedOutputs, "no roles"),
    (put("RoleData", "Controller", None), MalformedOutputs, "RoleData.Controller: is None"),
    (put("ServerIdData", "server_ids", None), MalformedOutputs, "ServerIdData.server_ids: is None"),
    (put("RoleNetIpMap", "Compute", {}), MalformedOutputs, "RoleNetIpMap"),
    (put("RoleNetHostnameMap", "Compute", None), MalformedOutputs, "RoleNetHostnameMap.Compute: is None"),
    (lambda o: o["RoleData"]["Compute"].pop("upgrade_tasks"), MalformedOutputs, "RoleData.Compute.upgrade_tasks"),
    (config(upgrade_steps_playbook=""), MalformedOutputs, f"RoleConfig.{UPGRADE}: is not a list of plays"),
    (config(upgrade_steps_playbook=[{"tasks": []}]), MalformedOutputs, "is not a play with hosts"),
]
SERVERS = [
    (put("ServerIdData", "server_ids", "Compute", ["one"]), MalformedOutputs, "Compute has 1"),
    (put("ServerIdData", "server_ids", "Compute", [1, 2]), MalformedOutputs, "server_ids.Compute: is not a list of"),
    (put("ServerIdData", "bootstrap_server_id", 3), MalformedOutputs, "bootstrap_server_id: is no text"),
    (put("RoleNetHostnameMap", "Compute", "canonical", [None, "x"]), MalformedOutputs, "canonical: is not a list of"),
    (names("ctl-0", "x"), MalformedOutputs, "ctl-0 is used twice"),
    (names("x.one", "x.two"), MalformedOutputs, "x is used twice"),
    (names("localhost.one", "x"), MalformedOutputs, "localhost is used twice"),
    (names("ffwd_unselected.one", "x"), MalformedOutputs, "ffwd_unselected is used twice"),
    (names("../../etc/x", "x"), MalformedOutputs, "'../../etc/x' is no name"),
    (names("cömp-0", "x"), MalformedOutputs, "'cömp-0' is no name"),
    (names("x" * 300, "x"), MalformedOutputs, NOT_A_NAME),
    (put("RoleNetIpMap", "Compute", "ctlplane", ["{{ lookup('pipe', 'id') }}", "1"]), MalformedOutputs, "no address"),
    (put("RoleNetIpMap", "Compute", "../net", ["1", "2"]), MalformedOutputs, "'../net' is not a name"),
    (put("BlacklistedHostnames", "ctl-2"), MalformedOutputs, "BlacklistedHostnames: is not a list of texts"),
    (put("BlacklistedHostnames", 3), MalformedOutputs, "BlacklistedHostnames: is not a list of texts"),
    (put("EnabledServices", "text"), MalformedOutputs, "EnabledServices: is a str"),
    (put("EnabledServices", "Compute", [1]), MalformedOutputs, "EnabledServices.Compute: is not a list of texts"),
    (put("EnabledServices", "Compute", ["{{ x }}"]), MalformedOutputs, "'{{ x }}' is not a name"),
    (put("EnabledServices", "Compute", ["all"]), MalformedOutputs, "no service can have the name all"),
    (put("VipMap", "text"), MalformedOutputs, "VipMap: is a str"),
]
NAMES = [
    (put("RoleData", "../../etc", {}), MalformedOutputs, "'../../etc' is not a name"),
    (put("RoleData", "Contrôleur", {}), MalformedOutputs, "'Contrôleur' is not a name"),
    (put("RoleData", "undercloud", {}), MalformedOutputs, "no role can have the name undercloud"),
    (put("RoleData", "host_vars", {}), MalformedOutputs, "no role can have the name host_vars"),
    (put("RoleData", "r" * 300, {}), MalformedOutputs, NOT_A_NAME),
    (put("RoleData", "Compute", "../../x_tasks", []), MalformedOutputs, "RoleData.Compute: '../../x_tasks' is not"),
    (put("RoleConfig", "a/b", "x"), MalformedOutputs, "'a/b' is not a name"),
    (put("RoleConfig", "..", "x"), MalformedOutputs, "'..' is not a name"),
    (put("RoleConfig", ".ssh", "x"), MalformedOutputs, "'.ssh' is not a name"),
    (put("RoleConfig", "a\nb", "x"), MalformedOutputs, r"'a\nb' is not a name"),
    (put("RoleConfig", "manifest.json", "{}"), MalformedOutputs, "manifest.json is the name of a file that the gen"),
    (put("RoleConfig", "inventory", "{}"), MalformedOutputs, "inventory is the name of a file"),
    (config(a_tasks=[], a_tasks__yaml=""), MalformedOutputs, "a_tasks.yaml and a_tasks are one file"),
]
YAML = [
    (config(upgrade_steps_playbook="- a\n- ]\n"), MalformedOutputs, "is not YAML, line 2"),
    (config(upgrade_steps_tasks="- a: [\n"), MalformedOutputs, "RoleConfig.upgrade_steps_tasks: is not YAML, line 2"),
    (config(upgrade_steps_tasks="- a: b\n---\n- c: d\n"), MalformedOutputs, "found another document"),
    (config(upgrade_steps_tasks="- command: a\0b\n"), MalformedOutputs, "control characters are not allowed"),
    (config(upgrade_steps_tasks="- !!python/object/apply:os.system ['true']"), MalformedOutputs, "python/object/apply"),
    (config(upgrade_steps_tasks="- !!python/name:os.system x"), MalformedOutputs, "is not YAML, line 1"),
    (config(upgrade_steps_tasks="- command: !vault abc\n"), MalformedOutputs, "!vault"),
    (config(upgrade_steps_tasks="- command: !!binary aGk=\n"), MalformedOutputs, "[0].command: is of type bytes"),
    (config(upgrade_steps_tasks="- command: x\n  vars: !!set {a, b}\n"), MalformedOutputs, "[0].vars: is of type set"),
    (config(upgrade_steps_tasks="- command: x\n  3: y\n"), MalformedOutputs, "upgrade_steps_tasks[0]: is not a task"),
    (config(upgrade_steps_tasks="- copy: {[a]: b}\n"), MalformedOutputs, "unhashable key"),
    (config(upgrade_steps_tasks="- command: x\n  vars: {a: .nan}\n"), MalformedOutputs, "vars.a: is nan"),
    (config(upgrade_steps_tasks=f"- {{a: 1{':1' * 100_000}}}"), MalformedOutputs, "a number has 200001 digits"),
    (config(upgrade_steps_tasks="- &x\n  command: x\n  vars: {a: *x}\n"), MalformedOutputs, "stand in each other"),
    (config(upgrade_steps_tasks="- &x\n  block: [*x]\n"), MalformedOutputs, "stand in each other"),
    (config(upgrade_steps_tasks="[" * 200_000), MalformedOutputs, "more than 60 lists and mappings"),
    (config(upgrade_steps_tasks="- " * 200_000 + "x"), MalformedOutputs, "more than 60 lists and mappings"),
    (config(upgrade_steps_tasks=laughs("- command: x\n  vars:\n")), MalformedOutputs, "more than 1000000 values"),
    (config(upgrade_steps_playbook=laughs("- hosts: all\n  vars:\n")), MalformedOutputs, "more than 1000000 values"),
    (config(global_vars="[a"), MalformedOutputs, "RoleConfig.global_vars: is not YAML"),
    (config(global_vars=["x"]), MalformedOutputs, "RoleConfig.global_vars: is not a mapping"),
]
SIZES = [
    (config(script="x" * 100_000_000), MalformedOutputs, "RoleConfig.script: is a text of 95 MiB, above 16"),
    (task(name="x" * 17 * MiB), MalformedOutputs, f"{FIRST}.name: is a text of 17 MiB"),
    (names("x" * 17 * MiB, "x"), MalformedOutputs, "canonical[0]: is a text of 17 MiB"),
    (put("RoleConfig", "k" * 17 * MiB, "x"), MalformedOutputs, "has a key of 17825792 characters"),
    (config(**{f"part{n}": "x" * 10 * MiB for n in range(7)}), MalformedOutputs, "above 64 MiB"),
    (task(vars={"a": nested(900, lambda inner: [inner], 1)}), MalformedOutputs, "more than 60 lists and mappings"),
    (only(nested(300, lambda inner: {"block": [inner]}, {"command": "x"})), MalformedOutputs, "stand in each other"),
    (task(vars={"a": float("inf")}), MalformedOutputs, f"{FIRST}.vars.a: is inf"),
    (task(vars={"a": 1 << 5000}), MalformedOutputs, "is a number of 5001 bits"),
    (task(name="\ud800"), MalformedOutputs, f"{FIRST}.name: has half of a surrogate pair"),
    (task(when="x" * 30_000), UnsupportedConstruct, f"{FIRST}.when: is a condition of 30000 characters"),
    (task(when=" and ".join(["a"] * 1000)), UnsupportedConstruct, "too long or too deep"),
    (task(when=f"step|int == {'9' * 5000}"), UnsupportedConstruct, "too long or too deep"),
]
TASKS = [
    (put("RoleData", "Compute", "upgrade_tasks", "text"), MalformedOutputs, "upgrade_tasks: is a str, not a list of"),
    (put("RoleData", "Compute", "upgrade_tasks", {"a": 1}), MalformedOutputs, "upgrade_tasks: is a dict, not a list"),
    (only("x"), MalformedOutputs, f"{FIRST}: is not a task"),
    (only({"block": "x"}), MalformedOutputs, f"{FIRST}.block: is a str, not a list of tasks"),
    (only({"block": {"command": "x"}}), MalformedOutputs, f"{FIRST}.block: is a dict, not a list of tasks"),
    (only({"block": None}), MalformedOutputs, f"{FIRST}.block: is a NoneType"),
    (only({"block": [None]}), MalformedOutputs, f"{FIRST}.block[0]: is not a task"),
    (only({"rescue": [{"command": "x"}]}), MalformedOutputs, "has rescue or always and no block"),
    (only({"block": [{"command": "x"}], "command": "y"}), MalformedOutputs, "'command' is no keyword of a block"),
    (only({"block": [{"command": "x"}], "loop": [1]}), MalformedOutputs, "'loop' is no keyword of a block"),
    (task(shell="y"), MalformedOutputs, f"{FIRST}: has more than one action: command, shell"),
    (task(action="ping"), MalformedOutputs, "has more than one action: command, action"),
    (task(wehn="x"), MalformedOutputs, "has more than one action: command, wehn"),
    (only({"command": ["a", "b"]}), MalformedOutputs, f"{FIRST}.command: is ['a', 'b'], not a text or a mapping"),
    (only({"set_fact": [1]}), MalformedOutputs, f"{FIRST}.set_fact: is [1]"),
    (
        only({"name": "more", "import_playbook": "deploy_steps_playbook.yaml"}),
        MalformedOutputs,
        f"{FIRST}.import_playbook: the task 'more' imports a playbook",
    ),
    (
        only({"block": [{"ansible.builtin.import_playbook": "x.yaml"}]}),
        MalformedOutputs,
        f"{FIRST}.block[0].ansible.builtin.import_playbook: the task imports a playbook",
    ),
    (
        config(b_tasks=[{"name": "more", "action": {"module": "import_playbook", "file": "x.yaml"}}]),
        MalformedOutputs,
        "RoleConfig.b_tasks[0].action: the task 'more' imports a playbook",
    ),
    (only({"action": 3}), MalformedOutputs, f"{FIRST}.action: is 3"),
    (only({"action": ""}), MalformedOutputs, f"{FIRST}.action: is '', not the name of a module"),
    (task(when={"a": 1}), MalformedOutputs, f"{FIRST}.when: is {{'a': 1}}, not a condition"),
    (task(when=3), MalformedOutputs, f"{FIRST}.when: is 3, not a condition"),
    (task(when=[["a"]]), MalformedOutputs, f"{FIRST}.when: is ['a'], not a condition"),
    (task(failed_when={"a": 1}), MalformedOutputs, f"{FIRST}.failed_when: is"),
    (task(tags={"a": 1}), MalformedOutputs, f"{FIRST}.tags: is {{'a': 1}}, not a text or a list of texts"),
    (task(tags=3), MalformedOutputs, f"{FIRST}.tags: is 3"),
    (task(register=["a"]), MalformedOutputs, f"{FIRST}.register: is ['a'], not the name of a variable"),
    (task(vars=["a"]), MalformedOutputs, f"{FIRST}.vars: is ['a'], not a mapping"),
    (task(name={"a": 1}), MalformedOutputs, f"{FIRST}.name: is {{'a': 1}}, not a text"),
    (task(args=3), MalformedOutputs, f"{FIRST}.args: is 3"),
    (task(loop=3), MalformedOutputs, f"{FIRST}.loop: is 3, not a list"),
    (task(loop=[1], with_items=[2]), MalformedOutputs, "has more than one loop: loop, with_items"),
    (task(loop=[1], loop_control="x"), MalformedOutputs, f"{FIRST}.loop_control: is 'x', not a mapping"),
    (task(loop=[1], loop_control={"loop_var": ["x"]}), MalformedOutputs, "loop_control.loop_var: is ['x'], not the"),
    (task(when="x|frobnicate"), UnsupportedConstruct, "task odd: when uses the filter frobnicate"),
    (task(when=["y", "x is frobnicate"]), UnsupportedConstruct, "task odd: when uses the test frobnicate"),
    (task(command="echo {{ x|frobnicate }}"), UnsupportedConstruct, "template uses the filter frobnicate"),
    (task(command="{{ x|map('frobnicate')|list }}"), UnsupportedConstruct, "template uses the filter frobnicate"),
    (task(until="{{ x is frobnicate }}"), UnsupportedConstruct, "until uses the test frobnicate"),
]
INCLUDES = [
    (only({"include_tasks": "../../etc/x.yaml"}), UnsupportedConstruct, "'../../etc/x.yaml' leads out of the tree"),
    (only({"import_tasks": "a/../x.yaml"}), UnsupportedConstruct, f"{FIRST}.import_tasks: the file 'a/../x.yaml'"),
    (only({"include_tasks": {"file": "a\nb"}}), UnsupportedConstruct, r"'a\nb' leads out of the tree, or is no name"),
    (only({"include_tasks": None}), MalformedOutputs, f"{FIRST}.include_tasks: names no file"),
    (only({"include_tasks": ["a"]}), MalformedOutputs, f"{FIRST}.include_tasks: is ['a']"),
    (only({"import_tasks": "nowhere.yaml"}), MalformedOutputs, "imports nowhere.yaml, which is missing"),
    (config(upgrade_steps_tasks=[{"include_tasks": STEPS_FILE}]), UnsupportedConstruct, "the file includes itself"),
    (config(upgrade_steps_tasks=[{"import_tasks": STEPS_FILE}]), UnsupportedConstruct, "the file includes itself"),
    (
        config(upgrade_steps_tasks=[{"include_tasks": STEPS_FILE, "loop": [1, 2]}]),
        UnsupportedConstruct,
        "the file includes itself",
    ),
    (
        config(upgrade_steps_tasks=[{"block": [{"include_tasks": STEPS_FILE}]}]),
        UnsupportedConstruct,
        "the file includes itself",
    ),
    (
        config(upgrade_steps_tasks=[{"include_tasks": "b_tasks.yaml"}], b_tasks=[{"include_tasks": STEPS_FILE}]),
        UnsupportedConstruct,
        "upgrade_steps_tasks.yaml → b_tasks.yaml → upgrade_steps_tasks.yaml",
    ),
    (
        config(fast_forward_upgrade_bootstrap_tasks=f"- include_tasks: {RELEASE_FILE}\n"),
        UnsupportedConstruct,
        "includes itself",
    ),
    (only({"include_tasks": "Compute/upgrade_tasks.yaml"}), UnsupportedConstruct, "includes itself"),
    (
        config(
            upgrade_steps_tasks=[{"include_tasks": "d0_tasks.yaml"}],
            d8_tasks=[{"command": "x"}],
            **{f"d{n}_tasks": [{"include_tasks": f"d{n + 1}_tasks.yaml"}] * 10 for n in range(8)},
        ),
        UnsupportedConstruct,
        "comes to more than 500000 tasks",
    ),
    (
        play(tasks=[{"include_tasks": STEPS_FILE, "loop": list(range(400_000)), "loop_control": {"loop_var": "n"}}]),
        UnsupportedConstruct,
        "comes to more than 500000 tasks",
    ),
]
PLAYS = [
    (config(upgrade_steps_playbook="just text"), MalformedOutputs, "is not a list of plays"),
    (config(upgrade_steps_playbook=[3]), MalformedOutputs, "is not a play with hosts"),
    (play(hosts=None), MalformedOutputs, f"RoleConfig.{UPGRADE}[0].hosts: is None"),
    (play(hosts=[3]), MalformedOutputs, "hosts: is [3], not the text of a host pattern"),
    (play(hosts="Controler"), UnsupportedConstruct, "'Controler' is no group and no host"),
    (play(hosts="x" * 1_000_000), UnsupportedConstruct, "is no group and no host"),
    (play(frobnicate=True), MalformedOutputs, "'frobnicate' is no keyword of a play"),
    (play(tasks="x"), MalformedOutputs, f"RoleConfig.{UPGRADE}[0].tasks: is a str"),
    (play(vars=["x"]), MalformedOutputs, f"RoleConfig.{UPGRADE}[0].vars: is ['x']"),
    (play(roles=3), MalformedOutputs, f"RoleConfig.{UPGRADE}[0].roles: is 3"),
    (play(roles=[3]), MalformedOutputs, "is not a list of roles"),
    (play(serial={"a": 1}), MalformedOutputs, "serial: is {'a': 1}"),
    (play(gather_facts={"a": 1}), MalformedOutputs, "gather_facts: is {'a': 1}, not a boolean"),
    (play(tags={"a": 1}), MalformedOutputs, "tags: is {'a': 1}"),
    (
        config(upgrade_steps_playbook=[{"import_playbook": "deploy_steps_playbook.yaml", "when": "x"}]),
        UnsupportedConstruct,
        "the import of a playbook has when",
    ),
    (
        config(upgrade_steps_playbook=[{"import_playbook": f"{UPGRADE}.yaml"}]),
        UnsupportedConstruct,
        f"imports '{UPGRADE}.yaml'",
    ),
    (
        config(upgrade_steps_playbook=[{"import_playbook": "nowhere.yaml"}]),
        MalformedOutputs,
        "RoleConfig.nowhere: the playbook is missing; upgrade_steps_playbook.yaml imports it",
    ),
    (
        config(upgrade_steps_playbook=[{"import_playbook": "../x.yaml"}]),
        UnsupportedConstruct,
        "'../x.yaml' leads out of the tree",
    ),
    (
        config(upgrade_steps_playbook=[{"import_playbook": "post_upgrade_steps_playbook.yaml", "vars": "x"}]),
        MalformedOutputs,
        "[0].vars: is 'x', not a mapping",
    ),
    (put(*RELEASES, {"get_param": "FastForwardUpgradeReleases"}), MalformedOutputs, "--releases"),
    (put(*RELEASES, []), MalformedOutputs, "--releases"),
    (put(*RELEASES, ["ocata", "../x"]), MalformedOutputs, "no name of a release"),
]
TABLE = [*MISSING, *SERVERS, *NAMES, *YAML, *SIZES, *TASKS, *INCLUDES, *PLAYS]


@pytest.mark.parametrize(("change", "error", "said"), TABLE, ids=lambda value: value if isinstance(value, str) else "")
def test_refused_by_name(
    outputs: dict[str, Any],
    change: Change,
    error: type[Exception],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(outputs)
    with pytest.raises(error) as caught:
        pipeline.compile_playbooks(outputs, GenerateOptions())
    assert said in str(caught.value)
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(outputs))
    assert main(["generate", "--outputs", str(path), "--output-dir", str(tmp_path / "tree")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert len(lines[0]) < 1000
    if path.stat().st_size < bounds.MAX_OUTPUTS:
        assert said in lines[0]
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_file_of_100_megabytes_is_refused_before_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps({"RoleConfig": {"script": "x" * 100_000_000}}))
    tracemalloc.start()
    try:
        assert main(["generate", "--outputs", str(path), "--output-dir", str(tmp_path / "tree")]) == 1
        assert tracemalloc.get_traced_memory()[1] < 10 * MiB
    finally:
        tracemalloc.stop()
    assert f"{path}: is 95 MiB, and no stack's outputs are above 64" in capsys.readouterr().err


def test_keys_that_multiply_when_merged_are_refused() -> None:
    levels = [f"{b}: &{b}\n  <<: [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    text = f"a: &a {{{', '.join(f'k{number}: 1' for number in range(10))}}}\n{''.join(levels)}"
    try:
        loaded = load_yaml(text, "x")
    except MalformedOutputs as error:
        assert "more than 10000 keys are merged" in str(error)
    else:  # PyYAML takes each key once from 6.0.4 on: they don't multiply
        assert loaded["i"] == loaded["a"] == {f"k{number}": 1 for number in range(10)}


def test_too_many_merged_keys_are_refused() -> None:
    keys = ", ".join(f"k{number}: 1" for number in range(10_001))
    with pytest.raises(MalformedOutputs, match="more than 10000 keys are merged"):
        load_yaml(f"a: &a {{{keys}}}\nb: {{<<: *a}}", "x")


@pytest.mark.parametrize("raw", [None, "text", 3, [1], [{"output_key": "RoleData"}], [{"output_key": 3}]])
def test_what_are_no_outputs_is_refused(raw: object) -> None:
    with pytest.raises(MalformedOutputs):
        pipeline.compile_playbooks(raw, GenerateOptions())


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, ("a", "b"), object()])
def test_values_that_no_json_has_are_refused(outputs: dict[str, Any], value: object) -> None:
    outputs["RoleConfig"]["script"] = value
    with pytest.raises(MalformedOutputs, match=r"RoleConfig\.script: is of type"):
        pipeline.compile_playbooks(outputs, GenerateOptions())


@pytest.mark.parametrize(
    "options",
    [
        GenerateOptions(phase="prepare"),
        GenerateOptions(phase="nonsense"),
        GenerateOptions(task_order="random"),
        GenerateOptions(config_download={"../../etc/passwd": "x"}),
        GenerateOptions(config_download={"a/../../x": "x"}),
        GenerateOptions(config_download={"/etc/passwd": "x"}),
        GenerateOptions(config_download={"a\0b": "x"}),
    ],
)
def test_a_wrong_option_is_refused(outputs: dict[str, Any], options: GenerateOptions) -> None:
    with pytest.raises(InvalidInput):
        pipeline.compile_playbooks(outputs, options)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"when": "x|json_query('a') == 1"}, "when needs the filter json_query of a collection"),
        ({"command": "echo {{ x | ipwrap }}"}, "template needs the filter ipwrap of a collection"),
        ({"when": "step|int =="}, "left as it is: when is no expression of Jinja2"),
    ],
)
def test_what_only_the_run_can_tell_is_kept_and_reported(
    outputs: dict[str, Any], keywords: dict[str, Any], said: str
) -> None:
    task(**keywords)(outputs)
    tree = pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade"))
    assert [note for note in tree.manifest["rewritten"] if said in note["what"]]


@pytest.mark.parametrize(
    "keywords",
    [
        {"when": "x|community.general.json_query('a') == 1"},
        {"when": "x is ansible.builtin.version('2', '<')"},
        {"command": "docker inspect --format '{{.State.Pid|frob}}' x"},
        {"command": "echo {% raw %}{{ x|frobnicate }}{% endraw %}"},
        {"when": None},
    ],
)
def test_what_a_collection_or_another_language_knows_is_taken(
    outputs: dict[str, Any], keywords: dict[str, Any]
) -> None:
    task(**keywords)(outputs)
    assert pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade"))


def test_texts_of_any_script_are_carried_byte_for_byte(outputs: dict[str, Any]) -> None:
    odd = "Ünï 漢字 🎉 ß\u2028\ufeff\u202e\x07\x85 end"
    task(name=odd, command={"cmd": odd}, vars={"odd": odd}, when="step|int == 2")(outputs)
    files = dict(pipeline.compile_playbooks(outputs, GenerateOptions(phase="upgrade")).files)
    (stage,) = [play for play in load_yaml(files[f"{UPGRADE}.yaml"], "x") if play["name"] == "-/step2/Compute/all"]
    assert stage["tasks"][:1] == [{"name": odd, "command": {"cmd": odd}, "vars": {"odd": odd}}]
