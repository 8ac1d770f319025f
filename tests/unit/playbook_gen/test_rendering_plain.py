"""Flat mappings of plain texts are written without the YAML library: the text must be the library's."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import yaml
from hypothesis import given, settings

from tripleo_ffwd.playbook_gen import rendering

LIKELY = ("yes", "No", "null", "~", "1", "1.5", "0x10", "10.0.0.1", "1e5", "a: b", "a #b", "-", "a-", ".inf", "y", "=")
UUID = "c3edd5ac-b8dd-4c7b-b8d1-e43f8012ca55"
TEXTS = st.one_of(
    st.sampled_from((*LIKELY, UUID, "12345678-1234-1234-1234-123456789012", "host-0.internalapi")), st.text()
)


@given(st.dictionaries(TEXTS, TEXTS))
@settings(max_examples=100, deadline=None)
def test_the_text_is_that_of_the_library(value: dict[str, str]) -> None:
    assert yaml.safe_load(rendering.dump(value)) == value
    assert rendering.dump(value) == rendering._dump(value, rendering._Dumper)


def test_other_values_than_texts_go_through_the_library() -> None:
    value: dict[Any, Any] = {"a": 1, "b": None, 3: "c", "d": ["e"]}
    assert rendering.dump(value) == "a: 1\nb: null\n3: c\nd:\n- e\n"
