"""Messages on a queue of Zaqar, by its plain HTTP interface: one small POST needs no client library.

The only module that talks to Zaqar. Who listens (an unmodified tripleoclient, a notification) subscribes to the queue
in the caller's project, so a message is posted there: with the caller's token, and when that has expired with our
service credentials, asked for that project.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from keystoneauth1 import exceptions as ks_exc
from keystoneauth1 import session as ks_session
from keystoneauth1 import token_endpoint
from keystoneauth1.identity import v3
from oslo_config import cfg

from tripleo_ffwd.exceptions import ConfigurationError, FfwdError, InvalidInput, Unavailable

T = TypeVar("T")

QUEUE = "tripleo"
SERVICE_TYPE = "messaging"
# Seconds for which a message can be read by somebody who looks at the queue; who is subscribed gets it at once.
TTL = 3600
# Nothing waits for Zaqar: what can't be posted now is posted later.
TIMEOUT = 10
# A listener subscribes for so many seconds, once; a phase takes longer.
SUBSCRIPTION_TTL = 86400

_REQUEST_LOG = logging.getLogger("tripleo_ffwd.zaqar.requests")
_REQUEST_LOG.setLevel(logging.INFO)


class Zaqar:
    """The queues of one project.

    Args:
        sessions: ways to ask, the best first: a session of keystoneauth and the endpoint it asks; empty for the one in
            its own service catalog.
        project: id of the project; said to a Zaqar without keystone.
        region: of the endpoint; empty for the first of the catalog.
    """

    def __init__(self, sessions: Sequence[tuple[ks_session.Session, str]], project: str = "", region: str = "") -> None:
        self._sessions = sessions
        self._region = region
        self._headers = {"Client-ID": str(uuid.uuid4()), "X-Project-Id": project or "admin"}
        self.where = f"Zaqar at {next((url for _, url in sessions if url), 'the endpoint of the service catalog')}"

    def post(self, queue: str, bodies: Sequence[Mapping[str, Any]], ttl: int = TTL) -> None:
        """Put messages on a queue, in order; a queue that is not there is made by it.

        Args:
            queue: its name.
            bodies: what the messages say, JSON values.
            ttl: seconds for which they are kept.

        Raises:
            Unavailable: Zaqar does not answer, or has failed: try again later.
            ConfigurationError: it refuses our credentials, or there is none in the catalog.
            InvalidInput: it refuses the messages.
        """
        messages = {"messages": [{"ttl": ttl, "body": dict(body)} for body in bodies]}
        self._ask("POST", f"/queues/{queue}/messages", messages)

    def prolong(self, queue: str, ttl: int = SUBSCRIPTION_TTL) -> int:
        """Make the subscriptions of a queue last for `ttl` seconds from now on; return how many there are.

        Raises:
            Unavailable, ConfigurationError, InvalidInput: as `post`.
        """
        found = self._ask("GET", f"/queues/{queue}/subscriptions", None).get("subscriptions") or []
        for one in found:
            self._ask("PATCH", f"/queues/{queue}/subscriptions/{one['id']}", {"ttl": ttl})
        return len(found)

    def _ask(self, method: str, path: str, body: Any) -> dict[str, Any]:
        refusal: FfwdError | None = None
        for session, url in self._sessions:
            try:
                return self._mapped(lambda s=session, u=url: self._send(s, u, method, path, body))  # type: ignore[misc]
            except ConfigurationError as error:  # the next credentials may do
                refusal = error
        raise refusal or ConfigurationError("Nothing says where Zaqar is", where="[ffwd]")

    def _send(self, session: ks_session.Session, url: str, method: str, path: str, body: Any) -> dict[str, Any]:
        url = (
            url
            or session.get_endpoint(service_type=SERVICE_TYPE, interface="public", region_name=self._region or None)
            or ""
        )
        if not url:
            raise ConfigurationError(
                "The service catalog has no public endpoint of Zaqar", where="[ffwd]", remedy="Set zaqar_url"
            )
        response = session.request(
            url.rstrip("/").removesuffix("/v2") + "/v2" + path,
            method,
            json=body,
            headers=self._headers,
            connect_retries=0,
            logger=_REQUEST_LOG,
        )
        found = response.json() if response.content else {}
        return found if isinstance(found, dict) else {}

    def _mapped(self, request: Callable[[], T]) -> T:
        try:
            return request()
        except (ks_exc.Unauthorized, ks_exc.Forbidden, ks_exc.EndpointNotFound) as error:
            raise ConfigurationError(
                f"The credentials are refused: {_text(error)}",
                where=self.where,
                remedy="The token has expired or lacks rights: set service credentials in [ffwd] auth_* that have a "
                "role in the caller's project",
            ) from error
        except ks_exc.HttpError as error:
            if error.http_status < 500 and error.http_status not in (404, 408, 429):
                raise InvalidInput(f"Zaqar refuses: {_text(error)}", where=self.where) from error
            raise Unavailable(f"Zaqar failed: {_text(error)}", where=self.where) from error
        except (ks_exc.ClientException, ValueError, KeyError) as error:
            raise Unavailable(f"Zaqar does not answer: {_text(error)}", where=self.where) from error


def connect(conf: cfg.GroupAttr, security: Any = None, project: str = "") -> Zaqar:
    """Return the Zaqar that the configuration or the caller's token names; nothing is sent yet.

    Args:
        conf: the values of [ffwd].
        security: Mistral's security context; None, or one without a token, when there is no keystone.
        project: id of the project whose queues are meant; by default the caller's.

    Raises:
        ConfigurationError: nothing says where Zaqar is.
    """
    region = conf.region_name or getattr(security, "region_name", None) or ""
    callers = str(getattr(security, "project_id", None) or "")
    if project and callers != project:
        security = None  # the token is for the queues of another project
    project = project or callers
    found = list(_sessions(conf, security, project, region))
    if not found:
        raise ConfigurationError(
            "Nothing says where Zaqar is",
            where="[ffwd]",
            remedy="Set zaqar_url, or auth_url and what belongs to it; without a Zaqar nobody listens to messages",
        )
    return Zaqar(found, project, region)


def _sessions(
    conf: cfg.GroupAttr, security: Any, project: str, region: str
) -> Iterator[tuple[ks_session.Session, str]]:
    token = getattr(security, "auth_token", None)
    cacert = conf.auth_cacert or getattr(security, "auth_cacert", None)
    url = conf.zaqar_url or _from_catalog(security, region)
    if token and url:
        verify = not getattr(security, "insecure", False) and (cacert or True)
        yield _session(token_endpoint.Token(url, token), verify), url
    if conf.auth_url:
        scope: dict[str, Any] = {"project_id": project} if project else {"project_name": conf.auth_project_name}
        auth = v3.Password(
            auth_url=conf.auth_url,
            username=conf.auth_username,
            password=conf.auth_password,
            user_domain_name=conf.auth_user_domain_name,
            **scope,
            **({} if project else {"project_domain_name": conf.auth_project_domain_name}),
        )
        yield _session(auth, cacert or True), conf.zaqar_url
    elif not token and url:
        yield _session(None, cacert or True), url


def _session(auth: Any, verify: Any) -> ks_session.Session:
    return ks_session.Session(auth=auth, verify=verify, timeout=TIMEOUT)


def _from_catalog(security: Any, region: str) -> str:
    """Return Zaqar's public endpoint in a service catalog as Mistral hands it on; empty when it has none."""
    catalog = getattr(security, "service_catalog", None)
    found = json.loads(catalog) if isinstance(catalog, str) and catalog else catalog
    found = found.get("catalog") if isinstance(found, dict) else found
    for service in found or ():
        for endpoint in service.get("endpoints", ()) if service.get("type") == SERVICE_TYPE else ():
            if endpoint.get("interface") == "public" and region in ("", endpoint.get("region")):
                return str(endpoint.get("url", ""))
    return ""


def _text(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
