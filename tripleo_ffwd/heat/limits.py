"""Whether Heat would take an update of some size; asked of Heat, because only its own configuration knows the limits.

Heat is shown stand-ins that are as big as the update and touch nothing: a template to validate in a request of the same
size, and a preview of a stack as deep and with as many resources.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from oslo_log import log as logging

from tripleo_ffwd.exceptions import FfwdError, LimitExceeded, Unavailable
from tripleo_ffwd.heat.connection import HeatClient, mapped
from tripleo_ffwd.heat.extent import Extent

LOG = logging.getLogger(__name__)

# Fewer resources than Heat's own default allows are not asked for: the answer takes seconds.
ENOUGH_RESOURCES = 1000
_HOT = {"heat_template_version": "2016-10-14"}
_PART = 100_000
_NAME = "ffwd-limits"


def check_limits(client: HeatClient, extent: Extent) -> None:
    """Check that Heat takes an update of this extent; nothing is changed.

    Raises:
        LimitExceeded: it does not; names the limit, the option and the file that it is set in.
        Unavailable: Heat does not answer.
    """
    files = _padding(extent)
    _ask(client, extent, lambda: client.slow_api.stacks.validate(template=_HOT, files=files))
    template, nested = _stand_in(extent)
    _ask(client, extent, lambda: client.slow_api.stacks.preview(stack_name=_NAME, template=template, files=nested))


def _ask(client: HeatClient, extent: Extent, request: Callable[[], Any]) -> None:
    try:
        with mapped(client.where, "Heat can't be asked for its limits"):
            request()
    except LimitExceeded as error:
        # Heat names the way to what it refuses, which is one of the stand-ins.
        told = error.what.rpartition(": ")[2]
        raise LimitExceeded(
            f"Heat would refuse the update, {extent}: {told}", where=error.where, remedy=error.remedy, **error.details
        ) from error
    except Unavailable:
        raise
    except FfwdError as error:
        # Who may not preview a stack may still update one.
        LOG.warning("Heat's limits can't be asked for: %s", error)


def _padding(extent: Extent) -> dict[str, str]:
    """Return files, the largest as large as the largest template, that make a request as big as the update."""
    head = f"heat_template_version: {_HOT['heat_template_version']}\n#"
    sizes = [extent.largest] if extent.largest > len(head) else []
    left = extent.size - sum(sizes)
    sizes += [_PART] * (left // _PART) + ([left % _PART] if left % _PART > len(head) else [])
    return {f"part{number}.yaml": head + "x" * (size - len(head)) for number, size in enumerate(sizes)}


def _stand_in(extent: Extent) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a template, and its files, that is as deep as the update and has as many resources."""
    names = [f"level{number}.yaml" for number in range(1, extent.depth + 1)]
    files = {}
    for name, inner in zip(names, [*names[1:], ""], strict=False):
        files[name] = json.dumps({**_HOT, "resources": {"Below": {"type": inner}} if inner else {}})
    resources: dict[str, Any] = {"Below": {"type": names[0]}} if names else {}
    many = extent.resources - len(names) if extent.resources > ENOUGH_RESOURCES else 0
    resources |= {f"Resource{number}": {"type": "OS::Heat::None"} for number in range(many)}
    return {**_HOT, "resources": resources}, files
