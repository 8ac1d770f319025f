"""The connection to Heat, and every error of its clients as one of ours."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import re
import threading
from collections.abc import Iterator
from typing import Any

from heatclient import client as heat_client
from heatclient import exc as heat_exc
from keystoneauth1 import exceptions as ks_exc
from keystoneauth1 import session as ks_session
from keystoneauth1.access.service_catalog import ServiceCatalogV3
from keystoneauth1.identity import v3
from oslo_config import cfg

from tripleo_ffwd.exceptions import (
    ConfigurationError,
    FfwdError,
    InvalidTemplates,
    LimitExceeded,
    NotFound,
    StackBusy,
    Unavailable,
)

# Heat answers a create or an update only when it has validated every nested stack of it.
_VALIDATION_TIMEOUT = 600
# Both log whole requests when Mistral's debug is on, and an environment holds passwords.
_REQUEST_LOG = logging.getLogger("tripleo_ffwd.heat.requests")
_REQUEST_LOG.setLevel(logging.INFO)
# What Heat says when a limit of its configuration is exceeded, and the option.
_LIMITS = {
    "JSON body size": "max_json_body_size",
    "Template size": "max_template_size",
    "Recursion depth exceeds": "max_nested_stack_depth",
    "Maximum resources per stack exceeded": "max_resources_per_stack",
    "maximum stacks per tenant": "max_stacks_per_tenant",
}


@dataclasses.dataclass(frozen=True)
class HeatClient:
    """A connection to Heat.

    Attributes:
        api, slow_api: for questions, and for what Heat takes its time for.
        preview_api: for what we need not know and give up sooner.
        where: names it in errors.
        parallel: requests at once, at most, where many are made; `turns` holds to it.
    """

    api: Any
    slow_api: Any
    preview_api: Any
    where: str
    parallel: int = 1
    turns: threading.Semaphore = dataclasses.field(
        default_factory=lambda: threading.Semaphore(1), compare=False, repr=False
    )


def connect(conf: cfg.GroupAttr, security: Any = None) -> HeatClient:
    """Return a client for Heat; service credentials of our own go before the caller's token.

    Args:
        conf: the values of [ffwd].
        security: Mistral's security context; None, or one without a token, when there is no keystone.

    Raises:
        ConfigurationError: neither endpoint nor credentials are known; says which option to set.
        Unavailable: keystone does not answer.
    """
    logging.getLogger("heatclient.common.http").setLevel(logging.INFO)
    token = getattr(security, "auth_token", None)
    with mapped(f"keystone at {conf.auth_url or getattr(security, 'auth_uri', '')}"):
        if conf.auth_url:
            arguments = _service_arguments(conf)
        elif token:
            arguments = _caller_arguments(conf, security, token)
        elif conf.heat_url:
            # Heat without keystone wants some user and password to be there.
            arguments = {"endpoint": conf.heat_url, "token": "any", "username": "any", "password": "any"}
        else:
            raise ConfigurationError(
                "Nothing says where Heat is, and the caller has no token",
                where="[ffwd]",
                remedy="Set heat_url for a Heat without keystone, or auth_url, auth_username, auth_password and "
                "auth_project_name",
            )
    where = f"Heat at {arguments.get('endpoint') or 'the endpoint of the service catalog'}"
    return HeatClient(
        api=_client(arguments, conf.request_timeout),
        slow_api=_client(arguments, max(conf.request_timeout, _VALIDATION_TIMEOUT)),
        preview_api=_client(arguments, conf.heat_preview_timeout),
        where=where,
        parallel=conf.heat_parallel_requests,
        turns=threading.Semaphore(conf.heat_parallel_requests),
    )


def get_stack(client: HeatClient, stack: str, *, resolve_outputs: bool) -> Any:
    """Return a stack as heatclient has it.

    Raises:
        NotFound: there is no such stack.
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    with mapped(client.where, f"Stack {stack} can't be read"):
        try:
            return client.api.stacks.get(stack, resolve_outputs=resolve_outputs)
        except heat_exc.HTTPNotFound as error:
            raise NotFound(
                f"Stack {stack} does not exist: {_text(error)}",
                where=client.where,
                remedy="Create the overcloud first, or correct the name of the stack",
            ) from error
        except (AttributeError, TypeError) as error:
            raise Unavailable(
                "What answers is not Heat", where=client.where, remedy="Correct [ffwd] heat_url"
            ) from error


@contextlib.contextmanager
def asking(client: HeatClient, what: str) -> Iterator[None]:
    """Wait for a turn, then turn what a request raises into one of ours; an answer that is not Heat's is one too."""
    with client.turns, mapped(client.where, what):
        try:
            yield
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise Unavailable(f"{what}: the answer is not one of Heat's", where=client.where) from error


