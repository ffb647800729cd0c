"""Faults of a MariaDB server and of whoever administers it: sessions, locks, rights, limits, character sets, its disk.

Nothing of it is the events' fault, but for those that the table or the server has no room for: these go aside.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import asyncmy
from sqlalchemy import make_url

from audit_async import create_table, events
from tests.faults.callers import HELD_SECONDS, QUICK, Callers
from tests.faults.fault import fault
from tests.faults.lab import Lab
from tests.faults.mounts import mounted
from tests.faults.poison import log_good
from tests.faults.postgres import AWAY
from tests.faults.rooms import fill
from tests.polling import eventually_sync

PASSWORD = "only-here"
BY_ACTION = "audit_logs_action_created_at_idx"
NARROW, WIDE = ("utf8mb3 COLLATE utf8mb3_nopad_bin", "utf8mb4 COLLATE utf8mb4_nopad_bin")
KILL_SECONDS = 0.02
LOCKED = "1205|did not answer|in time"
"""A lock is waited for as long as `lock_seconds` says, or the attempt may take, whichever ends first."""


def execute(lab: Lab, *statements: str) -> list[tuple[Any, ...]]:
    """Run *statements* as the administrator, and return the rows of the last one."""
    return asyncio.run(lab.mariadb.run(*statements, database=make_url(lab.url).database))


@contextmanager
def with_global(lab: Lab, name: str, value: object) -> Iterator[None]:
    """Let the server run with another value of a variable, for sessions that begin from now on."""
    ((before,),) = execute(lab, f"SELECT @@GLOBAL.{name}")
    execute(lab, f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        execute(lab, f"SET GLOBAL {name} = {before}")


@contextmanager
def writer_role(lab: Lab) -> Iterator[str]:
    """Give the name of a user that may only insert, and is dropped in the end."""
    name = f"writer_{make_url(lab.url).database}"
    user = f"'{name}'@'127.0.0.1'"
    execute(lab, f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'", f"GRANT INSERT ON audit_logs TO {user}")
    try:
        yield name
    finally:
        asyncio.run(lab.mariadb.run(f"DROP USER {user}"))


@contextmanager
def at_work(lab: Lab, **options: Any) -> Iterator[tuple[str, Callers]]:
    """Give a user, and callers whose writer is connected as it, and has stored a good deal."""
    role = lab.keep(writer_role(lab))
    url = make_url(lab.url).set(username=role, password=PASSWORD)
    with Callers(lab, url=url.render_as_string(hide_password=False), **options) as callers:
        callers.store(lab.chance.randrange(1, 100))
        yield role, callers


def sessions_of(lab: Lab, role: str, condition: str = "true") -> list[int]:
    """Return the numbers of the sessions of *role* of which *condition* holds."""
    found = execute(lab, f"SELECT id FROM information_schema.processlist WHERE user = '{role}' AND {condition}")
    return [number for (number,) in found]


def end_sessions(lab: Lab, role: str) -> int:
    """End the sessions of *role*, and return how many there were."""
    ended = 0
    for number in sessions_of(lab, role):
        with suppress(asyncmy.errors.OperationalError):  # it has ended by itself
            execute(lab, f"KILL {number}")
            ended += 1
    return ended


def wrong(lab: Lab, breaks: str, mends: str, says: str, *, ends: bool = False) -> None:
    """Make something wrong by *breaks*, wait until health says so, and make it good by *mends*.

    In the statements `{user}` stands for the writer's; *ends* says whether its sessions have to end for it to count.
    """
    with at_work(lab) as (role, callers):
        user = f"'{role}'@'127.0.0.1'"
        execute(lab, *breaks.format(user=user).split(";"))
        if ends:
            end_sessions(lab, role)
        callers.complain(says)
        execute(lab, *mends.format(user=user).split(";"))
        callers.recover()
        callers.store()


@fault("F46", "the server is restarted in good order", on=("mariadb",))
def restarted(lab: Lab) -> None:
    """Shut it down under load, twice, and start it again."""
    server = lab.mariadb
    with Callers(lab) as callers:
        for _ in range(2):
            callers.store(lab.chance.randrange(1, 150))
            server.stop()
            callers.complain(AWAY)
            server.start()


@fault("F53", "KILL CONNECTION all the time", on=("mariadb",))
def connections_killed(lab: Lab) -> None:
    """End the writer's session as soon as there is one: events arrive all the same, between two of them."""
    with at_work(lab) as (role, callers):
        before = callers.audit.stats().stored
        for _ in range(10):
            eventually_sync(lambda: end_sessions(lab, role), 30)
            callers.go_on(logs=10, writes=1)
        callers.recover()
        assert callers.audit.stats().stored > before


