"""The address of a database, read without loading a driver: what it names, and whether it can be meant."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from audit_async.errors import ConfigurationError

_ASYNC_INSTEAD = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "postgresql+psycopg2": "postgresql+asyncpg",
    "postgresql+pg8000": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+pysqlite": "sqlite+aiosqlite",
    "mysql": "mysql+asyncmy",
    "mysql+pymysql": "mysql+asyncmy",
    "mysql+mysqldb": "mysql+asyncmy",
    "mariadb": "mariadb+asyncmy",
    "mariadb+pymysql": "mariadb+asyncmy",
}
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What an SQLAlchemy address names.

    Attributes:
        url: as given, credentials and all. Not for print; use `str()` of this object.
        kind: `postgresql`, `sqlite`, `mysql`, ...
        database: its name, or the absolute path of its file.
    """

    url: str
    kind: str
    host: str
    port: int | None
    database: str

    def __str__(self) -> str:
        if not self.host:
            return f"{self.kind}:{self.database}"
        return f"{self.kind}://{self.host}{f':{self.port}' if self.port else ''}/{self.database}"

    def __repr__(self) -> str:
        return f"<Address {self}>"

    @property
    def is_file(self) -> bool:
        """Whether the database is a file (or memory) of this process's own, and no server."""
        return self.kind == "sqlite"

    def destination(self, table: str) -> str:
        """Return the fingerprint of this database and *table*: the same for every driver, user and query."""
        named = f"{self.kind}|{self.host}|{self.port}|{self.database}|{table}"
        return fingerprint(named)


def fingerprint(text: str) -> str:
    """Return 32 hexadecimal digits for *text*, which fit a file name and a segment's header."""
    return hashlib.sha256(str(text).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def read_address(url: object) -> Address:
    """Return what *url* names: text, or an SQLAlchemy `URL`.

    Raises:
        ConfigurationError: it is no address, or one of a driver that blocks.
    """
    render = getattr(url, "render_as_string", None)
    text = render(hide_password=False) if render is not None else url
    if not isinstance(text, str) or "://" not in text:
        raise ConfigurationError(
            f"the database address is of type {type(url).__name__}, not a text"
            if not isinstance(text, str)
            else "the database address has no '://'",
            hint="give one like 'postgresql+asyncpg://user:password@host/database' or 'sqlite+aiosqlite:///audit.db'",
        )
    scheme, _, rest = text.partition("://")
    if scheme in _ASYNC_INSTEAD:
        raise ConfigurationError(
            f"'{scheme}://' is an address for a driver that blocks; audit_async needs an async one",
            hint=f"write '{_ASYNC_INSTEAD[scheme]}://' and leave the rest as it is",
        )
    kind = scheme.partition("+")[0]
    try:
        parts = urlsplit(f"x://{rest}")
        host, port = parts.hostname or "", parts.port or _PORTS.get(kind)
        if kind != "sqlite" and "@" in parts.path + parts.fragment:
            raise ValueError("what stands before a stray / or # was taken for the host")
    except ValueError:
        raise ConfigurationError(
            "the database address cannot be read",
            hint="characters such as @ : / # in a password are written %40 %3A %2F %23",
        ) from None
    database = unquote(parts.path.removeprefix("/"))
    if kind == "sqlite":
        in_memory = not database or database == ":memory:" or "mode=memory" in parts.query
        database = ":memory:" if in_memory else _absolute(database.removeprefix("file:"))
        host, port = "", None
    elif not host:
        host = "localhost"
    return Address(url=text, kind=kind, host=host, port=port, database=database)


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:
        raise ConfigurationError(
            f"the file {path} is given from the working directory, which is gone", hint="give its absolute path"
        ) from None
