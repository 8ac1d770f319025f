"""What an unmodified tripleoclient has made of a deployed overcloud: files and URLs with which operators reach it."""

from __future__ import annotations

from typing import Any

from tripleo_ffwd import heat, zaqar
from tripleo_ffwd.actions import messages, selection
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.plan import overcloudrc
from tripleo_ffwd.plan.store import open_store

CLOUDS, RC = "clouds", "overcloudrc"


class GetOvercloudrcAction(FfwdAction):
    """Return the file with which an operator's shell talks to the overcloud.

    :param container: name of the plan.
    :param no_proxy: hosts that are reached without a proxy, with commas, besides those of the overcloud.
    :returns: ``{overcloudrc, overcloudrc.v3}``: the content, under both names that clients look for. It has the
        password of the overcloud's administrator, as TripleO's own has.
    """

    def __init__(self, container: str, no_proxy: str = ""):
        self.container = container
        self.no_proxy = no_proxy

    def act(self, caller: Caller) -> dict[str, str]:
        return _overcloudrc(_variables(caller, self.container, self.no_proxy))


class SendOvercloudrcAction(FfwdAction):
    """Send who waits for an execution the file with which a shell, or OpenStack's clients, talk to the overcloud.

    It is the last message. It has the password of the overcloud's administrator, as TripleO's own has, so it goes from
    here to the queue: no result of an action has it.

    :param container: name of the plan.
    :param execution: id of the execution that is waited for.
    :param root: id of its root execution; the same by default.
    :param type: name of the workflow, for the message.
    :param queue_name: name of the queue.
    :param no_proxy: hosts that are reached without a proxy, with commas, besides those of the overcloud.
    :param form: overcloudrc, or clouds for an entry of a clouds.yaml.
    :returns: ``{sent, waiting, error}``: whether it was posted, how many messages wait to be, and why.
    """

    def __init__(
        self,
        container: str,
        execution: str,
        root: str = "",
        type: str = "",
        queue_name: str = zaqar.QUEUE,
        no_proxy: str = "",
        form: str = RC,
    ):
        self.container = container
        self.execution = execution
        self.root = root
        self.type = type
        self.queue_name = queue_name
        self.no_proxy = no_proxy
        self.form = form

    def act(self, caller: Caller) -> dict[str, Any]:
        variables = _variables(caller, self.container, self.no_proxy)
        made = overcloudrc.cloud(variables) if self.form == CLOUDS else _overcloudrc(variables)
        told = messages.body(self.type, self.execution, self.root, messages.SUCCESS, "")
        told["payload"]["message"] = made
        return messages.deliver(caller, self.execution, self.queue_name, told, plan=self.container)


class GetHorizonUrlAction(FfwdAction):
    """Return where the dashboard of an overcloud is.

    :param stack: name of its stack.
    :returns: the URL; empty when the overcloud has none.
    """

    def __init__(self, stack: str):
        self.stack = stack

    def act(self, caller: Caller) -> str:
        outputs = heat.get_outputs(heat.connect(caller.conf, caller.security), self.stack)
        endpoints = next((one["output_value"] for one in outputs if one["output_key"] == "EndpointMap"), None)
        found = endpoints.get("HorizonPublic") if isinstance(endpoints, dict) else None
        return str(found.get("uri") or "") if isinstance(found, dict) else ""


def _variables(caller: Caller, plan: str, no_proxy: str | None) -> dict[str, str]:
    stack = selection.stack_name(caller, plan, "")
    outputs = heat.get_outputs(heat.connect(caller.conf, caller.security), stack)
    version = open_store(caller.conf, caller.security).current(plan)
    return overcloudrc.variables(outputs, version, no_proxy=no_proxy or "", name=stack)


def _overcloudrc(variables: dict[str, str]) -> dict[str, str]:
    text = overcloudrc.write(variables)
    return {RC: text, f"{RC}.v3": text}
