"""Results of scripts, put by servers that have nothing but a signed URL; on a real Swift by `make test-swift`."""

from __future__ import annotations

import pytest
import requests
import swift_stub
from plan_stores import connection
from swift_server import Account

from tripleo_ffwd.exceptions import ConfigurationError
from tripleo_ffwd.plan.swift import signals


def test_a_server_puts_its_result_with_the_signed_url_alone_and_nothing_else(account):
    api = connection(account)
    container = signals.make(api, "e-1", "k-1")
    url = signals.url(api, container, "server-1", "k-1", 60)
    assert requests.put(url, data=b"{}", timeout=30).status_code == 201
    assert api.get(container, "server-1") == b"{}"
    for other in (url.replace("server-1", "server-2"), signals.url(api, container, "server-1", "k-2", 60)):
        assert requests.put(other, data=b"{}", timeout=30).status_code == 401
    assert requests.put(signals.url(api, container, "server-1", "k-1", -5), timeout=30).status_code == 401
    signals.remove(api, container)
    assert api.container_headers(container) is None


def test_a_swift_that_takes_no_signed_urls_is_named():
    with swift_stub.serving() as stub:
        stub.capabilities = {}
        with pytest.raises(ConfigurationError, match="takes no signed URLs"):
            signals.make(connection(Account(stub.url, stub.token)), "e-1", "k-1")
