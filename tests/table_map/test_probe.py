"""The probe changes nothing, and says where it cannot tell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url
from sqlalchemy.engine import Engine

from audit_async.errors import ConfigStoreError, ConfigurationError, TransientStoreError
from tests.store.conftest import Place, _place, add_role, postgres_empty  # noqa: F401 -- fixtures
from tests.table_map.probing.cases import (
    FUNCTION,
    MAP,
    TRAIL,
    USERS,
    WITH_USER,
    about,
    levels,
)


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Place]:
    """A SQLite file."""
    async for place in _place(f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"):
        yield place


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement that goes to any database meanwhile."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def test_nothing_is_changed_on_postgres(postgres_empty: Place, statements: list[str]) -> None:  # noqa: F811
    """The probe's transaction may not write; rows, sequences and the catalogue are as they were."""
    await postgres_empty.execute(
        USERS,
        FUNCTION,
        f"{TRAIL}, user_id text REFERENCES users, n serial)",
        "CREATE TRIGGER t1 BEFORE INSERT ON trail FOR EACH ROW EXECUTE FUNCTION watch()",
    )
    state = (
        "SELECT (SELECT count(*) FROM trail), (SELECT is_called FROM trail_n_seq),"
        " (SELECT sum(xmin::text::bigint) FROM pg_class), (SELECT count(*) FROM pg_class),"
        " (SELECT count(*) FROM pg_attribute)"
    )
    before = await postgres_empty.rows(state)
    statements.clear()
    assert (await WITH_USER.probe(postgres_empty.url)).findings
    assert "SET TRANSACTION READ ONLY" == statements[0]
    assert {"SELECT", "SET", "SAVEPOINT", "RELEASE"} == {statement.split()[0] for statement in statements}
    assert before == await postgres_empty.rows(state)


async def test_nothing_is_changed_on_sqlite(lite: Place, tmp_path: Path) -> None:
    """The file is the same, byte for byte, and none is made where there was none."""
    await lite.execute(f"{TRAIL})", "CREATE TRIGGER t1 BEFORE INSERT ON trail BEGIN SELECT 1; END")
    file = tmp_path / "audit.db"
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    assert about(await MAP.probe(lite.url), "trigger t1")
    assert before == (file.read_bytes(), file.stat().st_mtime_ns)
    assert [file] == list(tmp_path.iterdir())
    missing = await MAP.probe(lite.url.replace("audit.db", "other.db"))
    assert [("error", "")] == levels(missing, "there is no SQLite file", "other.db")
    assert [file] == list(tmp_path.iterdir())


async def test_a_database_that_is_away_is_no_finding() -> None:
    """What cannot be asked is an error of the store's, and not a finding about the table."""
    with pytest.raises(TransientStoreError, match="nothing takes connections"):
        await MAP.probe("postgresql+asyncpg://app@127.0.0.1:1/app")
    with pytest.raises(ConfigurationError, match="async"):
        await MAP.probe("postgresql://app@127.0.0.1:1/app")


async def test_a_wrong_password_is_said(postgres_empty: Place) -> None:  # noqa: F811
    """A log-in that is refused is told with what to check."""
    url = make_url(postgres_empty.url).set(password="wrong").render_as_string(hide_password=False)
    with pytest.raises(ConfigStoreError, match="refuses the log-in"):
        await MAP.probe(url)
