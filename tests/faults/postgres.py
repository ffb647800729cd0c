"""Faults of the database server: it is down, dies, stands still, has no room, or never answers a COMMIT."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from tests.faults.callers import QUICK, Callers
from tests.faults.fault import SERVERS, fault
from tests.faults.lab import Lab
from tests.polling import eventually_sync
from tests.servers.mariadb import MariadbServer
from tests.servers.postgres import PostgresCluster, PostgresServer, find_binaries, is_alive, server_user

AWAY = "ConnectionRefusedError|Can't connect|connection|starting up|shutting down|recovery mode|closed|Lost"
SILENT = "did not answer|in time"
OUR_SESSIONS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'audit/%'"
    " AND backend_type = 'client backend'"
)


def execute(server: PostgresCluster, *statements: str) -> None:
    """Run *statements* one by one, as those that concern the whole server must be."""

    async def run() -> None:
        connection = await server.connect()
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def our_session(lab: Lab, condition: str = "true") -> int:
    """Return the process of the server that serves our writer, once there is one of which *condition* holds."""

    def find() -> list[dict[str, int]]:
        return lab.sql(f"SELECT pid {OUR_SESSIONS} AND {condition} ORDER BY backend_start DESC LIMIT 1")

    return eventually_sync(find, 30)[0]["pid"]


@contextmanager
def locked(lab: Lab) -> Iterator[Callable[..., None]]:
    """Keep everybody out of the table for as long as the block runs; give what executes statements in that session."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(lab.url.replace("+asyncpg", "")))

        def execute(statement: str, *values: object) -> None:
            runner.run(connection.execute(statement, *values))

        try:
            execute("BEGIN")
            execute("LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE")
            yield execute
            execute("COMMIT")
        finally:
            runner.run(connection.close())


def crash(server: PostgresServer | MariadbServer) -> None:
    """End the server in the middle of everything, and start it again."""
    if isinstance(server, PostgresServer):
        server.restart("immediate")
    else:
        server.restart("kill")


@fault("F45", "the server is down at the start, up later", on=SERVERS)
def down_at_first(lab: Lab) -> None:
    """Start a process while there is no server."""
    server = lab.server
    server.stop()
    with Callers(lab) as callers:
        callers.complain(AWAY)
        callers.go_on(logs=100, writes=20)
        server.start()


@fault("F46", "the server crashes under load, again and again", on=SERVERS, fast=1, quick=2, full=50)
def crashing(lab: Lab) -> None:
    """Stop it at once, at random moments; each time it recovers from its own log."""
    server = lab.server
    with Callers(lab) as callers:
        for _ in range(3):
            callers.store(lab.chance.randrange(1, 150))
            crash(server)


@fault("F47", "SIGKILL of the postmaster", on=("postgres",))
def postmaster_killed(lab: Lab) -> None:
    """Kill the first process of the server; the others end by themselves."""
    server = lab.postgres
    with Callers(lab) as callers:
        callers.store(lab.chance.randrange(1, 150))
        server.stop("kill")
        callers.complain(AWAY)
        server.start()


@fault("F47", "SIGKILL of the session's own server process", on=("postgres",))
def session_killed(lab: Lab) -> None:
    """Kill one process of the server: it ends all sessions, and recovers."""
    with Callers(lab) as callers:
        callers.store(lab.chance.randrange(1, 150))
        os.kill(our_session(lab), signal.SIGKILL)
        callers.store(100)


@fault("F48", "the whole server stands still", on=SERVERS)
def frozen(lab: Lab) -> None:
    """Freeze every process of the server, under load, and thaw them."""
    server = lab.server
    with Callers(lab) as callers:
        callers.store(lab.chance.randrange(1, 150))
        server.freeze()
        callers.complain(SILENT)
        server.thaw()


@fault("F48", "the session's server process stands still amid a batch", on=("postgres",), quick=2, full=10)
def session_frozen(lab: Lab) -> None:
    """Freeze the process that has a batch in its hands, again and again: what hangs is left behind, nothing grows."""
    lab.timing = {**QUICK, "attempt_seconds": 0.6, "cancel_seconds": 0.1}
    with lab.child(100_000, per_second=300, end="hang") as child:
        child.lines(1)
        lab.wait_for_rows(20)
        before = _size(child.pid)
        for _ in range(3 if lab.seed == 0 else 10):
            with locked(lab):
                held = our_session(lab, "wait_event_type = 'Lock'")
                os.kill(held, signal.SIGSTOP)
            try:
                our_session(lab, f"pid <> {held}")
                lab.wait_for_promises(100)
            finally:
                os.kill(held, signal.SIGCONT)
            eventually_sync(functools.partial(_is_gone, held), 30)
            lab.wait_for_rows(len(lab.told().promised))
        # What a round has left behind would never go.
        eventually_sync(lambda: _size(child.pid) == before, 30)


