"""What a SQLite file has in the way of events is found."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from audit_async import TableMap
from audit_async.table_map.probing.sqlite import of_file
from tests.store.conftest import Place, _place, add_role, postgres_empty  # noqa: F401 -- fixtures
from tests.table_map.probing.cases import (
    MAP,
    TRAIL,
    USERS,
    WITH_USER,
    levels,
)


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Place]:
    """A SQLite file."""
    async for place in _place(f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"):
        yield place


SAID_BY_SQLITE: dict[str, tuple[TableMap, list[str], tuple[str, str], tuple[str, ...]]] = {
    "foreign key": (
        WITH_USER,
        [USERS, f"{TRAIL}, user_id text REFERENCES users (id) ON DELETE SET NULL)"],
        ("info", "user_id"),
        ("points to users.id", "foreign_keys = ON", "SET NULL"),
    ),
    "check": (
        MAP,
        [f"{TRAIL}, CONSTRAINT known CHECK (action <> 'b'))"],
        ("warning", "action"),
        ("check known", "'b'"),
    ),
    "trigger before": (
        MAP,
        [f"{TRAIL})", "CREATE TRIGGER t1 BEFORE INSERT ON trail BEGIN SELECT 1; END"],
        ("warning", ""),
        ("trigger t1", "before each row"),
    ),
    "trigger without a time": (
        MAP,
        [f"{TRAIL})", "CREATE TRIGGER [on delete] INSERT ON trail BEGIN SELECT 1; END"],
        ("warning", ""),
        ("trigger on delete", "before each row"),
    ),
    "trigger after": (
        MAP,
        [f"{TRAIL})", "CREATE TRIGGER t1 AFTER INSERT ON trail BEGIN DELETE FROM trail; END"],
        ("info", ""),
        ("trigger t1", "after each row"),
    ),
    "view": (
        MAP,
        [f"{TRAIL})".replace("trail", "t"), "CREATE VIEW trail AS SELECT * FROM t"],
        ("error", ""),
        ("is a view, which takes no rows",),
    ),
    "delivered ids": (
        MAP.with_delivered_ids("seen"),
        [f"{TRAIL})".replace(" PRIMARY KEY", "")],
        ("error", ""),
        ("seen", "is not there", "CREATE TABLE"),
    ),
    "missing table": (MAP, ["CREATE TABLE trails (id text)"], ("error", ""), ("there is no table trail", "'trails'")),
}


@pytest.mark.parametrize("name", SAID_BY_SQLITE)
async def test_sqlite_says_what_is_in_the_way(name: str, lite: Place) -> None:
    """What a SQLite table demands of a row is found as well, by the rules of SQLite."""
    table_map, made, expected, words = SAID_BY_SQLITE[name]
    await lite.execute(*made)
    probe = await table_map.probe(lite.url)
    assert [expected] == levels(probe, *words), probe.findings


async def test_triggers_on_other_statements_are_no_matter(lite: Place) -> None:
    """Guards against UPDATE and DELETE, and triggers that are called after an INSERT, stop no event."""
    await lite.execute(
        f"{TRAIL})",
        "CREATE TRIGGER insert_guard BEFORE UPDATE ON trail BEGIN INSERT INTO trail SELECT * FROM trail; END",
        "CREATE TRIGGER b BEFORE DELETE ON trail BEGIN SELECT 1; END",
    )
    assert () == (await MAP.probe(lite.url)).problems


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Run as a user who may write nowhere, where we are the one who may write everywhere."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.parametrize(
    ("of", "mode", "words"), [("file", 0o444, "may not write"), ("folder", 0o555, "make files in")]
)
def test_a_file_that_cannot_be_written_is_said(
    of: str, mode: int, words: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """SQLite needs its file writable, and the folder for the log beside it."""
    ours = itertools.takewhile(lambda folder: folder != Path(tempfile.gettempdir()), (tmp_path, *tmp_path.parents))
    for folder in ours:
        folder.chmod(0o755)
    (tmp_path / "d").mkdir(mode=0o777)
    file = tmp_path / "d" / "audit.db"
    file.touch()
    file.chmod(mode if of == "file" else 0o666)
    (tmp_path / "d").chmod(mode if of == "folder" else 0o777)
    request.getfixturevalue("as_nobody")
    assert [("error", True)] == [(finding.level, words in finding.message) for finding in of_file(file)]
