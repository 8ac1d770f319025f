"""Heat: what the pack asks of it, and every error of its clients as one of ours.

The only module that imports heatclient and keystoneauth1. Nothing here waits for an update:
`poll` says where one stands.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

from heatclient import client as heat_client
from heatclient import exc as heat_exc
from heatclient.common import template_utils
from heatclient.common import utils as heat_utils
from keystoneauth1 import exceptions as ks_exc
from keystoneauth1 import session as ks_session
from keystoneauth1.access.service_catalog import ServiceCatalogV3
from keystoneauth1.identity import v3
from oslo_config import cfg

from tripleo_ffwd.exceptions import (
    ConfigurationError,
    FfwdError,
    InvalidTemplates,
    MalformedOutputs,
    NotFound,
    StackBusy,
    StackFailed,
    Unavailable,
)
from tripleo_ffwd.stack import MAX_FAILURES, MAX_REASON, Bundle, FailedResource, StackStatus, StartedUpdate

# Heat answers a create or an update only when it has validated every nested stack of it.
_VALIDATION_TIMEOUT = 600
_MAX_DEPTH = 12
_DEPLOYMENTS = ("OS::Heat::SoftwareDeployment", "OS::Heat::StructuredDeployment")
# Both log whole requests when Mistral's debug is on, and an environment holds passwords.
_REQUEST_LOG = logging.getLogger("tripleo_ffwd.heat.requests")
_REQUEST_LOG.setLevel(logging.INFO)


@dataclasses.dataclass(frozen=True)
class HeatClient:
    """A connection to Heat: `api` for questions, `slow_api` for what Heat validates first; `where` names it."""

    api: Any
    slow_api: Any
    where: str


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
    with _mapped(f"keystone at {conf.auth_url or getattr(security, 'auth_uri', '')}"):
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
        where=where,
    )


def build_bundle(template_path: Path, environment_paths: Sequence[Path]) -> Bundle:
    """Read a template, environments in order, and all files that they use.

    Args:
        template_path: the stack's template, at the top of the plan's files.
        environment_paths: within the same directory.

    Raises:
        InvalidTemplates: a file is missing, can't be parsed, or lies outside the directory; names it.
    """
    with _reading(template_path):
        files, template = template_utils.get_template_contents(template_file=str(template_path))
    environment: dict[str, Any] = {}
    for path in environment_paths:
        with _reading(path):
            used, content = template_utils.process_environment_and_files(env_path=str(path))
            files.update(used)
            environment = template_utils.deep_update(environment, content)
    base = heat_utils.base_url_for_url(heat_utils.normalise_file_path_to_url(str(template_path))) + "/"
    return Bundle.of(template, environment, files, base)


def get_status(client: HeatClient, stack: str) -> StackStatus:
    """Return where the stack stands, with its failed resources when it failed.

    Raises:
        NotFound: there is no such stack.
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    status = StackStatus.of(_get_stack(client, stack, resolve_outputs=False))
    if not status.failed:
        return status
    return dataclasses.replace(status, failures=list_failures(client, status.id)[:MAX_FAILURES])


def list_failures(client: HeatClient, stack: str) -> tuple[FailedResource, ...]:
    """Return the failed resources of a stack and of its nested stacks, as ``openstack stack failures list`` does.

    A failed nested stack is listed itself only when nothing in it failed.

    Raises:
        NotFound: there is no such stack.
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    top = _get_stack(client, stack, resolve_outputs=False)
    return tuple(_failures(client, top.id, (top.stack_name,)))


def poll(client: HeatClient, stack: str, marker: str = "") -> dict[str, Any]:
    """Return where an update stands, for a workflow.

    Args:
        stack: name or id of the stack.
        marker: what `update` returned: an end that is older does not count. Empty: whatever is there counts.

    Returns:
        ``{state, settled, succeeded, status, reason, failures, message, remedy}``; state is ``in_progress``,
        ``complete`` or ``failed``; failures are ``{path, type, status, reason, physical_id}``, at most 20.

    Raises:
        NotFound: there is no such stack.
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    status = StackStatus.of(_get_stack(client, stack, resolve_outputs=False))
    pending = not status.in_progress and bool(marker) and not _has_begun(client, status, marker)
    if not pending and status.failed:
        status = dataclasses.replace(status, failures=list_failures(client, status.id)[:MAX_FAILURES])
    return status.to_poll(pending=pending)


