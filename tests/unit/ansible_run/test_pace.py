"""Which plays of a run's copy go through their hosts in batches or freely, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_lab import Trees, command, play, seal, spec_of

from tripleo_ffwd.ansible_run import pace, plays
from tripleo_ffwd.ansible_run.tree import load
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import GATE_TASK

ONE, TWO, LAST = "-/step1/Compute/all", "-/step2/Controller/all", "-/step3/Compute/all"
GATE = {
    "name": GATE_TASK,
    "fail": {"msg": "a host is lost"},
    "when": "ansible_play_hosts_all | difference(ansible_play_hosts) | length > 0",
    "run_once": True,
}


def paced(
    tmp_path: Path, tasks: list[dict[str, Any]], files: dict[str, str] | None = None, **fields: Any
) -> dict[str, dict[str, Any]]:
    """The plays of a playbook by name: two stages of a rolling role around one of another."""
    found = [
        play(ONE, "Compute", [*tasks, GATE]),
        play(TWO, "Controller", [*tasks, GATE]),
        play(LAST, "Compute", tasks),
    ]
    tree = Trees(tmp_path).make(found, rolling=["Compute"])
    for name, text in (files or {}).items():
        (tree / name).write_text(text)
    loaded, spec = load(seal(tree)), spec_of(tree, **fields)
    pace.check(spec)
    _, cut = plays.split((tree / spec.playbook).read_text())
    text = "".join(one.text for one in pace.paced(cut, spec, loaded))
    return {one["name"]: one for one in yaml.safe_load(text)}


def test_stages_of_rolling_roles_go_in_batches_and_each_batch_ends_in_a_gate(tmp_path: Path) -> None:
    found = paced(tmp_path, [command("true")], serial=(1, "25%"))
    assert found[ONE]["serial"] == found[LAST]["serial"] == [1, "25%"]
    assert "serial" not in found[TWO]
    assert [task["name"] for task in found[ONE]["tasks"]] == ["a command", GATE_TASK]
    gate = found[LAST]["tasks"][-1]
    assert (gate["name"], gate["run_once"], gate["tags"], gate["become"]) == (GATE_TASK, True, ["always"], False)


def test_free_hosts_meet_at_a_gate_of_its_own_play(tmp_path: Path) -> None:
    found = paced(tmp_path, [command("true")], strategy="free")
    assert list(found) == [ONE, f"gate {ONE}", TWO, LAST]
    assert (found[ONE]["strategy"], len(found[ONE]["tasks"])) == ("free", 1)
    assert found[f"gate {ONE}"]["hosts"] == "undercloud:Compute:!ffwd_unselected"
    assert found[f"gate {ONE}"]["any_errors_fatal"] is True
    assert "strategy" not in found[TWO]
    assert found[LAST]["strategy"] == "free"


@pytest.mark.parametrize(
    ("task", "files"),
    [
        ({**command("true"), "run_once": True}, {}),
        (command("echo {{ hostvars['cmp-0'].x }}"), {}),
        ({"include_role": {"name": "ceph"}}, {}),
        ({"include_tasks": "{{ item }}.yaml"}, {}),
        ({"include_tasks": "there-is-none.yaml"}, {}),
        ({"include_tasks": "more.yaml"}, {"more.yaml": "- shell: 'true'\n  run_once: true\n"}),
        ({"include_tasks": "more.yaml"}, {"more.yaml": "- include_tasks: more.yaml\n"}),
    ],
)
def test_stages_that_look_at_several_hosts_stay_as_they_are(
    tmp_path: Path, task: dict[str, Any], files: dict[str, str]
) -> None:
    for name, fields in enumerate(({"serial": (1,)}, {"strategy": "free"})):
        (tmp_path / str(name)).mkdir()
        found = paced(tmp_path / str(name), [task], files, **fields)
        assert list(found) == [ONE, TWO, LAST]
        assert not [one for one in found.values() if "serial" in one or "strategy" in one]


def test_what_is_included_is_looked_into(tmp_path: Path) -> None:
    found = paced(tmp_path, [{"include_tasks": "more.yaml"}], {"more.yaml": "- shell: 'true'\n"}, serial=(2,))
    assert found[ONE]["serial"] == [2]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"strategy": "debug"}, "strategy debug is refused"),
        ({"strategy": "mitogen_linear"}, "strategy mitogen_linear is refused"),
        ({"strategy": "free", "serial": (1,)}, "not possible together"),
        ({"serial": (0,)}, "serial 0 is neither"),
        ({"serial": ("0%",)}, "serial '0%' is neither"),
        ({"serial": ("many",)}, "serial 'many' is neither"),
    ],
)
def test_what_would_not_keep_stages_apart_is_refused(tmp_path: Path, fields: dict[str, Any], told: str) -> None:
    tree = Trees(tmp_path).make([play(ONE, "Compute", [command("true")])])
    with pytest.raises(InvalidInput, match=told):
        pace.check(spec_of(tree, **fields))


@pytest.mark.parametrize("strategy", ["", "linear", "ansible.builtin.linear", "host_pinned", "ansible.builtin.free"])
def test_strategies_that_are_known_to_keep_them_apart(tmp_path: Path, strategy: str) -> None:
    tree = Trees(tmp_path).make([play(ONE, "Compute", [command("true")])])
    pace.check(spec_of(tree, strategy=strategy))
