"""Let the threads of one process use YAQL; imports yaql, for the embedded services only.

An engine of YAQL has one lexer and one parser, which keep the place where they are in an expression. Heat and Mistral
share an engine among all their threads. Two that parse at once read from each other's expression: mostly that fails
("Bad expression", "No method … for receiver"), and now and then it comes to another expression without a word.
"""

from __future__ import annotations

import collections.abc  # noqa: F401  (yaql uses it and does not import it)
import threading
from typing import Any

from yaql.language import factory


def install() -> None:
    """Let one thread parse at a time; call it before threads start."""
    lock = threading.RLock()  # an engine given options calls a copy of itself
    parse = factory.YaqlEngine.__call__

    def parse_alone(engine: Any, expression: str, options: Any = None) -> Any:
        with lock:
            return parse(engine, expression, options)

    factory.YaqlEngine.__call__ = parse_alone
