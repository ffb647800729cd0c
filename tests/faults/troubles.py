"""What goes wrong during a soak: each trouble comes, lasts for a while, and is over when its block ends."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.holding import holding
from tests.polling import eventually_sync
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import BLACK_HOLE, LAST_WORDS, Cut, Trouble

if TYPE_CHECKING:
    from tests.faults.soak import Soak

TERMINATE_SECONDS = 0.2
SPARED_BYTES = 64 * 1024


def _network(name: str, trouble: Trouble) -> Callable[[Soak], AbstractContextManager[None]]:
    @contextmanager
    def breaks(soak: Soak) -> Iterator[None]:
        soak.proxy.breaks(trouble)
        yield
        soak.proxy.heals()

    breaks.__name__ = name
    return breaks


@contextmanager
def process_killed(soak: Soak) -> Iterator[None]:
    """SIGKILL one of the processes; it is started again at the end."""
    victim = soak.chance.choice(soak.mortals)
    victim.end(signal.SIGKILL)
    yield
    soak.restart(victim)


@contextmanager
def process_stopped(soak: Soak) -> Iterator[None]:
    """SIGSTOP one of the processes, and let it go on."""
    victim = soak.chance.choice(soak.processes)
    victim.child.send(signal.SIGSTOP)
    yield
    victim.child.send(signal.SIGCONT)


@contextmanager
def server_killed(soak: Soak) -> Iterator[None]:
    """SIGKILL the server, and start it again."""
    soak.server.stop("kill")
    yield
    soak.server.start()


@contextmanager
def server_frozen(soak: Soak) -> Iterator[None]:
    """Halt the server: connections stay open, nothing answers."""
    soak.server.freeze()
    yield
    soak.server.thaw()


@contextmanager
def sessions_ended(soak: Soak) -> Iterator[None]:
    """End the writers' sessions from within the server, again and again."""
    over = threading.Event()

    def end_them() -> None:
        while not over.wait(TERMINATE_SECONDS):
            with contextlib.suppress(Exception):
                soak.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'audit/%'")

    thread = threading.Thread(target=end_them)
    thread.start()
    yield
    over.set()
    thread.join()


@contextmanager
def table_locked(soak: Soak) -> Iterator[None]:
    """Hold a lock on the table that lets nobody in."""
    with holding(soak.url, "LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE"):
        yield


@contextmanager
def disk_full(soak: Soak) -> Iterator[None]:
    """Leave no room on the journal's disk. What no disk takes is in memory: nobody is killed meanwhile."""
    filling = Path(soak.journal_dir) / "filling"
    _take_all_but_spared(filling)
    yield
    filling.unlink()
    soak.wait_until_on_disk()


def _take_all_but_spared(filling: Path) -> None:
    """Grow the file until its disk has no more than `SPARED_BYTES` free.

    The processes write to the same disk: what was free may be gone when it is taken, and is then counted anew.
    """
    with filling.open("wb") as file:

        def is_full() -> bool:
            free = shutil.disk_usage(filling.parent).free
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, max(1, free - SPARED_BYTES))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            return shutil.disk_usage(filling.parent).free <= SPARED_BYTES

        eventually_sync(is_full)


def cut_at_last_word(soak: Soak) -> AbstractContextManager[None]:
    """Cut connections behind what makes a batch last, so that its answer is lost."""
    word = LAST_WORDS["postgres" if isinstance(soak.server, PostgresServer) else "mariadb"]
    return _network("cut_at_last_word", Trouble(cut=Cut(at=word, forwards=True, times=5)))(soak)


NETWORK = (
    _network("nobody_listens", Trouble(refuses=True)),
    _network("black_hole", BLACK_HOLE),
    _network("answers_lost", Trouble(holds=frozenset({"to_client"}))),
    _network("connections_reset", Trouble(resets=True)),
    _network("slow_network", Trouble(latency_seconds=0.1)),
    cut_at_last_word,
    _network("cut_anywhere", Trouble(cut=Cut(direction="to_client", after_bytes=700, times=5))),
)
EVERY_SERVER = (process_killed, process_stopped, server_killed, server_frozen, *NETWORK)
POSTGRES_ONLY = (sessions_ended, table_locked)


def troubles_for(soak: Soak) -> list[Callable[[Soak], AbstractContextManager[None]]]:
    """Return what can go wrong here."""
    return [
        *EVERY_SERVER,
        *(POSTGRES_ONLY if isinstance(soak.server, PostgresServer) else ()),
        *([disk_full] if soak.has_own_disk else []),
    ]
