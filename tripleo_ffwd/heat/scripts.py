"""A script that the agents on the servers get from Heat and run: a software deployment, outside of any stack."""

from __future__ import annotations

import contextlib
import dataclasses

from tripleo_ffwd.exceptions import NotFound
from tripleo_ffwd.heat.connection import HeatClient, asking

TRANSPORT = "TEMP_URL_SIGNAL"


@dataclasses.dataclass(frozen=True)
class Script:
    """What is run: its name, its text, and the hook of the agent that runs it, such as ``script``."""

    name: str
    config: str
    group: str = "script"


def servers(client: HeatClient) -> tuple[str, ...]:
    """Return the ids of all servers that Heat has a deployment for, and so an agent, sorted.

    Raises:
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    with asking(client, "The deployments can't be listed"):
        found = client.api.software_deployments.list()
        return tuple(sorted({str(one.server_id) for one in found if one.server_id}))


def send(client: HeatClient, server: str, script: Script, signal_url: str) -> tuple[str, str]:
    """Have a server run a script; return the ids of config and deployment.

    Args:
        client: of Heat.
        server: id of the server.
        script: what it runs.
        signal_url: where its agent puts the result, as JSON, without any other credentials.

    Raises:
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    from heatclient.common import deployment_utils  # it needs the swiftclient of the extra, as who has a URL has

    source = {"config": script.config, "group": script.group}
    made = deployment_utils.build_derived_config_params(
        "CREATE", source, script.name, {}, server, TRANSPORT, signal_url
    )
    with asking(client, f"Script {script.name} can't be sent to server {server}"):
        config = client.api.software_configs.create(**made)
        with contextlib.ExitStack() as undo:
            undo.callback(client.api.software_configs.delete, config.id)
            deployment = client.api.software_deployments.create(
                config_id=config.id, server_id=server, action="CREATE", status="IN_PROGRESS", tenant_id="unused"
            )
            undo.pop_all()
        return str(config.id), str(deployment.id)


def take_back(client: HeatClient, config: str, deployment: str) -> None:
    """Remove what `send` has made, or what is left of it.

    Raises:
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    for name, delete in (
        (deployment, client.api.software_deployments.delete),
        (config, client.api.software_configs.delete),
    ):
        with contextlib.suppress(NotFound), asking(client, f"{name} can't be removed"):
            delete(name)
