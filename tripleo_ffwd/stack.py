"""What is known of a Heat stack, as values: status, failed resources, the bundle for an update; stdlib only."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.exceptions import InvalidTemplates, StackBusy

MAX_FAILURES = 20
MAX_REASON = 500
MAX_TOLD = 5
CANCEL_REMEDY = "End it with the workflow ffwd_upgrade.v1.cancel, then run the phase again"

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
class Progress:
    """How far an update in progress has come.

    Attributes:
        done: how many resources of the stack itself Heat has finished with since the update began. Those that stay as
            they are leave no trace in Heat, so `done` may end below `all`.
        all: how many resources the stack itself has.
        in_progress: paths of the resources that Heat works on, innermost, at most 20.
        lost: nobody works on it any more: all engines were started later, and nothing has happened for a while.
    """

    done: int
    all: int
    in_progress: tuple[str, ...] = ()
    lost: bool = False

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Progress:
        """Return what `to_dict` gave."""
        return cls(done=told["done"], all=told["all"], in_progress=tuple(told["in_progress"]))

    def to_dict(self) -> dict[str, Any]:
        """Return ``{done, all, in_progress}``."""
        return {"done": self.done, "all": self.all, "in_progress": list(self.in_progress)}

    def describe(self) -> str:
        """Return one line for people."""
        if self.lost:
            return "all of Heat's engines were started after it had begun, and nothing happens any more: it is lost"
        told = f"{self.done} of {self.all} resources done"
        shown = ", ".join(self.in_progress[:MAX_TOLD])
        more = len(self.in_progress) - MAX_TOLD
        return f"{told}, in progress: {shown}{f' and {more} more' if more > 0 else ''}" if shown else told


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
        tags: the stack's tags; an update of ours leaves one that tells it from others.
    """

    name: str
    id: str
    action: str
    status: str
    reason: str = ""
    updated_at: str = ""
    failures: tuple[FailedResource, ...] = ()
    tags: tuple[str, ...] = ()

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
            tags=tuple(getattr(found, "tags", None) or ()),
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

    def to_poll(self, *, pending: bool, progress: Progress | None = None) -> dict[str, Any]:
        """Return what `heat.poll` does.

        Args:
            pending: an update was accepted that has not begun.
            progress: how far an update in progress has come, when that is known.
        """
        state = "in_progress" if pending or self.in_progress else "complete" if self.complete else "failed"
        lost = state == "in_progress" and progress is not None and progress.lost
        told = f"Heat has accepted an update of stack {self.name}, not begun" if pending else self.describe()
        return {
            "state": "lost" if lost else state,
            "settled": lost or state != "in_progress",
            "succeeded": state == "complete",
            "status": f"{self.action}_{self.status}",
            "reason": self.reason,
            "progress": progress.to_dict() if progress else {},
            "failures": [dataclasses.asdict(failure) for failure in self.failures],
            "message": "; ".join(filter(None, [told, progress.describe() if progress else ""])),
            "remedy": CANCEL_REMEDY
            if lost
            else "Mend what failed, then run the phase again"
            if state == "failed"
            else "",
        }

    def busy(self) -> StackBusy:
        """Return the error that says that Heat is at work on the stack."""
        return StackBusy(
            f"Heat is at work on stack {self.name}: {self.action}_{self.status}",
            where=self.name,
            remedy="Wait until it has ended, or end it with the workflow ffwd_upgrade.v1.cancel",
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
    """An update that Heat accepted.

    Attributes:
        stack_id: the stack's id.
        marker: by which its end is told from an older one's.
        updated_at: when it began, in Heat's words; empty when it had not yet.
        attached: it had been accepted before, and was not sent again.
    """

    stack_id: str
    marker: str
    updated_at: str = ""
    attached: bool = False


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
