"""What a logger was told, checked and completed: arguments first, then the environment, then the embedded default."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import Any, Literal, TypedDict

from audit_async.address import Address, fingerprint, read_address
from audit_async.config import JOURNAL_MIN_BYTES, MAX_WAIT_SECONDS, MEMORY_MAX_BYTES, MOST_BYTES
from audit_async.errors import ConfigurationError, meant
from audit_async.journal.place import default_directory
from audit_async.redact import Redaction, read_redaction
from audit_async.redact.rules import Rule
from audit_async.table_map.mapping import TableMap
from audit_async.timing import USUAL, Timing, read_timing

WriterHost = Literal["thread", "task", "none"]
WhenFull = Literal["refuse", "block"]

EMBEDDED_URL = "sqlite+aiosqlite:///audit.db"
"""Used when no database is given: a file in the working directory."""


class LoggerOptions(TypedDict, total=False):
    """The keywords of `AuditLogger` and `configure`; what they mean is said at `AuditLogger`."""

    journal_dir: str | os.PathLike[str] | None
    service: str | None
    table: str | TableMap | Sequence[TableMap] | None
    writer: WriterHost
    destination: str | None
    max_wait_seconds: float
    journal_max_bytes: int | None
    memory_max_bytes: int
    when_full: WhenFull
    mirror: bool
    strict: bool
    redact: Redaction | Mapping[str, Any] | Rule | None
    timing: Timing | Mapping[str, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a logger is told. Two equal ones make the same logger.

    Attributes:
        is_embedded: no database was given anywhere.
        adopts_living, adopts_any, ends_when_idle: of `drain`.
    """

    address: Address
    journal_dir: Path
    service: str
    table: str | TableMap | tuple[TableMap, ...]
    writer: WriterHost
    destination: str
    max_wait_seconds: float
    journal_max_bytes: int | None
    memory_max_bytes: int
    when_full: WhenFull = "refuse"
    mirror: bool = False
    strict: bool = False
    redact: Redaction | None = None
    timing: Timing = USUAL
    is_embedded: bool = False
    adopts_living: bool = field(default=False, repr=False)
    adopts_any: bool = field(default=False, repr=False)
    ends_when_idle: bool = field(default=False, repr=False)


def read_options(url: object, options: Mapping[str, Any]) -> Settings:
    """Return the settings of the keywords that `AuditLogger` and `configure` were given.

    Raises:
        TypeError: one has a name that none has; the message names the nearest right one.
        ConfigurationError: one of them cannot be meant.
    """
    names = list(LoggerOptions.__annotations__)
    for name in options:
        if name not in names:
            raise TypeError(
                f"unexpected keyword argument {name!r}{meant(name, names)}. There are: url, {', '.join(names)}"
            )
    return read_settings(url, **options)


def read_settings(
    url: object = None,
    *,
    journal_dir: str | os.PathLike[str] | None = None,
    service: str | None = None,
    table: str | TableMap | Sequence[TableMap] | None = None,
    writer: WriterHost = "thread",
    destination: str | None = None,
    max_wait_seconds: float = MAX_WAIT_SECONDS,
    journal_max_bytes: int | None = None,
    memory_max_bytes: int = MEMORY_MAX_BYTES,
    when_full: WhenFull = "refuse",
    mirror: bool = False,
    strict: bool = False,
    redact: Redaction | Mapping[str, Any] | Rule | None = None,
    timing: Timing | Mapping[str, float] | None = None,
) -> Settings:
    """Return the settings, complete.

    Raises:
        ConfigurationError: one of them cannot be meant; the message says which, and what to give.
    """
    given = url or os.environ.get("AUDIT_DATABASE_URL")
    address = read_address(given or EMBEDDED_URL)
    if address.is_file and address.database == ":memory:":
        raise ConfigurationError(
            "a database in memory keeps no audit trail", hint="name a file: sqlite+aiosqlite:///audit.db"
        )
    if writer not in ("thread", "task", "none"):
        raise ConfigurationError(
            f"writer={writer!r} is unknown",
            hint="give 'thread' (the default), 'task' (of the application's loop) or 'none' (`audit-async drain` "
            "uploads)",
        )
    if not _is_number(max_wait_seconds) or not (0 <= max_wait_seconds <= TIMEOUT_MAX or max_wait_seconds == math.inf):
        raise ConfigurationError(f"max_wait_seconds={max_wait_seconds!r} is no time", hint="give seconds, 0 or more")
    if journal_max_bytes is not None and not (
        _is_number(journal_max_bytes) and JOURNAL_MIN_BYTES <= journal_max_bytes <= MOST_BYTES
    ):
        raise ConfigurationError(
            f"journal_max_bytes={journal_max_bytes!r} is less than two segments, or no number",
            hint=f"give a number of bytes, at least {JOURNAL_MIN_BYTES}",
        )
    if not _is_number(memory_max_bytes) or not 0 <= memory_max_bytes <= MOST_BYTES:
        raise ConfigurationError(
            f"memory_max_bytes={memory_max_bytes!r} is no number of bytes", hint="give 0 or more, such as 64 * 1024**2"
        )
    if when_full not in ("refuse", "block"):
        raise ConfigurationError(
            f"when_full={when_full!r} is unknown",
            hint="give 'refuse' (the default: at once) or 'block' (after a wait for room, of max_wait_seconds at most)",
        )
    for name, switch in (("mirror", mirror), ("strict", strict)):
        if type(switch) is not bool:
            raise ConfigurationError(f"{name}={switch!r} is neither True nor False", hint="give one of them")
    tables = _read_table(table)
    return Settings(
        address=address,
        journal_dir=_journal_dir(journal_dir, None if given else address),
        service=service or os.environ.get("AUDIT_SERVICE") or "app",
        table=tables,
        writer=writer,
        destination=address.destination(_named(tables)) if destination is None else fingerprint(destination),
        max_wait_seconds=max_wait_seconds,
        journal_max_bytes=journal_max_bytes,
        memory_max_bytes=memory_max_bytes,
        when_full=when_full,
        mirror=mirror,
        strict=strict,
        redact=read_redaction(redact),
        timing=read_timing(timing),
        is_embedded=not given,
    )


def _read_table(table: object) -> str | TableMap | tuple[TableMap, ...]:
    if table is None:
        return "audit_logs"
    if isinstance(table, TableMap) or (type(table) is str and table.strip()):
        return table
    if isinstance(table, (list, tuple)) and table and all(isinstance(each, TableMap) for each in table):
        return tuple(table)
    raise ConfigurationError(
        f"table={table!r} names no table",
        hint="give a name, such as 'audit_logs', a TableMap, or a list of TableMaps",
    )


def _named(table: str | TableMap | tuple[TableMap, ...]) -> str:
    """Return the tables' names: a destination is where events go, however they are mapped and in whatever order."""
    maps = (table,) if isinstance(table, (str, TableMap)) else table
    return ",".join(sorted(each if isinstance(each, str) else each.table for each in maps))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _journal_dir(given: str | os.PathLike[str] | None, embedded: Address | None) -> Path:
    if given is not None:
        if "\0" in os.fsdecode(given):
            raise ConfigurationError("journal_dir has a NUL in it", hint="no directory can have such a name")
        return Path(given).absolute()
    if embedded is not None and not os.environ.get("AUDIT_JOURNAL_DIR"):
        return Path(f"{embedded.database}.events")
    return default_directory()
