"""Threads that use one engine of YAQL each get what they asked for."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tripleo_ffwd.embedded import yaql_lock  # before yaql: it lacks an import that this has

from yaql import YaqlFactory  # isort: skip
from yaql.language import factory  # isort: skip

# As the templates of Queens have them.
EXPRESSIONS = (
    "coalesce($.data.role_data, []).where($ != null).select($.get('step_config')).where($ != null)",
    "$.data.a.where($ != null).flatten().distinct()",
    "$.data.map.items().where(not isEmpty($[1])).toDict($[0], $[1])",
    "dict($.data.where($ != null and not isEmpty($)).select([$.get(0), $.get(1)]))",
    "1 + 2 * $.x",
)


@pytest.fixture(autouse=True)
def threads_that_take_turns(monkeypatch):
    monkeypatch.setattr(factory.YaqlEngine, "__call__", factory.YaqlEngine.__call__)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("options", [None, {"yaql.limitIterators": 10}])
def test_each_thread_gets_its_own_expression(options):
    engine = YaqlFactory().create({})
    wanted = [str(engine(text)) for text in EXPRESSIONS]
    yaql_lock.install()

    def parse(first: int) -> list[str]:
        order = [(first + number) % len(EXPRESSIONS) for number in range(200)]
        return [text for place in order if (text := str(engine(EXPRESSIONS[place], options))) != wanted[place]]

    with ThreadPoolExecutor(4) as pool:
        assert [found for wrong in pool.map(parse, range(4)) for found in wrong] == []
