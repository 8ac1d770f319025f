"""Malformed and hostile outputs: each is refused with an error that names the thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tripleo_ffwd.exceptions import InvalidInput, MalformedOutputs, UnsupportedConstruct
from tripleo_ffwd.playbook_gen import pipeline
from tripleo_ffwd.playbook_gen.options import GenerateOptions

Change = Callable[[dict[str, Any]], object]


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


RELEASES = ("RoleConfig", "fast_forward_upgrade_playbook", 0, "tasks", 0, "set_fact", "releases")
INCLUDE = "- include_tasks: fast_forward_upgrade_release_tasks.yaml\n"


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (without("RoleData"), MalformedOutputs, "RoleData"),
        (without("RoleConfig"), MalformedOutputs, "RoleConfig"),
        (without("ServerIdData"), MalformedOutputs, "ServerIdData"),
        (without("RoleNetHostnameMap"), MalformedOutputs, "RoleNetHostnameMap"),
        (without("RoleNetIpMap"), MalformedOutputs, "RoleNetIpMap"),
        (put("RoleData", None), MalformedOutputs, "RoleData: is None"),
        (put("RoleConfig", "text"), MalformedOutputs, "RoleConfig: is a str"),
        (put("RoleData", {}), MalformedOutputs, "no roles"),
        (put("RoleData", "Controller", None), MalformedOutputs, "RoleData.Controller"),
        (put("RoleData", "../../etc", {}), MalformedOutputs, "'../../etc' is not a name"),
        (put("RoleConfig", "a/b", "x"), MalformedOutputs, "'a/b' is not a name"),
        (put("ServerIdData", "server_ids", None), MalformedOutputs, "ServerIdData.server_ids"),
        (put("ServerIdData", "server_ids", "Compute", ["one"]), MalformedOutputs, "Compute has 1"),
        (put("RoleNetIpMap", "Compute", {}), MalformedOutputs, "RoleNetIpMap"),
        (put("RoleNetHostnameMap", "Compute", "canonical", ["ctl-0", "x"]), MalformedOutputs, "ctl-0 is used twice"),
        (put("RoleData", "Compute", "upgrade_tasks", "text"), MalformedOutputs, "RoleData.Compute.upgrade_tasks"),
        (put("RoleData", "Compute", "upgrade_tasks", ["x"]), MalformedOutputs, "RoleData.Compute.upgrade_tasks[0]"),
        (put("RoleData", "Compute", "upgrade_tasks", [{"block": "x"}]), MalformedOutputs, "upgrade_tasks[0].block"),
        (lambda o: o["RoleData"]["Compute"].pop("upgrade_tasks"), MalformedOutputs, "RoleData.Compute.upgrade_tasks"),
        (
            lambda o: o["RoleConfig"].pop("upgrade_steps_playbook"),
            MalformedOutputs,
            "RoleConfig.upgrade_steps_playbook",
        ),
        (put("RoleConfig", "upgrade_steps_playbook", "- a\n- ]\n"), MalformedOutputs, "is not YAML, line 2"),
        (put("RoleConfig", "upgrade_steps_playbook", "just text"), MalformedOutputs, "not a list of plays"),
        (put("RoleConfig", "upgrade_steps_playbook", [{"tasks": []}]), MalformedOutputs, "not a play with hosts"),
        (
            put("RoleConfig", "upgrade_steps_tasks", "- !!python/object/apply:os.system ['true']"),
            MalformedOutputs,
            "RoleConfig.upgrade_steps_tasks: is not YAML, line 1",
        ),
        (put("RoleConfig", "global_vars", ["x"]), MalformedOutputs, "global_vars"),
        (put(*RELEASES, {"get_param": "FastForwardUpgradeReleases"}), MalformedOutputs, "--releases"),
        (put(*RELEASES, ["ocata", "../x"]), MalformedOutputs, "no name of a release"),
        (put("RoleConfig", "fast_forward_upgrade_bootstrap_tasks", INCLUDE), UnsupportedConstruct, "includes itself"),
    ],
)
def test_refused_by_name(outputs: dict[str, Any], change: Change, error: type[Exception], said: str) -> None:
    change(outputs)
    with pytest.raises(error) as caught:
        pipeline.compile_playbooks(outputs, GenerateOptions())
    assert said in str(caught.value)


@pytest.mark.parametrize("raw", [None, "text", 3, [1], [{"output_key": "RoleData"}]])
def test_what_are_no_outputs_is_refused(raw: object) -> None:
    with pytest.raises(MalformedOutputs):
        pipeline.compile_playbooks(raw, GenerateOptions())


@pytest.mark.parametrize(
    "options",
    [
        GenerateOptions(phase="prepare"),
        GenerateOptions(phase="nonsense"),
        GenerateOptions(task_order="random"),
        GenerateOptions(config_download={"../../etc/passwd": "x"}),
        GenerateOptions(config_download={"/etc/passwd": "x"}),
    ],
)
def test_a_wrong_option_is_refused(outputs: dict[str, Any], options: GenerateOptions) -> None:
    with pytest.raises(InvalidInput):
        pipeline.compile_playbooks(outputs, options)
