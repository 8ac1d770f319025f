"""The callback plugin of our runs: what Ansible tells goes to `recording` and `variables`; nothing is decided here.

It stands in the place of Ansible's own, which writes the log, and hands all on to that: Ansible copies each result for
each plugin, and those of gathered facts are large.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.release import __version__ as ansible_version

# ansible-playbook may be another virtual environment's: ours is looked into for these modules, and no longer.
_ROOT = str(Path(__file__).parents[4])
sys.path.append(_ROOT)
try:
    from tripleo_ffwd.ansible_run.inside import handlers, recording, variables
    from tripleo_ffwd.ansible_run.ledger import Ledger
    from tripleo_ffwd.redaction import Redactor
except Exception as error:
    # Ansible would only warn, and run everything without a record.
    print(f"ERROR! the records of a run need what is not here: {error}", file=sys.stderr)
    raise SystemExit(75) from error
finally:
    sys.path.remove(_ROOT)

DOCUMENTATION = """
    name: ffwd
    type: stdout
    short_description: keeps the ledger and the variables of a run, and shows what the default callback shows
    description: Part of tripleo-ffwd; its supervisor enables it and says where things are.
    extends_documentation_fragment:
      - default_callback
      - result_format_callback
"""
INCLUDES = ("include_tasks", "include_role", "include")


def _surely(method: Callable[..., None]) -> Callable[..., None]:
    """Stop the run before anything else begins when a method raises, for Ansible would only warn; then show it."""
    name = method.__name__
    show = getattr(DefaultCallback, name)

    @functools.wraps(method)
    def call(self: CallbackModule, *args: Any, **kwargs: Any) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.recorder.give_up(f"{name}: {type(error).__name__}: {error}")
            if not name.startswith("v2_runner"):
                self.recorder.stop_if_broken()
        show(self, *args, **kwargs)

    return call


class CallbackModule(DefaultCallback):  # type: ignore[misc]
    """Called by ansible-core 2.16 and newer, by one thread at a time."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "ffwd"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            self._open(json.loads(Path(os.environ["FFWD_INSIDE"]).read_text(encoding="utf-8")))
        except Exception as error:
            print(f"ERROR! the records of the run can't be opened: {error}", file=sys.stderr)
            raise SystemExit(recording.STOPPED) from error
        self._stage = ""
        self._under: Any = None
        self._manager: Any = None

    def _open(self, private: Mapping[str, Any]) -> None:
        self._stages = frozenset(private["stages"])
        pid, started = private["supervisor"]
        self.recorder = recording.Recorder(
            Ledger(Path(private["ledger"])),
            Path(private["run_dir"]),
            self._stages,
            (int(pid), int(started)),
            Redactor(private["secrets"]),
            private["gates"],
        )
        self._path, self._key = Path(private["variables"]), bytes.fromhex(private["key"])
        self._restore, self._first = str(private["restore"]), str(private["first_stage"])
        self._finished, self._first_hosts = Path(private["finished"]), list(private["first_hosts"])
        self._notified = [(str(name), str(host)) for name, host in private["notified"]]
        self._keeper = variables.Keeper(self._path, self._key, ansible_version, Path(private["room"]))

    @_surely
    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Give Ansible the variables of the run that this one goes on with."""
        self.recorder.begin(ansible_version)
        if self._restore:
            try:
                self._go_on(playbook.get_plays()[0].get_variable_manager())
            except Exception as error:  # noqa: BLE001 - whatever it is
                self.recorder.give_up(f"the variables can't be restored: {error}")
                self.recorder.stop_if_broken()

    def _go_on(self, manager: Any) -> None:
        kept = variables.state_at(self._path, self._key, self._restore, ansible_version)
        self._keeper.begin(kept)
        if not self._first_hosts:
            variables.restore(kept, manager)
            return
        later = variables.state_at(self._finished, self._key, self._first, ansible_version)
        variables.restore(variables.with_hosts(kept, later, self._first_hosts), manager)
        self._keeper.keep("(some hosts later)", manager)

    @_surely
    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Keep the variables of the stage that has ended; the record of the next play then says so."""
        self._keep()
        self._under, self._manager = play, play.get_variable_manager()
        name = play.get_name().strip()
        begins = name in self._stages and name != self._stage  # not the next batch of a play with `serial`
        self._stage = name if name in self._stages else ""
        self.recorder.begin_play(name)
        if begins:
            self._reserve()
        if self._notified and name == self._first:
            for notification, host in handlers.notify(play, self._notified):
                self.recorder.tell("notify", handler=notification, host=host)

    def _reserve(self) -> None:
        """Begin no stage whose variables there is no room for: the run is gone on with there once there is."""
        try:
            self._keeper.reserve()
        except OSError as error:
            where = self._path.parent
            self.recorder.give_up(f"no room in {where} for the variables that {self._stage} leaves: {error.strerror}")
            self.recorder.stop_if_broken()

    def _keep(self) -> None:
        if not self._stage or self._manager is None:
            return
        try:
            self._keeper.keep(self._stage, self._manager)
        except Exception as error:  # noqa: BLE001 - the run is worth more than going on with it later
            self.recorder.tell("not_kept", stage=self._stage, why=f"{type(error).__name__}: {error}")

    @_surely
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Record a task before it begins."""
        self.recorder.begin_task(task._uuid, task.get_name().strip())

    @_surely
    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Record a handler before it begins."""
        self.recorder.begin_task(task._uuid, task.get_name().strip())

    @_surely
    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Record a task on a host."""
        self.recorder.start(task._uuid, host.name)

    @_surely
    def v2_runner_on_ok(self, result: Any) -> None:
        """Record its end, and what would be lost if the run went on later."""
        found = result._result
        if found.get("changed"):
            for notification in handlers.notifications(result._task):
                self.recorder.tell("notify", handler=notification, host=result._host.name)
            self._end(result, "changed")
        else:
            self._end(result, "ok")
        if any(one.get("add_host") or one.get("add_group") for one in _parts(found)):
            self.recorder.tell("inventory", task=result._task.get_name(), host=result._host.name)

    @_surely
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Record its end."""
        self._end(result, "ignored" if ignore_errors else "failed" if self._is_lost(result) else "rescued")

    @_surely
    def v2_runner_on_skipped(self, result: Any) -> None:
        """Record its end."""
        self._end(result, "skipped")

    @_surely
    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Record its end."""
        self._end(result, "unreachable" if self._is_lost(result) else "ignored")

    def _is_lost(self, result: Any) -> bool:
        """Return whether Ansible has taken the host out of the play: a rescue section takes it in again at once.

        Of a file that can't be included Ansible tells before it does so.
        """
        action = str(result._task.action).rpartition(".")[2]
        return action in INCLUDES or result._host.name in self._under._removed_hosts

    def _end(self, result: Any, status: str) -> None:
        self.recorder.end(result._task._uuid, result._host.name, status, result._result)

    @_surely
    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Record a play without hosts."""
        self.recorder.tell("no_hosts")

    @_surely
    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Record Ansible's last word, and keep what is known of the hosts that have come through a stage."""
        self._keep()
        self._keeper.release()
        self.recorder.finish(stats.failures, stats.dark)


def _parts(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a result and those of its loop."""
    return [result, *(one for one in result.get("results") or () if isinstance(one, Mapping))]
