"""The embedded Heat: engine and API in one process on SQLite. Run as a module by `undercloud`; imports heat.

Heat ships no such program: its API is a WSGI application and its engine a daemon of its own that talks to it over a
message broker. Here both share the in-memory transport. Files in ``conf.d`` beside its configuration are read after it.
"""

from __future__ import annotations

import argparse
import os
import signal
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref import simple_server

from oslo_config import cfg
from oslo_log import log as logging

from tripleo_ffwd.embedded import processes

# How many children of an OS::Heat::ResourceChain are made at once. Heat takes the number of live engines: one here.
CHAIN_CONCURRENCY = 3

MORE = "conf.d"
OPTIONS = [cfg.StrOpt("bind_host", default="127.0.0.1"), cfg.PortOpt("bind_port", default=8004)]


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    """One thread a request."""

    daemon_threads = True
    request_queue_size = 64


class Handler(simple_server.WSGIRequestHandler):
    """Requests are logged by Heat's own middleware at most."""

    def address_string(self) -> str:
        """Return the address itself: no name lookup."""
        return str(self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:
        """Log at debug level, not on stderr."""
        logging.getLogger("heat.api.access").debug(format, *args)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="heat_server")
    parser.add_argument("--config-file", type=Path, required=True)
    path = parser.parse_args().config_file
    os.umask(0o077)  # the database is made with it
    claim = processes.claim(path.parent)
    os.chdir(path.parent)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _configure(path)
    stop_engine = _start_engine()
    server = _start_api()
    stop.wait()
    server.shutdown()
    # Stacks in progress are reset to FAILED by the next start; waiting for them could take minutes.
    ending = threading.Thread(target=stop_engine, daemon=True)
    ending.start()
    ending.join(timeout=5)
    claim.close()
    os._exit(0)  # engine threads are not daemonic


def _configure(path: Path) -> None:
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    from heat.common import config, crypt, messaging, noauth  # noqa: F401  (two are here to register their options)

    conf = cfg.CONF
    conf.register_opts(OPTIONS, group="ffwd_heat")
    logging.register_options(conf)
    more = path.parent / MORE
    words = ["--config-file", str(path), *(["--config-dir", str(more)] if more.is_dir() else [])]
    conf(words, project="heat", prog="heat-engine")
    logging.setup(conf, "heat")
    config.set_config_defaults()
    messaging.setup()
    config.startup_sanity_check()


def _start_engine() -> Callable[[], None]:
    from heat.db import migration
    from heat.engine import service, template
    from heat.engine.hot import functions
    from heat.objects import service as service_objects
    from heat.rpc import api as rpc_api

    from tripleo_ffwd.embedded import heat_speed, heat_sqlite, yaql_lock

    migration.db_sync()  # first: it nests transactions, which the lock below does not allow
    heat_sqlite.install()
    heat_speed.install()
    yaql_lock.install()
    # Before threads: two at once would load the plugins twice, or one would find YAQL half made.
    template._get_template_extension_manager()
    functions.Yaql.get_yaql_parser()
    service_objects.Service.active_service_count = classmethod(lambda cls, context: CHAIN_CONCURRENCY)
    engine = service.EngineService(cfg.CONF.host, rpc_api.ENGINE_TOPIC)
    engine.start()
    stop: Callable[[], None] = engine.stop
    return stop


def _start_api() -> Server:
    from heat.common import config

    options = cfg.CONF.ffwd_heat
    server: Server = simple_server.make_server(
        options.bind_host, options.bind_port, config.load_paste_app("heat-api"), Server, Handler
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    main()