@fault("F65", "KILL QUERY all the time", on=("mariadb",))
def queries_killed(lab: Lab) -> None:
    """Cancel what the writer's session does, and hold the table, so that it is always in the middle of it."""
    with at_work(lab) as (role, callers):
        with repeated(lambda: cancel(lab, role)):
            with lab.transaction("LOCK TABLES audit_logs WRITE"):
                callers.complain("1317|interrupted")
            callers.store(50)
        callers.recover()


def cancel(lab: Lab, role: str) -> None:
    """Cancel whatever the sessions of *role* are doing."""
    for number in sessions_of(lab, role):
        with suppress(asyncmy.errors.OperationalError):
            execute(lab, f"KILL QUERY {number}")


@contextmanager
def repeated(work: Callable[[], object]) -> Iterator[None]:
    """Do *work* again and again until the block ends."""
    over = threading.Event()

    def go() -> None:
        while not over.wait(KILL_SECONDS):
            work()

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@fault("F54", "too many connections", on=("mariadb",))
def no_room(lab: Lab) -> None:
    """Leave no connection for the writer, whose session then ends."""
    with at_work(lab) as (role, callers), with_global(lab, "max_connections", 10), asyncio.Runner() as runner:
        taken = []
        try:
            with suppress(asyncmy.errors.OperationalError):  # the last one is for administrators alone, as we are
                while True:
                    taken.append(runner.run(connect(lab)))
            runner.run(end_and_take(taken, lab, role))
            callers.complain("1040|Too many connections")
        finally:
            for connection in taken:
                runner.run(connection.ensure_closed())
        callers.recover()
        callers.store()


async def connect(lab: Lab) -> Any:
    """Open a connection as the administrator."""
    server = lab.mariadb
    return await asyncmy.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        database=make_url(lab.url).database,
    )


async def end_and_take(taken: list[Any], lab: Lab, role: str) -> None:
    """End the session of *role*, by a connection that is open already, and take its place until it has none."""
    async with taken[0].cursor() as cursor:
        while True:
            await cursor.execute(f"SELECT id FROM information_schema.processlist WHERE user = '{role}'")
            ours = await cursor.fetchall()
            if not ours:
                return
            for (number,) in ours:
                with suppress(asyncmy.errors.OperationalError):
                    await cursor.execute(f"KILL {number}")
            with suppress(asyncmy.errors.OperationalError):
                taken.append(await connect(lab))


@fault("F63", "the table is locked", on=("mariadb",))
def table_locked(lab: Lab) -> None:
    """Hold the table by LOCK TABLES."""
    with at_work(lab) as (_, callers):
        with lab.transaction("LOCK TABLES audit_logs WRITE"):
            callers.complain(LOCKED)
        callers.recover()
        callers.store()


@fault("F63", "ALTER TABLE waits for a reader, and everybody for ALTER TABLE", on=("mariadb",))
def alter_waits(lab: Lab) -> None:
    """Have a transaction that has read the table, and an ALTER TABLE behind it: nobody gets past their locks."""
    alter = threading.Thread(target=execute, args=(lab, "ALTER TABLE audit_logs ADD COLUMN note varchar(20)"))
    with at_work(lab) as (_, callers):
        with lab.transaction("SELECT count(*) FROM audit_logs"):
            alter.start()
            callers.complain(LOCKED)
        alter.join()
        callers.recover()
        callers.store()


