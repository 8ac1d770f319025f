"""The secrets of a run and its log's lines without them; reads the files that hold secrets, and only those."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tripleo_ffwd.redaction import MASK, WRAPPED, Redactor, is_worth_it, values

# Of a tree of playbooks: the variables, and what is written onto nodes.
SETTINGS = ("inventory.yaml", "global_vars.yaml", "group_vars/*", "host_vars/*", "*/*_config.yaml", "deployments/*/*")
# A text among extra variables whose name says nothing must be longer than a release's name.
SHORTEST_UNNAMED = 8
# What names of variables that nobody types begin with, such as those that a health check is told.
OURS = "ffwd_"
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")
_KEY_LINE = re.compile(r"[A-Za-z0-9+/=\\-]*|(Proc-Type|DEK-Info): .*")
_LONGEST_KEY = 120


class LenientLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that takes Ansible's tags for what they stand at."""


def _plain(loader: Any, _suffix: str, node: yaml.Node) -> Any:
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


LenientLoader.add_multi_constructor("!", _plain)


def secrets(
    extra_vars: Mapping[str, Any], extra_vars_file: str = "", tree: Path | None = None, more: Iterable[str] = ()
) -> list[str]:
    """Return the texts that no log may show, longer ones first.

    They are what `redaction.values` finds in the variables and in the tree. Of `extra_vars`, which somebody has typed
    for this run, every text of eight characters or more is one, but for paths, templates, and variables of our own.

    Args:
        extra_vars: given to the run.
        extra_vars_file: file of more; a vault has none, its values are not known.
        tree: directory of playbooks.
        more: values that are known to be secret, such as the plan's hidden parameters.
    """
    found = {
        *more,
        *values("", extra_vars),
        *values("", read_settings(Path(extra_vars_file)) if extra_vars_file else {}),
    }
    typed = {name: value for name, value in extra_vars.items() if not str(name).startswith(OURS)}
    found |= {text for text in _texts(typed) if len(text) >= SHORTEST_UNNAMED and is_worth_it(text)}
    for pattern in SETTINGS if tree else ():
        for path in sorted(tree.glob(pattern)) if tree else ():
            found |= set(values("", read_settings(path)))
    return sorted(found, key=lambda value: (-len(value), value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def read_settings(path: Path) -> Any:
    """Return the value of a YAML or JSON file; an empty one when it can't be read."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text)
        return yaml.load(text, Loader=LenientLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # Ansible reads it itself, and complains if it can't


class Lines:
    """Covers secrets in lines that come one after the other, also one that a line break has cut in two.

    A line that ends with the beginning of a secret is held back until the next one, or the end, has come.

    Args:
        redact: knows the secrets.
    """

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact
        self._held = ""
        self._key = 0

    def feed(self, line: str) -> str:
        """Take a line, with its end; return what can be shown now."""
        if self._key:  # within a private key that nobody has told us of
            self._key = 0 if _KEY_ENDS.search(line) or not _KEY_LINE.fullmatch(line.strip()) else self._key - 1
            if self._key or _KEY_ENDS.search(line):
                return f"{MASK}\n"
        if _KEY_BEGINS.search(line) and not _KEY_ENDS.search(line):
            self._key = _LONGEST_KEY
        shown, line = self._joined(line) if self._held else ("", line)
        self._held = ""
        if len(line) <= WRAPPED and self._redact.may_go_on(line.rstrip("\r\n")):
            self._held = line
            return shown
        return shown + self._redact(line)

    def last(self) -> Iterator[str]:
        """Yield what is left at the end, if anything is."""
        if self._held:
            yield self._redact(self._held)

    def _joined(self, line: str) -> tuple[str, str]:
        """Return the line that was held back, covered, and the next one without its part of what they share."""
        first = self._held.rstrip("\r\n")
        for glue in ("", " "):  # a break within a word, or between two
            for begin, end in self._redact.spans(first + glue + line):
                if begin < len(first) < end:
                    cut = end - len(first) - len(glue)
                    return self._redact(first[:begin]) + MASK + "\n", MASK + line[max(0, cut) :]
        return self._redact(self._held), line