def _is_gone(pid: int) -> bool:
    return not is_alive(pid)


def _size(pid: int) -> tuple[int, int]:
    """Return how many threads and open sockets a process has; how many files the journal has open varies."""
    sockets = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            sockets += descriptor.readlink().name.startswith("socket:")
    return len(list(Path(f"/proc/{pid}/task").iterdir())), sockets


@fault("F53", "pg_terminate_backend all the time", on=("postgres",))
def terminated(lab: Lab) -> None:
    """End the writer's session as soon as there is one: events arrive all the same, between two of them."""
    with Callers(lab) as callers:
        callers.store(1)
        before = callers.audit.stats().stored
        for _ in range(10):
            eventually_sync(lambda: lab.sql(f"SELECT pg_terminate_backend(pid) {OUR_SESSIONS}"), 30)
            callers.go_on(logs=10, writes=1)
        assert callers.audit.stats().stored > before


@fault("F54", "too many connections", on=("postgres",), needs=("linux",), quick=2)
def no_room(lab: Lab) -> None:
    """Leave no connection for the writer, which asks again with pauses: it does not burn the processor meanwhile."""
    binaries = find_binaries()
    assert binaries is not None
    server = lab.keep(PostgresServer(binaries, settings={"max_connections": "8"}))
    lab.move_to(server)
    pause = 0.25
    lab.timing = {"backoff_first_seconds": pause, "backoff_max_seconds": pause}
    with asyncio.Runner() as runner:
        taken = []
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(runner.run(server.connect()))
        try:
            child = lab.child(50, end="hang")
            child.lines(2)
            # The first attempts load what they need.
            eventually_sync(lambda: _attempts(server) >= 2, 60)
            before, busy, started = _attempts(server), _cpu_seconds(child.pid), time.monotonic()
            eventually_sync(lambda: _attempts(server) >= before + 3, 60)
            busy, passed = _cpu_seconds(child.pid) - busy, time.monotonic() - started
            assert passed > 2 * pause, f"three attempts in {passed:.2f} s"
            assert busy < 0.5 * passed, f"busy for {busy:.2f} s of {passed:.2f} s while it waits"
        finally:
            for connection in taken:
                runner.run(connection.close())
    lab.wait_for_rows(50)


def _attempts(server: PostgresServer) -> int:
    """Return how often somebody was refused for want of a connection."""
    return (server.home / "server.log").read_text().count("too many clients")


def _cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@fault("F54", "a statement takes longer than it may", on=("postgres",))
def slow_statement(lab: Lab) -> None:
    """Make each row slow, until the server ends the statement by itself."""
    with Callers(lab, timing={**QUICK, "statement_seconds": 0.3, "attempt_seconds": 5.0}) as callers:
        callers.store()
        lab.sql(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$",
            "CREATE TRIGGER slow BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION slow()",
        )
        callers.complain("statement timeout")
        lab.sql("DROP TRIGGER slow ON audit_logs")


@fault("F52", "COMMIT never answers: a standby that is not there", on=("postgres",))
def ghost(lab: Lab) -> None:
    """Have the server wait for a standby that does not exist: rows are there, and nobody is told."""
    server = lab.postgres
    with Callers(lab) as callers:
        callers.store()
        execute(server, "ALTER SYSTEM SET synchronous_standby_names = 'ghost'", "SELECT pg_reload_conf()")
        try:
            callers.complain(SILENT)
        finally:
            execute(server, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")


@fault("F61", "the server's disk is full, and freed again", on=("postgres",), needs=("root", "linux"))
def disk_full(lab: Lab) -> None:
    """Keep the database on a small disk and leave no byte there."""
    server = lab.postgres
    place = lab.keep(small_disk(lab, megabytes=24))
    execute(server, f"CREATE TABLESPACE small LOCATION '{place}'")
    database = lab.url.rpartition("/")[2]
    execute(server, f'ALTER DATABASE "{database}" SET TABLESPACE small')
    with Callers(lab) as callers:
        callers.store()
        filling = place / "filling"
        fill(filling)
        callers.complain("DiskFull|No space left")
        filling.unlink()


def fill(path: Path) -> None:
    """Take every byte of a file system."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@contextmanager
def small_disk(lab: Lab, megabytes: int) -> Iterator[Path]:
    """Give a folder with a file system of its own, writable for the server."""
    server = lab.postgres
    place = server.home / "small"
    place.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place], check=True)
    try:
        if owner := server_user():
            os.chown(place, owner.pw_uid, owner.pw_gid)
        yield place
    finally:
        try:
            execute(server, "DROP TABLESPACE IF EXISTS small")
        finally:
            subprocess.run(["/bin/umount", "--lazy", place], check=True)
            place.rmdir()
