"""The login of a Swift account, as its client asks for one."""

from __future__ import annotations

from typing import Any

from tripleo_ffwd.exceptions import ConfigurationError


class Login:
    """What swiftclient asks of a session: a token, a new one when it is refused, and where Swift is.

    A plain session insists on an endpoint in the catalog, also where one is configured.
    """

    def __init__(self, session: Any, url: str, errors: type[Exception]) -> None:
        self._session = session
        self._url = url
        self._errors = errors  # those of a catalog without Swift
        self.get_token = session.get_token
        self.invalidate = session.invalidate

    def get_endpoint(self, **wanted: Any) -> str:
        """Return where Swift is.

        Raises:
            ConfigurationError: neither [ffwd] nor the catalog says.
        """
        try:
            found = self._url or self._session.get_endpoint(**wanted)
        except self._errors:
            found = None
        if not found:
            raise ConfigurationError(
                "The service catalog has no public endpoint of Swift",
                where="[ffwd]",
                remedy="Set swift_url, or correct region_name",
            )
        return str(found)
