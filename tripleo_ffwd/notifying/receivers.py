"""Who is told: each takes one message, within a time limit, or says why not. No secret is in what they say."""

from __future__ import annotations

import contextlib
import fnmatch
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from oslo_config import cfg

from tripleo_ffwd import zaqar
from tripleo_ffwd.exceptions import FfwdError

QUEUE, WEBHOOK, COMMAND = "queue", "webhook", "command"
# Answers that somebody may mend while the message is kept; any other refusal is final.
_MAY_CHANGE = (401, 403, 404, 408, 425, 429)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Send = Callable[[Mapping[str, Any]], None]


class NotTaken(Exception):
    """A receiver did not take a message; `final` when it never will."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def receivers(conf: cfg.GroupAttr, security: Any = None) -> dict[str, Send]:
    """Return who is told, by kind, as [ffwd] says.

    Args:
        conf: the values of [ffwd].
        security: Mistral's security context, with which Zaqar is asked where there are no credentials of our own.
    """
    found: dict[str, Send] = {}
    if conf.notify_queue:
        found[QUEUE] = lambda message: _post(conf, security, message)
    if conf.notify_webhook_url:
        found[WEBHOOK] = lambda message: _call(
            conf.notify_webhook_url, conf.notify_webhook_hosts, conf.notify_timeout, message
        )
    if conf.notify_command:
        found[COMMAND] = lambda message: _run(conf.notify_command, conf.notify_timeout, message)
    return found


def _post(conf: cfg.GroupAttr, security: Any, message: Mapping[str, Any]) -> None:
    body = {"type": f"ffwd_upgrade.v1.{message.get('phase', '')}", "payload": dict(message)}
    try:
        zaqar.connect(conf, security).post(conf.notify_queue, [body])
    except FfwdError as error:
        raise NotTaken(str(error)) from error


def _call(url: str, hosts: list[str], timeout: float, message: Mapping[str, Any]) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise NotTaken("notify_webhook_url is no URL of http or https")
    if not any(fnmatch.fnmatchcase(host, allowed.strip().lower()) for allowed in hosts):
        raise NotTaken(f"notify_webhook_hosts does not name {host}")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(host, parts.port, timeout=timeout)
    except ValueError as error:
        raise NotTaken("notify_webhook_url has no valid port") from error
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    headers = {"Content-Type": "application/json", "User-Agent": "tripleo-ffwd", "Connection": "close"}
    # The timeout is one of each read; an answer that comes byte by byte must end too.
    guard = threading.Timer(2 * timeout, _cut, [connection])
    guard.daemon = True
    try:
        guard.start()
        connection.request("POST", target, json.dumps(message).encode(), headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotTaken(f"{host}: {_plain(error)}") from error
    finally:
        guard.cancel()
        connection.close()
    if not 200 <= status < 300:
        raise NotTaken(f"{host} answers {status}", final=400 <= status < 500 and status not in _MAY_CHANGE)


def _plain(error: Exception) -> str:
    """Return an error without what it may quote of the URL."""
    text = getattr(error, "strerror", None) or type(error).__name__
    return "no answer in time" if isinstance(error, TimeoutError) else str(text)


def _cut(connection: http.client.HTTPConnection) -> None:
    with contextlib.suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _run(command: str, timeout: float, message: Mapping[str, Any]) -> None:
    try:
        words = shlex.split(command)
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": _PATH, "FFWD_EVENT": str(message["event"]), "FFWD_PLAN": str(message["plan"])},
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        raise NotTaken(f"notify_command can't be run: {_plain(error)}") from error
    try:
        process.communicate(json.dumps(message).encode(), timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise NotTaken(f"notify_command has not ended after {timeout:g} s and was killed") from error
    except OSError:
        process.wait(timeout)  # it reads nothing, which is its own business
    finally:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        raise NotTaken(f"notify_command ended with {process.returncode}")
