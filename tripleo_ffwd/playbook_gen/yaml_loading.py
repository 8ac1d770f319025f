"""Plain YAML to values, safe against texts made to hurt; imports yaml and exceptions, no I/O.

Beside what PyYAML's safe loader refuses (tags that make objects): lists in lists by the ten thousand, which end the
process inside libyaml; merge keys that multiply; numbers that take minutes to read.
"""

from __future__ import annotations

from typing import Any

import yaml

from tripleo_ffwd.exceptions import MalformedOutputs
from tripleo_ffwd.playbook_gen import bounds

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_MAX_MERGED = 10_000
_MAX_DIGITS = 300
# What libyaml says, from PyYAML 6.0.4 on, of lists in lists that it looks ahead at before the first is an event.
_TOO_DEEP = "maximum nesting depth"
_OPENING: Any = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSING = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


class _PlainLoader(_Loader):  # type: ignore[misc]  # either of two classes
    """The safe loader with limits."""

    def flatten_mapping(self, node: Any) -> None:
        """Take in what ``<<`` names, unless that comes to too much."""
        merged = 0
        for key, value in node.value:
            if key.tag == _MERGE:
                for found in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(found, yaml.MappingNode):
                        self.flatten_mapping(found)
                        merged += len(found.value)
        if merged > _MAX_MERGED:
            raise yaml.constructor.ConstructorError(
                None, None, f"more than {_MAX_MERGED} keys are merged into a mapping", node.start_mark
            )
        super().flatten_mapping(node)

    def number(self, node: Any) -> Any:
        """Return a number that isn't absurdly long."""
        if len(node.value) > _MAX_DIGITS:
            raise yaml.constructor.ConstructorError(
                None, None, f"a number has {len(node.value)} digits", node.start_mark
            )
        if node.tag.endswith(":int"):
            return self.construct_yaml_int(node)
        return self.construct_yaml_float(node)


for _kind in ("int", "float"):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _PlainLoader.number)


def load_yaml(text: str, where: str) -> Any:
    """Return the value of a YAML text.

    Raises:
        MalformedOutputs: naming the line when it is no YAML, or when it has a tag that would make an object; it is
            larger or deeper than `bounds` allows.
    """
    bounds.check(text, where)
    try:
        _check_depth(text, where)
        value = yaml.load(text, Loader=_PlainLoader)  # a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "can't be read"
        if _TOO_DEEP in str(problem):
            raise _too_deep(mark.line if mark is not None else 0, where) from error
        raise MalformedOutputs(f"is not YAML{line}: {bounds.shown_text(problem)}", where=where) from error
    except (ValueError, RecursionError) as error:
        raise MalformedOutputs(f"is not YAML: {error}", where=where) from error
    bounds.check(value, where)
    return value


def _check_depth(text: str, where: str) -> None:
    depth = 0
    events: Any = yaml.parse(text, Loader=_Loader)
    for event in events:
        if isinstance(event, _OPENING):
            depth += 1
            if depth > bounds.MAX_DEPTH:
                raise _too_deep(event.start_mark.line, where)
        elif isinstance(event, _CLOSING):
            depth -= 1


def _too_deep(line: int, where: str) -> MalformedOutputs:
    told = f"line {line + 1}: more than {bounds.MAX_DEPTH} lists and mappings stand in each other"
    return MalformedOutputs(told, where=where)
