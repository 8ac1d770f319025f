"""What is left of a condition: without the parts that are decided, word for word."""

from __future__ import annotations

from typing import Any

import pytest

from tripleo_ffwd.playbook_gen.simplifying import simplify

KNOWN = {"step": "2", "release": "ocata", "tripleo_role_name": "Controller"}


@pytest.mark.parametrize(
    ("when", "left"),
    [
        (None, []),
        (True, []),
        ("step|int == 2", []),
        (["step|int == 2", "x  is   defined"], ["x  is   defined"]),  # blanks too
        ("step|int == 2 and x|bool", ["x|bool"]),
        ("x|bool and step|int == 2", ["x|bool"]),
        ("step|int == 3 or x|bool", ["x|bool"]),
        ("(step|int == 0 or step|int == 2) and x.stat.exists", ["x.stat.exists"]),
        ("step|int == 2 and (x|bool or step|int == 3)", ["(x|bool or step|int == 3)"]),
        ("step|int == 2 and x", ["step|int == 2 and x"]),  # a text in `x` alone would be looked at twice
        ("step|int == 2 and 'and' in x", ["'and' in x"]),
        ("step|int == 2 and x[' or '] == 1", ["x[' or '] == 1"]),
        ("(step|int == 2 and x.stdout) is truthy", ["(x.stdout) is truthy"]),
        ("not (step|int == 2 and x|bool)", ["not (step|int == 2 and x|bool)"]),
        ("x|bool and step|int == 3", ["x|bool and step|int == 3"]),  # may fail before it is false
        ("step|int ==", ["step|int =="]),
        ("{{ step|int == 2 }}", ["{{ step|int == 2 }}"]),
        (["step|int == 3", "x|bool"], ["step|int == 3", "x|bool"]),
        ([False, "x|bool"], [False, "x|bool"]),
    ],
)
def test_decided_parts_go_and_the_rest_stays(when: Any, left: list[Any]) -> None:
    assert simplify(when, KNOWN) == left
