"""Ansible filters of TripleO's time that newer versions lack: the templates' tree is run with them, ours without."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ansible.plugins.test import core


def old_truth(value: Any) -> bool:
    """Return the truth of a condition that is a variable's name: a text in it was evaluated once more."""
    if isinstance(value, str):
        return value.strip().lower() in ("true", "yes", "on", "1")
    return bool(value)


def _search(value: str, pattern: str) -> bool:
    return re.search(pattern, value) is not None


def _match(value: str, pattern: str) -> bool:
    return re.match(pattern, value) is not None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "old_truth": old_truth,
            "succeeded": core.success,
            "success": core.success,
            "failed": core.failed,
            "changed": core.changed,
            "change": core.changed,
            "skipped": core.skipped,
            "skip": core.skipped,
            "search": _search,
            "match": _match,
            "version_compare": core.version_compare,
        }