def update(client: HeatClient, stack: str, bundle: Bundle, *, timeout_mins: int = 240) -> StartedUpdate:
    """Start an update of a stack that is there; nothing is created, and an update under way is left alone.

    It is a PATCH, as TripleO's: parameters and resource types that no environment names stay as they are, so what
    prepare set is in force until converge's lifecycle environment sets it back.

    Args:
        timeout_mins: minutes after which Heat gives the update up.

    Raises:
        NotFound: there is no such stack.
        StackBusy: Heat works on it. Heat itself would let the new update supersede the one under way.
        InvalidTemplates: Heat refuses what it was sent, with its reason.
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    before = StackStatus.of(_get_stack(client, stack, resolve_outputs=False))
    if before.in_progress:
        raise before.busy()
    marker = f"{before.updated_at or '-'} {_last_event(client, before) or '-'}"
    with _mapped(client.where, f"The update of stack {stack} was refused"):
        client.slow_api.stacks.update(before.id, existing=True, timeout_mins=timeout_mins, **bundle.payload())
    return StartedUpdate(stack_id=before.id, marker=marker)


def create(client: HeatClient, stack: str, bundle: Bundle, timeout: int = 600) -> StackStatus:
    """Create a stack and wait for it; for the embedded undercloud and tests: no phase creates one.

    Args:
        timeout: seconds.

    Raises:
        StackBusy: there is a stack of that name, or the time was not enough.
        StackFailed: names the failed resources.
        InvalidTemplates, Unavailable, ConfigurationError: as `update`.
    """
    with _mapped(client.where, f"The creation of stack {stack} was refused"):
        client.slow_api.stacks.create(stack_name=stack, timeout_mins=-(-timeout // 60), **bundle.payload())
    deadline = time.monotonic() + timeout
    while (status := get_status(client, stack)).in_progress:
        if time.monotonic() > deadline:
            raise status.busy()
        time.sleep(0.5)
    if not status.complete:
        raise StackFailed(status.describe(), remedy="Mend what failed, delete the stack and create it again")
    return status


def delete(client: HeatClient, stack: str) -> None:
    """Start the deletion of a stack; nothing is done when there is none."""
    with contextlib.suppress(NotFound), _mapped(client.where, f"The deletion of stack {stack} was refused"):
        client.api.stacks.delete(stack)


def get_outputs(client: HeatClient, stack: str) -> list[dict[str, Any]]:
    """Return the stack's outputs, resolved: a list of ``{output_key, output_value}``, sorted by key.

    Raises:
        NotFound: there is no such stack.
        StackBusy: Heat works on it: its outputs may be of two minds.
        StackFailed: its last action failed; names the failed resources.
        MalformedOutputs: Heat could not work out an output.
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    for pause in (1, 2, 0):
        found = _get_stack(client, stack, resolve_outputs=True)
        # For a moment after an update's end Heat 27 can't read attributes of a nested stack that it has just updated.
        if not any(item.get("output_error") for item in getattr(found, "outputs", None) or []):
            break
        time.sleep(pause)
    status = StackStatus.of(found)
    if status.in_progress:
        raise status.busy()
    if status.failed:
        failed = get_status(client, status.id)
        raise StackFailed(
            f"The outputs of a failed stack are not used: {failed.describe()}",
            remedy="Mend the failed resources, run the phase that updates the stack again, then this one",
            failures=[dataclasses.asdict(failure) for failure in failed.failures],
        )
    outputs = getattr(found, "outputs", None) or []
    wrong = [f"{item['output_key']}: {str(item['output_error'])[:200]}" for item in outputs if item.get("output_error")]
    if wrong:
        raise MalformedOutputs(f"Heat can't work out outputs of stack {stack}: {'; '.join(wrong)}", where=stack)
    chosen = ({key: item.get(key) for key in ("output_key", "output_value")} for item in outputs)
    return sorted(chosen, key=lambda item: str(item["output_key"]))


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


def _get_stack(client: HeatClient, stack: str, *, resolve_outputs: bool) -> Any:
    with _mapped(client.where, f"Stack {stack} can't be read"):
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


