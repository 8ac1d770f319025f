"""Start, find, restart and stop the embedded Mistral and Heat of a state directory; imports neither of them.

Each is a daemon in a session of its own, which records itself in its directory. Whoever changes something holds the
state directory's lock, so two starts at once make one undercloud.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from filelock import FileLock, Timeout

from tripleo_ffwd import files
from tripleo_ffwd.embedded import configuration, ports, processes
from tripleo_ffwd.embedded.processes import Process
from tripleo_ffwd.embedded.site import Site
from tripleo_ffwd.exceptions import Busy, ConfigurationError, FfwdError, InvalidInput, LaunchFailed

SERVICES = ("mistral", "heat")
START_TIMEOUT = 120
# What Mistral gives itself on SIGTERM adds up to 45 seconds at worst; Heat ends within 5.
STOP_GRACE = 50
_LOG_LINES = 12
_LOG_LIMIT = 20 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Undercloud:
    """A Mistral and a Heat, running or not.

    Attributes:
        root: the state directory.
        work_dir: the [ffwd] work_dir of this Mistral.
        mistral_url: value for OS_MISTRAL_URL; empty before the first start.
        heat_url: Heat's endpoint, with the project; empty before the first start.
        pids: pid by service; a service that does not run is not in it.
        logs: log file by service.
        fresh: names of the services that this call started.
    """

    root: Path
    work_dir: Path
    mistral_url: str
    heat_url: str
    pids: Mapping[str, int]
    logs: Mapping[str, Path]
    fresh: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """True when both services run."""
        return all(name in self.pids for name in SERVICES)

    def to_dict(self) -> dict[str, Any]:
        """Return ``{mistral: {url, pid, log, running}, heat: {…}, work_dir, dir}`` as JSON values."""
        urls = {"mistral": self.mistral_url, "heat": self.heat_url}
        services: dict[str, Any] = {
            name: {
                "url": urls[name],
                "pid": self.pids.get(name),
                "log": str(self.logs[name]),
                "running": name in self.pids,
            }
            for name in SERVICES
        }
        return {**services, "work_dir": str(self.work_dir), "dir": str(self.root)}


def start(site: Site, mistral_port: int | None = None, heat_port: int | None = None) -> Undercloud:
    """Start what does not run, wait until both APIs answer, and return the undercloud; again does no harm.

    Args:
        site: the state directory.
        mistral_port, heat_port: ports to use from now on; by default those of the last start, else free ones.

    Raises:
        ConfigurationError: the extra `embedded` is not installed, or a port is taken.
        InvalidInput: a service runs on another port than the one asked for.
        Busy: another command works on the state directory.
        LaunchFailed: a service did not come up; nothing that this call started is left.
    """
    _check_extra()
    with _locked(site):
        chosen = ports.choose(
            site.root / "ports.json",
            {"mistral": mistral_port, "heat": heat_port},
            running=tuple(name for name in SERVICES if processes.find(_directory(site, name))),
        )
        return _start(site, chosen, SERVICES)


def status(site: Site) -> Undercloud:
    """Return what is there, running or not; starts nothing and waits for nothing."""
    chosen = ports.read(site.root / "ports.json")
    found = {name: processes.find(_directory(site, name)) for name in SERVICES}
    return Undercloud(
        root=site.root,
        work_dir=site.work,
        mistral_url=configuration.mistral_url(chosen["mistral"]) if chosen else "",
        heat_url=configuration.heat_url(chosen["heat"]) if chosen else "",
        pids=MappingProxyType({name: process.pid for name, process in found.items() if process}),
        logs=MappingProxyType({name: _log(site, name) for name in SERVICES}),
    )


def stop(site: Site) -> Undercloud:
    """Cancel the Ansible runs, end both services and return the status; again does no harm.

    Raises:
        Busy: another command works on the state directory.
        FfwdError: a run or a process could not be ended.
    """
    with _locked(site):
        _cancel_runs(site)
        _end(site, "mistral", STOP_GRACE)
        # A workflow may have started one more run between the two.
        remaining = _cancel_runs(site)
        _end(site, "heat", STOP_GRACE)
    if remaining:
        raise FfwdError(
            f"Runs that can't be proven dead: {', '.join(remaining)}",
            where=str(site.work / "runs"),
            remedy="Both services are stopped. Look at the runs' logs and end their processes by hand",
            runs=remaining,
        )
    return status(site)


def restart(site: Site, service: str) -> Undercloud:
    """End one service and start it again on its port; Ansible runs and the other service are left alone.

    Raises:
        InvalidInput: there is no such service.
        ConfigurationError, Busy, LaunchFailed: as `start`.
    """
    _check_service(service)
    _check_extra()
    with _locked(site):
        _end(site, service, STOP_GRACE)
        chosen = ports.choose(
            site.root / "ports.json",
            {},
            running=tuple(name for name in SERVICES if processes.find(_directory(site, name))),
        )
        return _start(site, chosen, (service,))


def kill(site: Site, service: str) -> None:
    """End one service by SIGKILL and return when it is dead: a crash, for tests of faults."""
    _check_service(service)
    _end(site, service, 0)


def _start(site: Site, chosen: ports.Ports, wanted: tuple[str, ...]) -> Undercloud:
    """Start those of `wanted` that don't run, wait for them, or end them again."""
    marks: dict[str, tuple[Process, int]] = {}
    try:
        for name in wanted:
            if processes.find(_directory(site, name)) is None:
                marks[name] = _spawn(site, name, chosen)
        for name in wanted:
            if name not in marks:
                _wait_found(site, name, chosen[name])
        for name, (process, offset) in marks.items():
            _wait(site, name, chosen[name], process, offset)
    except BaseException:
        for process, _ in marks.values():
            processes.end(process, grace=0)
        raise
    return dataclasses.replace(status(site), fresh=tuple(marks))


