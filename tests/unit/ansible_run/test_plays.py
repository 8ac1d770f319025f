"""What is changed in the text of a play before it is run."""

from __future__ import annotations

from typing import Any

import yaml

from tripleo_ffwd.ansible_run.plays import Play

GATHER = {"name": "Gathering Facts", "gather_facts": {"gather_subset": ["!all"]}}


def bounded(name: str, *tasks: dict[str, Any], **keys: Any) -> dict[str, Any]:
    play = {"name": name, "hosts": "overcloud", "gather_facts": False, **keys, "tasks": list(tasks)}
    text = Play(name, yaml.safe_dump([play], sort_keys=False)).bounded(30).text
    (found,) = yaml.safe_load(text)
    assert {key: value for key, value in found.items() if key != "timeout"} == {
        key: value for key, value in play.items() if key != "timeout"
    }
    return dict(found)


def test_gathering_facts_is_bounded() -> None:
    assert bounded("-/facts/overcloud/all", GATHER)["timeout"] == 30


def test_nothing_else_is() -> None:
    assert "timeout" not in bounded("-/step1/Controller/all", GATHER)
    assert "timeout" not in bounded("-/facts/overcloud/all", {"name": "look", "command": "true"})


def test_what_has_a_bound_keeps_it() -> None:
    assert bounded("-/facts/overcloud/all", GATHER, timeout=5)["timeout"] == 5
    assert "timeout" not in bounded("-/facts/overcloud/all", {**GATHER, "timeout": 5})
