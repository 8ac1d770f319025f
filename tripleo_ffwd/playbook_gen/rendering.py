"""Values to YAML text, the same text for the same value; imports yaml only."""

from __future__ import annotations

from typing import Any

import yaml

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):  # type: ignore[misc]
    """Block style, no aliases, long lines left alone, texts of several lines as literal blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> str:
    """Return a value as YAML, keys in their own order."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=1_000_000
    )
    return text


def document(value: Any, comment: str = "") -> str:
    """Return a whole YAML file, with a comment of one line at its top."""
    head = f"# {comment}\n" if comment else ""
    return f"---\n{head}{dump(value)}"
