"""Documents of derived configs, as the hooks on the servers read them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tripleo_ffwd import software


def document(config: object, group: str = "script", **others: Any) -> dict[str, Any]:
    collection = software.Collection()
    inputs = [{"name": "deploy_server_id", "value": "s-1"}, {"name": "list", "value": [1, 2]}]
    derived = {"name": "n", "group": group, "config": config, "inputs": inputs, "outputs": [], "options": {}, **others}
    digest = collection.add(software.generalise(derived), "NetworkDeployment")
    found: dict[str, Any] = json.loads(collection.documents[digest])
    return found


@pytest.mark.parametrize(
    ("config", "group", "read"),
    [
        ("#!/bin/sh\necho 'ü \"x\"'\n\n", "script", "#!/bin/sh\necho 'ü \"x\"'\n"),
        ("", "script", ""),
        (None, "script", "{}\n"),
        (' {"b": 1, "a": [2]}', "script", '{\n  "b": 1,\n  "a": [\n    2\n  ]\n}\n'),
        ('"text"', "script", "text\n"),
        ("[not json", "script", "[not json\n"),
        ({"b": 1}, "script", '{\n  "b": 1\n}\n'),
        ('{"b": 1, "a": {"c": null}}', "hiera", {"a": {"c": None}, "b": 1}),
        ('{\n "b": "ü"\n}', "hiera", {"b": "ü"}),
        ({"b": 1}, "hiera", {"b": 1}),
        ("", "hiera", {}),
        (None, "hiera", {}),
        ("no json", "hiera", "no json"),
    ],
)
def test_a_config_is_what_its_hook_reads(config: object, group: str, read: object) -> None:
    assert document(config, group)["config"] == read


def test_inputs_are_texts_and_a_servers_own_is_left_open() -> None:
    values = {item["name"]: item["value"] for item in document("x")["inputs"]}
    assert values == {"deploy_server_id": software.OWN_SERVER, "list": "[1, 2]"}


def test_documents_differ_in_all_that_makes_them_differ() -> None:
    collection = software.Collection()
    plain: dict[str, Any] = {"name": "n", "group": "script", "config": "x", "inputs": [], "outputs": [], "options": {}}
    several = [plain, {**plain, "options": {"a": 1}}, {**plain, "options": {"a": True}}, {**plain, "config": "y"}]
    digests = [collection.add(one, "A") for one in several] + [collection.add(plain, "B"), collection.add(plain, "A")]
    assert digests[0] == digests[-1]
    assert len(set(digests)) == len(digests) - 1
