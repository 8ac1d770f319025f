"""The play that a run begins with when it goes on: nothing of the runs before it may be alive on the nodes.

A module goes on when its connection is gone (yum does, in the middle of a transaction), and all that a run starts
carries the run's mark in its environment. Such a process is waited for; one that stays is named, and the run ends
before it has done anything. A service that a task has started by itself carries the mark too: then the operator's word
decides. A node that lets ssh in and then hangs is lost in time, and the run ends as it does for one out of reach.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from tripleo_ffwd.ansible_run.process_tree import MARK

PLAY = "what earlier runs have left"
TASK = "Nothing of the earlier runs is alive"
PAUSE = 5

# Also for nodes without Python, as an upgrade may leave them.
_SCRIPT = """
for one in /proc/[0-9]*; do
  if tr '\\0' '\\n' < "$one/environ" 2>/dev/null | grep -qxE '{pattern}'; then
    echo "${{one#/proc/}} $(tr '\\0' ' ' < "$one/cmdline" 2>/dev/null | cut -c1-80)"
  fi
done
true
"""


def play(run_ids: Sequence[str], hosts: str, wait: int, timeout: int) -> str:
    """Return the play, as YAML text.

    Args:
        run_ids: the runs before this one.
        hosts: the pattern of the hosts that it is for.
        wait: seconds for which such a process is waited for.
        timeout: seconds within which a host must have been looked at, each time.
    """
    script = _SCRIPT.format(pattern=f"{MARK}=({'|'.join(run_ids)})").strip()
    look = {
        "name": "Look for processes of the earlier runs",
        "raw": script,
        "register": "ffwd_leftovers",
        "until": "(ffwd_leftovers.stdout | default('')) | trim == ''",
        "retries": max(1, wait // PAUSE),
        "delay": PAUSE,
        "timeout": timeout,
        "changed_when": False,
        "failed_when": "ffwd_leftovers.unreachable | default(false)",
        "check_mode": False,
        "tags": ["always"],
    }
    refuse = {
        "name": TASK,
        "fail": {
            "msg": "still alive: {{ ffwd_leftovers.stdout | trim | replace('\r\n', '; ') | replace('\n', '; ') }}. "
            "Wait for their end or end them; with force_reason the run goes on all the same",
        },
        "when": "ffwd_leftovers.stdout | trim != ''",
        "tags": ["always"],
    }
    content = {
        "hosts": hosts,
        "gather_facts": False,
        "become": "{{ ansible_connection | default('ssh') != 'local' }}",
        "any_errors_fatal": True,
        "max_fail_percentage": 0,
        "tasks": [look, refuse],
    }
    # JSON is YAML; the play begins like the others.
    return f"- name: {PLAY}\n" + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in content.items())
