"""Values to YAML text, the same text for the same value; imports yaml only."""

from __future__ import annotations

import re
from typing import Any

import yaml

# Texts that YAML takes for texts as they stand: sentences and names, but for some words; addresses and ids.
_PLAIN = re.compile(
    r"[A-Za-z_/(^](?:[ -~]*[!-~])?|(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_QUOTING = frozenset("{[\"'&*!|>%@`#,")
_QUOTED = re.compile(r"[{\[\"'&*!|>%@`#,](?:[ -~]*[!-~])?")
_WORDS = frozenset(("yes", "no", "y", "n", "on", "off", "true", "false", "null"))
# Longer keys stand on a line of their own; longer texts may not stay on one line.
_LONGEST_KEY, _LONGEST = 100, 100_000
_BREAKS = ("\x85", "\u2028", "\u2029")
_END = "...\n"
_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Unusual(Exception):
    """A value whose text depends on more than its indentation."""


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


class Writer:
    """Writes files of YAML, each byte as the library does, and ten times faster.

    Lists, mappings and texts of one line are written here, all else by the library: each text once, however often it
    comes.
    """

    def __init__(self, library: Any = _Dumper) -> None:
        self._library = library
        self._keys: dict[Any, str] = {}
        self._lines: dict[str, str] = {}
        self._blocks: dict[str, str] = {}
        self._end = ""

    def document(self, value: Any, comment: str = "") -> str:
        """Return a whole YAML file, with a comment of one line at its top."""
        head = f"# {comment}\n" if comment else ""
        return f"---\n{head}{self.dump(value)}"

    def dump(self, value: Any) -> str:
        """Return a value as YAML, keys in their own order."""
        if not value or type(value) not in (dict, list):
            return _dump(value, self._library)
        parts: list[str] = []
        self._end = ""
        try:
            self._write(value, "", parts)
        except _Unusual:
            return _dump(value, self._library)
        return "".join(parts) + self._end

    def _write(self, value: Any, indent: str, parts: list[str]) -> None:
        """Add the lines of a list or mapping that holds something; what stands before its first one is there."""
        before, deeper, lines = "", f"{indent}  ", self._lines
        if type(value) is list:
            for item in value:
                if type(item) is str:
                    parts.append(f"{before}- {lines.get(item) or self._scalar(item, deeper)}")
                elif item and type(item) in (dict, list):
                    parts.append(f"{before}- ")
                    self._write(item, deeper, parts)
                else:
                    parts.append(f"{before}- {_other(item)}")
                before = indent
            return
        for key, item in value.items():
            name = self._keys.get(key) or self._key(key)
            if type(item) is str:
                parts.append(f"{before}{name}: {lines.get(item) or self._scalar(item, deeper)}")
            elif item and type(item) in (dict, list):
                inner = indent if type(item) is list else deeper
                parts.append(f"{before}{name}:\n{inner}")
                self._write(item, inner, parts)
            else:
                parts.append(f"{before}{name}: {_other(item)}")
            before = indent

    def _key(self, key: Any) -> str:
        if type(key) is not str or len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()):
            raise _Unusual
        self._keys[key] = found = self._scalar(key, "")[:-1]
        return found

    def _scalar(self, text: str, indent: str) -> str:
        """Return a text with the end of its line; further lines of it have that indentation."""
        if "\n" in text:
            return self._block(text, indent)
        found = self._lines.get(text)
        if found is None:
            self._lines[text] = found = _line(text) or self._by_library(text)
        return found

    def _block(self, text: str, indent: str) -> str:
        if text not in self._blocks:
            self._blocks[text] = self._by_library(text)
        found = self._blocks[text]
        if found.startswith("|"):
            # Where the last block of a file ends in empty lines, the library marks the end of the file.
            self._end = _END if found.endswith(f"\n{_END}") else ""
            found = found.removesuffix(self._end)
        return found.replace("\n  ", f"\n{indent}")

    def _by_library(self, text: str) -> str:
        """Return a text with the end of its line; further lines are indented by two."""
        found = _dump([text], self._library).removeprefix("- ")
        if len(text) > _LONGEST or any(mark in found for mark in _BREAKS):
            raise _Unusual
        return found


def dump(value: Any) -> str:
    """Return a value as YAML, keys in their own order."""
    return Writer().dump(value)


def data(value: Any) -> str:
    """Return the YAML of a file that tasks read by a lookup, which strips the file's end."""
    return Writer(_DataDumper).dump(value)


def document(value: Any, comment: str = "") -> str:
    """Return a whole YAML file, with a comment of one line at its top."""
    return Writer().document(value, comment)


def _line(text: str) -> str:
    """Return a text as it is or in quotes, with the end of its line; nothing where that takes a longer look."""
    if len(text) > _LONGEST:
        raise _Unusual
    takes_quotes = text[:1] in _QUOTING
    if not (_QUOTED if takes_quotes else _PLAIN).fullmatch(text):
        return ""
    if takes_quotes or ": " in text or " #" in text or text.endswith(":"):
        return "'{}'\n".format(text.replace("'", "''"))
    return f"{text}\n" if text.lower() not in _WORDS else ""


def _other(value: Any) -> str:
    if value is True or value is False:
        return "true\n" if value else "false\n"
    if value is None or type(value) is int:
        return "null\n" if value is None else f"{value}\n"
    if not value and type(value) in (dict, list):
        return f"{value}\n"
    raise _Unusual


def _dump(value: Any, dumper: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=1_000_000
    )
    return text
