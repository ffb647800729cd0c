"""Where the reading commands read: the database, the table, and whose events of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Group, Parameter

from audit_async.cli.console import FINDING, Several, err, escape
from audit_async.config import READER_STATEMENT_SECONDS, SPINNER_SECONDS
from audit_async.errors import ConfigurationError
from audit_async.settings import read_settings

if TYPE_CHECKING:
    from rich.status import Status

    from audit_async.reader import AuditReader
    from audit_async.reading.query import Query
    from audit_async.reading.scope import Scope
    from audit_async.settings import Settings
    from audit_async.table_map.mapping import TableMap

Json = Annotated[
    bool,
    Parameter(
        name="--json", help="One JSON object a line, with everything, for programs.", negative="", show_default=False
    ),
]
T = TypeVar("T")


@Parameter(name="*", negative="", show_default=False, group=Group("Whose events, and where", sort_key=1))
@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a reader is opened with. The names of its attributes are those of the options."""

    tenant: Annotated[Several, Parameter(help="Events of this tenant; several by repetition.")] = None
    no_tenant: Annotated[bool, Parameter(help="Events that have no tenant.")] = False
    all_tenants: Annotated[bool, Parameter(help="Everything, whosever it is.")] = False
    url: Annotated[str | None, Parameter(help="Database address with an async driver; else AUDIT_DATABASE_URL.")] = None
    table: Annotated[str | None, Parameter(help="Name of the table, optionally with its schema; else audit_logs.")] = (
        None
    )
    map: Annotated[Path | None, Parameter(help="The map of a table that is not ours; see `audit-async map`.")] = None
    timeout: Annotated[
        float, Parameter(help=f"Seconds that one question may take; else {READER_STATEMENT_SECONDS}.")
    ] = READER_STATEMENT_SECONDS

    @property
    def scope(self) -> Scope:
        """Whose events may be seen.

        Raises:
            ConfigurationError: nothing was said of that, or too much.
        """
        from audit_async.reading.scope import Scope

        if "" in (self.tenant or []):
            raise ConfigurationError("an empty --tenant names none", hint="give --no-tenant for events that have none")
        some = [*(self.tenant or []), *([None] if self.no_tenant else [])]
        if self.all_tenants and some:
            raise ConfigurationError("--all-tenants excludes --tenant and --no-tenant", hint="leave one of them out")
        if not self.all_tenants and not some:
            raise ConfigurationError(
                "whose events are meant was not said",
                hint="give --tenant T (several by repetition), --no-tenant (events that have none) or --all-tenants",
            )
        return Scope.all() if self.all_tenants else Scope.of(*some)

    def reader(self, address: str | None) -> AuditReader:
        """Return a reader of the database at *address*, or of the one that is given otherwise.

        Raises:
            ConfigurationError: there is none, or one of the options cannot be meant.
        """
        from audit_async.reader import AuditReader

        settings = self.settings(address)
        if settings.is_embedded and not Path(settings.address.database).exists():
            raise ConfigurationError("no database is given", hint="give its address first, or by AUDIT_DATABASE_URL")
        return AuditReader(settings.address.url, tenant=self.scope, table=self._table(), statement_seconds=self.timeout)

    def settings(self, address: str | None, journal_dir: Path | None = None) -> Settings:
        """Return the settings of a logger beside the reader, for the same database and table.

        Raises:
            ConfigurationError: the database is given twice.
        """
        if address is not None and self.url is not None:
            raise ConfigurationError("the database is given twice", hint="as the first word, or by --url")
        return read_settings(address or self.url, journal_dir=journal_dir, table=self._table())

    def _table(self) -> str | TableMap | None:
        from audit_async.table_map.mapping import TableMap

        if self.map is None:
            return self.table
        table_map = TableMap.load(self.map)
        return table_map if self.table is None else table_map.on_table(self.table)


NOTHING_SAID = Source()


def ask(reader: AuditReader, question: Callable[[], Awaitable[T]], waiting: Status | None = None) -> T:
    """Open *reader*, and return what its *question* is answered with.

    Args:
        waiting: shown at a terminal while that takes long.
    """

    async def answer() -> T:
        # Where nobody looks, nothing turns.
        shown = waiting if err.is_terminal else None
        later = shown and asyncio.get_running_loop().call_later(SPINNER_SECONDS, shown.start)
        try:
            async with reader:
                return await question()
        finally:
            if shown and later:
                later.cancel()
                shown.stop()
            await reader.close()

    return asyncio.run(answer())


def tell_nothing(reader: AuditReader, query: Query | None = None, *, what: str = "such event", when: str = "") -> int:
    """Say that there is none, and return the exit code for that.

    Args:
        query: what was asked for; an action in it that nobody knows may be a slip, and the answer a wrong one.
    """
    err.print(f"No {escape(what)} is there, of {escape(str(reader.scope))}{when}", soft_wrap=True)
    for each in (query and query.named) or ():
        if not each.is_known:
            is_slip = each.meant or "." in each.text or each.is_pattern
            said = (
                f"{each.given!r}{each.meant}" if is_slip else f"{each.text!r}; a family of your own is '{each.text}.*'"
            )
            err.print(
                f"  [dim]HINT:[/] no known action is called {escape(said)}; "
                "`audit-async count --by action` shows which there are",
                soft_wrap=True,
            )
    return FINDING


def split_words(words: Sequence[str], source: Source) -> tuple[str | None, list[str]]:
    """Return the database and what else is said: it is the first of *words*, where none is given otherwise."""
    if words and source.url is None and "://" in words[0]:
        return words[0], list(words[1:])
    return None, list(words)


def options(given: Any) -> list[str]:
    """Return *given*, a dataclass of options, as the words of a command line; defaults are left out."""
    said = []
    for name, field in given.__dataclass_fields__.items():
        value = getattr(given, name)
        option = f"--{name.replace('_', '-')}"
        if value is True:
            said.append(option)
        elif value != field.default:
            # In one word with its option: a value may begin with a dash.
            said += [f"{option}={each}" for each in (value if isinstance(value, list) else [value])]
    return said
