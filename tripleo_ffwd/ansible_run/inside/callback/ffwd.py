"""The callback plugin of our runs: what Ansible tells goes to `recording` and `variables`; nothing is decided here."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.release import __version__ as ansible_version

# ansible-playbook may be another virtual environment's: ours is looked into for these modules, and no longer.
_ROOT = str(Path(__file__).parents[4])
sys.path.append(_ROOT)
try:
    from tripleo_ffwd.ansible_run.inside import recording, variables, words
    from tripleo_ffwd.ansible_run.ledger import Ledger
finally:
    sys.path.remove(_ROOT)

DOCUMENTATION = """
    name: ffwd
    type: notification
    short_description: keeps the ledger and the variables of a run
    description: Part of tripleo-ffwd; its supervisor enables it and says where things are.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Called by ansible-core 2.16 and newer, always in its main thread."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "ffwd"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        private = json.loads(Path(os.environ["FFWD_INSIDE"]).read_text(encoding="utf-8"))
        run_dir = Path(private["run_dir"])
        self._recorder = recording.Recorder(
            Ledger(Path(private["ledger"])),
            run_dir,
            frozenset(private["stages"]),
            int(private["supervisor"]),
            words.masker(private["secrets"]),
        )
        self._path, self._key = Path(private["variables"]), bytes.fromhex(private["key"])
        self._restore = str(private["restore"])
        self._keeper = variables.Keeper(self._path, self._key, ansible_version)
        self._stages = frozenset(private["stages"])
        self._stage = ""
        self._manager: Any = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Give Ansible the variables of the run that this one goes on with."""
        self._recorder.begin(ansible_version)
        if self._restore:
            try:
                self._manager = playbook.get_plays()[0].get_variable_manager()
                variables.restore(variables.state_at(self._path, self._key, self._restore), self._manager)
                self._keeper.begin(self._manager)
            except Exception as error:
                # Ansible would only warn, and go on without them.
                self._recorder.tell("stopped", why=f"the variables can't be restored: {error}")
                raise SystemExit(recording.STOPPED) from error

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Keep the variables of the stage that has ended; the record of the next play then says so."""
        self._keep()
        self._manager = play.get_variable_manager()
        name = play.get_name().strip()
        self._stage = name if name in self._stages else ""
        self._recorder.begin_play(name)

    def _keep(self) -> None:
        if not self._stage or self._manager is None:
            return
        try:
            self._keeper.keep(self._stage, self._manager)
        except Exception as error:  # noqa: BLE001 - the run is worth more than going on with it later
            self._recorder.tell("not_kept", stage=self._stage, why=f"{type(error).__name__}: {error}")

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Record a task before it begins."""
        self._recorder.begin_task(task._uuid, task.get_name().strip())

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Record a handler before it begins."""
        self._recorder.begin_task(task._uuid, task.get_name().strip())

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Record a task on a host."""
        self._recorder.start(task._uuid, host.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        """Record its end, and what would be lost if the run went on later."""
        found = result._result
        self._end(result, "changed" if found.get("changed") else "ok")
        if found.get("add_host") or found.get("add_group"):
            self._recorder.tell("inventory", task=result._task.get_name(), host=result._host.get_name())

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Record its end."""
        self._end(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Record its end."""
        self._end(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Record its end; with ignore_unreachable too: only what the host does next tells."""
        self._end(result, "unreachable")

    def _end(self, result: Any, status: str) -> None:
        self._recorder.end(result._task._uuid, result._host.get_name(), status, result._result)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Record a play without hosts."""
        self._recorder.tell("no_hosts")

    def v2_playbook_on_notify(self, handler: Any, host: Any) -> None:
        """Record a handler that is still to come."""
        self._recorder.tell("notify", handler=handler.get_name().strip(), host=host.get_name())

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Record Ansible's last word."""
        self._keep()
        self._recorder.finish(stats.failures, stats.dark)
