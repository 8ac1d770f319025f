"""Python's look-out for garbage in cycles, put off while there is none to be found; stdlib only."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Let garbage in cycles lie for as long as a compile takes: it makes a million values, hardly any in a cycle.

    It can be entered several times at once, also by threads: who found the look-out running starts it again.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
