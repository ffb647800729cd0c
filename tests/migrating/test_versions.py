"""Pages on libraries that keep what rows were: their rows are brought in, and our listeners see what theirs saw."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from audit_async import AuditLogger, create_table
from tests.migrating.page import Page, follow, side, stand_in
from tests.migrating.versions import ACTIVITY, AUDITLOG, VERSIONS
from tests.store.conftest import Place
from tests.tables import all_rows

ON_POSTGRES = pytest.mark.parametrize("empty", ["asyncpg"], indirect=True)
LIFE = ["data.create", "data.update", "data.delete"]


async def brought_in(place: Place, name: str, made: tuple[str, ...], folder: Path) -> list[dict[str, Any]]:
    """Follow the page: its query, and its import, done twice. Return the rows of our table."""
    await place.execute(*made)
    page = Page(name, place.url)
    [command] = page.commands("import")
    async with place.admin.connect() as connection:
        found = (await connection.exec_driver_sql(page.block("sql"))).scalars().all()
    # As psql shows it, unaligned: the text of the JSON, one a line.
    lines = [each if isinstance(each, str) else json.dumps(each) for each in found]
    (folder / command.split()[2]).write_text("\n".join(lines) + "\n")
    await create_table(place.url)
    for _ in range(2):
        [done] = await follow([f"{command} --quiet-log --url {place.url} --journal-dir {folder / 'j'}"], folder)
        assert 0 == done.returncode, done.stderr
    return await all_rows(place.url)


@ON_POSTGRES
async def test_entries_of_auditlog_are_brought_in(empty: Place, folder: Path) -> None:
    """Each with its action, its user and what was changed; changes of relations are in the details."""
    rows = await brought_in(empty, "django-auditlog", AUDITLOG, folder)
    assert ["data.create", "data.update", "data.update", "data.delete", "data.read"] == [r["action"] for r in rows]
    assert ("7", "ann@example.com", "192.0.2.1", "auth.group", "1") == tuple(
        rows[0][name] for name in ("user_id", "actor_name", "ip_address", "resource_type", "resource_id")
    )
    assert 'a\n"b\\' == rows[0]["description"]
    assert ({"name": "a"}, {"name": "x"}) == (rows[1]["old_values"], rows[1]["new_values"])
    assert "m2m" == rows[2]["details"]["many_to_many"]["users"]["type"]


@ON_POSTGRES
async def test_activities_are_brought_in_and_read_where_they_are(empty: Place, folder: Path) -> None:
    """Each with who did it, and with the whole row before and after; the map shows the same changes."""
    rows = await brought_in(empty, "postgresql-audit", ACTIVITY, folder)
    assert LIFE == [row["action"] for row in rows]
    assert ("7", "192.0.2.1", "article", "1") == tuple(
        rows[0][name] for name in ("user_id", "ip_address", "resource_type", "resource_id")
    )
    assert [None, {"id": 1, "name": "x"}, {"id": 1, "name": "y"}] == [row["old_values"] for row in rows]
    assert [{"id": 1, "name": "x\n"}, {"id": 1, "name": "y"}, None] == [row["new_values"] for row in rows]
    shown = await Page("postgresql-audit", empty.url).python("def changes(")["changes"]("article")
    assert ["data.delete", "data.update", "insert"] == [action for action, _, _ in shown]
    assert ({"id": 1, "name": "x"}, {"name": "y"}) == shown[1][1:]


@ON_POSTGRES
async def test_versions_are_brought_in(empty: Place, folder: Path) -> None:
    """Each with the version before it."""
    rows = await brought_in(empty, "sqlalchemy-continuum", VERSIONS, folder)
    assert LIFE == [row["action"] for row in rows]
    assert [None, {"id": 1, "name": "x\n"}, {"id": 1, "name": "y"}] == [row["old_values"] for row in rows]
    assert [{"id": 1, "name": "x\n"}, {"id": 1, "name": "y"}, None] == [row["new_values"] for row in rows]


class Base(DeclarativeBase):
    pass


class Article(Base):
    __tablename__ = "article"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(active_history=True)
    price: Mapped[int | None]


async def test_a_session_tells_what_it_changes(folder: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has committed is there, with what it was and is; what is rolled back is not."""
    page = Page("sqlalchemy-continuum")
    stand_in(monkeypatch, "history", page.python("def keep_history("))
    engine = create_engine(f"sqlite:///{folder / 'app.db'}")
    Base.metadata.create_all(engine)
    async with AuditLogger(sqlite_url, journal_dir=folder / "j") as audit:
        with Session(engine) as session:
            page.after()["begin"](audit, session, Article)
            article = Article(name="x", price=1)
            session.add(article)
            session.commit()
            article.name = "y"
            session.commit()
            article.name = "z"
            session.flush()
            session.rollback()
            session.delete(article)
            session.commit()
        assert await audit.flush(20)
    engine.dispose()
    rows = await all_rows(sqlite_url)
    assert [(action, "article", "1") for action in LIFE] == [
        (row["action"], row["resource_type"], row["resource_id"]) for row in rows
    ]
    assert ("x", "y", "y") == (
        rows[1]["old_values"]["name"],
        rows[1]["new_values"]["name"],
        rows[2]["old_values"]["name"],
    )


async def test_an_event_stands_beside_the_triggers(sqlite_url: str, folder: Path) -> None:
    """In the transaction of the change, where it is committed."""
    await create_table(sqlite_url)
    engine = create_async_engine(sqlite_url)
    async with AuditLogger(sqlite_url, journal_dir=folder / "j") as audit, AsyncSession(engine) as session:
        refund = Page("postgresql-audit").after(names={"audit": audit})["refund"]
        order = type("Order", (), {"id": 17})()
        await refund(session, order, "u-1", "192.0.2.1")
    await engine.dispose()
    [row] = await all_rows(sqlite_url)
    assert ("order.refund", "u-1", "17", "refunded") == (row["action"], row["user_id"], row["resource_id"], order.state)


DJANGO = """
import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "app.db"}}, USE_TZ=True, INSTALLED_APPS=[]
)
django.setup()
from django.db import connection, models, transaction

from audit_async import configure, shutdown
from change import ready


class Group(models.Model):
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "auth"


with connection.schema_editor() as editor:
    editor.create_model(Group)
configure("sqlite+aiosqlite:///audit.db", journal_dir="j")
ready(Group)
group = Group.objects.create(name="x")
group.name = "y"
group.save()
try:
    with transaction.atomic():
        Group.objects.create(name="never")
        raise LookupError
except LookupError:
    pass
group.delete()
assert shutdown(20)
"""


async def test_a_receiver_tells_what_djangos_models_change(folder: Path) -> None:
    """What has committed is there, with what it was and is; what is rolled back is not."""
    page = Page("django-auditlog")
    (folder / "audits.py").write_text(page.block("python", "def register("))
    (folder / "change.py").write_text(side(page.block("diff"), "+"))
    (folder / "program.py").write_text(DJANGO)
    await create_table("sqlite+aiosqlite:///audit.db")
    root = str(Path(__file__).parents[2])
    done = await asyncio.to_thread(
        run,
        [sys.executable, "program.py"],
        cwd=folder,
        env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert 0 == done.returncode, done.stderr
    rows = await all_rows("sqlite+aiosqlite:///audit.db")
    assert [(action, "auth.group", "1") for action in LIFE] == [
        (row["action"], row["resource_type"], row["resource_id"]) for row in rows
    ]
    assert ("x", "y") == (rows[1]["old_values"]["name"], rows[1]["new_values"]["name"])
