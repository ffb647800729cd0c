"""`audit-async roles`, run as a person runs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3

import asyncpg
import pytest
from sqlalchemy import make_url

from audit_async.table.creation import create_table
from tests.tables import run_sql
from tests.test_cli import audit_async

NAMES = ("owner", "writer", "reader", "auditor")
RIGHTS = """
SELECT relname, relowner::regrole::text AS owner, relacl::text AS rights
  FROM pg_class WHERE relname ~ 'audit_l' ORDER BY 1
"""


@pytest.fixture
def named() -> list[str]:
    """Names of roles that are not there yet: a server shares its roles among all databases."""
    own = os.urandom(4).hex()
    return [argument for name in NAMES for argument in (f"--{name}", f"{name}_{own}")]


@pytest.mark.parametrize("tenants", [[], ["--tenant-isolation"]])
async def test_what_is_printed_is_what_is_applied(postgres_url: str, named: list[str], tenants: list[str]) -> None:
    """The printed script runs as it stands, and leaves nothing for `--apply` to do."""
    await create_table(postgres_url)
    printed = await asyncio.to_thread(audit_async, "roles", postgres_url, *named, *tenants)
    assert (0, "") == (printed.returncode, printed.stderr)
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    await connection.execute(printed.stdout)
    await connection.close()
    rights = await run_sql(postgres_url, RIGHTS)
    applied = await asyncio.to_thread(audit_async, "roles", postgres_url, *named, *tenants, "--apply")
    assert (0, "") == (applied.returncode, applied.stderr)
    assert all(name in applied.stdout for name in named[1::2])
    assert rights == await run_sql(postgres_url, RIGHTS)
    assert {named[1]} == {row["owner"] for row in rights if "idx" not in row["relname"]}


async def test_others_are_told_of(postgres_url: str, named: list[str]) -> None:
    """Whoever has rights beside the four roles is named with them."""
    await create_table(postgres_url)
    await run_sql(postgres_url, "GRANT UPDATE ON audit_logs TO pg_monitor")
    applied = await asyncio.to_thread(audit_async, "roles", postgres_url, *named, "--apply")
    assert "pg_monitor: UPDATE" in applied.stdout


def test_printing_connects_to_nothing() -> None:
    """The address says for which database the SQL is; nobody has to be there, and its password is not shown."""
    printed = audit_async("roles", "postgresql+asyncpg://app:secret@127.0.0.1:1/app", "--table", "logs.audit")
    assert (0, "") == (printed.returncode, printed.stderr)
    assert '"logs"."audit"' in printed.stdout
    assert "secret" not in printed.stdout
    for line in printed.stdout.splitlines():
        assert line == line.rstrip()


def test_the_printed_guard_of_a_file_runs(sqlite_url: str) -> None:
    """For SQLite the script makes the triggers, and `--apply` says what a file's rights are."""
    asyncio.run(create_table(sqlite_url))
    printed = audit_async("roles", sqlite_url)
    with contextlib.closing(sqlite3.connect(make_url(sqlite_url).database or "")) as file:
        file.executescript(printed.stdout)
        assert file.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone() == (3,)
    applied = audit_async("roles", sqlite_url, "--apply")
    assert (0, "") == (applied.returncode, applied.stderr)
    assert "A file has no roles" in applied.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["postgresql+asyncpg://app@127.0.0.1:1/app", "--apply"], 1, "nothing takes connections"),
        (["postgresql+asyncpg://app@h/app", "--writer", 'a"b'], 2, "is no name for a role"),
        (["postgresql+asyncpg://app@h/app", "--table", "a'b"], 2, "is no table name"),
        (["postgresql+asyncpg://app@h/app", "--writer", "x", "--reader", "x"], 2, "one name"),
        (["sqlite+aiosqlite:///a.db", "--tenant-isolation"], 2, "row-level security"),
        (["oracle+oracledb://app@h/app"], 2, "no table can be guarded on oracle"),
    ],
)
def test_wrong_use_is_told_in_two_lines(arguments: list[str], code: int, said: str) -> None:
    """What cannot be meant ends with 2, what the world refuses with 1, each with what to do."""
    failed = audit_async("roles", *arguments)
    assert code == failed.returncode
    assert said in failed.stderr
    assert "HINT" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_apply_without_a_table_says_how_to_make_one(sqlite_url: str) -> None:
    """Rights on what is not there are an error that names the command to make it."""
    failed = audit_async("roles", sqlite_url, "--apply")
    assert failed.returncode in (1, 2)
    assert "audit-async init" in failed.stderr
