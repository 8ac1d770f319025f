"""The supervisor's log, written by a thread of its own: a disk that holds up its writers must not hold up the watch."""

from __future__ import annotations

import logging
import logging.handlers
import queue
from typing import TextIO

FORMAT = "%(asctime)s %(levelname)s %(message)s"


class AsideHandler(logging.handlers.QueueHandler):
    """Has records written by another thread; closing it (``logging.shutdown``) waits until they are.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(queue.SimpleQueue())
        writer = logging.StreamHandler(stream)
        writer.setFormatter(logging.Formatter(FORMAT))
        self._writer = logging.handlers.QueueListener(self.queue, writer)
        self._writer.start()
        self._open = True

    def close(self) -> None:
        """Wait until all records are written."""
        if self._open:
            self._open = False
            self._writer.stop()
        super().close()
