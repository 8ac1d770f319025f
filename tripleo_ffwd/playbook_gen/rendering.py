"""Values to YAML text, the same text for the same value; imports yaml only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

# Texts that YAML takes for texts as they stand: names, addresses, ids.
_PLAIN = re.compile(
    r"[A-Za-z_][A-Za-z0-9_.-]{0,99}|([0-9]{1,3}\.){3}[0-9]{1,3}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_WORDS = frozenset(("yes", "no", "y", "n", "on", "off", "true", "false", "null"))
_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):  # type: ignore[misc]
    """Block style, no aliases, long lines left alone, texts of several lines as literal blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _DataDumper(_Dumper):
    """As `_Dumper`, but no literal blocks: a lookup of the file strips its end, and the last line's with it."""


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
_DataDumper.add_representer(str, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", value))


def dump(value: Any) -> str:
    """Return a value as YAML, keys in their own order."""
    if isinstance(value, Mapping) and value and all(_is_plain(part) for pair in value.items() for part in pair):
        # Each server has such a file; the same text, ten times faster.
        return "".join(f"{key}: {item}\n" for key, item in value.items())
    return _dump(value, _Dumper)


def data(value: Any) -> str:
    """Return the YAML of a file that tasks read by a lookup, which strips the file's end."""
    return _dump(value, _DataDumper)


def _is_plain(value: Any) -> bool:
    return type(value) is str and _PLAIN.fullmatch(value) is not None and value.lower() not in _WORDS


def _dump(value: Any, dumper: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=1_000_000
    )
    return text


def document(value: Any, comment: str = "") -> str:
    """Return a whole YAML file, with a comment of one line at its top."""
    head = f"# {comment}\n" if comment else ""
    return f"---\n{head}{dump(value)}"
