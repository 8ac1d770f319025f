"""Heat: what the pack asks of it, and every error of its clients as one of ours.

The only part that imports heatclient and keystoneauth1.
"""

from tripleo_ffwd.heat.bundling import build_bundle
from tripleo_ffwd.heat.connection import HeatClient, connect
from tripleo_ffwd.heat.deployments import fetch_deployments
from tripleo_ffwd.heat.stacks import create, delete, get_outputs, get_status, list_failures, poll, update

__all__ = [
    "HeatClient",
    "build_bundle",
    "connect",
    "create",
    "delete",
    "fetch_deployments",
    "get_outputs",
    "get_status",
    "list_failures",
    "poll",
    "update",
]
