"""A run's directory: what lies where, and how its files are written whole or not at all.

Layout of ``work_dir/runs/<run_id>/`` (0700, files 0600)::

    spec.json         the RunSpec, without extra_vars            written once, before the supervisor starts
    extra_vars.json   the extra variables; gone once the run has settled
    handed.json       ssh key and secrets to cover, for the supervisor, which removes it at once
    launch.json       who made the directory, when, and how often the heart beats
    supervisor.json   the claim: which process on which machine owns the run, or that nobody ever will
    status.json       the RunStatus; replaced with every heartbeat, the last one is the result
    adopted.json      orphans of the run that its supervisor has adopted
    sockets.json      where ssh's control sockets are, while the run is live
    cancel.json       there once somebody asked for the run's end
    fence.json        there once an operator said that the run's machine is off
    pause.json        there once somebody asked for a pause
    stop.json         tells Ansible where to stop: before the next task, or before the next stage
    tree/             the playbooks: links to the generated ones, and the playbook as it is run
    variables.bin     what Ansible knew at the ends of stages, encrypted; gone once the run was successful
    finished.bin      the same of the run before, when hosts that had finished its last stage are left out of it
    times.json, reached.json, history.json: kept at its end, or when somebody asks after that, by `outlook`, `reached`
                      and `history`
    ledger.jsonl, ansible.log, supervisor.log; followers.json, see `ending`
    ansible/          Ansible's private files; gone once the run has settled
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.ansible_run.machine import now as now
from tripleo_ffwd.exceptions import WriteRefused
from tripleo_ffwd.files import sync_dir
from tripleo_ffwd.model import RunSpec

RUNS = "runs"
SOCKETS_PREFIX = "ffwd-"


@dataclasses.dataclass(frozen=True)
class RunDir:
    """The paths of one run; `path` is absolute and its last part is the run's id."""

    path: Path

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self.path.name

    @property
    def spec(self) -> Path:
        """What the run is made of."""
        return self.path / "spec.json"

    @property
    def extra_vars(self) -> Path:
        """The extra variables."""
        return self.path / "extra_vars.json"

    @property
    def handed(self) -> Path:
        """What the supervisor is handed for itself alone."""
        return self.path / "handed.json"

    @property
    def launch(self) -> Path:
        """How the run was launched."""
        return self.path / "launch.json"

    @property
    def claim(self) -> Path:
        """Which process owns the run."""
        return self.path / "supervisor.json"

    @property
    def status(self) -> Path:
        """Where the run stands."""
        return self.path / "status.json"

    @property
    def cancel(self) -> Path:
        """The request to end the run."""
        return self.path / "cancel.json"

    @property
    def fence(self) -> Path:
        """The operator's word that the run's machine is off."""
        return self.path / "fence.json"

    @property
    def adopted(self) -> Path:
        """Orphans of the run that its supervisor has adopted."""
        return self.path / "adopted.json"

    @property
    def sockets(self) -> Path:
        """Where ssh's control sockets are."""
        return self.path / "sockets.json"

    @property
    def ledger(self) -> Path:
        """What ran where, one JSON record a line."""
        return self.path / "ledger.jsonl"

    @property
    def log(self) -> Path:
        """Ansible's own output."""
        return self.path / "ansible.log"

    @property
    def supervisor_log(self) -> Path:
        """The supervisor's own log."""
        return self.path / "supervisor.log"

    @property
    def pause(self) -> Path:
        """The request to pause the run."""
        return self.path / "pause.json"

    @property
    def stop(self) -> Path:
        """Where Ansible is to stop."""
        return self.path / "stop.json"

    @property
    def pinned(self) -> Path:
        """The playbooks as they are run."""
        return self.path / "tree"

    @property
    def times(self) -> Path:
        """How long the stages took that the run has finished."""
        return self.path / "times.json"

    @property
    def variables(self) -> Path:
        """What Ansible knew at the ends of stages."""
        return self.path / "variables.bin"

    @property
    def finished(self) -> Path:
        """What Ansible knew of the hosts that are left out of the first stage."""
        return self.path / "finished.bin"

    @property
    def private(self) -> Path:
        """Directory of Ansible's private files."""
        return self.path / "ansible"

    def forget_variables(self, chain: Sequence[str] = ()) -> None:
        """Remove what Ansible knew in this run and in those that it went on with: nobody goes on with them any more."""
        for run_id in (self.run_id, *chain):
            run = RunDir(self.path.with_name(run_id))
            for path in (run.variables, run.finished):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove what may hold secrets and is of no use after the run."""
        self.extra_vars.unlink(missing_ok=True)
        self.handed.unlink(missing_ok=True)
        sockets = (read_json(self.sockets) or {}).get("directory", "")
        if Path(sockets).name.startswith(SOCKETS_PREFIX):
            shutil.rmtree(sockets, ignore_errors=True)
        self.sockets.unlink(missing_ok=True)
        shutil.rmtree(self.private, ignore_errors=True)


def run_dirs(work_dir: Path) -> list[RunDir]:
    """Return all runs, newest last."""
    runs = work_dir.resolve() / RUNS
    if not runs.is_dir():
        return []
    return [RunDir(path) for path in sorted(runs.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def new_run_id() -> str:
    """Return an id that sorts by time and is a valid part of a systemd unit's name."""
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"


