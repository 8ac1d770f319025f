"""One command on an embedded node: a process in a session of its own, with its streams carried over SSH."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncssh

CHUNK = 65536


def hear_hang_ups() -> None:
    """Let a hang-up end the command, as sshd does: what was started by nohup passes on that it ignores them."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def controlling_terminal() -> None:
    """Make standard input the controlling terminal of the new session."""
    hear_hang_ups()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Command:
    """A command that a client asked for.

    Attributes:
        client: the client's side: standard streams and exit code.
        pid: the process, which is also its session and process group; None before it was started.
    """

    def __init__(self, client: asyncssh.SSHServerProcess[bytes], text: str, env: Mapping[str, str], cwd: Path) -> None:
        self.client = client
        self.pid: int | None = None
        self._argv = ["/bin/sh", "-c", text] if text else ["/bin/sh"]
        self._options: dict[str, Any] = {"env": dict(env), "cwd": cwd, "start_new_session": True}
        self._input: asyncio.StreamWriter | None = None
        self._outputs: list[tuple[asyncio.StreamReader, Any]] = []

    async def start(self) -> asyncio.subprocess.Process:
        """Start the process, on a terminal when the client asked for one."""
        process = await (self._start_on_terminal() if self.client.term_type else self._start_on_pipes())
        self.pid = process.pid
        return process

    async def _start_on_pipes(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._argv, stdin=pipe, stdout=pipe, stderr=pipe, preexec_fn=hear_hang_ups, **self._options
        )
        assert process.stdin and process.stdout and process.stderr
        self._input = process.stdin
        self._outputs = [(process.stdout, self.client.stdout), (process.stderr, self.client.stderr)]
        return process

    async def _start_on_terminal(self) -> asyncio.subprocess.Process:
        loop = asyncio.get_running_loop()
        ours, theirs = pty.openpty()
        width, height = self.client.term_size[:2]
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height or 24, width or 80, 0, 0))
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                preexec_fn=controlling_terminal,
                **self._options,
            )
        finally:
            os.close(theirs)
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(ours), "rb", 0))
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(ours, "wb", 0))
        self._input = asyncio.StreamWriter(transport, protocol, None, loop)
        self._outputs = [(reader, self.client.stdout)]
        return process

    async def _carry_input(self) -> None:
        assert self._input
        with contextlib.suppress(OSError, asyncssh.Error):
            while True:
                try:
                    data = await self.client.stdin.read(CHUNK)
                except (asyncssh.TerminalSizeChanged, asyncssh.BreakReceived, asyncssh.SignalReceived):
                    continue
                if not data:
                    break
                self._input.write(data)
                await self._input.drain()
            if self.client.term_type:
                self._input.write(b"\x04")
            else:
                self._input.close()

    @staticmethod
    async def _carry_output(reader: asyncio.StreamReader, writer: Any) -> None:
        # A terminal whose last process ended answers with EIO; a client that went away with an asyncssh error.
        with contextlib.suppress(OSError, asyncssh.Error):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()

    async def _hang_up(self) -> None:
        """End the command when its client is gone, as a terminal that is hung up does."""
        await self.client.channel.wait_closed()
        self.kill(signal.SIGHUP)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the command's process group."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def run(self) -> None:
        """Run the command to its end and tell the client how it ended."""
        process = await self.start()
        outputs = [asyncio.create_task(self._carry_output(*pair)) for pair in self._outputs]
        helpers = [asyncio.create_task(self._carry_input()), asyncio.create_task(self._hang_up())]
        try:
            code = await process.wait()
            # Without a terminal the client waits for the end of the output, as with sshd; on a terminal what was
            # left behind may hold it open for ever.
            await asyncio.wait(outputs, timeout=1 if self.client.term_type else None)
            if code < 0:
                self.client.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
            else:
                self.client.exit(code)
        finally:
            for task in (*outputs, *helpers):
                task.cancel()
            if self._input:
                self._input.close()
