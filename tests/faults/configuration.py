"""Faults of whoever administers the database: a lock, a right, a password, a column, a table, a partition.

Nothing of it is the events' fault: they wait, health says what has to be mended, and nothing goes to quarantine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url

from audit_async import create_table
from tests.faults.callers import Callers
from tests.faults.fault import fault
from tests.faults.lab import Lab
from tests.faults.postgres import execute, locked

END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
PASSWORD = "only-here"
KEEP = "LOCK TABLE audit_logs IN ACCESS EXCLUSIVE MODE", "CREATE TABLE kept AS TABLE audit_logs"
BRING_BACK = "INSERT INTO audit_logs TABLE kept"
PARTITIONS = (
    "SELECT inhrelid::regclass::text AS name, pg_get_expr(relpartbound, inhrelid) AS bounds"
    " FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'audit_logs'::regclass ORDER BY 2"
)


@contextmanager
def writer_role(lab: Lab) -> Iterator[str]:
    """Give the name of a role that may only insert, and is dropped in the end."""
    server = lab.postgres
    name = f"writer_{make_url(lab.url).database}"
    lab.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'", f"GRANT INSERT ON audit_logs TO {name}")
    try:
        yield name
    finally:
        # The database has gone before, and with it what the role could do there.
        execute(server, f"DROP ROLE {name}")


@contextmanager
def at_work(lab: Lab) -> Iterator[tuple[str, Callers]]:
    """Give a role, and callers whose writer is connected with it, and has stored a good deal."""
    role = lab.keep(writer_role(lab))
    url = make_url(lab.url).set(username=role, password=PASSWORD)
    with Callers(lab, url=url.render_as_string(hide_password=False)) as callers:
        callers.store(lab.chance.randrange(1, 100))
        yield role, callers


def wrong(lab: Lab, breaks: str, mends: str, says: str) -> None:
    """Make something wrong by *breaks*, wait until health says so, and make it good by *mends*.

    In the statements `{role}` stands for the writer's.
    """
    with at_work(lab) as (role, callers):
        lab.sql(*breaks.format(role=role).split(";"))
        callers.complain(says)
        lab.sql(*mends.format(role=role).split(";"))
        callers.recover()
        callers.store()


@fault("F63", "the table is locked", on=("postgres",))
def table_locked(lab: Lab) -> None:
    """Hold ACCESS EXCLUSIVE, as ALTER TABLE and VACUUM FULL do."""
    with at_work(lab) as (_, callers):
        with locked(lab):
            callers.complain("lock|did not answer")
        callers.store()


@fault("F56", "the password is changed, and changed back", on=("postgres",))
def password_changed(lab: Lab) -> None:
    """Let nobody in with the password that the logger has."""
    mends = f"ALTER ROLE {{role}} PASSWORD '{PASSWORD}'"
    wrong(lab, f"ALTER ROLE {{role}} PASSWORD 'another'; {END_OTHERS}", mends, "refuses the log-in")


@fault("F56", "the role may not log in", on=("postgres",))
def log_in_taken(lab: Lab) -> None:
    """Take the right to log in."""
    wrong(lab, f"ALTER ROLE {{role}} NOLOGIN; {END_OTHERS}", "ALTER ROLE {role} LOGIN", "refuses the log-in")


@fault("F56", "the right to insert is revoked", on=("postgres",))
def right_revoked(lab: Lab) -> None:
    """Take the one right that the role has."""
    hint = "GRANT INSERT ON audit_logs TO"
    wrong(lab, "REVOKE INSERT ON audit_logs FROM {role}", "GRANT INSERT ON audit_logs TO {role}", hint)


@fault("F56", "a column is dropped", on=("postgres",))
def column_dropped(lab: Lab) -> None:
    """Drop a column under a prepared statement, and add it again."""
    mends = "ALTER TABLE audit_logs ADD COLUMN user_agent text"
    wrong(lab, "ALTER TABLE audit_logs DROP COLUMN user_agent", mends, "user_agent")


@fault("F56", "a column is added that must not be empty", on=("postgres",))
def column_added(lab: Lab) -> None:
    """Make every row wrong that the writer can send: it is the table's fault, not the rows'."""
    breaks = "ADD COLUMN owner text NOT NULL DEFAULT ''; ALTER TABLE audit_logs ALTER owner DROP DEFAULT"
    wrong(lab, f"ALTER TABLE audit_logs {breaks}", "ALTER TABLE audit_logs DROP COLUMN owner", "owner")


@fault("F56", "the table is dropped and made again", on=("postgres",))
def table_dropped(lab: Lab) -> None:
    """Drop the table under the writer's feet; an empty one takes its place, then the old rows come back."""
    with Callers(lab) as callers:
        callers.store(lab.chance.randrange(1, 100))
        lab.sql(*KEEP, "DROP TABLE audit_logs")
        callers.complain("no table audit_logs")
        asyncio.run(create_table(lab.url))
        callers.recover()
        lab.sql(BRING_BACK)


@fault("F55", "the database takes no writes", on=("postgres",))
def read_only(lab: Lab) -> None:
    """Let every new session read only, as on a standby."""
    database = make_url(lab.url).database
    reset = f'ALTER DATABASE "{database}" RESET default_transaction_read_only'
    wrong(
        lab,
        f'ALTER DATABASE "{database}" SET default_transaction_read_only = on; {END_OTHERS}',
        f"SET TRANSACTION READ WRITE; {reset}; {END_OTHERS}",
        "read-only",
    )


@fault("F64", "no partition for the month, but a default one", on=("postgres",))
def month_missing(lab: Lab) -> None:
    """Detach the partition of every month: the default one takes the events, and nobody notices."""
    with at_work(lab) as (_, callers):
        for part in lab.sql(PARTITIONS):
            if part["bounds"] != "DEFAULT":
                lab.sql(f"ALTER TABLE audit_logs DETACH PARTITION {part['name']}")
                lab.sql(f"INSERT INTO audit_logs TABLE {part['name']}")
        callers.go_on()
        callers.store()
        assert lab.sql("SELECT count(*) AS n FROM audit_logs_default")[0]["n"] > 0


@fault("F64", "no partition for the month, and no default one", on=("postgres",))
def all_partitions_missing(lab: Lab) -> None:
    """Detach every partition, and attach them again."""
    with at_work(lab) as (_, callers):
        parts = lab.sql(PARTITIONS)
        lab.sql(*(f"ALTER TABLE audit_logs DETACH PARTITION {part['name']}" for part in parts))
        callers.complain("audit-async maintain")
        lab.sql(*(f"ALTER TABLE audit_logs ATTACH PARTITION {part['name']} {part['bounds']}" for part in parts))
        callers.recover()
        callers.store()
