"""Most of a tree's YAML is written without the library: the text must be the library's."""

from __future__ import annotations

import datetime
from typing import Any

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given, settings

from tripleo_ffwd.playbook_gen import rendering

LIKELY = ("yes", "No", "null", "~", "1", "1.5", "0x10", "10.0.0.1", "1e5", "a: b", "a #b", "-", "a-", ".inf", "y", "=")
LINES = (
    "a b\n\nc d\n",
    "'a'\n b",
    "...\n",
    "a\n",
    "a\nb",
    "a\n\n",
    " a\nb\n",
    "a \nb",
    "\n",
    "a\n  b\n\n  c",
    "a:\n  - b",
    "a\tb",
    "a:",
    "a\u2028b",
)
WORDS = (
    "step|int == 0",
    "{{ a }}",
    "it's",
    '"a"',
    "Write {{ item }}: now",
    "#",
    "é",
    "[a]",
    "a, b",
    "--- a",
    "? a",
    "...",
)
UUID = "c3edd5ac-b8dd-4c7b-b8d1-e43f8012ca55"
TEXTS = st.one_of(
    st.sampled_from((*LIKELY, *LINES, *WORDS, UUID, "12345678-1234-1234-1234-123456789012", "host-0.internalapi")),
    st.text(),
    st.text(alphabet="ab: #-'\"{}[],&*!|>%@`\n\t\\?=.0~", max_size=12),
)
SCALARS = TEXTS | st.booleans() | st.none() | st.integers() | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=25
)


@given(st.dictionaries(TEXTS, TEXTS))
@settings(max_examples=100, deadline=None)
def test_the_text_is_that_of_the_library(value: dict[str, str]) -> None:
    assert yaml.safe_load(rendering.dump(value)) == value
    assert rendering.dump(value) == rendering._dump(value, rendering._Dumper)


@given(st.lists(VALUES, max_size=4))
@settings(max_examples=300, deadline=None)
def test_one_writer_writes_what_the_library_does_for_one_value_after_the_other(values: list[Any]) -> None:
    for library in (rendering._Dumper, rendering._DataDumper):
        writer = rendering.Writer(library)
        for value in [*values, *values]:
            assert writer.dump(value) == rendering._dump(value, library)


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b": None, 3: "c", "d": ["e"]},
        {"a": [datetime.date(2026, 1, 2)], "b": (1, "x")},
        [{"a" * 120: "b", "c" * 200: "d"}],
        ["x" * 200_000, "y z " * 300_000],
        [[[], {}], [[["a", {"b": [1, [2]]}]]]],
        ["a\n\n", "b"],
        ["a\n\n", "b \nc", "d\n\n", "'e'"],
        {"a": ["a\n\n", {"b": "c\n"}], "d": "{{ e }}"},
    ],
)
def test_what_is_out_of_the_ordinary_is_written_by_the_library(value: Any) -> None:
    assert rendering.dump(value) == rendering._dump(value, rendering._Dumper)


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(yaml.representer.RepresenterError):
        rendering.dump([{"a": object()}])
