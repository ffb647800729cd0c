"""What of an event will not arrive in a mapped table as it is, said before the first one."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import inspect
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.config import ATTEMPT_SECONDS
from audit_async.errors import ConfigStoreError, meant
from audit_async.faults import Place, translate
from audit_async.inspection import InspectedTable, TableName, async_url, inspect_now
from audit_async.table.connection import connected
from audit_async.table_map.mapping import TableMap
from audit_async.table_map.probing import looked, mysql, postgres, sqlite
from audit_async.table_map.review import ERROR, INFO, UNKNOWN, WARNING, Finding, in_order, review

Looker = Callable[[Connection, TableMap, InspectedTable], Iterator[Finding]]

_LOOKERS: dict[str, Looker] = {
    "postgresql": postgres.look,
    "sqlite": sqlite.look,
    "mysql": mysql.look,
    "mariadb": mysql.look,
}
_BEGINNERS = {"postgresql": postgres.begin, "sqlite": sqlite.begin, "mysql": mysql.begin, "mariadb": mysql.begin}


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found.

    Attributes:
        table: its name.
        findings: what to know, errors first.
    """

    table: str
    findings: tuple[Finding, ...]

    @property
    def is_usable(self) -> bool:
        """Whether events can be written: there is no error."""
        return all(finding.level != ERROR for finding in self.findings)

    @property
    def is_clean(self) -> bool:
        """Whether every event will be stored, and nothing of it lost, as far as can be told."""
        return all(finding.level == INFO for finding in self.findings)

    @property
    def is_certain(self) -> bool:
        """Whether everything could be looked at."""
        return all(finding.level != UNKNOWN for finding in self.findings)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The errors and warnings."""
        return tuple(finding for finding in self.findings if finding.level in (ERROR, WARNING))


async def probe(table_map: TableMap, url: str) -> Probe:
    """Look at the table of *table_map*. As `TableMap.probe`."""
    name = TableName.parse(table_map.table)
    faults = of_file(url)
    if any(finding.level == ERROR for finding in faults):
        return Probe(table_map.table, tuple(faults))
    async with looking_at(url, name) as connection:
        return await connection.run_sync(look, table_map)


def of_file(url: str) -> list[Finding]:
    """Return what is to be said of the file of a SQLite database, before it is opened."""
    parsed = async_url(url)
    return list(sqlite.of_file(sqlite.file_of(parsed))) if parsed.get_backend_name() == "sqlite" else []


@asynccontextmanager
async def looking_at(url: str, name: TableName) -> AsyncIterator[AsyncConnection]:
    """Open a connection through which nothing can be changed, for `ATTEMPT_SECONDS` at most.

    Raises:
        ConfigurationError: *url* is no address that can be used.
        StoreError: the database is away, or refuses; its file is not there.
    """
    parsed = async_url(url)
    if parsed.get_backend_name() == "sqlite" and (file := sqlite.file_of(parsed)) and not file.exists():
        # Opening it would make it.
        raise ConfigStoreError(f"there is no SQLite file {file}", hint="correct the URL")
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS), connected(url, name, "look at") as connection:
            begin = _BEGINNERS.get(connection.dialect.name)
            if begin is not None:
                await connection.run_sync(begin)
            yield connection
    except TimeoutError as error:
        raise translate(error, Place.of(parsed, name, "look at"), connecting=True) from error


def look(connection: Connection, table_map: TableMap) -> Probe:
    """Look at the table of *table_map* through an open connection."""
    name = TableName.parse(table_map.table)
    if connection.dialect.name == "postgresql":
        barred = list(postgres.schema(connection, name))
        if barred:
            return Probe(table_map.table, tuple(barred))
    found = inspect_now(connection, name)
    findings = review(table_map, found)
    if not found.exists:
        findings = [dataclasses.replace(findings[0], hint=_where_else(connection, name))]
        return Probe(table_map.table, tuple(findings))
    looker = _LOOKERS.get(connection.dialect.name)
    if looker is None:
        findings.append(
            Finding(UNKNOWN, "", f"rights, triggers and foreign keys cannot be looked at on {connection.dialect.name}")
        )
    else:
        findings += looker(connection, table_map, found)
    return Probe(table_map.table, tuple(in_order(findings)))


def _where_else(connection: Connection, name: TableName) -> str:
    """Return what to do about a table that is not there: it may have nearly that name, or another schema."""
    elsewhere: list[str] = []
    near: list[str] = []

    def seek() -> Iterator[Finding]:
        if connection.dialect.name == "postgresql":
            elsewhere.extend(postgres.elsewhere(connection, name))
        near.append(meant(name.name, inspect(connection).get_table_names(schema=name.schema)))
        yield from ()

    list(looked(connection, "other tables", seek))
    if elsewhere:
        return f"there is one in schema {', '.join(elsewhere)}: name it as {elsewhere[0]}.{name.name}"
    return f"correct its name{''.join(near)}, or make the table"
