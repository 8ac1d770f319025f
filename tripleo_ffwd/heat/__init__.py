"""Heat: what the pack asks of it, and every error of its clients as one of ours.

The only part that imports heatclient and keystoneauth1.
"""

from tripleo_ffwd.heat.bundling import build_bundle
from tripleo_ffwd.heat.connection import HeatClient, connect
from tripleo_ffwd.heat.deployments import fetch_deployments
from tripleo_ffwd.heat.extent import measure
from tripleo_ffwd.heat.kept_bundles import bundle_of
from tripleo_ffwd.heat.limits import check_limits
from tripleo_ffwd.heat.parameters import get_parameters
from tripleo_ffwd.heat.previewing import preview
from tripleo_ffwd.heat.scripts import Script
from tripleo_ffwd.heat.scripts import send as send_script
from tripleo_ffwd.heat.scripts import servers as servers_with_agents
from tripleo_ffwd.heat.scripts import take_back as take_back_script
from tripleo_ffwd.heat.stacks import create, delete, get_outputs, get_status, list_failures
from tripleo_ffwd.heat.updates import cancel, poll, update
from tripleo_ffwd.stack import CANCEL_REMEDY, StackStatus

__all__ = [
    "CANCEL_REMEDY",
    "HeatClient",
    "Script",
    "StackStatus",
    "build_bundle",
    "bundle_of",
    "cancel",
    "check_limits",
    "connect",
    "create",
    "delete",
    "fetch_deployments",
    "get_outputs",
    "get_parameters",
    "get_status",
    "list_failures",
    "measure",
    "poll",
    "preview",
    "send_script",
    "servers_with_agents",
    "take_back_script",
    "update",
]
