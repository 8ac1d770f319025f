"""What is known of a Heat stack, as values: status, failed resources, the bundle for an update; stdlib only."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.exceptions import InvalidTemplates, StackBusy

MAX_FAILURES = 20
MAX_REASON = 500

# Actions whose completion leaves the stack as its templates say.
_GOOD_ACTIONS = ("CREATE", "UPDATE", "CHECK", "RESUME", "ADOPT", "RESTORE", "SNAPSHOT")


@dataclasses.dataclass(frozen=True)
class FailedResource:
    """A resource that Heat could not bring where it should be.

    Attributes:
        path: names from the stack down to the resource, joined by dots, as ``openstack stack failures list`` has it.
        type, status: as Heat has them.
        reason: Heat's reason, at most 500 characters; with the end of a software deployment's error output.
        physical_id: id of what the resource stands for; may be empty.
    """

    path: str
    type: str
    status: str
    reason: str
    physical_id: str = ""

    def __str__(self) -> str:
        return f"{self.path} ({self.type}) {self.status}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class StackStatus:
    """Where a stack stands.

    Attributes:
        name, id: of the stack.
        action: ``CREATE``, ``UPDATE``, …
        status: ``IN_PROGRESS``, ``COMPLETE`` or ``FAILED``.
        reason: Heat's reason, at most 500 characters.
        updated_at: when the last update began, in Heat's words; empty before the first.
        failures: the failed resources, at most 20, only when the stack failed.
    """

    name: str
    id: str
    action: str
    status: str
    reason: str = ""
    updated_at: str = ""
    failures: tuple[FailedResource, ...] = ()

    @classmethod
    def of(cls, found: Any) -> StackStatus:
        """Return the status in a stack as Heat's client gives it."""
        return cls(
            name=found.stack_name,
            id=found.id,
            action=found.action,
            status=found.status,
            reason=(found.stack_status_reason or "")[:MAX_REASON],
            updated_at=found.updated_time or "",
        )

    @property
    def in_progress(self) -> bool:
        """True while Heat works on the stack."""
        return self.status == "IN_PROGRESS"

    @property
    def complete(self) -> bool:
        """True when the last action ended well and left the stack as its templates say."""
        return self.status == "COMPLETE" and self.action in _GOOD_ACTIONS

    @property
    def failed(self) -> bool:
        """True when the last action failed, or was one that undoes (rollback, delete, suspend)."""
        return not (self.in_progress or self.complete)

    def to_poll(self, *, pending: bool) -> dict[str, Any]:
        """Return what `heat.poll` does; `pending` when an update was accepted that has not begun."""
        state = "in_progress" if pending or self.in_progress else "complete" if self.complete else "failed"
        return {
            "state": state,
            "settled": state != "in_progress",
            "succeeded": state == "complete",
            "status": f"{self.action}_{self.status}",
            "reason": self.reason,
            "failures": [dataclasses.asdict(failure) for failure in self.failures],
            "message": f"Heat has accepted an update of stack {self.name}, not begun" if pending else self.describe(),
            "remedy": "Mend what failed, then run the phase again" if state == "failed" else "",
        }

    def busy(self) -> StackBusy:
        """Return the error that says that Heat is at work on the stack."""
        return StackBusy(
            f"Heat is at work on stack {self.name}: {self.action}_{self.status}",
            where=self.name,
            remedy="Wait until it has ended, or cancel it with `openstack stack cancel`",
            stack_status=f"{self.action}_{self.status}",
        )

    def describe(self) -> str:
        """Return one line for people: the state, the reason, the failed resources with theirs."""
        told = f"Stack {self.name} is {self.action}_{self.status}"
        if self.failed and self.reason:
            told = f"{told}: {self.reason}"
        return "; ".join([told, *map(str, self.failures)])


@dataclasses.dataclass(frozen=True)
class StartedUpdate:
    """An update that Heat accepted: the stack's id, and the marker by which its end is told from an older one's."""

    stack_id: str
    marker: str


@dataclasses.dataclass(frozen=True)
class Bundle:
    """What an update sends: the template, the environments merged in their order, and the files that they use.

    Attributes:
        template, environment: parsed.
        files: text by name. Names are those within the plan, so that they stay the same from version to version.
        size: bytes of all three as JSON.
    """

    template: Mapping[str, Any]
    environment: Mapping[str, Any]
    files: Mapping[str, str]
    size: int

    @classmethod
    def of(cls, template: Any, environment: Any, files: Mapping[str, Any], base: str) -> Bundle:
        """Return the bundle of what Heat's client has read.

        Args:
            template, environment: parsed, naming files by URL.
            files: contents by URL.
            base: URL of the directory of the plan's files, with a slash. Heat keeps the files of older updates by name:
                names that change with the version would pile up there, so this part of them is left away.

        Raises:
            InvalidTemplates: a file is not in the directory or is not text, or a value can't be sent as JSON.
        """
        named = {}
        for url, content in files.items():
            if not url.startswith(base):
                raise InvalidTemplates(
                    f"The templates use {url}, which is not in the plan",
                    where=url,
                    remedy="Put the file into the templates, and name it relative to the file that uses it",
                )
            named[url.removeprefix(base)] = _as_text(url, content).replace(base, "")
        try:
            texts = [json.dumps(part).replace(base, "") for part in (template, environment)]
        except TypeError as error:
            raise InvalidTemplates(f"A value can't be sent as JSON: {error}", where=base) from error
        size = sum(len(text.encode()) for text in (*texts, json.dumps(named)))
        return cls(template=json.loads(texts[0]), environment=json.loads(texts[1]), files=named, size=size)

    def payload(self) -> dict[str, Any]:
        """Return the arguments of a create or an update."""
        return {
            "template": self.template,
            "environment": self.environment,
            "files": self.files,
            "disable_rollback": True,
        }


def _as_text(name: str, content: Any) -> str:
    try:
        return content.decode("utf-8") if isinstance(content, bytes) else str(content)
    except UnicodeDecodeError as error:
        raise InvalidTemplates(f"The file is not UTF-8: {error.reason} at byte {error.start}", where=name) from error