def _last_event(client: HeatClient, status: StackStatus) -> str:
    """Return the id of the stack's latest event; empty when it has none."""
    with _mapped(client.where, f"The events of stack {status.name} can't be read"):
        found = client.api.events.list(status.id, sort_dir="desc", limit=1)
        return next((event.id for event in found), "")


def _has_begun(client: HeatClient, status: StackStatus, marker: str) -> bool:
    """True when an update has begun since `marker`: without convergence Heat accepts it before it begins."""
    updated_at, _, event = marker.partition(" ")
    # Heat's times are whole seconds; two updates in one are told apart by their events.
    return (status.updated_at or "-") != updated_at or (_last_event(client, status) or "-") != event


def _failures(client: HeatClient, stack: str, path: tuple[str, ...]) -> Iterator[FailedResource]:
    try:
        with _mapped(client.where, f"The resources of stack {stack} can't be read"):
            resources = client.api.resources.list(stack)
    except NotFound:
        # A nested stack that was never made, or is gone.
        return
    for resource in resources:
        if resource.resource_status.endswith("FAILED"):
            inner = (*path, resource.resource_name)
            nested = any(link["rel"] == "nested" for link in resource.links) and len(inner) < _MAX_DEPTH
            below = tuple(_failures(client, resource.physical_resource_id, inner)) if nested else ()
            yield from below or (_failed_resource(client, resource, inner),)


def _failed_resource(client: HeatClient, resource: Any, path: tuple[str, ...]) -> FailedResource:
    reason = (resource.resource_status_reason or "")[:MAX_REASON]
    if resource.resource_type in _DEPLOYMENTS and resource.physical_resource_id:
        with contextlib.suppress(FfwdError), _mapped(client.where, "The deployment can't be read"):
            deployment = client.api.software_deployments.get(resource.physical_resource_id)
            stderr = str((deployment.output_values or {}).get("deploy_stderr") or "").strip()
            reason = f"{reason}; deploy_stderr: …{stderr[-MAX_REASON:]}" if stderr else reason
    return FailedResource(
        path=".".join(path),
        type=resource.resource_type,
        status=resource.resource_status,
        reason=reason,
        physical_id=resource.physical_resource_id or "",
    )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what heatclient raises while it reads templates and environments into InvalidTemplates."""
    try:
        yield
    except (URLError, OSError, heat_exc.CommandError, ValueError, AttributeError, TypeError) as error:
        told = " ".join(str(error).split())
        remedy = "Mend the file, then run the phase again"
        raise InvalidTemplates(
            f"It, or a file that it uses, can't be read: {told}", where=path.name, remedy=remedy
        ) from error


@contextlib.contextmanager
def _mapped(where: str, what: str = "It can't be reached") -> Iterator[None]:
    """Turn every exception of heatclient and keystoneauth into one of ours."""
    try:
        yield
    except (heat_exc.BaseException, ks_exc.ClientException) as error:
        raise _ours(error, where, what) from error


def _ours(error: Exception, where: str, what: str) -> FfwdError:
    code = getattr(error, "code", None) or getattr(error, "http_status", None)
    told = f"{what}: {_text(error)}"
    if code in (401, 403):
        remedy = "The token has expired or lacks rights: set service credentials in [ffwd] auth_*, or correct them"
        return ConfigurationError(f"{what}: the credentials are not accepted (HTTP {code})", where=where, remedy=remedy)
    if code == 404 and isinstance(error, heat_exc.HTTPException):
        return NotFound(told, where=where, remedy="Look at what Heat has with `openstack stack list`")
    if code == 409:
        return StackBusy(told, where=where, remedy="Wait until Heat has ended its work on the stack")
    if isinstance(code, int) and 400 <= code < 500:
        return InvalidTemplates(told, where=where, remedy="Mend the templates, or raise the limit that Heat names")
    if isinstance(error, (ks_exc.EndpointNotFound, ks_exc.MissingRequiredOptions)):
        return ConfigurationError(told, where=where, remedy="Set [ffwd] heat_url, or correct auth_* and region_name")
    return Unavailable(told, where=where)


def _text(error: Exception) -> str:
    return str(error).removeprefix("ERROR: ").strip().rstrip(".")
