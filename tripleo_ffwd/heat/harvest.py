"""Lists of resources to deployments: what belongs together is joined, what is the same is held once; no requests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tripleo_ffwd.exceptions import MalformedOutputs
from tripleo_ffwd.heat.listing import Row, stack_of

# The resources in each deployment's nested stack, in config-download-software.yaml and its like.
HOLDER = "TripleODeployment"
RECORD = "TripleOSoftwareDeployment"
_CONFIG = ("group", "config", "inputs", "outputs", "options", "creation_time")
# Resources whose deployments come after the deploy steps; TripleO's interfaces have these names.
_POST = ("ExtraConfigPost", "PostConfig")


@dataclasses.dataclass(slots=True)
class Found:
    """One deployment as Heat has it.

    Attributes:
        stack: the nested stack that stands for it, as name/id; `path` are the resources above it that are known.
        name, parent: its own name, which may be empty, and that of its resource, which may be a number.
        server, source, inputs: id of the server, id of the config, digest of the input values.
        type, status, reason, created: of its resource.
        record_id, config_id, action, made: of Heat's record: its id, the derived config's id, the action, the time.
        derived, same_inputs: when Heat derived the config, and whether from the input values that are there now.
        record_stack: the stack in which the record's resource is.
        post: whether it comes after the deploy steps.
    """

    stack: str
    path: tuple[str, ...]
    name: str
    parent: str
    server: str
    source: str
    inputs: str
    type: str
    status: str
    reason: str
    created: str
    record_id: str
    config_id: str
    action: str
    made: str
    derived: str
    same_inputs: bool
    record_stack: str
    post: bool

    @property
    def label(self) -> str:
        """What people find it by."""
        return self.name or f"{self.parent} of stack {self.stack}"


class Harvest:
    """All that lists of resources have told: holders, records and configs by the stacks that they are in.

    Attributes:
        configs: the configs by id, with the parts that make a derived one.
        inputs: input values by digest.
    """

    def __init__(self) -> None:
        self.configs: dict[str, dict[str, Any]] = {}
        self.inputs: dict[str, dict[str, Any]] = {}
        self._holders: dict[str, tuple[Row, str]] = {}
        self._records: dict[str, Row] = {}

    def add(self, rows: Iterable[Row]) -> None:
        """Take a list of resources in; one that was there already counts once.

        Raises:
            MalformedOutputs: a deployment's value is not one; names its stack.
        """
        for row in rows:
            if row.name == HOLDER:
                self._add_holder(row)
            elif row.name == RECORD:
                kept = ("config_id", "action", "status", "status_reason", "creation_time", "updated_time")
                attributes = {key: row.attributes[key] for key in kept if key in row.attributes}
                attributes["inputs"] = _digest(row.attributes.get("input_values") or {})
                self._records[row.stack] = dataclasses.replace(row, attributes=attributes)
            elif row.physical_id and row.attributes.get("id") == row.physical_id and "inputs" in row.attributes:
                self.add_config(row.physical_id, row.attributes)

    def add_config(self, config_id: str, config: Mapping[str, Any]) -> None:
        """Take a config in."""
        self.configs.setdefault(config_id, {key: config.get(key) for key in _CONFIG})

    def is_current(self, one: Found) -> bool:
        """Return whether Heat derived a deployment's config from the config and the input values that are there now.

        What acts on CREATE alone keeps what it was derived from then: the templates may have another config by now.
        """
        source = self.configs.get(one.source)
        return source is not None and one.same_inputs and str(source.get("creation_time") or "~") <= one.derived

    def deployments(self) -> list[Found]:
        """Return the deployments: those that stand for another one, and those without a record, are none.

        A deployment that does not act on the stack's action (such as one that only acts on DELETE) has no record.
        """
        found = []
        inner = {
            stack_of(str(row.attributes["deployment"]))
            for row, _ in self._holders.values()
            if "/" in str(row.attributes["deployment"])
        }
        for stack, (row, digest) in self._holders.items():
            reference = str(row.attributes.get("deployment") or RECORD)
            if stack in inner or reference == RECORD:
                continue
            target = stack
            while "/" in reference:
                target = stack_of(reference)
                holder = self._holders.get(target)
                reference = str(holder[0].attributes.get("deployment") or RECORD) if holder else ""
            if reference != RECORD:
                found.append(self._found(row, digest, self._records.get(target), reference))
        return found

    def _add_holder(self, row: Row) -> None:
        value = row.attributes.get("value")
        if not isinstance(value, dict) or not isinstance(value.get("input_values") or {}, dict):
            raise MalformedOutputs(f"resource {HOLDER} has no value", where=f"stack {row.stack}")
        inputs = value.get("input_values") or {}
        digest = _digest(inputs)
        self.inputs.setdefault(digest, inputs)
        kept = {key: value.get(key) or "" for key in ("name", "server", "config", "deployment")}
        self._holders[row.stack] = (dataclasses.replace(row, attributes=kept), digest)

    def _found(self, row: Row, digest: str, record: Row | None, reference: str) -> Found:
        value = row.attributes
        told = record.attributes if record else {}
        state = str(told.get("status") or "COMPLETE")
        return Found(
            stack=row.stack,
            path=row.path,
            name=str(value["name"]),
            parent=row.parent,
            server=str(value["server"]),
            source=str(value["config"]),
            inputs=digest,
            type=record.type if record else "",
            status=row.status if state == "COMPLETE" else state,
            reason=str(told.get("status_reason") or row.reason),
            created=row.created,
            record_id=reference or (record.physical_id if record else ""),
            config_id=str(told.get("config_id") or ""),
            action=str(told.get("action") or ""),
            made=str(told.get("creation_time") or ""),
            derived=str(told.get("updated_time") or told.get("creation_time") or ""),
            same_inputs=told.get("inputs") == digest,
            record_stack=record.stack if record else row.stack,
            post=any(mark in row.physical_id or mark in "/".join(row.path) for mark in _POST),
        )


def _digest(inputs: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