def _write_temp(path: Path, data: Mapping[str, Any], durable: bool) -> Path:
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(data, file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def write_json(path: Path, data: Mapping[str, Any], *, durable: bool = True) -> None:
    """Replace `path` (0600) atomically.

    Args:
        path: the file.
        data: JSON values.
        durable: wait for the disk. A heartbeat doesn't: it is worthless after a power cut anyway.

    Raises:
        OSError: nothing was replaced.
    """
    temp = _write_temp(path, data, durable)
    try:
        temp.replace(path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    if durable:
        sync_dir(path.parent)


def write_once(path: Path, data: Mapping[str, Any]) -> bool:
    """Write `path` unless it exists; return whether it was us. Of several writers, on any machine, exactly one wins."""
    temp = _write_temp(path, data, durable=True)
    try:
        os.link(temp, path)
    except FileExistsError:
        return False
    finally:
        temp.unlink(missing_ok=True)
    sync_dir(path.parent)
    return True


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the mapping in `path`; None when it is missing, unreadable or no JSON mapping."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def create(work_dir: Path, spec: RunSpec, launch: Mapping[str, Any], handed: Mapping[str, Any]) -> RunDir:
    """Make the directory of a new run, whole or not at all.

    Args:
        work_dir: the [ffwd] work_dir.
        spec: what to run.
        launch: small JSON values for launch.json; `created` (seconds since the epoch) among them.
        handed: JSON values for the supervisor alone; empty for none.

    Raises:
        WriteRefused: the directory can't be made.
    """
    runs = work_dir / RUNS
    temp: Path | None = None
    try:
        temp = Path(tempfile.mkdtemp(prefix=".new-", dir=runs))  # mode 0700
        data = dataclasses.asdict(dataclasses.replace(spec, extra_vars={}))
        write_json(temp / "spec.json", data)
        write_json(temp / "launch.json", launch)
        for name, private in (("extra_vars.json", dict(spec.extra_vars)), ("handed.json", handed)):
            if private:
                write_json(temp / name, private)
        final = runs / new_run_id()
        temp.rename(final)
        sync_dir(runs)
    except OSError as error:
        if temp is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(temp)
        raise WriteRefused(
            f"the run's directory can't be made: {error.strerror or error}",
            where=str(runs),
            remedy="Check the directory's owner, mode and free space",
        ) from error
    return RunDir(final)


def _value(value: Any) -> Any:
    return tuple(map(_value, value)) if isinstance(value, list) else value


def load_spec(run: RunDir) -> RunSpec | None:
    """Return the spec with its extra variables (while they are kept), or None when it can't be read."""
    data = read_json(run.spec)
    if data is None:
        return None
    names = {field.name for field in dataclasses.fields(RunSpec)}
    try:
        spec = RunSpec(**{key: _value(value) for key, value in data.items() if key in names})
    except TypeError:
        return None
    return dataclasses.replace(spec, extra_vars=read_json(run.extra_vars) or {})
