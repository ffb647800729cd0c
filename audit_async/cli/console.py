"""What every command of the tool shares: the application, the two consoles, the parameters, the exit codes."""

from __future__ import annotations

import errno
import getpass
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import (
    App,
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
    UnknownOptionError,
    UnusedCliTokensError,
)
from rich import markup
from rich.console import Console
from rich.panel import Panel

from audit_async import __version__
from audit_async.diagnostics import one_line
from audit_async.errors import AuditError, ConfigurationError
from audit_async.journal.place import may

if TYPE_CHECKING:
    from audit_async.table_map.mapping import TableMap

OK, FINDING, USAGE, INTERRUPTED = 0, 1, 2, 130

_PASSWORD = re.compile(r"(?<=://)([^/?#:@\s]*):[^\s'\"]*@")


def escape(text: str) -> str:
    """Return *text*, whoever wrote it, as it may be shown: no markup, no control character, no password of an address.

    Everything that a command prints and did not say itself goes through here.
    """
    return markup.escape(one_line(_PASSWORD.sub(r"\1:***@", text)))


def _show_misuse(error: CycloptsError) -> Panel:
    lines = _said_of(error).splitlines()
    if isinstance(error, UnknownOptionError) and "-" in (error.token.keyword, error.token.value):
        lines.append("HINT: no command reads standard input: write it to a file, and name that.")
    return Panel("\n".join(map(escape, lines)), title="Error", title_align="left", border_style="red", expand=True)


def _said_of(error: CycloptsError) -> str:
    """Return what is wrong with a command line, in other words than the parser's where those name no remedy."""
    command = " ".join(("audit-async", *(error.command_chain or ())))
    if isinstance(error, UnusedCliTokensError):
        unused = " ".join(error.unused_tokens or ())
        address = any("://" in word for word in error.root_input_tokens or ()) and "import" in command
        how = "The database is named by --url, or AUDIT_DATABASE_URL." if address else f"See {command} --help."
        return f"There is no place for: {unused}\n{how}"
    if isinstance(error, MissingArgumentError) and error.argument:
        name, told = error.argument.name, error.argument.parameter.help
        if not set(error.argument.names) & set(error.root_input_tokens or ()):
            return f"{name} is missing{f': {told}' if told else '.'}\nSee {command} --help."
    return str(error)


app = App(
    name="audit-async",
    help="Who did what: find and count it; make the table, deliver what waits on this machine, show what can be said.",
    version=__version__,
    result_action="return_value",
    error_formatter=_show_misuse,
)
READING = Group("What happened", sort_key=0)
"""The commands that read events, above those that look after them."""
app.register_install_completion_command(help="Let bash, zsh or fish complete commands and options: edits its start.")


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `run`, for which `| head` is no fault."""
        raise BrokenPipeError


out = _Console(highlight=False, emoji=False)
err = _Console(stderr=True, highlight=False, emoji=False)

Url = Annotated[
    str | None,
    Parameter(name=["--url"], help="Database address with an async driver; else AUDIT_DATABASE_URL."),
]
Address = Annotated[str | None, Parameter(help="Database address, e.g. postgresql+asyncpg://app@db/app.")]
TableName = Annotated[str, Parameter(help="Name of the table, optionally with its schema.")]
JournalDirectory = Annotated[Path | None, Parameter(help="Where events wait; else as the application finds it.")]
OtherTable = Annotated[str | None, Parameter(help="Name of the table, optionally with its schema; else audit_logs.")]
# Where it is not told how many words follow, cyclopts tries all that do, anew for each.
Several = Annotated[list[str] | None, Parameter(n_tokens=1)]
"""An option that may be repeated."""
MapFiles = Annotated[
    list[Path] | None,
    Parameter(name="--map", n_tokens=1, help="The map that the application has; several, in its order, by repetition."),
]


def named_tables(table: str | None, files: list[Path] | None) -> str | list[TableMap] | None:
    """Return the `table=` of the application whose events these are: they are found by the tables' names."""
    from audit_async.table_map.mapping import TableMap

    if table is not None and files:
        raise ConfigurationError("--table and --map exclude each other", hint="the map names its table")
    return [TableMap.load(file) for file in files or []] or table


@contextmanager
def journal_directory(directory: Path) -> Iterator[None]:
    """Turn what the system says about the journal's files inside into an error of ours.

    Raises:
        ConfigurationError: there is no such directory.
        AuditError: something in it may not be read, or changed.
    """
    try:
        if not directory.is_dir():
            raise ConfigurationError(
                f"there is no journal directory {directory}", hint="name it by --journal-dir; the first event makes it"
            )
        yield
    except BrokenPipeError:
        # Not the journal's, but that of what is printed.
        raise
    except OSError as error:
        raise AuditError(
            f"{error.filename or directory}: {error.strerror or error}",
            hint="run this as the user that the application runs as",
        ) from error


def check_rights(directory: Path, rights: int) -> None:
    """Refuse a *directory* that this user has not those *rights* to.

    Raises:
        PermissionError: for `journal_directory` to tell. Files that cannot be seen must not pass for none.
    """
    if not may(directory, rights):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(directory))


def moment_of(value: str) -> datetime:
    """Return the time that *value* says, in UTC where it names no zone.

    Raises:
        ConfigurationError: it is no time.
    """
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ConfigurationError(f"{value[:100]!r} is no time", hint="write 2026-01-31 or 2026-01-31T12:00Z") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def end_as_interrupted() -> None:
    """See to it that SIGTERM ends a command as Ctrl-C does, with what it has to say then.

    Signals are the main thread's: a program that runs the tool in another one keeps its own handling.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def user_name() -> str | None:
    """Return who started this program, as far as this machine knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None
