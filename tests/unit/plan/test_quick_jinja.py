"""Templates are compiled to what Jinja itself compiles them to, and refused as Jinja refuses them."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.sandbox import SandboxedEnvironment

from tripleo_ffwd.plan.quick_jinja import Sandbox

PIECES = (
    *(
        "{{ a }}",
        "{{a.b}}",
        "{{- a -}}",
        "{{ a\n| upper }}",
        "{{ a -}}  \n\n",
        "{{-}}",
        "{{ {'a': {}} }}",
        "{{a|default({})}}",
    ),
    *("{{ '{' }}", "{{ '}}' }}", "{{ 'x{' ~ a}}}", "{{ a % 2 }}", "{{ (a }}", "{{ 'a }}", "{{ a # }}", "{{ {'a': 1}}}"),
    *(
        "{% if a %}",
        "{%- elif b -%}",
        "{% else %}",
        "{% endif %}",
        "{%+ if a +%}",
        "{% set c = 1 %}",
        "{% include 'b' %}",
    ),
    *("{%- for x in a if x is defined -%}", "{% for loop in a %}", "{{ loop.index }}", "{% endfor %}", "{%- endfor %}"),
    *(
        "{% raw %}",
        "{%- raw -%}",
        "{% endraw %}",
        "{%- endraw %}",
        "{% macro m(a) %}",
        "{% endmacro %}",
        "{{ m(self) }}",
    ),
    *("{% block b %}", "{% endblock %}", "{% extends 'b' %}", "{% call m() %}", "{% endcall %}", "{% unknown %}"),
    *(
        "{% filter upper %}",
        "{% endfilter %}",
        "{{ a is odd }}",
        "{{ a|nofilter }}",
        "{% with d = a %}",
        "{% endwith %}",
    ),
    *(
        "{# {{ a }} #}",
        "{#- a\n-#}\n ",
        "{#-#}",
        "{#+ a #}",
        "{#",
        "#}",
        "{{",
        "}}",
        "{%",
        "%}",
        "{",
        "}",
        "-",
        "'",
        "%",
    ),
    *("text", "\n", "  \n", "\r\n", "\\", "é"),
)


def outcome(environment: jinja2.Environment, text: str) -> object:
    try:
        return environment.compile(text, "name", "file", raw=True)
    except jinja2.TemplateSyntaxError as error:
        return type(error), error.message, error.lineno


def theirs() -> SandboxedEnvironment:
    return SandboxedEnvironment(autoescape=False, optimized=False)


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
@settings(max_examples=400, deadline=None)
def test_the_code_is_jinjas_own(text):
    assert outcome(Sandbox(), text) == outcome(theirs(), text)


@given(st.text("{}%#-+' \na", max_size=14))
@settings(max_examples=400, deadline=None)
def test_the_code_is_jinjas_own_for_any_text(text):
    assert outcome(Sandbox(), text) == outcome(theirs(), text)


@pytest.mark.parametrize("piece", PIECES)
def test_each_piece_is_read_as_jinja_reads_it(piece):
    for text in (piece, f"one\n  {piece}  \n two\n{piece}\n"):
        assert outcome(Sandbox(), text) == outcome(theirs(), text)


def test_a_tag_is_read_once_for_all_folders():
    sandbox = Sandbox()
    for folder in ("one", "other"):
        environment = sandbox.overlay(loader=jinja2.DictLoader({"a": f"{folder} {{{{ name }}}}"}))
        assert environment.get_template("a").render(name="x") == f"{folder} x"
        assert environment.lexer is sandbox.lexer
    assert sandbox.lexer is not theirs().lexer


def test_what_is_unsafe_stays_refused():
    with pytest.raises(jinja2.exceptions.SecurityError):
        Sandbox().overlay(loader=None).from_string("{{ a.__class__.__mro__ }}").render(a={})