@fault("F63", "the batch is the victim of a deadlock", on=("mariadb",))
def deadlock(lab: Lab) -> None:
    """Have a transaction of somebody else, which has done more, hold the gaps of one key and then want the rows."""
    lab.sql("CREATE TABLE theirs (i int PRIMARY KEY AUTO_INCREMENT, filling text) ENGINE=InnoDB")
    with at_work(lab) as (_, callers):
        eventually_sync(lambda: asyncio.run(cross(lab)), 30)
        callers.recover()
        callers.store()


async def cross(lab: Lab) -> bool:
    """Cross the way of a batch once, and say whether the server has sacrificed it."""
    connection = await connect(lab)
    try:
        async with connection.cursor() as cursor:

            async def status(name: str) -> int:
                await cursor.execute(f"SHOW GLOBAL STATUS LIKE '{name}'")
                return int((await cursor.fetchall())[0][1])

            await cursor.execute("BEGIN")
            await cursor.executemany("INSERT INTO theirs (filling) VALUES (%s)", [("x" * 100,)] * 1000)
            await cursor.execute(f"SELECT id FROM audit_logs FORCE INDEX ({BY_ACTION}) WHERE action >= '' FOR UPDATE")
            before = await status("Innodb_deadlocks")
            deadline = time.monotonic() + HELD_SECONDS
            while not await status("Innodb_row_lock_current_waits"):
                if time.monotonic() > deadline:
                    return False
            await cursor.execute("SELECT count(*) FROM audit_logs FORCE INDEX (PRIMARY) FOR UPDATE")
            return await status("Innodb_deadlocks") > before
    finally:
        connection.close()


@fault("F65", "max_allowed_packet is smaller than an event may be", on=("mariadb",))
def small_packets(lab: Lab) -> None:
    """Let the server take 16 KiB at once: what is longer goes aside, all else arrives, however much at once."""
    with at_work(lab) as (role, callers), with_global(lab, "max_allowed_packet", 16384):
        end_sessions(lab, role)
        callers.store()
        filling = {f"k{n}": lab.chance.randbytes(1000).hex() for n in range(24)}
        assert callers.audit.log(events.custom("report.fill", details=filling)).is_accepted
        callers.quarantined = 1
        lab.may_have_gaps = True
        log_good(lab, callers.audit, 500)
        eventually_sync(lambda: callers.audit.stats().quarantined, 30)
        callers.recover()
        callers.store()


@fault("F65", "wait_timeout ends the session while nobody logs", on=("mariadb",))
def idle_ended(lab: Lab) -> None:
    """Let the server end idle sessions after a second: the next batch has a new one, and no attempt fails."""
    role = lab.keep(writer_role(lab))
    url = make_url(lab.url).set(username=role, password=PASSWORD).render_as_string(hide_password=False)
    # A failed attempt would show for a minute.
    lab.timing = {**QUICK, "backoff_first_seconds": 60.0, "backoff_max_seconds": 60.0}
    with with_global(lab, "wait_timeout", 1), lab.logger(url=url) as audit:
        for _ in range(2):
            log_good(lab, audit, 20)
            eventually_sync(lambda: audit.stats().pending == 0, 30)
            assert audit.stats().last_error is None
            eventually_sync(lambda: not sessions_of(lab, role), 30)
    lab.timing = {}


