"""Workbooks are taken and refused as Mistral itself takes and refuses them."""

from __future__ import annotations

import pytest

TASKS = "version: '2.0'\nname: book\nworkflows:\n  flow:\n    tasks:\n      one: {action: std.noop, %s}\n"
DEFINITIONS = {
    "fine": TASKS % "retry: {count: 3, delay: 1}",
    "unknown key": TASKS % "unknown: 1",
    "no number": TASKS % "retry: {count: x}",
    "two ways at once": TASKS % "workflow: other",
    "no expression": TASKS % "publish: {a: '<% $. %>'}",
    "no version": "name: book\n",
    "no mapping": TASKS % "on-success: 1",
}


@pytest.fixture
def own(monkeypatch):
    base = pytest.importorskip("mistral.lang.base")
    monkeypatch.setattr(base.BaseSpec, "validate_schema", base.BaseSpec.validate_schema)


def outcome(definition: str) -> object:
    from mistral import exceptions
    from mistral.lang import parser

    try:
        return parser.get_workbook_spec_from_yaml(definition, validate=True).to_dict()
    except exceptions.MistralException as error:
        return type(error), str(error)


@pytest.mark.usefixtures("own")
def test_definitions_fare_as_in_mistral():
    from tripleo_ffwd.embedded import mistral_speed

    theirs = {name: outcome(definition) for name, definition in DEFINITIONS.items()}
    mistral_speed.install()
    assert {name: outcome(definition) for name, definition in DEFINITIONS.items()} == theirs
    refused = [name for name, found in theirs.items() if isinstance(found, tuple)]
    assert refused == [name for name in DEFINITIONS if name != "fine"]
