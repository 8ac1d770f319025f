"""What is folded comes to what Ansible's own evaluation comes to, for random conditions and whatever the rest holds."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen import conditions, verdicts
from tripleo_ffwd.playbook_gen.conditions import UNKNOWN
from tripleo_ffwd.playbook_gen.modernising import Moderniser
from tripleo_ffwd.playbook_gen.simplifying import simplify

try:
    from ansible.template import trust_as_template
except ImportError:  # before 2.19
    trust_as_template = None

ERROR = "an error"
ALL = os.environ.get("FFWD_TEST_DIFFERENTIAL") == "all"
SETTINGS = settings(
    max_examples=3000 if ALL else 120,
    deadline=None,
    database=None,
    derandomize=not ALL,
    suppress_health_check=list(HealthCheck),
)

# What is known when a playbook is made, and what the run may find instead of nothing. A known value is not always so.
_KNOWN_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "step": st.sampled_from(("0", "1", "2", "10", 1, 3)),
    "release": st.sampled_from(("ocata", "pike", "Queens")),
    "flag": st.sampled_from((True, False, "True", "false", "no", "", 0, 1)),
    "seq": st.sampled_from(([], ["ocata"], ["ocata", "pike"], ["1", 2])),
    "repo": st.sampled_from(({"ocata": "x", "keys": "y"}, {"rc": 0}, {})),
}
_FOUND = st.sampled_from(
    (
        True,
        False,
        "True",
        "",
        "x",
        "ocata",
        "1",
        0,
        1,
        2.5,
        None,
        [],
        ["x"],
        {"rc": 0, "changed": True},
        {"skipped": True},
    )
)
_UNKNOWN_NAMES = ("u0", "u1")
_NAMES = st.sampled_from((*_KNOWN_VALUES, *_UNKNOWN_NAMES, "nowhere"))
_CONSTANTS = st.sampled_from(
    (
        "0",
        "1",
        "2",
        "'0'",
        "'1'",
        "'ocata'",
        "'pike'",
        "true",
        "False",
        "none",
        "[]",
        "['ocata', 'pike']",
        "(0, 2)",
        "{}",
    )
)


def _formed(forms: tuple[str, ...], *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda form, *values: form.format(*values), st.sampled_from(forms), *parts)


_FILTERED = (
    "{}|int",
    "{}|bool",
    "{}|string",
    "{}|lower",
    "{} | upper",
    "{}|length",
    "{}|first",
    "{}|last",
    "{}|list",
    "{}|int|string",
    "{}|default('1')",
    "{}|default(false)|bool",
    "{}|default",
    "{}|difference(['pike'])",
    "{}|trim",
    "{}[0]",
    "{}[-1]",
    "{}[:-1]",
    "{}[1:]",
    "{}['rc']",
    "{}.rc",
    "{}.keys",
    "-{}",
    "{}|nosuch",
    "range({}|int)",
)
_LISTS = _formed(("[{}, {}]", "({}, {})", "range({}|int, {}|int)", "range({}|int, {}|int)|list"), _NAMES, _CONSTANTS)
_VALUES = st.one_of(_NAMES, _CONSTANTS, _formed(_FILTERED, _NAMES), _formed(_FILTERED, _CONSTANTS), _LISTS)
_TESTED = (
    "{} is defined",
    "{} is undefined",
    "{} is not defined",
    "{} is failed",
    "{} is succeeded",
    "{} is skipped",
    "{} is truthy",
    "{} is string",
    "{} is nosuch",
)
_COMPARED = (
    "{} == {}",
    "{} != {}",
    "{} < {}",
    "{} >= {}",
    "{} in {}",
    "{} not in {}",
    "{}|int == {}",
    "0 <= {}|int <= {}",
)
_LEAVES = st.one_of(
    _formed(_COMPARED, _VALUES, _VALUES), _formed(_TESTED, _VALUES), _formed(("{}|bool",), _NAMES), _VALUES
)
EXPRESSIONS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        _formed(("{} and {}", "{} or {}", "({}) and ({})", "({}) or ({})"), inner, inner),
        _formed(("not {}", "not ({})", "({})"), inner),
        _formed(("{} if {} else {}", "({}) == ({})"), inner, inner, inner),
    ),
    max_leaves=5,
)
WHENS = st.lists(st.one_of(EXPRESSIONS, EXPRESSIONS, st.booleans()), min_size=1, max_size=3)


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw what is known, and all that there is at run time."""
    known = {name: draw(values) for name, values in _KNOWN_VALUES.items() if draw(st.integers(0, 3))}
    found = {
        name: draw(_FOUND) for name in (*_UNKNOWN_NAMES, *(_KNOWN_VALUES.keys() - known)) if draw(st.integers(0, 3))
    }
    return known, {**found, **known}


