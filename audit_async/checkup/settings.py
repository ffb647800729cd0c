"""What was given, and from where: the first question when events do not arrive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from audit_async.checkup.finding import Finding
from audit_async.settings import Settings

ARGUMENT, DEFAULT = "argument", "default"


def find_origins(*, url: object, journal_dir: object, service: object, table: object) -> dict[str, str]:
    """Return where each setting comes from, given what the call itself says: `argument`, a variable, or `default`."""
    in_directory = next((name for name in ("AUDIT_JOURNAL_DIR", "STATE_DIRECTORY") if os.environ.get(name)), DEFAULT)
    return {
        "database": ARGUMENT if url else _variable("AUDIT_DATABASE_URL"),
        "journal": ARGUMENT if journal_dir is not None else in_directory,
        "service": ARGUMENT if service else _variable("AUDIT_SERVICE"),
        "table": ARGUMENT if table else DEFAULT,
    }


def _variable(name: str) -> str:
    return name if os.environ.get(name) else DEFAULT


def of_settings(settings: Settings, origins: Mapping[str, str]) -> Iterator[Finding]:
    """Yield each setting with its origin. A password is never shown."""
    user, has_password = _credentials(settings.address.url)
    named = f"{settings.address}{f' as {user}' if user else ''}"
    if settings.is_embedded:
        yield Finding(
            "note",
            "settings",
            f"database {named} (default, in the working directory)",
            "set AUDIT_DATABASE_URL for a server",
        )
    else:
        yield Finding("ok", "settings", f"database {named} ({origins['database']})")
    if has_password and origins["database"] == ARGUMENT:
        yield Finding(
            "note",
            "settings",
            "the password stands on the command line, where every user of this machine can read it",
            "set AUDIT_DATABASE_URL instead",
        )
    yield Finding("ok", "settings", f"journal {settings.journal_dir} ({origins['journal']})")
    yield Finding("ok", "settings", f"service {settings.service} ({origins['service']})")
    yield Finding("ok", "settings", f"table {', '.join(tables_of(settings))} ({origins['table']})")


def tables_of(settings: Settings) -> list[str]:
    """Return the names of the tables that events go to."""
    given = settings.table if isinstance(settings.table, tuple) else (settings.table,)
    return [each if isinstance(each, str) else each.table for each in given]


def _credentials(url: str) -> tuple[str, bool]:
    parts = urlsplit(f"x://{url.partition('://')[2]}")
    return unquote(parts.username or ""), parts.password is not None
