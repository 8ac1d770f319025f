"""Secrets among a plan's parameters, found by name, by declaration and by looks, and covered; stdlib only."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

MASK = "******"

# Anywhere in a name.
_FRAGMENTS = ("password", "passwd", "passphrase", "secret", "credential", "fernet", "cookie", "privatekey")
# A word of a name, or its end: `ssh_key`, `CephClientKey`, `AuthToken`, `rabbit_cookie`; not `Keystone`.
_ENDS = ("key", "keys", "token", "tokens", "kek", "keyring", "pwd")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_URL_PASSWORD = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(@)")


def is_secret(name: str) -> bool:
    """Return whether a parameter, or a key within one, is a secret by its name."""
    # What a hiera key says before its last colons is a module: `keystone::admin_token` is about a token.
    last = name.rsplit("::", 1)[-1]
    flat = re.sub(r"[^a-z]", "", last.lower())
    return any(part in flat for part in _FRAGMENTS) or any(
        word.lower().endswith(_ENDS) for word in _WORDS.findall(last)
    )


def masked(name: str, value: Any, hidden: Collection[str] = ()) -> Any:
    """Return a parameter's value with what is secret of it covered.

    Args:
        name: of the parameter.
        value: any JSON or YAML value.
        hidden: names of parameters that the templates declare ``hidden``.
    """
    if name in hidden or is_secret(name):
        return value if value in (None, "") or isinstance(value, bool) else MASK
    return _within(value)


def _within(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): masked(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_within(item) for item in value]
    if isinstance(value, str):
        return MASK if _PEM.search(value) else _URL_PASSWORD.sub(rf"\1{MASK}\2", value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)
