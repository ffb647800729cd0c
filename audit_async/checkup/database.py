"""The database: whether it answers, how soon, over which way, and what time it has."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from audit_async.checkup.finding import Finding, from_probe
from audit_async.checkup.servers import of_server
from audit_async.checkup.settings import tables_of
from audit_async.checkup.table import of_table
from audit_async.checkup.transport import of_transport, transport_of
from audit_async.config import CHECKUP_SECONDS, CLOCK_DIFFERENCE_SECONDS, CLOCK_NOTE_SECONDS
from audit_async.diagnostics import describe
from audit_async.errors import AuditError
from audit_async.inspection import TableName
from audit_async.maintenance.clock import server_time
from audit_async.settings import Settings
from audit_async.table_map.probe import looking_at, of_file
from audit_async.table_map.review import ERROR
from audit_async.table_map.survey import check


async def of_database(settings: Settings, findings: list[Finding]) -> None:
    """Add to *findings* what the database says, for `CHECKUP_SECONDS` at most. What was found before a fault stays."""
    try:
        async with asyncio.timeout(CHECKUP_SECONDS):
            await _look(settings, findings)
    except TimeoutError:
        findings.append(
            Finding(
                "error",
                "database",
                f"{settings.address} has not answered within {CHECKUP_SECONDS:.0f} s",
                "it may be frozen, overloaded, or behind a firewall that drops what is sent",
            )
        )
    except AuditError as error:
        findings.append(Finding("error", "database", error.message, error.hint))
    except Exception as error:
        findings.append(Finding("error", "database", f"an unexpected answer: {describe(error)}"))


async def _look(settings: Settings, findings: list[Finding]) -> None:
    url = settings.address.url
    if settings.address.is_file and not _is_made(settings, findings):
        return
    started = time.monotonic()
    names = [TableName.parse(name) for name in tables_of(settings)]
    async with looking_at(url, names[0]) as connection:
        took = (time.monotonic() - started) * 1000
        findings.append(Finding("ok", "database", f"{await _name(connection)}, connected in {took:.0f} ms"))
        if not settings.address.is_file:
            raw = await connection.get_raw_connection()
            transport = transport_of(raw.driver_connection, settings.address.host)
            findings += of_transport(transport, settings.address.host, settings.address.kind)
            findings += await _of_clock(connection)
        findings += await of_server(connection, settings.address)
        for name in names:
            findings += await of_table(connection, name)
    if not any(finding.about == "table" and finding.level == "error" for finding in findings):
        await _probe(settings, findings)


def _is_made(settings: Settings, findings: list[Finding]) -> bool:
    """Return whether the file of SQLite can be opened; opening one that is not there would make it."""
    faults = [fault for fault in of_file(settings.address.url) if fault.level == ERROR]
    file = Path(settings.address.database)
    if file.exists() or not file.parent.is_dir():
        findings += [Finding("error", "database", fault.message, fault.hint) for fault in faults]
        return not faults
    findings.append(Finding("note", "database", f"there is no file {file} yet: the first event makes it"))
    return False


async def _name(connection: AsyncConnection) -> str:
    dialect = connection.dialect
    kind = "MariaDB" if getattr(dialect, "is_mariadb", False) else _NAMES.get(dialect.name, dialect.name)
    return f"{kind} {'.'.join(map(str, dialect.server_version_info or ()))}"


_NAMES = {"postgresql": "PostgreSQL", "mysql": "MySQL", "sqlite": "SQLite"}


async def _of_clock(connection: AsyncConnection) -> list[Finding]:
    before = datetime.now(UTC)
    theirs = await server_time(connection)
    after = datetime.now(UTC)
    if theirs is None:
        return []
    ahead = (theirs - after).total_seconds()
    difference = max((before - theirs).total_seconds(), ahead, 0.0)
    if difference < CLOCK_NOTE_SECONDS:
        return [Finding("ok", "clock", f"the server's and this machine's differ by less than {CLOCK_NOTE_SECONDS:g} s")]
    message = f"the server's clock is {difference:.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    is_far = difference > CLOCK_DIFFERENCE_SECONDS
    return [
        Finding(
            "error" if is_far else "warning",
            "clock",
            message + (": nothing is removed by age as long as they differ so much" if is_far else ""),
            "set the wrong one right, and keep both so (NTP)",
        )
    ]


async def _probe(settings: Settings, findings: list[Finding]) -> None:
    """Add what becomes of events in the table, as `audit-async map check` says it."""
    tables = settings.table if isinstance(settings.table, tuple) else (settings.table,)
    for table in tables:
        probe = await check(settings.address.url, table)
        findings += map(from_probe, probe.findings)
