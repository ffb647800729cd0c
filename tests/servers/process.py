"""The life of a server of our own, whatever it serves: it starts, may be frozen, ends with us, and leaves no files."""

from __future__ import annotations

import abc
import atexit
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

PORTS = range(20_000, 32_000)  # below those the system gives to clients: a port stays free during a restart
START_SECONDS = 30
STOP_SECONDS = 30


class OwnServer(abc.ABC):
    """A server that is a process of ours, with a folder of its own: a context manager that starts and stops it."""

    port: int
    _home: Path | None = None
    _process: subprocess.Popen[bytes] | None = None
    _undertaker: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = f"pid={self.pid}" if self.is_running else "stopped"
        return f"<{type(self).__name__} port={self.port} {state}>"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the server, or of the first of its processes."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    @property
    def home(self) -> Path:
        """The folder of all its files: `data/`, `server.log`, its socket."""
        if self._home is None:
            raise RuntimeError("the server has not been started")
        return self._home

    @property
    def _log(self) -> Path:
        return self.home / "server.log"

    @abc.abstractmethod
    def start(self) -> None:
        """Start the server, making its data folder the first time, and return when it takes connections."""

    @abc.abstractmethod
    def close(self) -> None:
        """Stop at once and remove all files."""

    def _remove_files(self) -> None:
        if self._home is not None:
            shutil.rmtree(self._home)
            self._home = None
        give_back(self.port)

    def _begin(self, command: Sequence[str | Path], *, ending: str, **options: Any) -> None:
        """Start the server's process, and the undertaker of all of it.

        Args:
            ending: shell commands in which $0 is the server. They are run, and its files removed, when we are gone.
        """

        def begin() -> None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # a Ctrl-C at the terminal is for us
                    **options,
                )
            # Our end of its pipe closes when we end, be it by SIGKILL.
            self._undertaker = subprocess.Popen(
                ["/bin/sh", "-c", f'read _; {ending}; rm -rf "$1"', str(self.pid), self.home],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )

        _do_whole(begin)

    def _bury(self) -> None:
        """End what is left of the process, and dismiss the undertaker."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._undertaker is not None:
            self._undertaker.kill()
            self._undertaker.communicate()
            self._undertaker = None


def run_installer(command: Sequence[str | Path], **options: Any) -> None:
    """Run a program that fills a data folder; when we are interrupted, end it and all it has started first.

    Raises:
        RuntimeError: it failed; what it said is in it.
    """
    started: list[subprocess.Popen[str]] = []

    def start() -> None:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a group of its own: killed alone, `initdb` leaves the server it has at work
            **options,
        )
        started.append(process)

    try:
        _do_whole(start)
        said, _ = started[0].communicate()
    except BaseException:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()  # until the last has closed its files: each holds an end of the pipe
        raise
    if started[0].returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed:\n{said}")


def _do_whole(start: Callable[[], None]) -> None:
    """Call *start*, and return or raise when it is done: an interruption comes to the main thread, and never between
    a process and our knowing it, who would end it."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(start).result()


_held: dict[int, socket.socket] = {}
"""By the ports that were given, what is bound there and listens to nobody: nobody else is given one of them, also
before its server starts, and while that restarts."""


@atexit.register
def _give_all_back() -> None:
    for holder in _held.values():
        holder.close()


def free_port() -> int:
    """Return a port of ours alone: a server that reuses addresses, as all do, may listen there, whenever it likes."""
    for port in random.sample(PORTS, k=100):
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", port))
        except OSError:
            holder.close()
            continue
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only now: it has to be the only one
        _held[port] = holder
        return port
    raise OSError("no free port found")


def give_back(port: int) -> None:
    """Let others have *port*, which was given by `free_port`."""
    if (holder := _held.pop(port, None)) is not None:
        holder.close()