def _templar(variables: dict[str, Any]) -> Any:
    return Templar(loader=DataLoader(), variables=variables)


def ansible_item(item: Any, variables: dict[str, Any]) -> Any:
    """Return what Ansible makes of one condition: true, false or `ERROR`."""
    templar = _templar(variables)
    try:
        if trust_as_template is not None:
            return templar.evaluate_conditional(trust_as_template(item) if isinstance(item, str) else item)
        from ansible.playbook.conditional import Conditional

        conditional = Conditional(loader=DataLoader())
        conditional.when = [item]
        return conditional.evaluate_conditional(templar, variables)
    except Exception:  # noqa: BLE001 - whatever it is that Ansible reports for a task
        return ERROR


def ansible_when(when: list[Any], variables: dict[str, Any]) -> Any:
    for item in when:
        result = ansible_item(item, variables)
        if result is not True:
            return result
    return True


def modern(when: Any) -> Any:
    """Return a condition as the generator writes it: one that comes to true or false."""
    try:
        return Moderniser("file").task({"when": when, "debug": {}}, "[0]")["when"]
    except UnsupportedConstruct:
        reject()


@SETTINGS
@given(WHENS, situations())
def test_what_is_decided_is_what_ansible_decides(
    when: list[Any], situation: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    known, variables = situation
    decided = conditions.decide(when, known)
    if decided is not None:  # an error is never decided
        assert ansible_when(when, variables) is decided


@SETTINGS
@given(WHENS, situations())
def test_what_is_left_comes_to_the_same(when: list[Any], situation: tuple[dict[str, Any], dict[str, Any]]) -> None:
    known, variables = situation
    assert ansible_when(conditions.residual(when, known), variables) == ansible_when(when, variables)


@pytest.mark.skipif(trust_as_template is None, reason="values have their types from ansible-core 2.19 on")
@SETTINGS
@given(EXPRESSIONS, situations())
def test_a_value_that_is_known_is_ansibles(expression: str, situation: tuple[dict[str, Any], dict[str, Any]]) -> None:
    known, variables = situation
    value = conditions.evaluate(expression, known)
    assume(value is not UNKNOWN)
    assert trust_as_template is not None
    found = _templar(variables).evaluate_expression(trust_as_template(expression))
    assert found == value and isinstance(found, bool) == isinstance(value, bool)


@SETTINGS
@given(WHENS, situations())
def test_a_simplified_condition_comes_to_the_same(
    when: list[Any], situation: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    known, variables = situation
    when = modern(when)
    assert ansible_when(simplify(when, known), variables) == ansible_when(when, variables)


@SETTINGS
@given(WHENS, situations())
def test_a_verdict_is_ansibles_and_hides_no_error(
    when: list[Any], situation: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    known, variables = situation
    when = modern(when)
    decided = verdicts.verdict(when, known, frozenset(variables))
    if decided is not None:
        assert ansible_when(when, variables) is decided


@SETTINGS
@given(EXPRESSIONS, situations())
def test_a_condition_said_to_be_total_never_fails(item: str, situation: tuple[dict[str, Any], dict[str, Any]]) -> None:
    known, variables = situation
    item = modern(item)
    assume(verdicts.is_total(item, known, frozenset(variables)))
    assert ansible_item(item, variables) is not ERROR
