"""What an expression matches is found behind its words too: none of the generator's own loses a match."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tripleo_ffwd.playbook_gen import inventory, marks, traits
from tripleo_ffwd.playbook_gen.worded import Worded, worded


def _ours() -> list[Worded]:
    found = [value for module in (inventory, marks, traits) for value in vars(module).values()]
    inner = [item for value in found if isinstance(value, tuple) for item in value]
    return [value for value in (*found, *inner) if isinstance(value, Worded)]


def test_there_are_expressions_with_words() -> None:
    assert len(_ours()) >= 10


@pytest.mark.parametrize("ours", _ours(), ids=lambda ours: ours.words[0])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_all_that_an_expression_matches_has_a_word_of_it(ours: Worded, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(ours.pattern))

    found, expected = ours.search(text), ours.pattern.search(text)

    assert expected is not None
    assert found is not None
    assert found.span() == expected.span()


def test_a_text_without_any_of_the_words_is_not_searched() -> None:
    assert worded("a|b", "a").search("only b") is None