@fault("F65", "the table takes three bytes of a character at most", on=("mariadb",))
def narrow(lab: Lab) -> None:
    """Have columns of the 3-byte charset: events with other characters go aside, and nothing is shortened."""
    lab.sql(f"ALTER TABLE audit_logs CONVERT TO CHARACTER SET {NARROW}")
    with at_work(lab) as (_, callers):
        count = lab.chance.randrange(1, 5)
        for _ in range(count):
            assert callers.audit.log(events.custom("report.smile", user_id="\N{GRINNING FACE}")).is_accepted
            log_good(lab, callers.audit, 20)
        callers.quarantined = count
        lab.may_have_gaps = True
        eventually_sync(lambda: callers.audit.stats().quarantined == count, 30)
        lab.sql(f"ALTER TABLE audit_logs CONVERT TO CHARACTER SET {WIDE}")
        callers.recover()
        callers.store()


@fault("F55", "the server takes no writes", on=("mariadb",))
def read_only(lab: Lab) -> None:
    """Let everybody read only, as on a replica."""
    wrong(lab, "SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0", "1290|read-only|read_only")


@fault("F56", "the password is changed, and changed back", on=("mariadb",))
def password_changed(lab: Lab) -> None:
    """Let nobody in with the password that the logger has."""
    mends = f"ALTER USER {{user}} IDENTIFIED BY '{PASSWORD}'"
    wrong(lab, "ALTER USER {user} IDENTIFIED BY 'another'", mends, "refuses the log-in", ends=True)


@fault("F56", "the user's account is locked", on=("mariadb",))
def account_locked(lab: Lab) -> None:
    """Take the right to log in."""
    mends = "ALTER USER {user} ACCOUNT UNLOCK"
    wrong(lab, "ALTER USER {user} ACCOUNT LOCK", mends, "refuses the log-in", ends=True)


@fault("F56", "the right to insert is revoked", on=("mariadb",))
def right_revoked(lab: Lab) -> None:
    """Take the one right that the user has."""
    hint = "GRANT INSERT ON"
    wrong(lab, "REVOKE INSERT ON audit_logs FROM {user}", "GRANT INSERT ON audit_logs TO {user}", hint)


@fault("F56", "a column is dropped", on=("mariadb",))
def column_dropped(lab: Lab) -> None:
    """Drop a column under a prepared statement, and add it again."""
    mends = "ALTER TABLE audit_logs ADD COLUMN user_agent text CHARACTER SET utf8mb4"
    wrong(lab, "ALTER TABLE audit_logs DROP COLUMN user_agent", mends, "user_agent")


@fault("F56", "a column is added that must not be empty", on=("mariadb",))
def column_added(lab: Lab) -> None:
    """Make every row wrong that the writer can send: it is the table's fault, not the rows'."""
    breaks = "ALTER TABLE audit_logs ADD COLUMN owner varchar(20) NOT NULL"
    wrong(lab, breaks, "ALTER TABLE audit_logs DROP COLUMN owner", "owner")


@fault("F56", "the table is dropped and made again", on=("mariadb",))
def table_dropped(lab: Lab) -> None:
    """Take the table from under the writer's feet; an empty one takes its place, then the old rows come back."""
    with Callers(lab) as callers:
        callers.store(lab.chance.randrange(1, 100))
        lab.sql("RENAME TABLE audit_logs TO kept")
        callers.complain("no table audit_logs")
        asyncio.run(create_table(lab.url))
        callers.recover()
        lab.sql("INSERT INTO audit_logs SELECT * FROM kept")


@fault("F61", "the disk of the table is full, and freed again", on=("mariadb",), needs=("root", "mount"))
def disk_full(lab: Lab) -> None:
    """Keep the table on a small disk and leave no byte there."""
    place = lab.keep(mounted(lab.folder / "small", options="size=4m"))
    ((_, made),) = execute(lab, "SHOW CREATE TABLE audit_logs")
    execute(lab, "DROP TABLE audit_logs", f"{made} DATA DIRECTORY = '{place}'")
    with Callers(lab) as callers:
        callers.store()
        ballast = fill(place)
        callers.complain("1114|is full|No space|1021")
        ballast.unlink()
        callers.recover()
        callers.store()
