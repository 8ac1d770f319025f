"""A Swift account: objects by name, and every error of its client as one of ours; the only importer of swiftclient.

Beside `heat`, it alone imports keystoneauth1, for the way to the account. Both are imported when Swift is asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tripleo_ffwd.exceptions import ConfigurationError, FfwdError, NotFound, Unavailable, WriteRefused
from tripleo_ffwd.plan import records
from tripleo_ffwd.plan.swift.login import Login

T = TypeVar("T")

_PARALLEL = 8
_RETRIES = 3


class SwiftAccount:
    """The containers of one account.

    Args:
        make: gives a connection of python-swiftclient; called once in each thread, connections are not shared.
        errors: the exceptions that a connection raises.
        where: names the account in errors.
    """

    def __init__(self, make: Callable[[], Any], errors: tuple[type[Exception], ...], where: str) -> None:
        self._make = make
        self._errors = errors
        self._local = threading.local()
        self.where = where

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return the containers of the account by name, as the listing describes them."""
        with self._mapped("The containers can't be listed"):
            return {item["name"]: item for item in self._api.get_account(full_listing=True)[1]}

    def container_headers(self, container: str) -> dict[str, str] | None:
        """Return the metadata of a container; None when there is none of that name."""
        found = self._or_none(lambda: self._api.head_container(container), f"Container {container}")
        return None if found is None else dict(found)

    def make_container(self, container: str, headers: Mapping[str, str] | None = None) -> None:
        """Make a container, or set metadata of one that is there."""
        with self._mapped(f"Container {container} can't be made"):
            self._api.put_container(container, headers=dict(headers or {}))

    def remove_container(self, container: str) -> None:
        """Remove a container that has no objects; one that is not there is fine."""
        self._or_none(lambda: self._api.delete_container(container), f"Container {container}")

    def capabilities(self) -> dict[str, Any]:
        """Return what this Swift can do besides, as its ``/info`` says."""
        with self._mapped("Swift does not say what it can do"):
            return dict(self._api.get_capabilities())

    @property
    def url(self) -> str:
        """The URL of the account; known once it has been asked for something."""
        if not self._api.url:
            self.containers()
        return str(self._api.url)

    def listing(self, container: str, prefix: str = "") -> dict[str, str]:
        """Return the objects of a container, name → MD5; none when there is no such container.

        A listing may lag behind the objects themselves.
        """
        found = self._or_none(
            lambda: self._api.get_container(container, prefix=prefix or None, full_listing=True)[1],
            f"Container {container}",
        )
        return {item["name"]: item["hash"] for item in found or () if "name" in item}

    def get(self, container: str, name: str) -> bytes | None:
        """Return an object's content, the newest of all replicas; None when there is none.

        Raises:
            Unavailable: what arrived is not what Swift has the checksum of.
        """
        what = f"Object {container}/{name}"
        found = self._or_none(lambda: self._api.get_object(container, name, headers={"X-Newest": "true"}), what)
        if found is None:
            return None
        headers, data = found
        plain = "x-static-large-object" not in headers and "x-object-manifest" not in headers
        if plain and headers.get("etag", "").strip('"') != md5(data):
            raise Unavailable(f"{what} arrived damaged", where=self.where)
        return bytes(data)

    def get_json(self, container: str, name: str, make: Callable[[Any], T], remedy: str) -> T | None:
        """Return what `make` makes of the JSON of an object; None when there is none.

        Raises:
            InvalidInput: it is not what was written there.
        """
        data = self.get(container, name)
        return None if data is None else records.parse(data, make, f"{self.where}, {container}/{name}", remedy)

    def checksum(self, container: str, name: str) -> str | None:
        """Return the MD5 of an object, of the newest of all replicas; None when there is none."""
        found = self._or_none(
            lambda: self._api.head_object(container, name, headers={"X-Newest": "true"}),
            f"Object {container}/{name}",
        )
        return None if found is None else found.get("etag", "").strip('"')

    def put(self, container: str, name: str, data: bytes, *, create: bool = False) -> bool:
        """Write an object; Swift refuses what arrives damaged.

        Args:
            container, name: where.
            data: all of its content.
            create: only when there is none of that name.

        Returns:
            False when `create` and there is one.
        """
        headers = {"If-None-Match": "*"} if create else {}
        with self._mapped(f"Object {container}/{name} can't be written"):
            try:
                self._api.put_object(
                    container,
                    name,
                    io.BytesIO(data) if data else None,
                    content_length=len(data),
                    etag=md5(data),
                    content_type="application/octet-stream",
                    headers=headers,
                )
            except self._errors as error:
                if create and getattr(error, "http_status", None) == 412:
                    return False
                raise
        return True

    def delete(self, container: str, name: str) -> None:
        """Remove an object; one that is not there is fine."""
        self._or_none(lambda: self._api.delete_object(container, name), f"Object {container}/{name}")

    def each(self, function: Callable[[str], Any], names: Iterable[str]) -> list[Any]:
        """Call `function` with each name, some at once, and return the results in order; the first error is raised."""
        pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="swift")
        try:
            return list(pool.map(function, names))
        finally:
            pool.shutdown(cancel_futures=True)

    @property
    def _api(self) -> Any:
        if not hasattr(self._local, "api"):
            self._local.api = self._make()
        return self._local.api

    def _or_none(self, request: Callable[[], Any], what: str) -> Any:
        with self._mapped(f"{what} can't be reached"):
            try:
                return request()
            except self._errors as error:
                if getattr(error, "http_status", None) == 404:
                    return None
                raise

    @contextlib.contextmanager
    def _mapped(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise _ours(error, what, self.where) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unavailable(f"{what}: what answers is not Swift", where=self.where) from error


def connect(conf: Any, security: Any = None) -> SwiftAccount:
    """Return the account that the configuration or the caller's token names; nothing is sent yet.

    Args:
        conf: the values of [ffwd].
        security: Mistral's security context; None, or one without a token, when there is no keystone.

    Raises:
        ConfigurationError: python-swiftclient is not installed, or neither endpoint nor credentials are known.
    """
    try:
        import requests
        import swiftclient
        from keystoneauth1.exceptions import ClientException
    except ImportError as error:
        raise ConfigurationError(
            f"Plans in Swift need {error.name}, which is not installed",
            where="[ffwd] plan_backend",
            remedy="Install the extra: pip install 'tripleo-ffwd[swift]'",
        ) from error
    logging.getLogger("swiftclient").setLevel(logging.CRITICAL)
    region = conf.region_name or getattr(security, "region_name", None) or None
    arguments = _arguments(conf, security, region)
    where = f"Swift at {arguments.get('preauthurl') or conf.swift_url or 'the endpoint of the service catalog'}"

    def make() -> Any:
        return swiftclient.Connection(
            retries=_RETRIES, starting_backoff=0.5, max_backoff=4, timeout=conf.request_timeout, **arguments
        )

    errors = (swiftclient.ClientException, ClientException, requests.RequestException, OSError)
    return SwiftAccount(make, errors, where)


def md5(data: bytes) -> str:
    """Return the checksum that Swift has of an object."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _arguments(conf: Any, security: Any, region: str | None) -> dict[str, Any]:
    from keystoneauth1 import session as ks_session
    from keystoneauth1.exceptions import CatalogException
    from keystoneauth1.identity import v3

    token = getattr(security, "auth_token", None)
    url = conf.swift_url or ("" if conf.auth_url else _from_catalog(security, region))
    cacert = conf.auth_cacert or getattr(security, "auth_cacert", None) or None
    insecure = bool(getattr(security, "insecure", False)) and not conf.auth_url
    common: dict[str, Any] = {"cacert": cacert, "insecure": insecure}
    if url and not conf.auth_url:
        return common | {"preauthurl": url, "preauthtoken": token or "none"}
    if conf.auth_url:
        auth: Any = v3.Password(
            auth_url=conf.auth_url,
            username=conf.auth_username,
            password=conf.auth_password,
            project_name=conf.auth_project_name,
            user_domain_name=conf.auth_user_domain_name,
            project_domain_name=conf.auth_project_domain_name,
        )
    elif token and getattr(security, "auth_uri", None):
        auth = v3.Token(auth_url=security.auth_uri, token=token, project_id=security.project_id)
    else:
        raise ConfigurationError(
            "Nothing says where Swift is",
            where="[ffwd]",
            remedy="Set swift_url, or auth_url, auth_username, auth_password and auth_project_name; on a command line "
            "OS_STORAGE_URL with OS_AUTH_TOKEN, or the usual OS_*, do it too",
        )
    session = ks_session.Session(auth=auth, verify=not insecure and (cacert or True), timeout=conf.request_timeout)
    return common | {"session": Login(session, url, CatalogException), "os_options": {"region_name": region}}


def _from_catalog(security: Any, region: str | None) -> str:
    catalog = getattr(security, "service_catalog", None)
    catalog = json.loads(catalog) if isinstance(catalog, str) and catalog else catalog
    catalog = catalog.get("catalog") if isinstance(catalog, dict) else catalog
    for service in catalog or ():
        for endpoint in service.get("endpoints") or () if service.get("type") == "object-store" else ():
            if endpoint.get("interface") == "public" and region in (None, endpoint.get("region")):
                return str(endpoint["url"])
    return ""


def _reason(error: Exception) -> str:
    """Return why there was no answer, without the names of the classes that noticed it."""
    inner = getattr(error.args[0] if error.args else None, "reason", None)
    return re.sub(r"^\w*Connection(Pool)?\([^)]*\): ", "", " ".join(str(inner or error).split()))


def _ours(error: Exception, what: str, where: str) -> FfwdError:
    code = getattr(error, "http_status", None)
    if code in (401, 403) or "Unauthorized" in str(error):
        return ConfigurationError(
            f"{what}: the credentials are not accepted",
            where=where,
            remedy="The token has expired or lacks rights: set service credentials in [ffwd] auth_*, or correct them",
        )
    if code == 404:
        return NotFound(f"{what}: it does not exist", where=where, remedy="Look at what there is with `swift list`")
    if code in (413, 507):
        return WriteRefused(f"{what}: there is no room (HTTP {code})", where=where, remedy="Make room, or raise quotas")
    told = f"HTTP {code} {getattr(error, 'http_reason', '')}".strip() if code else _reason(error)
    return Unavailable(f"{what}: {told}", where=where)
