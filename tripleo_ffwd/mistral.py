"""Mistral's API as the commands need it; the only importer of mistralclient."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mistralclient.api import base as api_base
from mistralclient.api import client as api_client
from requests import exceptions as http_errors

from tripleo_ffwd import exceptions
from tripleo_ffwd.exceptions import ConfigurationError, FfwdError, InvalidInput, NotFound, Unavailable

T = TypeVar("T")

WORKBOOK_DIR = Path(__file__).parent / "workbooks"


class Mistral:
    """A Mistral that answers at one URL; every method raises Unavailable when it doesn't.

    Args:
        url: endpoint, e.g. ``http://192.0.2.1:8989/v2``; empty: from the service catalog of `environ`.
        environ: where the usual ``OS_*`` variables are looked up.
        session: a session of keystoneauth that asks; then nothing is looked up in `environ`, and `url` is needed.
        tls: how a session of ours looks at certificates: ``cacert``, ``insecure``.
    """

    def __init__(
        self,
        url: str = "",
        environ: Mapping[str, str] | None = None,
        *,
        session: Any = None,
        tls: Mapping[str, Any] | None = None,
    ) -> None:
        self.url = url
        if session is not None or tls is not None:
            options = {key: value for key, value in (tls or {}).items() if value}
            self._client = self._call(lambda: api_client.client(mistral_url=url, session=session, **options))
            return
        env = os.environ if environ is None else environ
        self.url = url or env.get("OS_MISTRAL_URL", "")
        if not self.url and not env.get("OS_AUTH_URL"):
            raise ConfigurationError(
                "No Mistral is known", remedy="Give --mistral-url, or set OS_MISTRAL_URL or the OS_* of keystone"
            )
        auth = {
            "auth_url": env.get("OS_AUTH_URL"),
            "username": env.get("OS_USERNAME"),
            "api_key": env.get("OS_PASSWORD"),
            "project_name": env.get("OS_PROJECT_NAME"),
            "user_domain_name": env.get("OS_USER_DOMAIN_NAME"),
            "project_domain_name": env.get("OS_PROJECT_DOMAIN_NAME"),
            "cacert": env.get("OS_CACERT"),
        }
        given = {key: value for key, value in auth.items() if value} if env.get("OS_AUTH_URL") else {}
        self._client = self._call(lambda: api_client.client(mistral_url=self.url or None, **given))

    @classmethod
    def asked_with(cls, url: str, credentials: Mapping[str, Any], seconds: float) -> Mistral:
        """Return a Mistral that is asked with some credentials, and given up after so many seconds.

        Args:
            url: endpoint; empty: from the service catalog that `credentials` give.
            credentials: as mistralclient names them: ``auth_token`` and ``project_id``, or ``auth_url`` and the like.
            seconds: after which a request is given up.
        """
        found = cls(url, tls=credentials)
        session = found._client.environments.http_client.session
        if hasattr(session, "timeout"):  # keystoneauth's
            session.timeout = seconds
        else:
            session.request = functools.partial(session.request, timeout=seconds)
        return found

    def environment(self, name: str) -> dict[str, Any]:
        """Return the variables of an environment."""
        found = self._call(lambda: self._client.environments.get(name)).variables
        return dict(found) if isinstance(found, Mapping) else {}

    def _call(self, function: Callable[[], T]) -> T:
        try:
            return function()
        except api_base.APIException as error:
            if error.error_code == 404:
                raise NotFound(f"Mistral has no such thing: {error.error_message}", where=self.url) from error
            if error.error_code in (401, 403):
                raise self._refused(error.error_message) from error
            if error.error_code in (400, 409):
                raise InvalidInput(f"Mistral refuses: {error.error_message}", where=self.url) from error
            raise Unavailable(f"Mistral failed: {error.error_message}", where=self.url) from error
        except (http_errors.RequestException, RuntimeError, OSError) as error:
            raise self._no_answer(error) from error
        except Exception as error:  # re-raised below
            # Keystone's errors, whose classes only heat.py may import.
            if type(error).__module__.startswith("keystoneauth1."):
                if getattr(error, "http_status", None) in (401, 403):
                    raise self._refused(error) from error
                raise self._no_answer(error) from error
            raise

    def _refused(self, told: object) -> InvalidInput:
        return InvalidInput(
            f"The credentials are refused: {told}",
            where=self.url or "the service catalog",
            remedy="See that they are right, have not expired, and may use Mistral",
        )

    def _no_answer(self, error: Exception) -> Unavailable:
        # requests wraps the system's own words in those of three libraries.
        system = re.search(r"\[Errno -?\d+\] ([^\"')]+)", str(error))
        told = system[1] if system else error
        return Unavailable(f"Mistral does not answer: {told}", where=self.url or "the service catalog")

    def workbook(self, name: str) -> str | None:
        """Return the definition of a workbook, or None."""
        try:
            definition: str = self._call(lambda: self._client.workbooks.get(name)).definition
        except NotFound:
            return None
        return definition

    def put_workbook(self, definition: str, *, exists: bool) -> None:
        """Create or replace a workbook, and with it its workflows."""
        manager = self._client.workbooks
        self._call(lambda: manager.update(definition) if exists else manager.create(definition))

    def delete_workbook(self, name: str) -> None:
        """Remove a workbook and its workflows; one that is not there is fine."""
        for workflow in self.workflows(name):
            self._call(functools.partial(self._client.workflows.delete, workflow))
        try:
            self._call(lambda: self._client.workbooks.delete(name))
        except NotFound:
            return

    def workflows(self, workbook: str) -> list[str]:
        """Return the names of a workbook's workflows."""
        found = self._call(lambda: self._client.workflows.list())
        return sorted(item.name for item in found if item.name.startswith(f"{workbook}."))

    def actions(self, prefix: str) -> list[str]:
        """Return the names of the actions that begin with `prefix`."""
        found = self._call(lambda: self._client.actions.list())
        return sorted(item.name for item in found if item.name.startswith(prefix))

    def run_action(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Run an action on an executor and return its result."""
        execution = self._call(
            lambda: self._client.action_executions.create(name, dict(arguments), run_sync=True, save_result=False)
        )
        return json.loads(execution.output).get("result")

    def ask(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Run one of our own actions and return its result; the error that it ends with is raised here."""
        result = self.run_action(name, arguments)
        if not (isinstance(result, dict) and {"error", "message"} <= set(result)):
            return result
        kind = getattr(exceptions, str(result["error"]), FfwdError)
        error: FfwdError = (kind if issubclass(kind, FfwdError) else FfwdError)(str(result["message"]))
        error.remedy = ""  # the message has it
        raise error

    def start(self, workflow: str, arguments: Mapping[str, Any]) -> str:
        """Start a workflow and return the id of its execution."""
        execution = self._call(lambda: self._client.executions.create(workflow, workflow_input=dict(arguments)))
        identity: str = execution.id
        return identity

    def execution(self, identity: str) -> Any:
        """Return an execution: ``state``, ``state_info``, ``output`` (a dictionary)."""
        return self._call(lambda: self._client.executions.get(identity))

    def newest(self, workflows: Sequence[str], limit: int = 100) -> list[Any]:
        """Return the newest executions of some workflows, newest first, without their output."""
        wanted = f"in:{','.join(workflows)}"
        found = self._call(
            lambda: self._client.executions.list(
                limit=limit, sort_keys="created_at", sort_dirs="desc", workflow_name=wanted
            )
        )
        return list(found)

    def task_states(self, identity: str) -> list[tuple[str, str]]:
        """Return the name and the state of each of an execution's tasks, in the order in which they were made."""
        found = self._call(lambda: self._client.tasks.list(identity))
        return [(task.name, task.state) for task in sorted(found, key=lambda task: str(task.created_at))]

    def tasks(self, identity: str) -> dict[str, str]:
        """Return the names of an execution's tasks and when each was created, to the second."""
        return {task.name: str(task.created_at) for task in self._call(lambda: self._client.tasks.list(identity))}

    def set_state(self, identity: str, state: str) -> None:
        """Set the state of an execution: PAUSED, RUNNING, CANCELLED, …"""
        self._call(lambda: self._client.executions.update(identity, state))
