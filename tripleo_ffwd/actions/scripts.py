"""Scripts that the agents on the servers run for TripleO's own client, before an upgrade is prepared: through Heat."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets as random
import time
from typing import Any

from tripleo_ffwd import heat
from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.exceptions import FfwdError, InvalidInput, StackFailed, Unavailable
from tripleo_ffwd.plan import scripts
from tripleo_ffwd.plan.scripts import Sending, Sent
from tripleo_ffwd.plan.swift import account as swift_account
from tripleo_ffwd.plan.swift import signals

NOBODY = "Heat has no server with an agent: there is nobody to run {name}."


class SendScriptAction(FfwdAction):
    """Have every server run a script, by its agent that asks Heat for work; sent again it goes on where it was.

    :param execution: id of the execution that sends it.
    :param name: of the script.
    :param config: its text.
    :param group: the agent's hook that runs it.
    :param server_name: ``all``, or the id of a server.
    :param timeout: seconds until it is waited for no longer.
    :returns: ``{servers, message}``: how many were sent it.
    """

    def __init__(
        self,
        execution: str,
        name: str,
        config: str,
        group: str = "script",
        server_name: str = "all",
        timeout: int = 600,
    ):
        self.execution = execution
        self.name = name
        self.config = config
        self.group = group
        self.server_name = server_name
        self.timeout = timeout

    def act(self, caller: Caller) -> dict[str, Any]:
        client = heat.connect(caller.conf, caller.security)
        sending = scripts.read(caller.work_dir, self.execution) or self._begin(caller, client)
        if not sending.servers:
            return {"servers": 0, "message": NOBODY.format(name=self.name)}
        account = swift_account.connect(caller.conf, caller.security)
        signals.make(account, self.execution, sending.key)
        script = heat.Script(self.name, self.config, self.group)
        try:
            for server in sending.left:
                url = signals.url(account, sending.container, server, sending.key, self.timeout + 600)
                sent = Sent(server, *heat.send_script(client, server, script, url))
                sending = dataclasses.replace(sending, sent=(*sending.sent, sent))
                scripts.write(caller.work_dir, self.execution, sending)
        except FfwdError:
            _tidy_up(caller, sending)  # nobody would look at what the others say
            raise
        number = len(sending.servers)
        return {"servers": number, "message": f"{self.name} was sent to {number} servers."}

    def _begin(self, caller: Caller, client: heat.HeatClient) -> Sending:
        known = heat.servers_with_agents(client)
        if self.server_name not in ("all", *known):
            raise InvalidInput(
                f"Heat knows no server {self.server_name}",
                where="server_name",
                remedy="Use all, or the id of a server that Heat has a deployment for",
            )
        chosen = known if self.server_name == "all" else (self.server_name,)
        sending = Sending(
            self.name, f"{signals.PREFIX}{self.execution}", random.token_hex(16), time.time() + self.timeout, chosen
        )
        scripts.write(caller.work_dir, self.execution, sending)
        return sending


class GetScriptStatusAction(FfwdAction):
    """Say how a script that `SendScriptAction` has sent stands; tidy up behind one that all servers have run.

    :param execution: id of the execution that has sent it.
    :returns: ``{settled, done, waiting, message}``: whether it is waited for no longer; numbers of servers. A script
        that has failed on a server, or that one did not run in time, is an error that names them.
    """

    def __init__(self, execution: str):
        self.execution = execution

    def act(self, caller: Caller) -> dict[str, Any]:
        sending = scripts.read(caller.work_dir, self.execution)
        if sending is None:
            raise InvalidInput(f"Execution {self.execution} has sent no script", where="execution")
        if not sending.servers:
            return {"settled": True, "done": 0, "waiting": 0, "message": NOBODY.format(name=sending.name)}
        try:
            sending = self._look(caller, sending)
        except Unavailable as error:
            if time.time() >= sending.until:
                _tidy_up(caller, sending)
                raise
            # It is looked at again.
            return {"settled": False, "done": 0, "waiting": len(sending.waiting), "message": str(error)}
        waiting = sending.waiting
        if waiting and time.time() < sending.until:
            done = len(sending.servers) - len(waiting)
            return {"settled": False, "done": done, "waiting": len(waiting), "message": ""}
        _tidy_up(caller, sending)
        _check(sending)
        number = len(sending.servers)
        return {
            "settled": True,
            "done": number,
            "waiting": 0,
            "message": f"{sending.name} has been run on {number} servers.",
        }

    def _look(self, caller: Caller, sending: Sending) -> Sending:
        account = swift_account.connect(caller.conf, caller.security)
        there = account.listing(sending.container)
        found = {}
        for one in sending.sent:
            if one.result is None and one.server in there:
                with contextlib.suppress(ValueError):
                    result = json.loads(account.get(sending.container, one.server) or b"")
                    found[one.server] = dataclasses.replace(one, result=result if isinstance(result, dict) else {})
        if found:
            sending = dataclasses.replace(sending, sent=tuple(found.get(one.server, one) for one in sending.sent))
            scripts.write(caller.work_dir, self.execution, sending)
        return sending


def _tidy_up(caller: Caller, sending: Sending) -> None:
    """Remove what is left in Heat and Swift; what does not answer keeps it, and keeps nobody waiting more than once."""
    with contextlib.suppress(FfwdError):
        client = heat.connect(caller.conf, caller.security)
        for one in sending.sent:
            heat.take_back_script(client, one.config, one.deployment)
    with contextlib.suppress(FfwdError):
        signals.remove(swift_account.connect(caller.conf, caller.security), sending.container)


def _check(sending: Sending) -> None:
    """Refuse a script that did not come to its end everywhere.

    Raises:
        StackFailed: names the servers.
    """
    wrong = [f"{server} failed: {reason or 'it says no reason'}" for server, reason in sending.failed.items()]
    wrong += [f"{server} has not run it in time" for server in sending.waiting]
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise StackFailed(
            f"Script {sending.name} has not come to its end on all servers: {'; '.join(wrong[:5])}{more}",
            remedy="See on the servers what os-collect-config says, then repeat the command",
        )
