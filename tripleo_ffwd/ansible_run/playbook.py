"""One ansible-playbook: started, its output kept without secrets, its ledger followed, its end judged.

Ansible is called directly: ansible-runner would have every event printed, parsed and passed on, which costs a fifth of
Ansible's own time; our callback plugin writes the ledger where things happen.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

from tripleo_ffwd.ansible_run import command, keys, outputs, pinning, reached, redaction
from tripleo_ffwd.ansible_run.control import Control
from tripleo_ffwd.ansible_run.events import Progress
from tripleo_ffwd.ansible_run.heart import Heart
from tripleo_ffwd.ansible_run.inside.recording import ASKED, STOPPED
from tripleo_ffwd.ansible_run.inside.words import shorten
from tripleo_ffwd.ansible_run.ledger import Reader
from tripleo_ffwd.ansible_run.outlook import Outlook
from tripleo_ffwd.ansible_run.rundir import SOCKETS_PREFIX, RunDir, write_json
from tripleo_ffwd.ansible_run.tree import Tree
from tripleo_ffwd.model import RunSpec
from tripleo_ffwd.redaction import Redactor

LOG = logging.getLogger("tripleo_ffwd.supervisor")

# A control socket's path may have 108 bytes, and ssh adds 17 of its own while it makes one.
SHORT = 60
# Exit codes of ansible-playbook when it went to the end, and hosts failed, were unreachable, or both.
HOSTS_LOST = (2, 4, 6)
FOLLOW_SECONDS = 0.5
# What Ansible has left running may hold its output open; it is ended by `Control`, soon after Ansible's own end.
LAST_OUTPUT_SECONDS = 5.0


class PlaybookRun:
    """Runs the playbook of a spec and follows it.

    Args:
        run: the run's directory.
        spec: what to run.
        tree: the playbooks.
        heart: told of progress.
        ssh_key: private key to reach the hosts with; empty for that of a file.
        secrets: texts that no log may show, besides those of spec and tree.
    """

    def __init__(
        self,
        run: RunDir,
        spec: RunSpec,
        tree: Tree,
        heart: Heart,
        *,
        ssh_key: str = "",
        secrets: Sequence[str] = (),
    ) -> None:
        self._run = run
        self._spec = spec
        self._tree = tree
        self._heart = heart
        self._ssh_key = ssh_key
        self._key_holder: keys.Holder | None = None
        self._secrets = redaction.secrets(spec.extra_vars, spec.extra_vars_file, tree.path, secrets)
        # The key is for nobody else: Ansible itself never has it.
        self._redact = Redactor([*self._secrets, ssh_key])
        self._progress = Progress(
            tree.required(spec), spec.playbook, str(run.log), tree.unselected(spec.targets), tree.done_before(spec)
        )
        self._outlook = Outlook(run, spec, tree)
        self._lock = threading.Lock()
        self._reader = Reader()
        self._ended = threading.Event()
        self._last_error = ""
        self._untried: list[tuple[str, str, str, str]] = []
        heart.follow(self._snapshot)

    def _snapshot(self) -> dict[str, Any]:
        with self._lock:
            return {**self._progress.snapshot(), "eta": self._outlook.eta}

    def execute(self, control: Control) -> int:
        """Run to the end, watched by `control`; return ansible-playbook's exit code."""
        command.require_ansible()
        pinned = pinning.pin(self._run, self._spec, self._tree)
        inventories = command.prepare(self._run, self._spec, self._tree)
        command.prepare_inside(self._run, self._spec, self._tree, self._secrets)
        control_dir = tempfile.mkdtemp(prefix=SOCKETS_PREFIX, dir=_short_directory())
        write_json(self._run.sockets, {"directory": control_dir}, durable=False)  # removed with RunDir.clean
        environment = command.ansible_environment(self._run, self._spec, control_dir)
        process = subprocess.Popen(
            command.ansible_playbook(self._run, self._spec, inventories),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=pinned,
            env={**environment, **self._hold_key(control, Path(control_dir))},
        )
        control.own(process.pid)
        output = cast("BufferedIOBase", process.stdout)
        outputs.widen(output.fileno())
        threads = [
            threading.Thread(target=self._pump, args=(output,), name="output", daemon=True),
            threading.Thread(target=self._follow, name="ledger", daemon=True),
        ]
        for thread in threads:
            thread.start()
        code = process.wait()
        self._ended.set()
        for thread in threads:
            thread.join(LAST_OUTPUT_SECONDS)
        with self._lock, contextlib.suppress(OSError):
            self._heart.check_home()
            self._outlook.keep(self._progress.unfinished, [stage.id for stage in self._tree.required(self._spec)])
            if not threads[1].is_alive():
                reached.keep(self._run, self._spec, self._tree, self._progress)
        return code

    def _hold_key(self, control: Control, directory: Path) -> Mapping[str, str]:
        """Give the key that was handed over to an agent; return what Ansible needs to use it."""
        if not self._ssh_key:
            return {}
        self._key_holder = keys.Holder(self._run, directory / "agent", control.help_with)
        return self._key_holder.hold(self._ssh_key, self._spec.timeout)

    def _pump(self, output: BufferedIOBase) -> None:
        """Copy Ansible's output to the log, without secrets."""
        lines = redaction.Lines(self._redact)
        with contextlib.closing(outputs.Log(self._run.log)) as log:
            for read in outputs.gathered(output, self._ended):
                self._note(log, [lines.feed(line.decode("utf-8", "replace")) for line in read])
            self._note(log, [*lines.last()])

    def _note(self, log: outputs.Log, texts: Sequence[str]) -> None:
        for text in texts:
            if text.startswith(("ERROR!", "[ERROR]")):
                self._last_error = shorten(text.removeprefix("ERROR!").removeprefix("[ERROR]:"))
        log.append("".join(texts))

    def _follow(self) -> None:
        """Take in what Ansible writes into the ledger, until it has ended."""
        torn = b""
        with self._run.ledger.open("rb") as ledger:
            while True:
                last = self._ended.is_set()
                with contextlib.suppress(OSError):  # a shared disk that stumbles; the lease ends the run if it goes on
                    torn = self._take(torn + ledger.read())
                if last:
                    return
                self._ended.wait(FOLLOW_SECONDS)

    def _take(self, data: bytes) -> bytes:
        """Take in whole lines; return the beginning of the next."""
        *lines, torn = data.split(b"\n")
        turned = ""
        with self._lock:
            for line in lines:
                record = self._reader.record(line)
                if record is not None:
                    self._outlook.feed(record)
                    turned = self._progress.feed(record) or turned
                    if self._spec.check and record.get("status") == "ignored":
                        self._untried.append(
                            (record["stage"], record["task"], record["host"], record.get("message", ""))
                        )
        if turned:
            LOG.info("stage %s", turned)
            self._heart.hurry()
        return torn

    def judge(self, code: int, asked: tuple[str, str] | None) -> tuple[str, str]:
        """Return result and message of a run that has ended with exit code `code`.

        Args:
            code: of ansible-playbook.
            asked: result and message that somebody has asked for, if anybody has.
        """
        with self._lock:
            failed, unfinished = self._progress.failed, self._progress.unfinished
            harmless = code in HOSTS_LOST and self._progress.only_unselected_lost
            gate, error, stopped = self._progress.gate_message, self._last_error, self._progress.stopped
            total = self._progress.snapshot()["stages_total"]
        if (code == 0 or harmless) and not failed and not unfinished:
            return "successful", f"{self._spec.playbook}: all {total} stages finished{self._not_tried}"
        if asked and (code == STOPPED or asked[0] != "paused"):
            return asked
        if gate:
            return "failed", gate
        if failed:
            first = failed[0]
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            return "failed", f"{first.host} failed in {first.stage} at task '{first.task}': {first.message}{more}"
        if code == STOPPED and stopped == ASKED:
            return "paused", "paused before that was taken back"
        if code == STOPPED and stopped:
            return "failed", f"stopped before the next task: {stopped}"
        if code == 0:
            return "failed", f"ansible-playbook ended well, but not every host finished {unfinished[0]}"
        return "failed", f"ansible-playbook ended with {code}: {error or f'see {self._run.log}'}"

    @property
    def _not_tried(self) -> str:
        """What failed in check mode, which doesn't end it, in words; empty when nothing did."""
        if not self._untried:
            return ""
        stage, task, host, message = self._untried[0]
        return (
            f", but for {len(self._untried)} tasks that check mode can't try, or that would fail; the first is "
            f"'{task}' on {host} in {stage}: {message} (all: {self._run.log})"
        )

    @property
    def cut_off(self) -> str:
        """What was under way when the run ended and may have been done or not, in words; empty when nothing was."""
        with self._lock:
            running = self._progress.running
        named = ", ".join(f"'{task.task}' on {task.host}" for task in running[:3])
        more = f" and {len(running) - 3} more" if len(running) > 3 else ""
        return f"cut off, may have run: {named}{more}" if running else ""


def _short_directory() -> str:
    candidate = tempfile.gettempdir()
    return candidate if len(candidate) <= SHORT else "/tmp"
