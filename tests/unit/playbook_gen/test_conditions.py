from __future__ import annotations

from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tripleo_ffwd.playbook_gen import conditions
from tripleo_ffwd.playbook_gen.conditions import UNKNOWN, decide, evaluate

KNOWN = {"release": "ocata", "step": "2", "tripleo_role_name": "Controller"}


@pytest.mark.parametrize(
    ("when", "verdict"),
    [
        (None, True),
        (True, True),
        ([], True),
        ("step|int == 2", True),
        ("step == 2", False),  # a loop's step is a text
        ("step == '2'", True),
        ("(step|int == 0 or step|int == 3) and yum.stat.exists", False),
        ("step|int == 2 or yum.stat.exists", True),
        ("step|int == 2 and yum.stat.exists", None),
        ("yum.stat.exists and step|int == 3", None),  # Ansible looks at the left side first, which may fail
        (["step|int == 3", "yum.stat.exists"], False),
        (["yum.stat.exists", "step|int == 3"], None),
        (["step|int == 2", "is_bootstrap_node|bool"], None),
        ("cell0_database_url_step is succeeded", None),
        ("release in ['ocata', 'pike']", True),
        ("not release == 'pike'", True),
        ("step", None),  # a text is no truth
        ("step < 3", None),  # Ansible fails here: at run time, not in the compiler
        ("step|int == ", None),
        ("{{ step|int == 3 }}", None),
        ("step|frobnicate == 3", None),
        ("release is defined", True),
        ("nothing is defined", None),
    ],
)
def test_decides_only_what_is_known(when: Any, verdict: bool | None) -> None:
    assert decide(when, KNOWN) is verdict


@pytest.mark.parametrize(
    "expression",
    ["releases | difference( releases | last )", "releases | difference([releases | last])", "releases[:-1]"],
)
def test_all_releases_but_the_last(expression: str) -> None:
    assert evaluate(expression, {"releases": ["ocata", "pike", "queens"]}) == ["ocata", "pike"]


ATOMS = st.sampled_from(
    (
        *(
            "step|int == 1",
            "step == '2'",
            "step|int in [1, 3]",
            "step|int >= 2",
            "release == 'ocata'",
            "release != 'pike'",
        ),
        *("flag|bool", "flag", "true", "tripleo_role_name == 'Compute'", "flag is defined", "release is defined"),
    )
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"{t[0]} {t[1]} {t[2]}"),
        inner.map(lambda text: f"not ({text})"),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    expression=EXPRESSIONS,
    step=st.sampled_from(["0", "1", "2", "3"]),
    release=st.sampled_from(["ocata", "pike"]),
    flag=st.booleans(),
)
def test_what_is_folded_is_what_jinja_says(expression: str, step: str, release: str, flag: bool) -> None:
    environment = jinja2.Environment()
    environment.filters["bool"] = bool
    known = {"step": step, "release": release, "tripleo_role_name": "Controller"}
    folded = conditions.decide(expression, known)
    truth = environment.compile_expression(expression)({**known, "flag": flag})
    assert folded is None or folded == bool(truth)
    if "flag" not in expression:
        assert evaluate(expression, known) is not UNKNOWN


def test_values_of_different_types_are_told_apart_whatever_was_asked_before() -> None:
    for step, holds in ((1, True), ("1", False), (True, True), (1.0, True), ("1", False), (1, True)):
        assert conditions.evaluate("step == 1", {"step": step}) is holds
    assert conditions.evaluate("step is defined", {"step": 1}) is True
    assert conditions.evaluate("step is defined", {}) is conditions.UNKNOWN
