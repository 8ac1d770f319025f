"""The file with which an operator's shell talks to the overcloud; made of the stack's outputs and the plan. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tripleo_ffwd.exceptions import MalformedOutputs
from tripleo_ffwd.plan import effective
from tripleo_ffwd.plan.places import Files
from tripleo_ffwd.plan.version import PlanVersion

URL, PASSWORD, REGION = "KeystoneURL", "AdminPassword", "KeystoneRegion"


def variables(
    outputs: Iterable[Mapping[str, Any]], version: PlanVersion, *, no_proxy: str = "", name: str = ""
) -> dict[str, str]:
    """Return the variables of such a shell.

    Args:
        outputs: of the stack: ``{output_key, output_value}`` each.
        version: of the plan, whose parameters have the password.
        no_proxy: hosts that are reached without a proxy, besides the overcloud's.
        name: of the cloud, for the prompt.

    Raises:
        MalformedOutputs: the outputs don't say where keystone is.
    """
    found = {str(one["output_key"]): one["output_value"] for one in outputs}
    url = str(found.get(URL) or "")
    host = urlsplit(url).hostname
    if not host:
        raise MalformedOutputs(
            f"The stack has no output {URL}", where=version.plan, remedy="Update the stack, then ask again"
        )
    merged = effective.merge(Files(version.files_dir), version.environments)
    parameters = {key: setting.value for key, setting in [*merged.defaults.items(), *merged.parameters.items()]}
    return {
        "OS_AUTH_TYPE": "password",
        "OS_AUTH_URL": url if url.rstrip("/").endswith("/v3") else f"{url.rstrip('/')}/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": str(parameters.get(PASSWORD) or ""),
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": str(parameters.get(REGION) or "regionOne"),
        "OS_IDENTITY_API_VERSION": "3",
        "OS_IMAGE_API_VERSION": "2",
        "OS_VOLUME_API_VERSION": "3",
        "OS_CLOUDNAME": name or version.plan,
        "NOVA_VERSION": "1.1",
        "COMPUTE_API_VERSION": "1.1",
        "no_proxy": ",".join(dict.fromkeys([*filter(None, no_proxy.split(",")), host])),
    }


def write(variables: Mapping[str, str]) -> str:
    """Return the content of the file, for its variables."""
    first = "# What an earlier file of this kind has set.\nunset $(env | cut -d= -f1 | grep '^OS_')\n"
    return first + "".join(f"export {key}={shlex.quote(value)}\n" for key, value in variables.items())


def cloud(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the same as entries of a clouds.yaml, by the name of the cloud."""
    said = ("auth_url", "username", "password", "project_name", "user_domain_name", "project_domain_name")
    entry = {
        "auth": {name: variables[f"OS_{name.upper()}"] for name in said},
        "region_name": variables["OS_REGION_NAME"],
        "identity_api_version": variables["OS_IDENTITY_API_VERSION"],
    }
    return {variables["OS_CLOUDNAME"]: entry}
