"""The embedded Mistral: API, engine and executor in one process on SQLite. Run as a module by `undercloud`.

Imports mistral inside functions only. `mistral-server --server all` forks, so the in-memory transport could not join
its parts; here they are threads of one process. On SIGTERM it takes no new requests, lets the actions that run finish
and notes that they did; whatever else was under way is in the database, and the next start goes on with it
(`mistral_recovery`). It signals no process group: the supervisors of Ansible runs live on.

Files in ``conf.d`` beside its configuration are read after it. One that sets another ``transport_url``, RabbitMQ's,
makes it API and engine alone: then executors are processes of their own, as many as somebody starts.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging

from tripleo_ffwd.embedded import processes

LOG = logging.getLogger(__name__)

# Seconds that each part of the end gets after SIGTERM; our actions are short.
DRAIN_TIMEOUT = 15
# There when the last end was a drained one: no action ran that the database does not know the end of.
DRAINED = "drained"
# Directory of configuration that each start leaves as it is.
MORE = "conf.d"


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="mistral_server")
    parser.add_argument("--config-file", type=Path, required=True)
    path = parser.parse_args().config_file
    os.umask(0o077)  # the database is made with it
    claim = processes.claim(path.parent)
    os.chdir(path.parent)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _configure(path)
    engine, executor = _start_engine(path.parent / DRAINED)
    api = _start_api()
    stop.wait()
    _drain(api, engine, executor, path.parent / DRAINED)
    claim.close()
    os._exit(0)  # threads of the scheduler and of the transport are not daemonic


def _configure(path: Path) -> None:
    warnings.simplefilter("ignore")
    from mistral import config

    more = path.parent / MORE
    config.parse_args(["--config-file", str(path), *(["--config-dir", str(more)] if more.is_dir() else [])])
    logging.setup(cfg.CONF, "mistral")


def _start_engine(drained: Path) -> tuple[Any, Any]:
    from mistral.db.v2 import api as db_api
    from mistral.engine import engine_server
    from mistral.executors import executor_server
    from mistral.expressions import yaql_expression
    from mistral.rpc import base as rpc

    from tripleo_ffwd.embedded import mistral_recovery, mistral_speed, yaql_lock

    rpc.get_transport()
    mistral_speed.install()
    yaql_lock.install()
    # Before threads: the second of two at once would find it without Mistral's functions.
    yaql_expression.get_yaql_engine_class()
    yaql_expression.get_yaql_context({})
    # The migrations alter constraints, which SQLite can't; a new database needs none.
    db_api.setup_db()
    left = mistral_recovery.take_stock()
    was_drained = drained.exists()
    drained.unlink(missing_ok=True)
    alone = _is_alone()
    engine = engine_server.get_oslo_service(setup_profiler=False)
    executor = executor_server.get_oslo_service(setup_profiler=False) if alone else None
    for service in filter(None, (engine, executor)):
        service.start()
        service.wait_started()
    if alone:
        mistral_recovery.go_on(left, engine.engine, drained=was_drained)
    return engine, executor


def _is_alone() -> bool:
    """True when messages stay in this process: with a bus they outlive it, and others work on what is under way."""
    return str(cfg.CONF.transport_url).startswith("fake:")


def _start_api() -> Any:
    from mistral.api import service as api_service

    server = api_service.WSGIService("mistral_api").server
    server.shutdown_timeout = 1
    server.prepare()
    threading.Thread(target=server.serve, daemon=True).start()
    return server


def _drain(api: Any, engine: Any, executor: Any, drained: Path) -> None:
    """Stop in an order that loses nothing: requests, actions, their results."""
    LOG.info("Ending: no more requests, running actions finish")
    with contextlib.suppress(OSError):
        api.stop()
    # The engine's own stop() may take long over its scheduler, whose jobs are safe in the database; its RPC server
    # is all that must end well: results that it has taken are committed when this returns.
    steps: list[Callable[[], object]] = [_flush_results, lambda: engine._rpc_server.stop(graceful=True)]
    if executor is not None:
        steps.insert(0, lambda: executor.stop(graceful=True))
    if all(_bounded(step, DRAIN_TIMEOUT) for step in steps):
        drained.touch(mode=0o600)
        LOG.info("Ended; no action was cut short")
    else:
        LOG.warning("Actions still run after %s seconds; the next start reports them as lost", DRAIN_TIMEOUT)


def _flush_results() -> None:
    """Return when the engine has taken every result that was sent before: its queue is first in, first out."""
    from mistral import context
    from mistral.rpc import base as rpc

    client = rpc.get_rpc_client_driver()(cfg.CONF.engine)
    client.sync_call(context.MistralContext(is_admin=True), "report_running_actions", action_ex_ids=[])


def _bounded(call: Callable[[], object], seconds: float) -> bool:
    """Run `call` for at most `seconds`; return whether it returned."""
    done = threading.Event()

    def run() -> None:
        call()
        done.set()

    threading.Thread(target=run, daemon=True).start()
    return done.wait(seconds)


if __name__ == "__main__":
    main()
