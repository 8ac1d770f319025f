"""Gives Python on an embedded node the node's name; on the PYTHONPATH of every command there, so light and 2.7-safe.

The C modules below os, socket and platform are patched, so that nothing heavy is imported for it.
"""

# mypy: ignore-errors

import os

NAME = os.environ.get("NODE_NAME")


def _patch(name):
    import _socket
    import posix

    real = os.uname()
    kind = type(real)
    fields = (real[0], name, real[2], real[3], real[4])
    uname = kind(fields) if kind is not tuple else fields
    real_lookup = _socket.gethostbyaddr

    def gethostbyaddr(host):
        if host in (name, name + ".localdomain"):
            return name + ".localdomain", [name], []
        return real_lookup(host)

    os.uname = posix.uname = lambda: uname
    _socket.gethostname = lambda: name
    _socket.gethostbyaddr = gethostbyaddr


if NAME:
    _patch(NAME)
