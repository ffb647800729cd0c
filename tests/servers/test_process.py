from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.polling import eventually_sync
from tests.servers.postgres import PostgresServer, is_alive
from tests.servers.process import run_installer


class Interrupted(BaseException):
    pass


@pytest.fixture
def interrupts() -> Iterator[None]:
    """SIGUSR1 raises `Interrupted` in the main thread."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def in_background() -> Iterator[None]:
    """What we start ignores SIGQUIT at first, as where a shell has started us in the background."""
    before = signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGQUIT, before)


def test_an_interrupted_installer_leaves_no_process(tmp_path: Path, interrupts: None) -> None:
    """What an installer has started ends with it."""
    started = tmp_path / "started"

    def interrupt_later() -> None:
        eventually_sync(lambda: started.exists() and started.read_text().strip())
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=interrupt_later)
    thread.start()
    with pytest.raises(Interrupted):
        run_installer(["/bin/sh", "-c", f"sleep 60 & echo $! >{started}; wait"])
    thread.join()
    eventually_sync(lambda: not is_alive(int(started.read_text())))


def test_a_failed_installer_says_what_it_said(tmp_path: Path) -> None:
    """The error has the program's name and all it printed."""
    with pytest.raises(RuntimeError, match="sh failed:\nno room\n"):
        run_installer(["/bin/sh", "-c", "echo no room >&2; exit 3"], cwd=tmp_path)


@pytest.mark.usefixtures("in_background")
@pytest.mark.parametrize("program", ["initdb", "postgres", "sh"])
def test_an_interruption_as_a_process_begins_leaves_nothing(
    program: str, postgres_binaries: Path, interrupts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal between the start of a process and the assignment of it: it is ended, and its files are removed."""
    begun: list[tuple[int, Path]] = []
    server = PostgresServer(postgres_binaries)

    class Interrupting(subprocess.Popen[Any]):
        def __init__(self, command: Sequence[str | Path], **options: Any) -> None:
            super().__init__(command, **options)
            if Path(command[0]).name == program and "--version" not in command:
                begun.append((self.pid, server.home))
                os.kill(os.getpid(), signal.SIGUSR1)

    monkeypatch.setattr(subprocess, "Popen", Interrupting)
    with pytest.raises(Interrupted), server:
        pass
    ((process, home),) = begun
    eventually_sync(lambda: not is_alive(process))
    assert not home.exists()
