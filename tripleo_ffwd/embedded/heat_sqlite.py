"""Make Heat's many threads share one SQLite database; imports heat and sqlalchemy, for heat_server only."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

from heat.db import api as db_api
from heat.db import models
from oslo_db.sqlalchemy import enginefacade, engines
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

# Connections that stay open; more are opened when they are needed, and closed again.
_KEPT = 64


def install() -> None:
    """Serialise the writers of Heat's database, and never give an id of a deleted row to another.

    oslo.db begins deferred transactions: two threads that both go from reading to writing get "database is locked" at
    once, whatever the busy timeout. So writers queue on a lock of the process and begin IMMEDIATE; readers stay
    deferred, which the write-ahead log lets them do beside a writer.
    """
    engine = db_api.get_engine()
    _keep_connections(engine)
    event.listen(engine, "connect", _set_pragmas)
    lock, thread = threading.RLock(), threading.local()
    _note_mode(thread)

    def begin(
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> tuple[str, Any]:
        if statement == "BEGIN" and getattr(thread, "writes", True):
            lock.acquire()
            connection.info["ffwd_writer"] = True
            statement = "BEGIN IMMEDIATE"
        return statement, parameters

    def release(connection: Any) -> None:
        if connection.info.pop("ffwd_writer", False):
            lock.release()

    event.listen(engine, "before_cursor_execute", begin, retval=True)
    event.listen(engine, "commit", release)
    event.listen(engine, "rollback", release)
    ids = itertools.count(time.time_ns() // 1000)
    event.listen(models.ResourcePropertiesData, "before_insert", lambda _mapper, _connection, row: _number(row, ids))


def _keep_connections(engine: Any) -> None:
    """Keep connections open: oslo.db opens one for each transaction of SQLite, an eighth of all of Heat's time."""
    old = engine.pool
    # Its listeners go along, but the one that yields to other threads at each end of a transaction: that is for
    # eventlet. As many connections as threads want at once: one that waits for another's would wait for ever.
    engine.pool = QueuePool(
        old._creator, pool_size=_KEPT, max_overflow=-1, use_lifo=True, dialect=engine.dialect, _dispatch=old.dispatch
    )
    if event.contains(engine, "checkin", engines._thread_yield):
        event.remove(engine, "checkin", engines._thread_yield)


def _number(row: Any, ids: Iterator[int]) -> None:
    # SQLite gives the id of the newest row, once deleted, to the next one: a resource that still knows the old id would
    # then read, or delete, another's properties ("ResourcePropertiesData with id N not found"). Microseconds of the
    # clock go on growing over restarts, and a row takes longer than one.
    if row.id is None:
        row.id = next(ids)


def _set_pragmas(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    # synchronous=NORMAL survives a kill of the process; only a power cut may lose the last transactions.
    for pragma in ("busy_timeout=120000", "journal_mode=WAL", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _note_mode(thread: threading.local) -> None:
    """Note for each thread whether the session that it opens is a writer's: BEGIN does not tell."""
    original = enginefacade._TransactionFactory._create_session

    def create_session(factory: Any, mode: Any, bind: Any = None, **options: Any) -> Any:
        session = original(factory, mode, bind=bind, **options)
        thread.writes = mode is enginefacade._WRITER
        return session

    enginefacade._TransactionFactory._create_session = create_session
