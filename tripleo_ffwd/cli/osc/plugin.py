"""What OpenStackClient asks of a plugin: a name, a version, options of our own, and a client of Mistral.

It is imported by every `openstack` command, whichever it is: so it imports nothing that takes time.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from tripleo_ffwd.exceptions import ConfigurationError

if TYPE_CHECKING:
    from tripleo_ffwd.mistral import Mistral

# Attribute of the client manager, and part of the name of the group of entry points.
API_NAME = "tripleo_ffwd"
API_VERSION_OPTION = "os_tripleo_ffwd_api_version"
DEFAULT_API_VERSION = "1"
API_VERSIONS = {"1": "tripleo_ffwd.mistral.Mistral"}

SERVICE_TYPE = "workflowv2"
# An action that is waited for may take a minute; what takes longer has been lost.
REQUEST_SECONDS = 120.0
HERE = __name__.rpartition(".")[0]


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the options that all commands share."""
    parser.add_argument(
        "--os-tripleo-ffwd-api-version",
        metavar="<version>",
        default=os.environ.get("OS_TRIPLEO_FFWD_API_VERSION", DEFAULT_API_VERSION),
        help="Version of the fast forward upgrade commands, default=1 (Env: OS_TRIPLEO_FFWD_API_VERSION)",
    )
    # Another plugin may have the same option; it then means the same.
    with contextlib.suppress(argparse.ArgumentError):
        parser.add_argument(
            "--os-mistral-url",
            metavar="<url>",
            dest="mistral_url",
            default=os.environ.get("OS_MISTRAL_URL", ""),
            help="Endpoint of Mistral; by default that of the service catalog. Enough without keystone "
            "(Env: OS_MISTRAL_URL)",
        )
    _keep_quiet_about_our_names()
    return parser


def make_client(instance: Any) -> Mistral:
    """Return a client of Mistral for the client manager `instance`.

    Raises:
        ConfigurationError: the service catalog has no Mistral, and no endpoint was given.
    """
    from tripleo_ffwd.mistral import Mistral

    url = mistral_url(instance)
    tls = {"cacert": instance.cacert, "insecure": not instance.verify}
    if without_keystone(instance):
        return Mistral.asked_with(url, tls, REQUEST_SECONDS)
    url = url or _in_catalog(instance)
    if not url:
        region = f" in region {instance.region_name}" if instance.region_name else ""
        raise ConfigurationError(
            f"No Mistral is known: the service catalog has no {SERVICE_TYPE}{region}",
            remedy="Give --os-mistral-url, or --os-auth-type none with --os-endpoint",
        )
    instance.session.timeout = instance.session.timeout or REQUEST_SECONDS
    return Mistral(str(url).rstrip("/"), session=instance.session, tls=tls)


def _in_catalog(instance: Any) -> str:
    """Return Mistral's endpoint in the service catalog; empty when there is none."""
    place = {"region_name": instance.region_name, "interface": instance.interface}
    try:
        return str(instance.get_endpoint_for_service_type(SERVICE_TYPE, **place) or "")
    except Exception as error:
        # Of keystoneauth, which only heat may import.
        if type(error).__name__ == "EndpointNotFound":
            return ""
        raise


def mistral_url(instance: Any) -> str:
    """Return the endpoint that option or environment name; empty without one."""
    return str(instance.get_configuration().get("mistral_url") or "").rstrip("/")


def without_keystone(instance: Any) -> bool:
    """Return whether an endpoint is all that we have: then Mistral is asked without a token."""
    configuration = instance.get_configuration()
    named = configuration.get("auth", {})
    kinds = ("auth_url", "token", "endpoint")
    return bool(mistral_url(instance)) and not any(named.get(kind) for kind in kinds)


def _keep_quiet_about_our_names() -> None:
    """Have cliff not warn, with every command, that python-tripleoclient has four names that we have too."""

    def other(record: logging.LogRecord) -> bool:
        return "duplicate" not in str(record.msg) or HERE not in record.getMessage()

    logging.getLogger("cliff.commandmanager").addFilter(other)
