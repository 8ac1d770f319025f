"""What is secret, and how it is covered: the one place that decides it for plans, logs, messages and errors.

Names say which values are secret. Those values are then covered wherever they stand, also as other programs write
them: escaped, quoted, in base64, line by line. Stdlib only: it is loaded into ansible-playbook too.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "******"
# A shorter value is never looked for: it would be found in harmless words, and a text full of masks tells nothing.
SHORTEST = 6
# From so many bytes on the base64 of a value is looked for, as it stands within a longer text.
SHORTEST_ENCODED = 8
# Ansible breaks its warnings into lines of so many characters, in the middle of words if need be.
WRAPPED = 80
_LEAST = 4

# Anywhere in a name.
_FRAGMENTS = ("password", "passwd", "passphrase", "secret", "credential", "fernet", "cookie", "privatekey")
# A word of a name, or its end: `ssh_key`, `CephClientKey`, `AuthToken`, `rabbit_cookie`; not `Keystone`.
_ENDS = ("key", "keys", "token", "tokens", "kek", "keyring", "pwd")
# The last word of a name: `rhsm_pass`; not `passthrough`.
_LAST = ("pass", "auth", "private")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|(?=\n?\Z))", re.DOTALL)
_URL_PASSWORD = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@\"']*:)([^\s/@\"']+)(@)")
# What is no secret whatever its name: a path, a template of Ansible's or hiera's, a truth.
_HARMLESS = re.compile(r"/|.*(\{\{|%\{)|(true|false|none|null|undef|changeme)$", re.IGNORECASE | re.DOTALL)
# Where the name only ends in `key` or the like, the value is often that of a setting: `fernet`, `nova.keymgr.conf`.
_PLAIN_WORD = re.compile(r"[a-z]{1,12}|[a-z_]+(\.[a-z_]+)+|[A-Za-z_]+(::[A-Za-z_]+)+")
_ASSIGNED = re.compile(r"([A-Za-z_][\w.-]*)=(.+)", re.DOTALL)


def is_secret(name: str) -> bool:
    """Return whether a parameter, or a key within one, is a secret by its name."""
    return _surely(name) or _maybe(name)


@functools.lru_cache(maxsize=1 << 16)  # every server has the same names
def _surely(name: str) -> bool:
    # What a hiera key says before its last colons is a module: `keystone::admin_token` is about a token.
    flat = re.sub(r"[^a-z]", "", name.rsplit("::", 1)[-1].lower())
    return any(part in flat for part in _FRAGMENTS)


@functools.lru_cache(maxsize=1 << 16)
def _maybe(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name.rsplit("::", 1)[-1])]
    if "public" in words:
        return False
    return any(word.endswith(_ENDS) for word in words) or (bool(words) and words[-1] in _LAST)


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
        return MASK if _PEM.search(value) else _URL_PASSWORD.sub(rf"\1{MASK}\3", value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def values(name: str, value: Any, hidden: Collection[str] = ()) -> Iterator[str]:
    """Yield the secret values within a setting, to be covered wherever they turn up.

    They are those with the name of a secret, of six characters or more, but for paths, templates and truths; what only
    ends in ``key``, ``token`` and the like must not be a plain word either. Passwords within URLs and private keys
    count under any name.

    Args:
        name: of the setting; empty for a mapping of settings.
        value: any JSON or YAML value; texts that are JSON themselves are looked into.
        hidden: names that are secret besides those that say so.
    """
    yield from _found({name: value}, strict=False, loose=False, hidden=hidden)


def _found(value: Any, *, strict: bool, loose: bool, hidden: Collection[str]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = str(key)
            # Of what is hidden as a whole, a text is the secret; what a mapping or a list holds may be plain settings.
            sure = strict or _surely(name) or (name in hidden and isinstance(item, str))
            yield from _found(item, strict=sure, loose=loose or name in hidden or _maybe(name), hidden=hidden)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _found(item, strict=strict, loose=loose, hidden=hidden)
    elif isinstance(value, bytes):
        yield from _found(value.decode("utf-8", "replace"), strict=strict, loose=loose, hidden=hidden)
    elif isinstance(value, str):
        yield from _in_text(value, strict=strict, loose=loose, hidden=hidden)
    elif isinstance(value, int) and not isinstance(value, bool) and (strict or loose) and len(str(value)) >= SHORTEST:
        yield str(value)


def _in_text(text: str, *, strict: bool, loose: bool, hidden: Collection[str]) -> Iterator[str]:
    if text[:1] in ("{", "[") and (inner := _parsed(text)) is not None:
        yield from _found(inner, strict=strict, loose=loose, hidden=hidden)
        if not strict:
            return
    if "PRIVATE KEY-----" in text:
        yield from (found[0] for found in _PEM.finditer(text))
    if "://" in text:
        yield from (found[2] for found in _URL_PASSWORD.finditer(text) if is_worth_it(found[2]))
    assigned = _ASSIGNED.fullmatch(text) if "=" in text else None
    if strict or loose:
        if is_worth_it(text) and (strict or not _PLAIN_WORD.fullmatch(text)):
            yield text
    elif assigned and (assigned[1] in hidden or is_secret(assigned[1])):  # `NAME=VALUE`, as containers get it
        yield from values(assigned[1], assigned[2], hidden)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def is_worth_it(value: str) -> bool:
    """Return whether a value that may be secret can be looked for without finding harmless texts all over."""
    return len(value.strip()) >= SHORTEST and not _HARMLESS.match(value)


def forms(secret: str) -> set[str]:
    """Return the texts that give a secret away: itself, its lines, and as other programs write it."""
    found: set[str] = set()
    for part in {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}:
        if len(part) >= SHORTEST:
            found |= {part, *_escaped(part), *_quoted(part), *_encoded(part.encode())}
    found |= set(_encoded(secret.encode()))
    return {form for form in found if len(form) >= SHORTEST}


def _escaped(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    # YAML writes the letters that JSON has as \u00fc shorter.
    yield re.sub(r"[\x80-\xff]", lambda found: f"\\x{ord(found[0]):02X}", json.dumps(text, ensure_ascii=False)[1:-1])
    yield repr(text)[1:-1]
    yield repr(text + '"')[1:-2]  # between single quotes, whatever stands in the same text
    yield text.replace("'", "''")
    yield text.replace("'", "'\"'\"'")
    yield text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(text: str) -> Iterator[str]:
    for form in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield form
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), form)


def _encoded(data: bytes) -> Iterator[str]:
    """Yield what is the same in every base64 text that `data` is within, wherever it begins there."""
    if len(data) < SHORTEST_ENCODED:
        return
    for before in range(3):
        text = base64.b64encode(bytes(before) + data)
        inner = text[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6].decode()
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


class Redactor:
    """Covers secrets in texts.

    What it costs depends on the text's length and not on how many secrets there are, which may be thousands.

    Args:
        secrets: the values; shorter ones than six characters are passed over.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._by_start: dict[str, list[str]] = {}
        for form in {form for secret in set(secrets) for form in forms(secret)}:
            self._by_start.setdefault(form[:SHORTEST], []).append(form)
        for found in self._by_start.values():
            found.sort(key=len, reverse=True)
        self._beginnings = {start[:size] for start in self._by_start for size in range(_LEAST, SHORTEST)}

    def __call__(self, text: str) -> str:
        """Return a text with all secrets in it covered, and private keys and passwords in URLs whatever they are."""
        text = _cover(text, self.spans(text))
        if "PRIVATE KEY-----" in text:
            text = _PEM.sub(MASK, text)
        return _URL_PASSWORD.sub(rf"\1{MASK}\3", text) if "://" in text and "@" in text else text

    def within(self, value: Any) -> Any:
        """Return a JSON value with all secrets in its texts covered; keys are left."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {key: self.within(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.within(item) for item in value]
        return value

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where secrets stand in a text, begin and end, in order; what overlaps is one."""
        by_start = self._by_start
        if not by_start:
            return []
        found: list[tuple[int, int]] = []
        for begin in range(len(text) - SHORTEST + 1):
            forms_here = by_start.get(text[begin : begin + SHORTEST])
            form = next((one for one in forms_here if text.startswith(one, begin)), None) if forms_here else None
            if form is None:
                continue
            end = begin + len(form)
            if found and begin < found[-1][1]:
                begin, end = found[-1][0], max(end, found.pop()[1])
            found.append((begin, end))
        return found

    def may_go_on(self, text: str) -> bool:
        """Return whether a text ends with the beginning of a secret, of four characters or more."""
        if not self._by_start:
            return False
        for begin in range(max(0, len(text) - WRAPPED), len(text) - _LEAST + 1):
            tail = text[begin:]
            if len(tail) < SHORTEST:
                if tail in self._beginnings:
                    return True
            elif any(form.startswith(tail) for form in self._by_start.get(tail[:SHORTEST], ())):
                return True
        return False


def _cover(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces, at = [], 0
    for begin, end in spans:
        pieces += [text[at:begin], MASK]
        at = end
    return "".join([*pieces, text[at:]])
