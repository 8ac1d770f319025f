"""The parameters that a stack was given, secrets and all: to be used, and neither told nor logged."""

from __future__ import annotations

from typing import Any

from heatclient import exc as heat_exc

from tripleo_ffwd.heat.connection import HeatClient, asking


def get_parameters(client: HeatClient, stack: str) -> dict[str, Any]:
    """Return the parameters of a stack's environment by name; nothing when there is no such stack.

    Of those that a template declares hidden, Heat gives ``******`` instead of the value.

    Raises:
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    with asking(client, f"The environment of stack {stack} can't be read"):
        try:
            found = client.api.stacks.environment(stack)
        except heat_exc.HTTPNotFound:
            return {}
        return {**found.get("parameter_defaults", {}), **found.get("parameters", {})}
