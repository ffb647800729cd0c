"""`audit-async map`, run as a person runs it."""

from __future__ import annotations

import asyncio
import subprocess
import tomllib
from pathlib import Path

import pytest

from audit_async import TableMap, create_table
from audit_async.table_map.ready import READY
from tests.store.conftest import _place, add_role
from tests.tables import run_sql
from tests.test_cli import audit_async

MADE = (
    "CREATE TABLE trail (id text PRIMARY KEY, at timestamptz NOT NULL, action text NOT NULL, details jsonb,"
    ' "[bold]" text NOT NULL)'
)


async def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    done = await asyncio.to_thread(audit_async, "map", *arguments, **environment)
    assert "Traceback" not in done.stderr
    return done


async def test_a_proposal_is_nothing_but_toml(postgres_url: str, tmp_path: Path) -> None:
    """What is printed can be redirected and loaded; what to know of it are comments, and a line on the other stream."""
    await run_sql(postgres_url, MADE)
    done = await run("propose", postgres_url, "trail")
    again = await run("propose", "trail", AUDIT_DATABASE_URL=postgres_url)
    assert (0, done.stdout) == (done.returncode, again.stdout)
    (tmp_path / "map.toml").write_text(done.stdout)
    assert {"id": "id", "at": "created_at", "action": "action", "details": "details"} == tomllib.loads(done.stdout)[
        "columns"
    ]
    assert "details" == TableMap.load(tmp_path / "map.toml").fold_into
    assert "# error: must not be empty, has no default, and the map does not fill it" in done.stdout
    assert '# "[bold]" = ...' in done.stdout
    assert "map check" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nope",), "there is no table nope"),
        ((), "the table is missing"),
        (("prices",), "looks like an action"),
        (("a.b.c",), "no table name"),
    ],
)
async def test_what_cannot_be_proposed_is_said(arguments: tuple[str, ...], said: str, sqlite_url: str) -> None:
    """Nothing is printed where there is no map, and the way out stands beside it."""
    await run_sql(sqlite_url, "CREATE TABLE prices (price real)")
    done = await run("propose", sqlite_url, *arguments)
    assert (2, "", True, True) == (done.returncode, done.stdout, said in done.stderr, "HINT" in done.stderr)


async def test_a_check_says_what_stops_events_by_the_column(postgres_url: str, tmp_path: Path) -> None:
    """Exit code 1, errors first, brackets in a name as they are; once it is mended, 0 and OK."""
    await run_sql(postgres_url, MADE)
    file = tmp_path / "map.toml"
    file.write_text((await run("propose", postgres_url, "trail")).stdout)
    done = await run("check", postgres_url, "--map", file)
    assert (1, "") == (done.returncode, done.stderr)
    assert "STOP events cannot be written: column [bold]" in done.stdout
    assert "  [bold] must not be empty" in done.stdout
    file.write_text(file.read_text() + '"[bold]" = { constant = "x" }\n')
    fine = await run("check", "--url", postgres_url, "--map", file)
    assert (0, "OK events can be written") == (fine.returncode, fine.stdout.splitlines()[-1])


async def test_warnings_are_findings_although_events_can_be_written(postgres_url: str) -> None:
    """A table in which something is lost ends with 1, and says that events can be written."""
    await run_sql(
        postgres_url,
        "CREATE TABLE audit_logs (id uuid, action text, details json, agent_id uuid, user_id uuid,"
        " created_at timestamptz)",
    )
    done = await run("check", postgres_url, "--ready", "clawith")
    assert (1, True, True) == (done.returncode, "Warnings" in done.stdout, "OK events can be written" in done.stdout)


async def test_a_table_that_needs_no_map_is_checked_without_one(postgres_url: str) -> None:
    """Ours and the six-column table are known; of others it is said that they need a map."""
    missing = await run("check", postgres_url)
    assert (1, True) == (missing.returncode, "there is no table audit_logs" in missing.stdout)
    await create_table(postgres_url)
    ours = await run("check", postgres_url)
    assert (0, True) == (ours.returncode, "OK" in ours.stdout), ours.stdout
    await run_sql(postgres_url, "CREATE TABLE other (entry text)")
    other = await run("check", postgres_url, "--table", "other")
    assert (1, True) == (other.returncode, "map propose" in other.stdout)
    await run_sql(
        postgres_url,
        "CREATE TABLE six (id uuid PRIMARY KEY, action text NOT NULL, details json, agent_id uuid, user_id uuid,"
        " created_at timestamptz NOT NULL)",
    )
    six = await run("check", postgres_url, "--table", "six")
    assert (0, True) == (six.returncode, "takes what has no column" in six.stdout)


async def test_a_role_without_rights_is_told_the_grant(postgres_url: str) -> None:
    """What is checked is the role in the address."""
    await create_table(postgres_url)
    async for place in _place(postgres_url):
        done = await run("check", await add_role(place))
        assert (1, True) == (done.returncode, "GRANT INSERT ON" in done.stdout)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql+asyncpg://app@127.0.0.1:1/app", "Cannot tell: nothing takes connections at 127.0.0.1:1"),
        ("postgresql://app@127.0.0.1:1/app", "postgresql+asyncpg://"),
        ("nonsense", "no '://'"),
    ],
)
async def test_what_cannot_be_told_is_no_finding(address: str, said: str) -> None:
    """A database that is away, and an address that is none, end with 2."""
    done = await run("check", address)
    assert (2, True, True) == (done.returncode, said in done.stderr, "HINT" in done.stderr)


async def test_what_may_not_be_looked_at_ends_with_2(postgres_url: str) -> None:
    """Nothing was found, but not everything could be looked at: that is no OK."""
    await create_table(postgres_url)
    async for place in _place(postgres_url):
        await place.execute("REVOKE SELECT ON pg_trigger FROM PUBLIC")
        done = await run("check", await add_role(place, "GRANT INSERT ON audit_logs TO {role}"))
        assert (2, True) == (done.returncode, "triggers cannot be looked at" in done.stdout), done.stdout


async def test_a_missing_file_is_a_finding_and_is_not_made(tmp_path: Path) -> None:
    """Checking a SQLite database that is not there makes none."""
    done = await run("check", f"sqlite+aiosqlite:///{tmp_path}/none.db")
    assert (1, True) == (done.returncode, "there is no SQLite file" in done.stdout)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--ready", "clawit"), "did you mean 'clawith'"),
        (("--ready", "clawith", "--map", "x"), "exclude each other"),
        (("--map", "nowhere.toml"), "nowhere.toml cannot be read"),
    ],
)
async def test_wrong_use_is_said(arguments: tuple[str, ...], said: str, sqlite_url: str) -> None:
    """A map that there is not, and two of them, end with 2."""
    done = await run("check", sqlite_url, *arguments)
    assert (2, True) == (done.returncode, said in done.stderr)


async def test_ready_maps_are_listed_and_printed(tmp_path: Path) -> None:
    """Every one is in the list; printed, each is a file that loads as itself."""
    listed = (await run("ready")).stdout
    assert [] == [name for name in READY if name not in listed]
    (tmp_path / "map.toml").write_text((await run("ready", "wecom")).stdout)
    assert TableMap.ready("wecom") == TableMap.load(tmp_path / "map.toml")