def _spawn(site: Site, name: str, chosen: ports.Ports) -> tuple[Process, int]:
    """Start a service; return it and where its part of the log begins."""
    files.make_private_dir(site.work)
    if name == "mistral":
        path = configuration.write_mistral(site, port=chosen["mistral"], heat_port=chosen["heat"])
    else:
        path = configuration.write_heat(site, port=chosen["heat"])
    log = _log(site, name)
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    offset = log.stat().st_size if log.exists() else 0
    module = f"tripleo_ffwd.embedded.{name}_server"
    return processes.spawn([sys.executable, "-m", module, "--config-file", str(path)], log), offset


def _wait_found(site: Site, name: str, port: int) -> None:
    """Wait for a service that someone else started and perhaps did not wait for."""
    process = processes.find(_directory(site, name))
    if process is not None:
        _wait(site, name, port, process, 0)


def _wait(site: Site, name: str, port: int, process: Process, offset: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not _answers(name, port):
        if not processes.is_alive(process):
            raise _failure(site, name, "ended while it started", offset)
        if time.monotonic() > deadline:
            raise _failure(site, name, f"did not answer within {START_TIMEOUT} seconds", offset)
        time.sleep(0.1)
    if not processes.is_alive(process):
        raise _failure(site, name, f"ended, and another program answers on its port {port}", offset)


def _answers(name: str, port: int) -> bool:
    url = (
        f"{configuration.mistral_url(port)}/workbooks"
        if name == "mistral"
        else configuration.heat_url(port) + "/stacks"
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 401  # with keystone it answers to who has a token
    except (OSError, ValueError):  # refused, reset, timed out, an HTTP error, no HTTP at all
        return False


def _failure(site: Site, name: str, what: str, offset: int) -> LaunchFailed:
    log = _log(site, name)
    with contextlib.suppress(OSError), log.open("rb") as stream:
        stream.seek(offset)
        lines = stream.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
        return LaunchFailed(
            f"{name.capitalize()} {what}. Its last words:\n" + "\n".join(f"    {line}" for line in lines) + "\n",
            remedy=f"The whole log is {log}",
            service=name,
            log=str(log),
        )
    return LaunchFailed(f"{name.capitalize()} {what} and wrote no log", where=str(log), service=name)


def _end(site: Site, name: str, grace: float) -> None:
    process = processes.find(_directory(site, name))
    if process is not None:
        processes.end(process, grace=grace)


def _cancel_runs(site: Site) -> list[str]:
    """Cancel what runs in the work directory; return the ids of runs that are not proven to have ended."""
    if not (site.work / "runs").is_dir():
        return []
    from tripleo_ffwd.ansible_run import runs

    for run in runs.list_runs(site.work):
        if not run.settled:
            runs.cancel(Path(run.run_dir), now=True, wait=30)
    return [run.run_id for run in runs.list_runs(site.work) if not run.settled]


@contextlib.contextmanager
def _locked(site: Site) -> Iterator[None]:
    lock = FileLock(site.root / "undercloud.lock", mode=0o600, timeout=START_TIMEOUT + STOP_GRACE)
    try:
        lock.acquire()
    except Timeout as error:
        raise Busy(
            "Another command works on this undercloud", where=str(site.root), remedy="Wait for it, then try again"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _check_extra() -> None:
    missing = [name for name in ("mistral", "heat") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"The embedded undercloud needs {' and '.join(missing)}, not installed here",
            where=sys.prefix,
            remedy="Install them: pip install tripleo-ffwd[embedded]",
        )


def _check_service(service: str) -> None:
    if service not in SERVICES:
        raise InvalidInput(f"There is no service {service!r}", remedy=f"Name one of {', '.join(SERVICES)}")


def _directory(site: Site, name: str) -> Path:
    return site.root / name


def _log(site: Site, name: str) -> Path:
    return _directory(site, name) / f"{name}.log"
