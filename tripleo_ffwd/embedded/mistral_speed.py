"""Make the embedded Mistral quick to take a workbook; imports mistral and jsonschema, for mistral_server only.

Mistral checks each task, policy and clause of a workflow against a schema, and each time the schema itself first: that
is fourteen of the fifteen seconds of CPU that a workbook of fifty tasks takes. Here each schema is checked once.
"""

from __future__ import annotations

import threading
from typing import Any

from jsonschema import exceptions, validators
from mistral import exceptions as mistral_exceptions
from mistral.lang import base


def install() -> None:
    """Call it before the first workbook is taken."""
    ready: dict[int, Any] = {}
    lock = threading.Lock()

    def validator_of(schema: Any) -> Any:
        # Each kind of thing has one schema, which lives as long as the process: the validator holds it.
        with lock:
            if id(schema) not in ready:
                kind = validators.validator_for(schema)
                kind.check_schema(schema)
                ready[id(schema)] = kind(schema)
            return ready[id(schema)]

    def validate_schema(spec: Any) -> None:
        error = exceptions.best_match(validator_of(spec.get_schema()).iter_errors(spec._data))
        if error is not None:
            raise mistral_exceptions.InvalidModelException(f"Invalid DSL: {error}")

    base.BaseSpec.validate_schema = validate_schema
