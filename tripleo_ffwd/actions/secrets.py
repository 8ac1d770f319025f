"""What an action must not tell, and the private key that it fetches for a run from where no workflow sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tripleo_ffwd.ansible_run import keys
from tripleo_ffwd.ansible_run.redaction import secrets as run_secrets
from tripleo_ffwd.exceptions import ConfigurationError, FfwdError, InvalidInput, NotFound
from tripleo_ffwd.mistral import Mistral
from tripleo_ffwd.plan import hidden
from tripleo_ffwd.plan.places import NotReadable
from tripleo_ffwd.plan.store import open_store
from tripleo_ffwd.redaction import Redactor

if TYPE_CHECKING:
    from tripleo_ffwd.actions.base import Caller

MISTRAL = "workflowv2"
PRIVATE_KEY = "private_key"


def ssh_key_env(caller: Caller, ssh_key_env: str | None, ssh_key_file: str | None) -> str:
    """Return the name of the Mistral environment with the private key; empty when the key is in a file.

    What the caller names goes before what [ffwd] does.

    Raises:
        InvalidInput: an environment and a file are named.
    """
    if ssh_key_env and ssh_key_file:
        raise InvalidInput(
            "Give at most one of ssh_key_env and ssh_key_file", where="ssh_key_env", remedy="Leave one of them out"
        )
    return ssh_key_env or ("" if ssh_key_file else str(caller.conf.ssh_key_env))


def ssh_key(caller: Caller, name: str) -> str:
    """Return the private key in a Mistral environment of `name`, as OpenSSH reads it; empty when `name` is.

    Mistral itself is asked, so that the key passes through no workflow.

    Raises:
        InvalidInput: there is no such environment, or no private key in it that a run can use.
        ConfigurationError, Unavailable: Mistral is not known, or does not answer.
    """
    if not name:
        return ""
    where = f"Mistral environment {name}"
    try:
        variables = mistral(caller).environment(name)
    except NotFound as error:
        raise InvalidInput("There is none of this name", where=where, remedy="Make it, or name another") from error
    key = variables.get(PRIVATE_KEY)
    if not isinstance(key, str) or not key.strip():
        raise InvalidInput(
            f"It has no {PRIVATE_KEY}", where=where, remedy=f"Give it {PRIVATE_KEY}, as TripleO's ssh_keys has it"
        )
    return keys.check(key, where)


def check_ssh_key(caller: Caller, inputs: Mapping[str, Any]) -> None:
    """Check the private key that a phase's inputs name, wherever it is, before anything is touched.

    Raises:
        InvalidInput: it can't be used; says why.
        ConfigurationError, Unavailable: Mistral is not known, or does not answer.
    """
    if "ssh_key_env" not in inputs:  # a phase that runs no playbook
        return
    file = inputs.get("ssh_key_file")
    name = ssh_key_env(caller, inputs["ssh_key_env"], file)
    if name:
        ssh_key(caller, name)
    elif file or caller.conf.ssh_key_file:
        keys.check_file(file or caller.conf.ssh_key_file)


def mistral(caller: Caller) -> Mistral:
    """Return the Mistral that called, asked with our own credentials where there are any, else with the caller's."""
    conf, security = caller.conf, caller.security
    url, cacert = conf.mistral_url, conf.auth_cacert
    if conf.auth_url:
        credentials = {
            "auth_url": conf.auth_url,
            "username": conf.auth_username,
            "api_key": conf.auth_password,
            "project_name": conf.auth_project_name,
            "user_domain_name": conf.auth_user_domain_name,
            "project_domain_name": conf.auth_project_domain_name,
            "region_name": conf.region_name,
            "cacert": cacert,
        }
        return Mistral.asked_with(url, credentials, conf.request_timeout)
    names = ("auth_token", "project_id", "insecure")
    credentials = {name: getattr(security, name, None) for name in names}
    credentials["cacert"] = cacert or getattr(security, "auth_cacert", None)
    region = conf.region_name or getattr(security, "region_name", "") or ""
    url = url or _endpoint(getattr(security, "service_catalog", None), region)
    if not url:
        raise ConfigurationError(
            "Nothing says where Mistral is",
            where="[ffwd]",
            remedy="Set mistral_url, such as http://192.0.2.1:8989/v2",
        )
    return Mistral.asked_with(url, credentials, conf.request_timeout)


def _endpoint(catalog: Any, region: str) -> str:
    """Return Mistral's public endpoint in a service catalog as Mistral hands it on; empty when it has none."""
    found = json.loads(catalog) if isinstance(catalog, str) and catalog else catalog
    found = found.get("catalog") if isinstance(found, dict) else found
    for service in found or ():
        for endpoint in service.get("endpoints", ()) if service.get("type") == MISTRAL else ():
            if endpoint.get("interface") == "public" and region in ("", endpoint.get("region")):
                return str(endpoint.get("url", ""))
    return ""


def redactor(caller: Caller, plan: str = "", version: int = 0, extra_vars: Mapping[str, Any] | None = None) -> Redactor:
    """Return what covers the secrets that an action may come across: of [ffwd], the caller and the plan.

    A plan that can't be read has none.

    Args:
        caller: of the action.
        plan: name of the plan; empty for none.
        version: number of its version; 0 for the current one.
        extra_vars: variables of the caller's.
    """
    found = {str(caller.conf.auth_password), str(getattr(caller.security, "auth_token", None) or "")}
    found |= set(run_secrets(extra_vars if isinstance(extra_vars, Mapping) else {}))
    return Redactor(found | plan_secrets(caller, plan, version))


def plan_secrets(caller: Caller, plan: str, version: int = 0) -> set[str]:
    """Return the values of a plan's version that no log may show; none for a plan that can't be read."""
    if not plan:
        return set()
    try:
        store = open_store(caller.conf, caller.security)
        return hidden.values(store.version(plan, version) if version else store.current(plan))
    except (FfwdError, NotReadable, OSError, ValueError, TypeError, AttributeError):
        return set()
