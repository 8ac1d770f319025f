"""Taking the values of extra variables out of texts: they may be secret and are shown nowhere; reads no other files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

MASK = "********"
SHORTEST = 6
SECRET_NAME = re.compile(r"pass|secret|token|credential|private|_key$|auth", re.IGNORECASE)


def redactor(extra_vars: Mapping[str, Any], extra_vars_file: str = "") -> Callable[[str], str]:
    """Return a function that masks the values of the extra variables in a text.

    Of `extra_vars` every text of six characters or more is masked; of the file, which is the operator's own and mostly
    harmless settings, those whose name says that they are secret. A vault file needs none: its values are not known.
    """
    values = {value for _, value in _texts("", extra_vars) if len(value) >= SHORTEST}
    values |= {value for name, value in _texts("", _read(extra_vars_file)) if value and SECRET_NAME.search(name)}
    # A secret of several lines shows up as lines, or with its line ends escaped.
    values |= {line for value in values for line in value.splitlines() if len(line.strip()) >= SHORTEST}
    if not values:
        return str
    pattern = re.compile("|".join(re.escape(value) for value in sorted(values, key=len, reverse=True)))
    return lambda text: pattern.sub(MASK, text)


def _texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(f"{name}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(name, item)
    elif isinstance(value, (str, bytes)):
        yield name, value if isinstance(value, str) else value.decode("utf-8", "replace")


def _read(path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # Ansible reads it itself, and complains if it can't
    return data if isinstance(data, dict) else {}
