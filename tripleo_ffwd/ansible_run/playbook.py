"""One ansible-playbook through ansible-runner: the only importer of ansible_runner."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Mapping
from typing import Any

import ansible_runner
from ansible_runner.runner import pexpect

from tripleo_ffwd.ansible_run import command
from tripleo_ffwd.ansible_run.events import Progress
from tripleo_ffwd.ansible_run.heart import Heart
from tripleo_ffwd.ansible_run.ledger import Ledger
from tripleo_ffwd.ansible_run.redaction import redactor
from tripleo_ffwd.ansible_run.rundir import SOCKETS_PREFIX, RunDir, write_json
from tripleo_ffwd.ansible_run.tree import Tree
from tripleo_ffwd.model import RunSpec

LOG = logging.getLogger("tripleo_ffwd.supervisor")

# A control socket's path may have 108 bytes, and ssh adds 17 of its own while it makes one.
SHORT = 60
# Exit codes of ansible-playbook when it went to the end, and hosts failed, were unreachable, or both.
HOSTS_LOST = (2, 4, 6)


class PlaybookRun:
    """Runs the playbook of a spec and follows it.

    Args:
        run: the run's directory.
        spec: what to run.
        tree: the playbooks.
        ledger: where the records go.
        heart: told of progress.
    """

    def __init__(self, run: RunDir, spec: RunSpec, tree: Tree, ledger: Ledger, heart: Heart) -> None:
        self._run = run
        self._spec = spec
        self._tree = tree
        self._ledger = ledger
        self._heart = heart
        self._redact = redactor(spec.extra_vars, spec.extra_vars_file, tree.path)
        self._progress = Progress(
            tree.required(spec), spec.playbook, str(run.log), self._redact, tree.unselected(spec.targets)
        )
        self._lock = threading.Lock()
        self._log_fd = os.open(run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        heart.follow(self._snapshot)

    def _snapshot(self) -> dict[str, Any]:
        with self._lock:
            return self._progress.snapshot()

    def execute(self) -> int:
        """Run to the end; return ansible-playbook's exit code."""
        command.require_ansible()
        inventories = command.prepare(self._run, self._spec, self._tree)
        control_dir = tempfile.mkdtemp(prefix=SOCKETS_PREFIX, dir=_short_directory())
        write_json(self._run.sockets, {"directory": control_dir}, durable=False)  # removed with RunDir.clean
        try:
            runner = ansible_runner.interface.init_runner(
                private_data_dir=str(self._run.private),
                project_dir=str(self._tree.path),
                ident="run",
                playbook=self._spec.playbook,
                inventory=inventories,
                cmdline=command.options(self._run, self._spec),
                envvars=command.ansible_environment(self._run, self._spec, control_dir),
                suppress_env_files=True,
                forks=self._spec.forks,
                tags=self._spec.tags or None,
                skip_tags=self._spec.skip_tags or None,
                verbosity=self._spec.verbosity or None,
                event_handler=self._take,
                # Ending a run is not left to ansible-runner: what it ends is not all there is.
                cancel_callback=lambda: False,
            )
            return self._wait(runner)
        finally:
            os.close(self._log_fd)

    @staticmethod
    def _wait(runner: Any) -> int:
        try:
            runner.run()
        except pexpect.TIMEOUT:
            # ansible-playbook has ended, yet something still held its terminal open; that is killed in a moment.
            LOG.warning("ansible-runner lost the exit code")
            return -1
        return int(runner.rc) if runner.rc is not None else -1

    def _take(self, event: Mapping[str, Any]) -> bool:
        """Take one event; False tells ansible-runner to write no file of it."""
        with self._lock:
            records = self._progress.feed(event)
        for record in records:
            self._ledger.append(record)
            if record["event"] in ("stage_start", "stage_end"):
                self._heart.hurry()
                LOG.info("%s %s", record["event"], record["stage"])
        text = str(event.get("stdout", ""))
        if text:
            os.write(self._log_fd, (self._redact(text.replace("\r\n", "\n")) + "\n").encode("utf-8", "replace"))
        return False

    def judge(self, code: int) -> tuple[str, str]:
        """Return result and message of a run that ended by itself with exit code `code`."""
        with self._lock:
            failed, unfinished = self._progress.failed, self._progress.unfinished
            harmless = code in HOSTS_LOST and self._progress.only_unselected_lost
            gate, error = self._progress.gate_message, self._progress.last_error
            total = self._progress.snapshot()["stages_total"]
        if (code == 0 or harmless) and not failed and not unfinished:
            return "successful", f"{self._spec.playbook}: all {total} stages finished"
        if gate:
            return "failed", gate
        if failed:
            first = failed[0]
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            return "failed", f"{first.host} failed in {first.stage} at task '{first.task}': {first.message}{more}"
        if code == 0:
            return "failed", f"ansible-playbook ended well, but not every host finished {unfinished[0]}"
        return "failed", f"ansible-playbook ended with {code}: {error or f'see {self._run.log}'}"


def _short_directory() -> str:
    candidate = tempfile.gettempdir()
    return candidate if len(candidate) <= SHORT else "/tmp"