@contextlib.contextmanager
def mapped(where: str, what: str = "It can't be reached") -> Iterator[None]:
    """Turn every exception of heatclient and keystoneauth into one of ours."""
    try:
        yield
    except (heat_exc.BaseException, ks_exc.ClientException) as error:
        raise _ours(error, where, what) from error


def _service_arguments(conf: cfg.GroupAttr) -> dict[str, Any]:
    needed = ("auth_username", "auth_password", "auth_project_name")
    missing = [name for name in needed if not getattr(conf, name)]
    if missing:
        raise ConfigurationError(
            f"auth_url is set, but not {', '.join(missing)}", where="[ffwd]", remedy="Set them, or unset auth_url"
        )
    auth = v3.Password(
        auth_url=conf.auth_url,
        username=conf.auth_username,
        password=conf.auth_password,
        project_name=conf.auth_project_name,
        user_domain_name=conf.auth_user_domain_name,
        project_domain_name=conf.auth_project_domain_name,
    )
    return _session_arguments(conf, auth, verify=conf.auth_cacert or True, region=conf.region_name)


def _caller_arguments(conf: cfg.GroupAttr, security: Any, token: str) -> dict[str, Any]:
    region = conf.region_name or security.region_name
    cacert = conf.auth_cacert or security.auth_cacert
    catalog = security.service_catalog
    catalog = json.loads(catalog) if isinstance(catalog, str) and catalog else catalog
    catalog = catalog.get("catalog") if isinstance(catalog, dict) else catalog
    endpoint = conf.heat_url
    if not endpoint and catalog:
        endpoint = ServiceCatalogV3(catalog).url_for(
            service_type="orchestration", interface="public", region_name=region or None
        )
    if not endpoint:
        auth = v3.Token(auth_url=security.auth_uri, token=token, project_id=security.project_id)
        return _session_arguments(conf, auth, verify=not security.insecure and (cacert or True), region=region)
    arguments = {"endpoint": endpoint, "token": token, "insecure": bool(security.insecure)}
    optional = {"username": security.user_name, "region_name": region, "ca_file": cacert}
    return arguments | {key: value for key, value in optional.items() if value}


def _session_arguments(conf: cfg.GroupAttr, auth: Any, *, verify: Any, region: str) -> dict[str, Any]:
    session = ks_session.Session(auth=auth, verify=verify)
    optional = {"region_name": region, "endpoint": conf.heat_url}
    return {"session": session, "logger": _REQUEST_LOG} | {key: value for key, value in optional.items() if value}


def _client(arguments: dict[str, Any], timeout: int) -> Any:
    session = arguments.get("session")
    if session is None:
        return heat_client.Client("1", timeout=timeout, **arguments)
    # One login for both clients: the token lives in `auth`, the timeout in the session.
    timed = ks_session.Session(auth=session.auth, verify=session.verify, timeout=timeout)
    return heat_client.Client("1", **(arguments | {"session": timed}))


def _ours(error: Exception, where: str, what: str) -> FfwdError:
    code = getattr(error, "code", None) or getattr(error, "http_status", None)
    text = _text(error)
    told = f"{what}: {text}"
    if option := next((name for words, name in _LIMITS.items() if words in text), ""):
        remedy = f"Raise {option} in [DEFAULT] of heat.conf, restart Heat's API and engine, then run the phase again"
        return LimitExceeded(told, where=where, remedy=remedy, option=option)
    if code in (401, 403):
        remedy = "The token has expired or lacks rights: set service credentials in [ffwd] auth_*, or correct them"
        return ConfigurationError(f"{what}: the credentials are not accepted (HTTP {code})", where=where, remedy=remedy)
    if code == 404 and isinstance(error, heat_exc.HTTPException):
        return NotFound(told, where=where, remedy="Look at what Heat has with `openstack stack list`")
    if code == 409:
        return StackBusy(told, where=where, remedy="Wait until Heat has ended its work on the stack")
    if isinstance(code, int) and 400 <= code < 500:
        return InvalidTemplates(told, where=where, remedy="Mend the templates, then run the phase again")
    if isinstance(error, (ks_exc.EndpointNotFound, ks_exc.MissingRequiredOptions)):
        return ConfigurationError(told, where=where, remedy="Set [ffwd] heat_url, or correct auth_* and region_name")
    return Unavailable(told, where=where)


def _text(error: Exception) -> str:
    """Return what an error says: of one of the network, who did not answer and the system's words, no libraries'."""
    text = str(error)
    system, url = re.search(r"\[Errno -?\d+\] ([^\"')]+)", text), re.search(r"https?://[^/\s]+", text)
    if isinstance(error, (heat_exc.CommunicationError, ks_exc.ConnectFailure)) and system and url:
        return f"no answer from {url[0]}: {system[1]}"
    return text.removeprefix("ERROR: ").strip().rstrip(".")
