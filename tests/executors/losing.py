"""Executors that hang and end while they are at one of Mistral's actions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import requests
from executors.services import Asked, Executor
from support import until


def action_state(mistral_url: str, execution: str) -> str:
    """Return the state that Mistral has of an action's execution."""
    return str(requests.get(f"{mistral_url}/action_executions/{execution}", timeout=10).json()["state"])


def freeze_at(
    executors: Sequence[Executor],
    action: str,
    state: Callable[[str], str],
    *,
    reached: Callable[[], object] = lambda: True,
    timeout: float = 300,
) -> tuple[Executor, Asked]:
    """Wait until an executor has begun an action, and stop it before it has told the result.

    An action that was quicker is let go, and the next one waited for.

    Args:
        executors: the ones that are looked at.
        action: class of the action.
        state: gives the state of an action's execution.
        reached: what must be so before; asked all the time.
        timeout: seconds to wait.
    """
    seen = {asked.execution for executor in executors for asked in executor.asked(action) if asked.answered}
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for executor in executors:
            for asked in executor.asked(action):
                if asked.execution in seen:
                    continue
                seen.add(asked.execution)
                until(f"the moment to stop {action}", reached, 60, pause=0.01)
                executor.freeze()
                # A result that was sent stands in the engine's queue.
                time.sleep(0.5)
                if state(asked.execution) == "RUNNING":
                    return executor, asked
                executor.go_on()
        time.sleep(0.01)
    raise AssertionError(f"waited {timeout} s in vain for an executor at {action}")
