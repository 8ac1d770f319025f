"""Every error that tripleo_ffwd raises on purpose; imports nothing.

One base, and a class for each thing that the caller can do about it::

    FfwdError
    ├── InvalidInput             correct what was passed: a value, a role, a node, a file
    │   ├── MalformedOutputs     the stack's outputs lack something or hold nonsense: look at the templates
    │   ├── UnsupportedConstruct the templates use something that can't be compiled safely
    │   └── InvalidTemplates     the plan's templates or environments can't be rendered or bundled
    │       └── LimitExceeded    they are bigger than Heat's configuration allows: raise the option that it names
    ├── ConfigurationError       correct the [ffwd] section of the configuration
    ├── NotFound                 make it first: a plan, a stack, a run
    ├── OutOfTurn                run the phase that comes first, or force with a reason
    ├── Busy                     wait, or cancel what is under way
    │   ├── StackBusy            Heat works on the stack
    │   ├── PlanLocked           another phase holds the plan
    │   ├── RunActive            another run of the plan is live, or nobody can say that it is not
    │   └── NoFreeSlot           the executor has as many live runs as it may have
    ├── Stopped                  somebody asked for it: start the phase again with resume to go on
    ├── StackFailed              mend the failed resources, then run the phase again
    ├── LaunchFailed             the supervisor of a run could not be started
    ├── WriteRefused             the place to write to is not ours, or can't be written
    └── Unavailable              a service does not answer: try again
"""

from __future__ import annotations

from typing import Any


class FfwdError(Exception):
    """What failed, where, and what to do next.

    Args:
        what: one sentence without a full stop: what failed, with names.
        where: the file, key, node or service that it concerns; empty when `what` says it.
        remedy: one sentence: what to do next.
        details: small JSON values for programs (lists of names, states); never a secret.
    """

    remedy = ""

    def __init__(self, what: str, *, where: str = "", remedy: str = "", **details: Any) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy or type(self).remedy
        self.details = details

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.remedy}" if self.remedy else text

    def to_dict(self) -> dict[str, Any]:
        """Return the error as small JSON: ``{error, message, where, remedy, …details}``."""
        return {
            "error": type(self).__name__,
            "message": str(self),
            "where": self.where,
            "remedy": self.remedy,
            **self.details,
        }


class InvalidInput(FfwdError):
    """Something that was passed is wrong; nothing was touched."""


class MalformedOutputs(InvalidInput):
    """The stack's outputs lack a needed value, or a value has the wrong shape."""

    remedy = "Check the stack's templates and its last update, then query the outputs again"


class UnsupportedConstruct(InvalidInput):
    """A playbook or task uses a construct that can't be compiled without changing its meaning."""


class InvalidTemplates(InvalidInput):
    """A plan's templates or environments are missing, or can't be rendered or parsed."""


class LimitExceeded(InvalidTemplates):
    """An update is bigger than Heat's configuration allows."""


class ConfigurationError(FfwdError):
    """An option of the [ffwd] section is missing or wrong."""


class NotFound(FfwdError):
    """A plan, stack or run of that name does not exist."""


class OutOfTurn(FfwdError):
    """A phase was started although the recorded state of the nodes says that it is not its turn."""


class Busy(FfwdError):
    """Something else is under way."""


class StackBusy(Busy):
    """Heat has an action in progress on the stack."""


class PlanLocked(Busy):
    """Another phase holds the plan's lock."""


class RunActive(Busy):
    """Another run of the plan is live, or its state can't be told from here."""


class NoFreeSlot(Busy):
    """An executor has as many live runs as it may have."""


class Stopped(FfwdError):
    """Somebody has asked for the phase to pause or to end."""


class StackFailed(FfwdError):
    """The stack is in a FAILED state."""


class LaunchFailed(FfwdError):
    """The supervisor of a run could not be started."""


class WriteRefused(FfwdError):
    """A directory is not ours to write, or a write failed; nothing half-written is left."""


class Unavailable(FfwdError):
    """A service did not answer, or answered with an error of its own."""

    remedy = "Check that the service is up and reachable, then try again"
