"""What a caller's token means for a phase: without credentials of our own all is asked with it, until it expires."""

from __future__ import annotations

from tripleo_ffwd.actions.base import Caller

_REMEDY = (
    "set auth_url, auth_username, auth_password and auth_project_name in [ffwd], of a user that has a role in this "
    "project, and restart Mistral's executors"
)


def warning(caller: Caller, *, of_this_call: bool = True) -> str:
    """Return what has to be said of a token that nothing of our own stands in for; empty when that is not so.

    Args:
        caller: of the action.
        of_this_call: whether the caller's own token is meant, so that its end can be told.
    """
    security = caller.security
    if caller.conf.auth_url or not getattr(security, "auth_token", None):
        return ""
    end = str(getattr(security, "expires_at", None) or "") if of_this_call else ""
    which = (
        f"the caller's token, which expires at {end}" if end else "the token of who starts a phase, until it expires"
    )
    return (
        f"Warning: Zaqar, Heat, Swift and Mistral are asked with {which}. From then on no message can be posted, and "
        f"who waits for the last one is told nothing: {_REMEDY}"
    )
