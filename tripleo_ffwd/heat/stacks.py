"""The overcloud's stack: where it stands, its outputs, what failed in it. Its updates are in `updates`."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

from tripleo_ffwd.exceptions import FfwdError, MalformedOutputs, NotFound, StackFailed
from tripleo_ffwd.heat.connection import HeatClient, get_stack, mapped
from tripleo_ffwd.stack import MAX_FAILURES, MAX_REASON, Bundle, FailedResource, StackStatus

_MAX_DEPTH = 12
_DEPLOYMENTS = ("OS::Heat::SoftwareDeployment", "OS::Heat::StructuredDeployment")


def get_status(client: HeatClient, stack: str) -> StackStatus:
    """Return where the stack stands, with its failed resources when it failed.

    Raises:
        NotFound: there is no such stack.
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    status = StackStatus.of(get_stack(client, stack, resolve_outputs=False))
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
    top = get_stack(client, stack, resolve_outputs=False)
    return tuple(_failures(client, top.id, (top.stack_name,)))


def create(client: HeatClient, stack: str, bundle: Bundle, timeout: int = 600) -> StackStatus:
    """Create a stack and wait for it; for the embedded undercloud and tests: no phase creates one.

    Args:
        timeout: seconds.

    Raises:
        StackBusy: there is a stack of that name, or the time was not enough.
        StackFailed: names the failed resources.
        InvalidTemplates, Unavailable, ConfigurationError: as `updates.update`.
    """
    with mapped(client.where, f"The creation of stack {stack} was refused"):
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
    with contextlib.suppress(NotFound), mapped(client.where, f"The deletion of stack {stack} was refused"):
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
        found = get_stack(client, stack, resolve_outputs=True)
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


def _failures(client: HeatClient, stack: str, path: tuple[str, ...]) -> Iterator[FailedResource]:
    try:
        with mapped(client.where, f"The resources of stack {stack} can't be read"):
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
        with contextlib.suppress(FfwdError), mapped(client.where, "The deployment can't be read"):
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
