"""Where servers put the results of scripts: objects in a container of Swift, each behind a signed URL of its own."""

from __future__ import annotations

import hmac
import time
from urllib.parse import urlsplit

from tripleo_ffwd.exceptions import ConfigurationError
from tripleo_ffwd.plan.swift.account import SwiftAccount

PREFIX = "ffwd-signals-"
KEY = "X-Container-Meta-Temp-URL-Key"


def make(account: SwiftAccount, name: str, key: str) -> str:
    """Make a container for the results of one script, whose URLs `key` signs; return its name.

    Raises:
        ConfigurationError: Swift signs no URLs.
        Unavailable: it does not answer.
    """
    container = f"{PREFIX}{name}"
    account.make_container(container, {KEY: key})
    if not account.capabilities().get("tempurl"):
        raise ConfigurationError(
            "This Swift takes no signed URLs, which servers put results of scripts to",
            where=account.where,
            remedy="Have tempurl in the pipeline of its proxy, before the authentication",
        )
    return container


def url(account: SwiftAccount, container: str, name: str, key: str, seconds: int) -> str:
    """Return where the result `name` is put, without any credentials, for so many seconds from now."""
    made = urlsplit(account.url)
    known = account.capabilities()["tempurl"].get("allowed_digests") or ["sha1"]
    digest = "sha256" if "sha256" in known else str(known[0])
    path, expires = f"{made.path}/{container}/{name}", int(time.time()) + seconds
    signature = hmac.new(key.encode(), f"PUT\n{expires}\n{path}".encode(), digest).hexdigest()
    return f"{made.scheme}://{made.netloc}{path}?temp_url_sig={signature}&temp_url_expires={expires}"


def remove(account: SwiftAccount, container: str) -> None:
    """Remove a container and its results."""
    for name in account.listing(container):
        account.delete(container, name)
    account.remove_container(container)
